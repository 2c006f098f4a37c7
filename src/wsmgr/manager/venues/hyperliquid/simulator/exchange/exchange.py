"""Exchange: actions in, answers and fills out, and everybody told who watches.

An address that never acted is made up from its address and the clock (:mod:`.fiction`). By its first action, or by
the first action of another that touches it, an account becomes one that acts: from then on what its streams and
queries tell is what actions and the market did, and nothing else. It begins with the starting balance, no positions
and no orders. Its histories begin empty; but where somebody watched the address before, they begin with what was
shown, so that a client which comes back finds the items that it knows.

The same seed and the same actions at the same times give the same answers, fills and ids.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.accounts import HISTORIES
from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import (
    PlaceOrders,
    UnreadableActionError,
    UserSigned,
    read_payload,
)
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError
from wsmgr.manager.venues.hyperliquid.simulator.exchange.execution import Execution
from wsmgr.manager.venues.hyperliquid.simulator.exchange.fiction import Fiction
from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Ids, Moment
from wsmgr.manager.venues.hyperliquid.simulator.exchange.nonces import Nonces, refused_by_time
from wsmgr.manager.venues.hyperliquid.simulator.exchange.people import People
from wsmgr.manager.venues.hyperliquid.simulator.exchange.portrait import Portrait
from wsmgr.manager.venues.hyperliquid.simulator.exchange.queries import Queries
from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry
from wsmgr.manager.venues.hyperliquid.simulator.exchange.signatures import signer_of
from wsmgr.manager.venues.hyperliquid.simulator.options import DEFAULT_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import AnyAction
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.feed import Feed
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import Payload
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

_SEED_ITEMS = 30


class Exchange(Queries):
    """The simulated exchange; an engine has it as `engine.exchange`."""

    def __init__(self, market: Market, *, mainnet: bool = False, rate: float | None = DEFAULT_RATE) -> None:
        """Make an exchange that nobody watches; :meth:`connect` gives it watchers and a schedule.

        Args:
            market: What orders are matched with.
            mainnet: Whether actions are signed for the main network, or for the test network.
            rate: Ticks a second of the streams of made-up accounts; None: each type's own cadence.
        """
        self._ids = Ids(market.seed)
        self._nonces = Nonces()
        self._mainnet = mainnet
        self._feed: Feed | None = None
        self._call_at: Callable[[float, Callable[[], None]], None] | None = None
        self._is_planned = False
        margin = Margin(market)
        registry = Registry(self._ids, self._begin)
        self._execution = Execution(market, registry, margin, self._ids, self._later)
        vaults = self._execution.vaults
        portrait = Portrait(market, registry, margin, self._execution.twaps, vaults)
        people = People(market, registry, margin, vaults, portrait)
        super().__init__(market, registry, portrait, Fiction(market, rate), people)

    def connect(self, feed: Feed, call_at: Callable[[float, Callable[[], None]], None]) -> None:
        """Give it those who watch and a schedule. Without one, orders are matched only when an action comes.

        Args:
            feed: Told of everything that happens.
            call_at: Does something at a time (seconds on the simulator's clock).
        """
        self._feed, self._call_at = feed, call_at

    def act(self, payload: object, now: float) -> tuple[str, object]:
        """Answer `POST /exchange`, or a post of the type `action`.

        Args:
            payload: `{"action", "nonce", "signature", "vaultAddress"?, "expiresAfter"?}` as decoded JSON, its members
                in the order in which they came (the signature covers the order).
            now: Seconds on the simulator's clock.

        Returns:
            `("action", {"status": "ok", "response": {...}})`, `("action", {"status": "err", "response": text})`, or
            `("error", text)` for a payload that cannot be read: HTTP answers it with 422 and the text, a socket with
            a response of the type `error` and the same text after `422 Unprocessable Entity: `.
        """
        try:
            read, action = read_payload(payload)
        except UnreadableActionError as error:
            return "error", str(error)
        self._settle(now)
        at = self._moment(now)
        try:
            trader = self._admit(read, action, at)
            response = self._execution.run(trader, action, at)
        except RefusedActionError as error:
            return "action", {"status": "err", "response": str(error)}
        finally:
            self._tell(now)
            self._plan(now)
        return "action", {"status": "ok", "response": response}

    def _admit(self, payload: Payload, action: AnyAction, at: Moment) -> Trader:
        """The account that an action is done for, after everything that an action must pass.

        Raises:
            RefusedActionError: It does not pass.
        """
        refused = refused_by_time(payload.nonce, at.ms)
        if refused is not None:
            raise RefusedActionError(refused)
        if payload.expires_after is not None and payload.expires_after <= at.ms:
            raise RefusedActionError(words.EXPIRED)
        signer = signer_of(payload, action, mainnet=self._mainnet)
        if isinstance(action, UserSigned):
            if payload.action.get("nonce", payload.action.get("time")) != payload.nonce:
                raise RefusedActionError(words.NONCE_MISMATCH)
            if not self._registry.exists(signer) or self._registry.agent(signer, at.ms) is not None:
                raise RefusedActionError(words.must_deposit(signer))
        self._registry.check_signer(signer, at.ms)
        refused = self._nonces.refusal(signer, payload.nonce)
        if refused is not None:
            raise RefusedActionError(refused)
        self._nonces.use(signer, payload.nonce)
        vault = payload.vault_address.lower() if payload.vault_address is not None else None
        by_itself = isinstance(action, UserSigned)
        trader = self._registry.acts_for(signer, None if by_itself else vault, at.ms)
        trader.requests += len(action.orders) if isinstance(action, PlaceOrders) else 1
        return trader

    def _begin(self, trader: Trader) -> None:
        """An account is about to act: what its streams send by the clock ends, and what they have sent is its past."""
        if self._feed is None or not self._feed.is_watched(trader.user):
            return
        self._feed.wake(trader.user, self._now)
        pasts = {
            "userFills": trader.fills,
            "userFundings": trader.fundings,
            "userNonFundingLedgerUpdates": trader.ledger,
            "userHistoricalOrders": trader.order_history,
            "userTwapHistory": trader.twap_history,
            "userTwapSliceFills": trader.twap_slice_fills,
        }
        for type_, past in pasts.items():
            made = self._feed.newest(trader.user, type_)
            upto = made if made is not None else self._fiction.newest(type_, self._now)
            past.extend(self._fiction.items(trader.user, type_, HISTORIES[type_][1], upto, _SEED_ITEMS))

    def _moment(self, time: float) -> Moment:
        self._now = max(self._now, time)
        return Moment(time, self._market.milliseconds(time), self._ids.hash())

    def _settle(self, time: float) -> None:
        """Match what rests with the market of a time."""
        self._execution.desk.settle(self._moment(max(time, self._now)))
        self._tell(self._now)

    def _tell(self, now: float) -> None:
        """Tell everybody who watches what has happened."""
        for trader in list(self._registry.traders.values()):
            if trader.pending.changed:
                trader.told_at = now
                happened = trader.take_happenings()
                if self._feed is not None:
                    self._feed.tell(trader.user, happened, now)

    def _plan(self, now: float) -> None:
        """See to it that orders are matched at the market's next step."""
        if self._call_at is None or self._is_planned or self._execution.desk.is_idle:
            return
        self._is_planned = True
        due = (self._market.step_of(now) + 1) * self._market.interval
        self._call_at(due, partial(self._run_plan, due))

    def _run_plan(self, due: float) -> None:
        self._is_planned = False
        self._settle(due)
        self._plan(max(due, self._now))

    def _later(self, time: float, run: Callable[[Moment], None]) -> None:
        if self._call_at is not None:
            self._call_at(time, partial(self._run_later, time, run))

    def _run_later(self, time: float, run: Callable[[Moment], None]) -> None:
        self._settle(time)
        run(self._moment(max(time, self._now)))
        self._tell(self._now)
