"""Accounts: what happens to any address, as a function of the address and a number.

Item `n` of a kind (the nth fill, order, funding ...) of an address is computed from the seed, the address, the kind
and `n` alone. So every address has an account, nothing is stored, a snapshot is the newest `n` downwards, what
happened during a client's absence is as certain as what it saw, and two streams that tell of one thing agree
(`userEvents` and `userFills` of the same `n` carry the same fill). Items with `n <= 0` lie before the start of the
simulator, a minute apart.

Streams of the venue that do not name their user can still be told apart here: the first 24 hex digits of each `cloid`
are those of the account, and a notification ends with the account's address in brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.coins import coins_of
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, address, decimal

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin

Item = dict[str, object]

_PAST_SPACING_MS = 60_000
_TRADED = coins_of("")[:20]
_ORDER_BASE = 1 << 38
_TRADE_BASE = 1 << 40
_STATUSES = ("filled", "canceled", "filled", "marginCanceled")
_ZERO_HASH = "0x" + "0" * 64


class Account:
    """One address and everything that happens to it.

    Attributes:
        user: The address, lower case.
    """

    def __init__(self, user: str, *, seed: int, time_of: Callable[[int], int]) -> None:
        """Make the account.

        Args:
            user: The address, lower case.
            seed: What its items are drawn from.
            time_of: Unix milliseconds of item `n >= 0`.
        """
        self.user = user
        self._seed = seed
        self._time_of = time_of
        self._base = int(user[2:10], 16)

    def fill(self, n: int) -> Item:
        """The nth fill, as in `userFills` and `userEvents`."""
        dice = self._dice("fill", n)
        coin = self._coin(dice)
        side, opens = "BA"[dice.below(2)], dice.below(2) == 0
        size = 1 + dice.below(9999)
        word = "Long" if (side == "B") == opens else "Short"
        return {
            "coin": coin.name,
            "px": self._price(coin, dice),
            "sz": decimal(size, coin.size_decimals),
            "side": side,
            "time": self._time(n),
            "startPosition": decimal(dice.below(20_000) - 10_000, coin.size_decimals),
            "dir": f"{'Open' if opens else 'Close'} {word}",
            "closedPnl": "0.0" if opens else decimal(dice.below(10_000_000) - 5_000_000, 5),
            "hash": dice.hash,
            "oid": self._order_id(n),
            "crossed": dice.below(2) == 0,
            "fee": decimal(dice.below(1_000_000), 6),
            "tid": _TRADE_BASE + (self._base << 16) + n,
            "cloid": self._cloid(n),
            "feeToken": "USDC",
            "twapId": None,
        }

    def order_update(self, n: int) -> Item:
        """The nth change of an order: even numbers open one, the odd number after it ends the same."""
        pair = n // 2 * 2
        dice = self._dice("order", pair)
        coin = self._coin(dice)
        side, price, size = "BA"[dice.below(2)], self._price(coin, dice), 1 + dice.below(9999)
        status = "open" if n == pair else _STATUSES[dice.below(len(_STATUSES))]
        left = 0 if status == "filled" else size
        order: Item = {
            "coin": coin.name,
            "side": side,
            "limitPx": price,
            "sz": decimal(left, coin.size_decimals),
            "oid": self._order_id(pair),
            "timestamp": self._time(pair),
            "origSz": decimal(size, coin.size_decimals),
            "cloid": self._cloid(pair),
        }
        return {"order": order, "status": status, "statusTimestamp": self._time(n)}

    def historical_order(self, n: int) -> Item:
        """The nth change of an order with the fields of `userHistoricalOrders`."""
        update = self.order_update(n)
        order = dict(as_item(update["order"]))
        cloid = order.pop("cloid")
        update["order"] = {**order, **_FRONTEND_FIELDS, "tif": "Gtc", "cloid": cloid}
        return update

    def open_order(self, n: int) -> Item:
        """An order that rests, as in `openOrders`."""
        order = as_item(self.historical_order(n // 2 * 2)["order"])
        return {name: value for name, value in order.items() if name not in ("tif", "children")}

    def funding(self, n: int) -> Item:
        """The nth funding payment."""
        dice = self._dice("funding", n)
        coin = self._coin(dice)
        return {
            "time": self._time(n),
            "coin": coin.name,
            "usdc": decimal(dice.below(200_000) - 100_000, 6),
            "szi": decimal(1 + dice.below(9999), coin.size_decimals),
            "fundingRate": decimal(dice.below(2_000_000) - 1_000_000, 10),
            "nSamples": None,
        }

    def ledger_update(self, n: int) -> Item:
        """The nth movement of money that is no funding."""
        dice = self._dice("ledger", n)
        usdc = decimal(1 + dice.below(10_000_000), 2)
        other = address(f"{dice.digest} other")
        deltas: tuple[Item, ...] = (
            {"type": "deposit", "usdc": usdc},
            {"type": "withdraw", "usdc": usdc, "nonce": self._time(n) * 1000, "fee": "1.0"},
            {"type": "accountClassTransfer", "usdc": usdc, "toPerp": dice.below(2) == 0},
            {"type": "internalTransfer", "usdc": usdc, "user": other, "destination": self.user, "fee": "1.0"},
            {"type": "vaultDeposit", "vault": other, "usdc": usdc},
            {"type": "subAccountTransfer", "usdc": usdc, "user": self.user, "destination": other},
        )
        return {"time": self._time(n), "hash": dice.hash, "delta": deltas[n % len(deltas)]}

    def twap_event(self, n: int) -> Item:
        """The nth change of a TWAP order: even numbers activate one, the odd number after it ends the same."""
        pair = n // 2 * 2
        size = 200 + self._dice("twap", pair).below(10_000)
        done = size if n != pair else 0
        state = self._twap_state(pair, size=size, done=done)
        status = "activated" if n == pair else "finished"
        return {"time": self._time(n) // 1000, "state": state, "status": {"status": status}}

    def twap_state(self, n: int) -> list[object]:
        """A TWAP order that runs, as in `twapStates`."""
        return [self._twap_id(n), self._twap_state(n, size=2000, done=n % 2000)]

    def twap_slice_fill(self, n: int) -> Item:
        """The nth fill of a TWAP order's slice: its hash is zero, as for every trade that the chain makes."""
        fill = {name: value for name, value in self.fill(n).items() if name not in ("cloid", "twapId")}
        fill["hash"] = _ZERO_HASH
        fill["tid"] = _TRADE_BASE + (self._base << 16) + n + (1 << 50)
        return {"fill": fill, "twapId": self._twap_id(n // 10)}

    def event(self, n: int) -> Item:
        """The nth member of `userEvents`: mostly fills, the same as in `userFills`."""
        match n % 16:
            case 5:
                return {"funding": self.funding(n)}
            case 9:
                fill = self.fill(n)
                return {"nonUserCancel": [{"coin": fill["coin"], "oid": fill["oid"]}]}
            case 12:
                return {"twapSliceFills": [self.twap_slice_fill(n)]}
            case 14:
                return {"liquidation": self._liquidation(n)}
            case 15:
                return {"twapHistory": [self.twap_event(n)]}
            case _:
                return {"fills": [self.fill(n)]}

    def notification(self, n: int) -> Item:
        """The nth text for people."""
        fill = self.fill(n)
        word = "Bought" if fill["side"] == "B" else "Sold"
        text = f"Resting order filled: {word} {fill['sz']} {fill['coin']} at ${fill['px']} ({self.user})"
        return {"notification": text}

    def _dice(self, kind: str, n: int) -> Dice:
        return Dice(f"{self._seed}:{self.user}:{kind}:{n}")

    def _time(self, n: int) -> int:
        return self._time_of(n) if n > 0 else self._time_of(0) + n * _PAST_SPACING_MS

    def _order_id(self, n: int) -> int:
        return _ORDER_BASE + (self._base << 12) + n

    def _twap_id(self, n: int) -> int:
        return 1_000_000 + n

    def _cloid(self, n: int) -> str:
        return f"0x{self.user[2:26]}{n & 0xFFFFFFFF:08x}"

    def _coin(self, dice: Dice) -> Coin:
        return _TRADED[dice.below(len(_TRADED))]

    def _price(self, coin: Coin, dice: Dice) -> str:
        return decimal(coin.price * 98 // 100 + dice.below(coin.price // 25), coin.price_decimals)

    def _twap_state(self, n: int, *, size: int, done: int) -> Item:
        coin = _TRADED[n % len(_TRADED)]
        notional = done * coin.price
        return {
            "coin": coin.name,
            "user": self.user,
            "side": "BA"[n // 2 % 2],
            "sz": decimal(size, coin.size_decimals),
            "executedSz": decimal(done, coin.size_decimals),
            "executedNtl": decimal(notional, coin.size_decimals + coin.price_decimals),
            "minutes": 5,
            "reduceOnly": False,
            "randomize": True,
            "timestamp": self._time(n),
        }

    def _liquidation(self, n: int) -> Item:
        return {
            "lid": _ORDER_BASE + n,
            "liquidator": address(f"liquidator {n}"),
            "liquidated_user": self.user,
            "liquidated_ntl_pos": decimal(1_000_000 + n, 2),
            "liquidated_account_value": decimal(10_000 + n, 2),
        }


def as_item(value: object) -> Item:
    """An object inside an item, such as the order in an order's update.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, dict):
        raise TypeError(f"an object is expected, not {value!r}")
    return {str(name): field for name, field in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


_FRONTEND_FIELDS: Item = {
    "triggerCondition": "N/A",
    "isTrigger": False,
    "triggerPx": "0.0",
    "children": [],
    "isPositionTpsl": False,
    "reduceOnly": False,
    "orderType": "Limit",
}


HISTORIES: dict[str, tuple[str, Callable[[Account, int], Item]]] = {
    "userFills": ("fills", Account.fill),
    "userFundings": ("fundings", Account.funding),
    "userNonFundingLedgerUpdates": ("nonFundingLedgerUpdates", Account.ledger_update),
    "userHistoricalOrders": ("orderHistory", Account.historical_order),
    "userTwapHistory": ("history", Account.twap_event),
    "userTwapSliceFills": ("twapSliceFills", Account.twap_slice_fill),
}
"""The streams that begin with a snapshot: the member that holds the items, and what makes the nth."""
