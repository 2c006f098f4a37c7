"""The healer: asks a venue for what its gaps have swallowed, one query at a time.

What is to be asked lies in the registry's plain objects (`model.healing`, `model.healing_queue`), so a crash of the actor loses no gap:
the next one asks again, and a gap over which it crashes each time is given up like one that is never answered. What comes goes to
the core, which numbers it and gives it to the consumers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Protocol

from wsmgr.actors import Actor, Continue, MailboxPolicy, Timer
from wsmgr.manager.model.errors import ManagerClosedError, QuotaError, RequestNotSentError, WsmgrError
from wsmgr.manager.model.healing import UNTAKEN
from wsmgr.manager.model.healing_queue import PACE, may_ask
from wsmgr.manager.model.outcome import Answered, Refused, Unknown
from wsmgr.manager.runtime.context import LOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from wsmgr.manager.model.continuity import Healed
    from wsmgr.manager.model.healing import Healing, HealingQuery
    from wsmgr.manager.model.healing_queue import HealingQueue, Pace
    from wsmgr.manager.model.items import Item
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import Context, VenueContext
    from wsmgr.manager.venues.dialect import Requester

TIMEOUT: Final = 15.0
"""Seconds that a query has."""
LOOK_AGAIN: Final = 2.0
"""Seconds until it is seen again whether there is room for a query."""


class Deliver(Protocol):
    """Gives consumers what was missed."""

    def __call__(self, entry: Entry, frames: Sequence[bytes], items: Sequence[Item]) -> None:
        """Publish frames as messages marked `healed`, remember their items as delivered, and wake the consumers.

        Args:
            entry: The subscription; it may be interrupted again.
            frames: Frames of the stream in the venue's format, in the order in which they are to be delivered.
            items: The items in them, oldest first; none was delivered before.
        """
        ...


class Finish(Protocol):
    """Says what is known of gaps that were looked into."""

    def __call__(self, entry: Entry, found: Sequence[Healed]) -> None:
        """Tell consumers, ledger and log.

        Args:
            entry: The subscription; it may have ended.
            found: Its gaps that are done with: each with its proof, or with the reason why it stays open. At least one.
        """
        ...


class Healer(Actor[Any]):
    """Asks for the gaps of one venue.

    Args:
        context: What the actors share.
        venue: The venue.
        queue: Its gaps.
        pace: The pace of the venue's origin.
        requester: What sends the queries.
        deliver: Takes what was missed.
        finish: Takes what is known of a gap in the end.
    """

    mailbox = MailboxPolicy(capacity=64, overflow="reject")

    def __init__(
        self,
        context: Context,
        venue: VenueContext,
        *,
        queue: HealingQueue,
        pace: Pace,
        requester: Requester,
        deliver: Deliver,
        finish: Finish,
    ) -> None:
        """Bind what the actor works with."""
        self._context = context
        self._venue = venue
        self._queue = queue
        self._pace = pace
        self._requester = requester
        self._deliver = deliver
        self._finish = finish
        self._timer: Timer | None = None

    async def init(self) -> Continue:
        """Be the one who is told of new gaps."""
        self._venue.healer = self.ref
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Go on with what an earlier one left."""
        await self._look()

    async def handle_cast(self, message: object) -> None:
        """Look at a new gap."""
        await self._look()

    async def handle_info(self, message: object) -> None:
        """Ask for what has fallen due."""
        await self._look()

    async def _look(self) -> None:
        """Ask for one page, where one is due and there is room, and see to it that the next look comes in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._context.draining:
            return
        self._let_go()
        now = self._context.clock.monotonic()
        entry, look_at = self._queue.due(now)
        if entry is not None and entry.healing is not None:
            if now < self._pace.next_at:
                look_at = self._pace.next_at
            elif not may_ask(self._venue.model, now):
                look_at = now + LOOK_AGAIN
            else:
                look_at = self._pace.next_at = now + PACE
                await self._ask(entry, entry.healing, now)
                now = self._context.clock.monotonic()
        if look_at < math.inf:
            self._timer = self.send_after(max(0.0, look_at - now), LOOK)

    def _let_go(self) -> None:
        """Give up the gaps of subscriptions that have ended."""
        for entry in list(self._queue.entries.values()):
            if self._context.registry.entries.get(entry.id) is not entry and entry.healing is not None:
                self._done(
                    entry, entry.healing.give_up("the subscription was ended before all was asked for")
                )

    async def _ask(self, entry: Entry, healing: Healing, now: float) -> None:
        if healing.exhausted:
            self._done(entry, healing.failed(str(entry.type.healing), UNTAKEN))
            return
        since, until = healing.ask(now, self._context.clock.wall())
        query = self._venue.dialect.heal(entry.atom, since, until)
        if query is None:
            self._done(entry, healing.give_up(f"the venue has no query for {entry.type.name}"))
            return
        try:
            outcome = await self._requester.request("info", query.payload, timeout=TIMEOUT)
        except (RequestNotSentError, QuotaError):
            healing.postpone(self._context.clock.monotonic(), LOOK_AGAIN)
            return
        except ManagerClosedError:
            return
        self._let_go()
        why: str | None
        match outcome:
            case Answered(answer):
                why = self._answered(entry, healing, query, answer)
            case Refused(words):
                why = f"the venue refused it: {words}"
            case Unknown(words):
                why = words
        if why is not None:
            self._done(entry, healing.failed(query.name, why))

    def _answered(self, entry: Entry, healing: Healing, query: HealingQuery, answer: object) -> str | None:
        """Take an answer; returns why it cannot be used, or None where it can."""
        try:
            delivered, known_from = _delivered(entry, query)
            page = healing.read(query, answer, delivered, known_from=known_from)
        except WsmgrError as error:
            return str(error)
        if page.items:
            self._deliver(entry, query.frames(page.items), page.items)
        self._done(entry, healing.take(query, page, self._context.clock.monotonic()))
        self.healthy()
        return None

    def _done(self, entry: Entry, found: Sequence[Healed]) -> None:
        self._queue.settle(entry)
        if found:
            self._finish(entry, found)


def _delivered(entry: Entry, query: HealingQuery) -> tuple[Callable[[Hashable], bool], float]:
    """Return what knows whether an item was delivered, and from when on: the merger, or the newest messages of what is not merged."""
    merger, recent = entry.merger, entry.recent
    if merger is not None:
        return merger.delivered, -math.inf
    if recent is None:
        return frozenset[object]().__contains__, math.inf
    known = {item.key for message in recent for item in query.seen(message.raw)}
    return known.__contains__, recent.oldest_at
