"""Clients of a daemon that subscribe and unsubscribe, and remember what was acknowledged to them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from wsmgr.manager.daemon.errors import DaemonUnreachableError
from wsmgr.manager.daemon.unix_client import DaemonClient, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

POLL = 0.02
PAUSE = 0.02
USER = "0x" + "a1" * 20
COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "HYPE")
STREAMS = ("bbo", "trades", "l2Book", "activeAssetCtx")


@frozen
class Wish:
    """A subscription that clients ask for and end."""

    type: str
    parameter: str
    value: str

    @property
    def params(self) -> dict[str, str]:
        return {self.parameter: self.value}

    @property
    def body(self) -> dict[str, Any]:
        return {"type": self.type, "params": self.params, "keep": True, "wait": "none"}


BASE = (
    Wish("bbo", "coin", "BTC"),
    Wish("l2Book", "coin", "ETH"),
    Wish("trades", "coin", "SOL"),
    Wish("userFills", "user", USER),
)
"""Those that nobody ends."""
SHARED_OUT = tuple(
    wish for wish in (Wish(type_, "coin", coin) for coin in COINS for type_ in STREAMS) if wish not in BASE
)
"""Those that the clients share out among them."""


class Live:
    """Which subscriptions a daemon has said to be live, and nobody has begun to end since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[str] = set()
        self._ends: Counter[str] = Counter()

    def ending(self, id_: str) -> None:
        """Somebody is about to end it, or has."""
        with self._lock:
            self._live.discard(id_)
            self._ends[id_] += 1

    def look(self, ask: Callable[[], Iterable[str]]) -> None:
        """Ask which are live; an answer that an end has overtaken says nothing."""
        with self._lock:
            before = self._ends.copy()
        answer = ask()
        with self._lock:
            self._live |= {id_ for id_ in answer if before[id_] == self._ends[id_]}

    def take(self) -> frozenset[str]:
        """Return them, and forget them: their daemon is dead."""
        with self._lock:
            live, self._live = frozenset(self._live), set()
        return live


@define(eq=False)
class Talk:
    """What the clients and those who kill their daemon have in common.

    Attributes:
        client: Talks to whatever daemon runs.
        ids: The id of each wish, once it is known.
        live: Which subscriptions are live.
        serving: Set while requests may be made.
        over: Set when nothing is to be asked for any more.
        counts: How many requests were acknowledged, by what they were, and how many died with their daemon.
    """

    client: DaemonClient
    ids: dict[Wish, str] = field(factory=dict[Wish, str])
    live: Live = field(factory=Live)
    serving: threading.Event = field(factory=threading.Event)
    over: threading.Event = field(factory=threading.Event)
    counts: Counter[str] = field(factory=Counter[str])
    _lock: threading.Lock = field(factory=threading.Lock)

    def count(self, what: str) -> None:
        """Count something that happened, from any thread."""
        with self._lock:
            self.counts[what] += 1


class Client(threading.Thread):
    """Subscribes to its own share of the wishes and unsubscribes from them, until it is told to end.

    Attributes:
        wanted: What was acknowledged last of each of its wishes: that it is kept, or that it has ended.
        undecided: Those whose last request died with its daemon.
        idle: Set while nothing of it is under way.
        error: What it stumbled over, or None.
    """

    def __init__(self, talk: Talk, wishes: tuple[Wish, ...], seed: str) -> None:
        super().__init__(daemon=True)
        self._talk = talk
        self._wishes = wishes
        self._random = Random(seed)
        self.wanted: dict[Wish, bool] = {}
        self.undecided: set[Wish] = set()
        self.idle = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._talk.over.is_set():
                if not self._talk.serving.is_set():
                    self.idle.set()
                    self._talk.serving.wait(POLL)
                    continue
                self.idle.clear()
                if self._talk.serving.is_set():
                    self._act(self._random.choice(self._wishes))
        except BaseException as error:  # noqa: BLE001 - told by whoever waits for this thread
            self.error = error
        finally:
            self.idle.set()

    def _act(self, wish: Wish) -> None:
        talk = self._talk
        wanted = not self.wanted.get(wish, False)
        try:
            if wanted:
                talk.ids[wish] = talk.client.subscribe(wish.body)["id"]
                talk.count("subscribed")
            else:
                talk.live.ending(talk.ids[wish])
                talk.client.delete(path_of(talk.ids[wish]))
                talk.live.ending(talk.ids[wish])
                talk.count("unsubscribed")
        except DaemonUnreachableError as error:
            if error.sent:
                self.undecided.add(wish)
                talk.count("undecided")
            return
        self.wanted[wish] = wanted
        time.sleep(self._random.uniform(0.0, PAUSE))
