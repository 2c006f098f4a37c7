"""Engine: the simulator without its network. Everything that all sockets share, behind a clock that is passed in."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.exchange import Exchange
from wsmgr.manager.venues.hyperliquid.simulator.exchange.feed import Feed
from wsmgr.manager.venues.hyperliquid.simulator.hub import Hub
from wsmgr.manager.venues.hyperliquid.simulator.info import Info
from wsmgr.manager.venues.hyperliquid.simulator.journal import Journal
from wsmgr.manager.venues.hyperliquid.simulator.market import Market
from wsmgr.manager.venues.hyperliquid.simulator.market_sources import MarketSources
from wsmgr.manager.venues.hyperliquid.simulator.options import DEFAULT_RATE, Limits, SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.quotas import ClientQuotas
from wsmgr.manager.venues.hyperliquid.simulator.replay import Recorder, load_recordings
from wsmgr.manager.venues.hyperliquid.simulator.session import Session
from wsmgr.manager.venues.hyperliquid.simulator.sources import Source, nothing
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import is_valid
from wsmgr.manager.venues.hyperliquid.simulator.user_sources import UserSources

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from wsmgr.manager.venues.hyperliquid.simulator.faults import Faults
    from wsmgr.manager.venues.hyperliquid.simulator.journal import Witness
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

REAL_MARKET_INTERVAL = 0.25
REAL_TRADE_CHANCE = 0.4
PATHS = ("/ws", "/", "/explorer/ws")


@attrs.frozen
class Refusal:
    """An upgrade that is answered with an HTTP status instead.

    Attributes:
        status: The status.
        retry_after: Seconds for the `Retry-After` header, None for none.
        text: The body.
    """

    status: int
    retry_after: float | None
    text: str


class Engine:
    """The simulated venue.

    Attributes:
        options: What it was started with.
        faults: What it does wrong now; :meth:`set_faults` replaces it.
        journal: What it saw and did.
        hub: Its streams.
        exchange: What acts in it, and what is known of accounts.
        info: Its answers to HTTP and posts.
        recorder: Writes what is sent, if asked for.
        random: Decides when a fault with a share strikes.
        sessions: The open sockets by number.
    """

    def __init__(
        self,
        options: SimulatorOptions,
        *,
        now: Callable[[], float],
        started_at: float,
        record_to: TextIO | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Make a venue.

        Args:
            options: How it behaves.
            now: The clock: seconds since its start.
            started_at: Unix time of its start, seconds.
            record_to: An open text file that receives the data frames sent.
            witness: Told of every tick that a stream makes, or None.

        Raises:
            ReplayError: `options.replay` cannot be read.
        """
        self.options = options
        self.faults: Faults = options.faults
        self.now = now
        self.journal = Journal()
        self.random = random.Random(options.seed)  # noqa: S311  # faults are reproducible
        self.recorder = Recorder(record_to) if record_to is not None else None
        self.sessions: dict[int, Session] = {}
        self.market = _market(options, started_at)
        rate = options.rate if isinstance(options.rate, (int, float)) else None
        stream_rate = None if options.rate == "real" else rate or DEFAULT_RATE
        self.exchange = Exchange(self.market, mainnet=options.mainnet, rate=stream_rate)
        self._market_sources = MarketSources(self.market)
        self._user_sources = UserSources(self.market, self.exchange)
        self.info = Info(self._market_sources, self.exchange)
        self._recordings = (
            load_recordings(options.replay, rate=rate, loop=options.loop)
            if options.replay is not None
            else None
        )
        self.hub = Hub(self._source, stream_rate, witness)
        self.exchange.connect(Feed(self.hub.streams, self._user_sources.watching), self.hub.call_at)
        self._clients: dict[str, ClientQuotas] = {}
        self._forgotten: set[str] = set()
        self._kills = 0
        self._lost = 0

    @property
    def limits(self) -> Limits:
        """The limits that hold now, those set by faults included."""
        limits = Limits.real() if self.faults.limits == "real" else self.options.limits
        if self.faults.refuse_users_over is not None:
            limits = attrs.evolve(limits, users=self.faults.refuse_users_over)
        return limits

    def admit(self, path: str, client: str) -> Refusal | None:
        """Count an upgrade and say whether it is refused.

        Args:
            path: The path asked for, without its query.
            client: The client's address.
        """
        self.journal.dialled(self.now())
        refusal = self._refusal(path, client)
        if refusal is not None:
            self.journal.refused += 1
        return refusal

    def open(self, path: str, client: str, notify: Callable[[], None]) -> Session:
        """Begin the session of an upgrade that was accepted.

        Args:
            path: The path asked for, without its query.
            client: The client's address.
            notify: Called when there is something to write, or the socket is to end.
        """
        quotas = self._quotas(client)
        full = not quotas.has_room_for_connection(self.limits)
        session = Session(self, self.journal.opened(path, self.now()), quotas, notify)
        self.sessions[session.record.connection] = session
        if full:
            session.end("close", "limit: too many connections")
        return session

    def closed(self, session: Session, why: str) -> None:
        """The socket of a session is gone."""
        if self.sessions.pop(session.record.connection, None) is not None:
            session.closed(why, self.now())

    def set_faults(self, faults: Faults) -> None:
        """Replace what it does wrong, for open sockets too; only flap and greeting wait for the next socket."""
        self.faults = faults
        for session in self.sessions.values():
            session.faults_changed(self.now())

    def kill(self, connection: int | None) -> list[int]:
        """Reset a socket, or all of them; returns the numbers of those that were open."""
        numbers = list(self.sessions) if connection is None else [connection]
        found = [number for number in numbers if number in self.sessions]
        for number in found:
            self.sessions[number].end("reset", "killed on demand")
        return found

    def forget(self, key: str) -> list[int]:
        """Drop a subscription on every socket without a word; returns the numbers of the sockets that had it."""
        return [number for number, session in self.sessions.items() if session.forget(key)]

    def offers(self, subscription: Subscription, *, explorer: bool) -> bool:
        """Whether a subscription is accepted on one of the two hosts."""
        if self._recordings is not None:
            return subscription.key in self._recordings
        return is_valid(subscription) and (subscription.rule.explorer or not explorer)

    def start(self, subscription: Subscription, session: Session, now: float) -> None:
        """Begin to send a subscription's data; the api host acknowledges the explorer's types and sends nothing."""
        if subscription.rule.explorer and not session.is_explorer:
            return
        if self._recordings is not None:
            self.hub.play(self._recordings[subscription.key], subscription, session, now)
        else:
            self.hub.join(subscription, session, now)

    def post(self, kind: str, payload: object) -> tuple[str, object]:
        """Answer a post: the response's type and payload."""
        return self.info.post(kind, payload, self.now())

    def lost(self, subscriptions: int) -> None:
        """A socket ended that had this many subscriptions."""
        self._lost = subscriptions

    def kills_resubscribe(self, connection: int, subscribes: int) -> bool:
        """Whether the fault kill_during_resubscribe strikes a socket at its nth subscribe."""
        if connection == 1 or self._kills >= self.faults.kill_during_resubscribe or not self._lost:
            return False
        if subscribes < max(1, self._lost // 2):
            return False
        self._kills += 1
        return True

    def forgets(self, key: str) -> bool:
        """Whether the fault forget strikes a subscription: once each."""
        if key in self._forgotten:
            return False
        self._forgotten.add(key)
        return True

    def _refusal(self, path: str, client: str) -> Refusal | None:
        if path not in PATHS:
            return Refusal(404, None, "Not Found")
        refused = self.faults.refusal()
        if refused is not None:
            return Refusal(*refused, "refused by a fault of the simulator")
        quotas = self._quotas(client)
        if not quotas.dial(self.limits, self.now()):
            return Refusal(429, 60.0, "Too Many Requests")
        if self.limits.at_connection_limit == "429" and not quotas.has_room_for_connection(self.limits):
            return Refusal(429, None, "Too Many Requests")
        return None

    def _quotas(self, client: str) -> ClientQuotas:
        return self._clients.setdefault(client, ClientQuotas())

    def _source(self, subscription: Subscription, interval: float) -> Source:
        if self._recordings is not None:
            return Source(first=nothing, tick=nothing)
        if subscription.user is not None:
            return self._user_sources.make(subscription, interval)
        return self._market_sources.make(subscription)


def _market(options: SimulatorOptions, started_at: float) -> Market:
    if options.rate == "real":
        return Market(
            seed=options.seed,
            interval=REAL_MARKET_INTERVAL,
            started_at=started_at,
            trade_chance=REAL_TRADE_CHANCE,
        )
    return Market(seed=options.seed, interval=1 / (options.rate or DEFAULT_RATE), started_at=started_at)
