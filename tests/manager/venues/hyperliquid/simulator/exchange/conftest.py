"""People with keys, who act on a simulated venue. Their signatures are those of the venue's official Python client."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import eth_account
import pytest
from hyperliquid.utils import signing  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    from collections.abc import Callable

BTC, ETH, PURR = 0, 1, 10_000


class Player:
    """One key, and the account that it is."""

    def __init__(self, venue: Any, number: int) -> None:
        self.venue = venue
        self.wallet = eth_account.Account.from_key(f"0x{number:064x}")
        self.user = self.wallet.address.lower()
        self._later = count()

    @property
    def exchange(self) -> Any:
        return self.venue.engine.exchange

    def nonce(self) -> int:
        """The venue's time, and later each time."""
        now: int = self.venue.engine.market.milliseconds(self.venue.now)
        return now + next(self._later)

    def signed(self, action: Any, *, nonce: int | None = None, **options: Any) -> dict[str, Any]:
        """An action as any client posts it, signed for the test network unless `mainnet` says else."""
        nonce = self.nonce() if nonce is None else nonce
        vault, expires = options.get("vault"), options.get("expires")
        signature = signing.sign_l1_action(
            self.wallet, action, vault, nonce, expires, options.get("mainnet", False)
        )
        return {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }

    def user_signed(
        self, sign: Callable[..., Any], action: Any, *, clock: str = "nonce", mainnet: bool = False
    ) -> dict[str, Any]:
        """An action that only the account itself may sign; `clock` names the member that is the nonce."""
        nonce = self.nonce()
        action[clock] = nonce
        signature = sign(self.wallet, action, mainnet)
        return {"action": action, "nonce": nonce, "signature": signature}

    def send(self, payload: Any) -> Any:
        """The venue's answer to something posted."""
        kind, answer = self.exchange.act(payload, self.venue.now)
        assert "action" == kind, answer
        return answer

    def act(self, action: Any, **options: Any) -> Any:
        """The venue's answer to an action."""
        return self.send(self.signed(action, **options))

    def done(self, action: Any, **options: Any) -> Any:
        """The response to an action that is not refused."""
        answer = self.act(action, **options)
        assert "ok" == answer["status"], answer
        return answer["response"]

    def order(self, *wires: Any, grouping: Any = "na", **options: Any) -> list[Any]:
        """The statuses of orders."""
        action = {"type": "order", "orders": list(wires), "grouping": grouping}
        if "builder" in options:
            action["builder"] = options.pop("builder")
        statuses: list[Any] = self.done(action, **options)["data"]["statuses"]
        return statuses

    def one(self, wire: Any, **options: Any) -> Any:
        """The status of one order."""
        [status] = self.order(wire, **options)
        return status

    def state(self, dex: str = "") -> Any:
        return self.exchange.clearinghouse_state(self.user, self.venue.now, dex)

    def balance(self, token: str) -> Decimal:
        balances = self.exchange.spot_state(self.user, self.venue.now)["balances"]
        return next((Decimal(one["total"]) for one in balances if one["coin"] == token), Decimal(0))

    def open_oids(self) -> list[int]:
        return [order["oid"] for order in self.exchange.open_orders(self.user, self.venue.now)]

    def statuses_of(self, oid: int) -> list[str]:
        """Every status that an order had, oldest first."""
        changes = self.exchange.historical_orders(self.user, self.venue.now)[::-1]
        return [change["status"] for change in changes if change["order"]["oid"] == oid]


def wire(
    asset: int = BTC,
    *,
    is_buy: bool = True,
    px: Any,
    sz: Any,
    tif: str = "Gtc",
    reduce: bool = False,
    cloid: str | None = None,
    trigger: tuple[str, Any, bool] | None = None,
) -> dict[str, Any]:
    """An order as clients write it; a trigger is (`tp` or `sl`, price, whether it becomes a market order)."""
    terms: dict[str, Any] = {"limit": {"tif": tif}}
    if trigger is not None:
        tpsl, price, is_market = trigger
        terms = {"trigger": {"isMarket": is_market, "triggerPx": str(price), "tpsl": tpsl}}
    order = {"a": asset, "b": is_buy, "p": str(px), "s": str(sz), "r": reduce, "t": terms}
    return order if cloid is None else {**order, "c": cloid}


class Book:
    """The best prices of a coin; its best levels are made to hold plenty, until the market moves, unless `deep=False`."""

    def __init__(self, venue: Any, coin: str = "BTC", *, deep: bool = True) -> None:
        self.market = venue.engine.market.at(coin, venue.now)
        if deep:
            for side in (self.market.bids, self.market.asks):
                side.resize(0, 10**6, 9)
        self.decimals = self.market.coin.price_decimals
        self.bid = Decimal(self.market.bids.prices[0]).scaleb(-self.decimals)
        self.ask = Decimal(self.market.asks.prices[0]).scaleb(-self.decimals)
        self.tick = Decimal(1).scaleb(-self.decimals)


@pytest.fixture
def venue(make_venue: Callable[..., Any]) -> Any:
    return make_venue()


@pytest.fixture
def make_player() -> Callable[[Any, int], Player]:
    """Makes people whom nobody has looked at."""
    return Player


@pytest.fixture
def player(venue: Any) -> Player:
    """Somebody whose account was looked at: it exists."""
    found = Player(venue, 1)
    found.exchange.look_at(found.user)
    return found


@pytest.fixture
def other(venue: Any) -> Player:
    found = Player(venue, 2)
    found.exchange.look_at(found.user)
    return found
