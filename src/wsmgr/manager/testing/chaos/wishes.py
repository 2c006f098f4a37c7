"""Wishes: what a program wants of the manager, and what it got.

A wish is one subscription that somebody wants, from the call that began it to the call that ended it. Its consumers take down
every item; a consumer lives as long as its process, a kept wish longer.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import anyio
from attrs import define, field, frozen

from wsmgr.manager.model.continuity import Gap, Lagged
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.testing.simulated.truth import StreamTruth

if TYPE_CHECKING:
    from wsmgr.manager.model.delivery import Item
    from wsmgr.manager.model.subscription import Entry

USERS = tuple(f"0x{digit * 40}" for digit in "abc")
_COINS = ("BTC", "ETH", "SOL")
SMALL_BUFFER = 8
"""Messages that wait for a slow consumer at most."""


@frozen
class Kind:
    """A subscription that a program may want.

    Attributes:
        type: The subscription type.
        params: Its parameters.
    """

    type: str
    params: Mapping[str, Any]


STEADY: tuple[Kind, ...] = (
    *(Kind("trades", {"coin": coin}) for coin in _COINS),
    *(Kind("bbo", {"coin": coin}) for coin in _COINS[:2]),
    *(Kind("l2Book", {"coin": coin}) for coin in _COINS[:2]),
    Kind("candle", {"coin": "BTC", "interval": "1m"}),
    Kind("activeAssetCtx", {"coin": "ETH"}),
    *(Kind(name, {"user": USERS[0]}) for name in ("userFills", "orderUpdates", "clearinghouseState")),
    *(Kind(name, {"user": USERS[1]}) for name in ("userFills", "userEvents", "openOrders")),
    Kind("userFundings", {"user": USERS[0]}),
    Kind("userNonFundingLedgerUpdates", {"user": USERS[1]}),
)
"""What is wanted from the beginning."""

PASSING: tuple[Kind, ...] = (
    Kind("l2Book", {"coin": "BTC", "nSigFigs": 5}),
    Kind("l2Book", {"coin": "BTC", "nSigFigs": 3}),
    Kind("l2Book", {"coin": "SOL", "fast": True}),
    Kind("bbo", {"coin": "SOL"}),
    Kind("candle", {"coin": "ETH", "interval": "5m"}),
    Kind("activeAssetCtx", {"coin": "BTC"}),
    Kind("allMids", {"dex": "xyz"}),
    Kind("outcomeMetaUpdates", {}),
    Kind("explorerBlock", {}),
    Kind("orderUpdates", {"user": USERS[1]}),
    Kind("userHistoricalOrders", {"user": USERS[1]}),
    Kind("notification", {"user": USERS[1]}),
    Kind("notification", {"user": USERS[2]}),
    Kind("orderUpdates", {"user": USERS[2]}),
    Kind("userTwapSliceFills", {"user": USERS[2]}),
    Kind("activeAssetData", {"user": USERS[2], "coin": "BTC"}),
)
"""What is wanted for a while. Streams that do not name their user, and variants of one book, are among them on purpose."""


@frozen
class Complaint:
    """Something that a consumer should not have seen.

    Attributes:
        invariant: Which promise it breaks.
        at: When, on the loop's clock.
        text: What it was.
    """

    invariant: str
    at: float
    text: str


@define(eq=False)
class Consumer:
    """One consumer of a wish, and what it was told.

    Attributes:
        handle: Its handle.
        stream: The truth of the stream that it reads.
        merged: Whether its type promises that no item comes twice.
        guest: Whether others read the same: it may leave without ending the wish.
        slow: Whether it stops reading now and then, with a small buffer of which the oldest is dropped; only guests are.
        messages: How many messages it got, replayed ones not counted.
        lagged: How many messages it was told that it lost.
        seen: When each unit came first.
        complaints: What it should not have seen.
        ended: Why nothing more came, or None.
    """

    handle: Subscription
    stream: StreamTruth
    merged: bool
    guest: bool = False
    slow: bool = False
    messages: int = 0
    lagged: int = 0
    seen: dict[Hashable, float] = field(factory=dict[Hashable, float], repr=False)
    complaints: list[Complaint] = field(factory=list[Complaint], repr=False)
    ended: str | None = None
    _seq: int | None = None
    _epoch: int | None = None
    _gap_told: bool = False
    _lost: int = 0
    _deaf: bool = False
    _reads_at: float = 0.0

    @property
    def reads(self) -> bool:
        """Whether it still gets what comes."""
        return not self._deaf and self.ended is None and self._reads_at <= anyio.current_time()

    async def run(self) -> None:
        """Read until there is nothing more."""
        if self.slow:
            self.handle.buffer.max_messages = SMALL_BUFFER
        try:
            while True:
                await anyio.sleep_until(self._reads_at)
                for item in await self.handle.batch():
                    if not self._deaf:
                        self._take(item, anyio.current_time())
        except StopAsyncIteration:
            self.ended = "ended"
        except WsmgrError as error:
            self.ended = f"{type(error).__name__}: {error}"

    def stop_reading(self, seconds: float) -> None:
        """Take nothing more for some seconds."""
        self._reads_at = anyio.current_time() + seconds

    def die(self) -> None:
        """The process is dead: nothing of what is still handed out counts."""
        self._deaf = True

    def _take(self, item: Item, now: float) -> None:
        match item:
            case Message():
                self._take_message(item, now)
            case Gap():
                self._gap_told = self._gap_told or not item.whole
            case Lagged():
                self._gap_told = True
                self._lost += item.dropped
                self.lagged += item.dropped
            case _:
                pass

    def _take_message(self, message: Message, now: float) -> None:
        units = self.stream.units_of(message)
        if units is None:
            self._complain("never mixed", now, f"not of this stream: {message.raw[:200]!r}")
            units = ()
        if not message.replayed:
            self.messages += 1
            self._check_order(message, now)
            self._check_gap(message, now)
            if self.merged:
                self._check_once(message, units, now)
        for unit in units:
            self.seen.setdefault(unit, now)

    def _check_order(self, message: Message, now: float) -> None:
        lost, self._lost = self._lost, 0
        if self._seq is not None and message.epoch == self._epoch and message.seq != self._seq + 1 + lost:
            text = f"seq {message.seq} came after {self._seq}, and {lost} were told to be lost"
            self._complain("seq without holes", now, text)
        self._seq, self._epoch = message.seq, message.epoch

    def _check_gap(self, message: Message, now: float) -> None:
        if self._gap_told and message.gap is None:
            self._complain("gap flag", now, "a gap was told, and the next message carries none")
        # The first message may carry a gap that was told before this consumer came.
        if message.gap is not None and not self._gap_told and self.messages > 1:
            self._complain("gap flag", now, "a message carries a gap that was not told")
        self._gap_told = False

    def _check_once(self, message: Message, units: tuple[Hashable, ...], now: float) -> None:
        # The simulator answers questions with what its streams send up to an interval later: that may come again then.
        made_at, seen = self.stream.made_at, self.seen
        again = [unit for unit in units if unit in seen and made_at.get(unit, -math.inf) <= seen[unit]]
        if again or len(set(units)) < len(units):
            first = f", first at {self.seen[again[0]]:.3f}" if again else ""
            self._complain(
                "nothing doubled",
                now,
                f"{len(again)} of {len(units)} items again{first}: {again[:1]!r} in {_marks(message)}",
            )

    def _complain(self, invariant: str, now: float, text: str) -> None:
        self.complaints.append(Complaint(invariant, now, text))


def _marks(message: Message) -> str:
    marks = ("snapshot", "replayed", "healed", "composed")
    found = [name for name in marks if getattr(message, name)]
    return f"message {message.epoch}:{message.seq} on {message.connection} ({', '.join(found) or 'plain'})"


@define(eq=False)
class Wish:
    """One subscription that a program wants.

    Attributes:
        kind: What it is.
        kept: Whether it is to outlive the process.
        stream: The truth of its stream.
        merged: Whether its type promises that no item comes twice.
        unkeyed: Whether its type has nothing by which two sockets can be compared.
        redundancy: On how many sockets its first consumer wants it.
        begun_at: When it was asked for first.
        id: The subscription's id, once it is known.
        acknowledged: Set when the manager has said that it is wanted.
        ended_at: When its end was asked for, or the process that held it died; None while it is wanted.
        end_acknowledged: Set when the manager has said that it has ended.
        consumers: Everybody who read it, in the order of their coming.
        states: When it came into which state; `""` while no process runs.
    """

    kind: Kind
    kept: bool
    stream: StreamTruth
    merged: bool
    unkeyed: bool
    begun_at: float
    redundancy: Literal[1, 2] = 1
    id: str | None = None
    acknowledged: anyio.Event = field(factory=anyio.Event, repr=False)
    ended_at: float | None = None
    end_acknowledged: anyio.Event = field(factory=anyio.Event, repr=False)
    consumers: list[Consumer] = field(factory=list[Consumer], repr=False)
    states: list[tuple[float, str]] = field(factory=list[tuple[float, str]], repr=False)

    @property
    def wanted(self) -> bool:
        """Whether it is wanted now."""
        return self.ended_at is None

    @property
    def sides(self) -> int:
        """On how many sockets it is wanted now: one that is kept as it was wanted first, whoever reads it; others for their readers."""
        readers = (each.handle.buffer.redundancy for each in self.consumers if each.reads)
        return max(self.redundancy if self.kept else 1, *readers, 1)

    def note_state(self, entry: Entry) -> None:
        """Take down a state of the subscription (a watcher of its entry)."""
        self.states.append((anyio.current_time(), entry.state.value))

    def live_spans(self, until: float) -> list[tuple[float, float]]:
        """Return when it said that it was live, up to `until`."""
        spans: list[tuple[float, float]] = []
        for (at, state), (left, _) in pairwise([*self.states, (until, "")]):
            if state == "live" and left > at:
                spans.append((at, min(left, until)))
        return spans
