"""The policy: which actions a venue's settings allow. Everything is off until it is switched on.

1. Nothing is signed unless `trading = true`.
2. What moves funds out of reach of trading, lets somebody else act or charge, or pays for something, needs
   `transfers = true` as well.
3. Where `allowed_actions` is set, only what it names is allowed, by its wire name or its method's name. A wire name
   allows every method that makes such an action; a method's name only that method.
4. Where `max_notional` is set, no order, and no batch of orders together, may be worth more. An order's value is its limit
   price (of a trigger order, the higher of its two prices) times its size. For a sale that is the least that it brings,
   not the most: `max_notional` bounds slips, it is no limit on risk. An order whose value nobody knows is refused.

Pure: it knows no venue and no account.
"""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import field, frozen

from wsmgr.manager.model.errors import ActionForbiddenError, ConfigurationError, UsageError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.catalog import BY_WIRE_NAME, CALLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsmgr.manager.venues.hyperliquid.exchange.actions import Action
    from wsmgr.manager.venues.hyperliquid.exchange.amounts import Amount


def _known_actions(names: Iterable[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    if isinstance(names, str):
        raise ConfigurationError(f'allowed_actions is a list of names, not {shown(names)}; write ["order"]')
    found = frozenset(names)
    known = [*CALLS, *BY_WIRE_NAME]
    for name in sorted(found - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigurationError(f"allowed_actions: there is no action {shown(name)}{hint}")
    return found


def _max_notional(value: Amount | None) -> Decimal | None:
    if value is None:
        return None
    try:
        return amounts.above_zero("max_notional", amounts.amount("max_notional", value))
    except UsageError as error:
        raise ConfigurationError(str(error)) from error


@frozen(kw_only=True)
class TradingPolicy:
    """What a venue's settings allow.

    Attributes:
        trading: Whether anything may be signed at all.
        transfers: Whether transfers, withdrawals, approvals and purchases may be.
        allowed_actions: The only actions allowed, by wire or method name; None for any.
        max_notional: The most that an order, or a batch, may be worth in its quote currency; None for any.
    """

    trading: bool = False
    transfers: bool = False
    allowed_actions: frozenset[str] | None = field(default=None, converter=_known_actions)
    max_notional: Decimal | None = field(default=None, converter=_max_notional)

    def check(self, action: Action) -> None:
        """Let an action pass.

        Raises:
            ActionForbiddenError: It may not; the message names the setting to change.
        """
        complaint = self.complaint(action)
        if complaint is not None:
            raise ActionForbiddenError(complaint)

    def complaint(self, action: Action) -> str | None:
        """Return why an action may not be done, and the setting to change; None where it may."""
        name = action.method or action.type
        if not self.trading:
            return f"{name}: actions are off for this venue; set `trading = true` to allow them"
        if action.transfer and not self.transfers:
            return (
                f"{name}: transfers, withdrawals and approvals are off for this venue, whatever else it may do; set"
                " `transfers = true` to allow them"
            )
        if self.allowed_actions is not None and not self.allowed_actions & {action.type, action.method}:
            allowed = ", ".join(sorted(self.allowed_actions)) or "nothing"
            return f"{name}: this venue allows {allowed} only; add {action.type!r} to `allowed_actions` to allow it"
        return None if self.max_notional is None else _over(name, action, self.max_notional)


def _over(name: str, action: Action, limit: Decimal) -> str | None:
    if action.unpriced:
        return (
            f"{name}: it has no price, so nobody knows what it is worth, and `max_notional` is set"
            f" ({amounts.plain(limit)}); only without `max_notional` is it allowed"
        )
    worth = action.notional
    if worth is None or worth <= limit:
        return None
    what = "together the orders are" if len(action.notionals) > 1 else "the order is"
    return (
        f"{name}: {what} worth {amounts.plain(worth)} (price x size), more than `max_notional` allows"
        f" ({amounts.plain(limit)}); raise it to allow this"
    )
