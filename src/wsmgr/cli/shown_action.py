"""Shown action: an action in words, before it is sent, and what its answer says of its parts.

It reads the wire forms that Hyperliquid gives to orders, cancels and changes (its page "Exchange endpoint"); of any other
action the members are shown as they would be sent. No input or output happens here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec

from wsmgr.cli import cells
from wsmgr.cli.errors import DONE, REFUSED

_SIGNERS: Final = {
    "action": "an agent's key, or the account's own",
    "user": "the account's own key",
}
_TIMES_IN_FORCE: Final = {
    "Gtc": "good till cancelled",
    "Ioc": "immediate or cancel",
    "Alo": "add liquidity only",
}
_TRIGGERS: Final = {"tp": "take profit", "sl": "stop loss"}
_Names = Mapping[int, str]
"""The names of assets by the numbers that they have in the action."""
_OF_EVERY_ACTION: Final = frozenset({"type", "nonce", "signatureChainId", "hyperliquidChain"})
"""Members that are told in words of their own, or are the same in every action that the account itself signs."""


def shown(preview: Mapping[str, Any], venue: str) -> str:
    """Return what would be sent, in lines for people.

    Args:
        preview: What the manager would sign and send.
        venue: The venue's name.
    """
    action: Mapping[str, Any] = preview["action"]
    names = {asset["id"]: _name(asset) for asset in preview["assets"]}
    method, wire = preview["method"], action["type"]
    expires = preview.get("expiresAfter")
    notional = preview.get("notional")
    rows: list[tuple[str, str | None]] = [
        ("action", method if method == wire else f"{method} ({wire} on the wire)"),
        ("assets", ", ".join(names.values()) or None),
        *_content(action, names),
        ("notional", None if notional is None else f"{notional} (price x size)"),
        ("network", preview["network"]),
        ("signed by", _SIGNERS.get(preview["signed_as"], preview["signed_as"])),
        ("account", preview.get("account")),
        ("vault", preview.get("vaultAddress")),
        ("expires", None if expires is None else _time(expires)),
        ("transfer", "yes: funds, or rights, leave the account" if preview["transfer"] else None),
    ]
    lines = [f"  {name + ':':<11}{cells.printable(value)}" for name, value in rows if value is not None]
    return "\n".join([f"This would be sent to {venue}:", *lines])


def verdict(response: object) -> tuple[int, list[str]]:
    """Return the exit code of an answered action, and why parts of it were refused.

    Args:
        response: What the venue answered.

    Returns:
        4 where it has parts and all of them were refused, else 0; the words about each refused part.
    """
    parts = _parts(response)
    refused = [str(cast(Mapping[str, object], part)["error"]) for part in parts if _failed(part)]
    return (REFUSED if refused and len(refused) == len(parts) else DONE), refused


def _name(asset: Mapping[str, Any]) -> str:
    """Return an asset's name, and what the wire calls it where that is another: several may have one name."""
    name, coin = asset["name"], asset["coin"]
    return str(name if name == coin else f"{name} ({coin})")


def _named(number: int, names: _Names) -> str:
    return names.get(number, f"asset {number}")


def _content(action: Mapping[str, Any], names: _Names) -> Iterator[tuple[str, str]]:
    match action:
        case {"type": "order", "orders": orders, "grouping": grouping, **more}:
            yield from (("order", _order(each, names)) for each in orders)
            if grouping != "na":
                yield "grouping", grouping
            yield from _members(more)
        case {"type": "cancel", "cancels": cancels}:
            yield from (("cancel", f"order {each['o']} of {_named(each['a'], names)}") for each in cancels)
        case {"type": "cancelByCloid", "cancels": cancels}:
            yield from (
                ("cancel", f"order {each['cloid']} of {_named(each['asset'], names)}") for each in cancels
            )
        case {"type": "modify", "oid": oid, "order": order}:
            yield "change", f"order {oid} becomes {_order(order, names)}"
        case {"type": "batchModify", "modifies": modifies}:
            for each in modifies:
                yield "change", f"order {each['oid']} becomes {_order(each['order'], names)}"
        case _:
            yield from _members(action)


def _members(action: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in action.items():
        if name not in _OF_EVERY_ACTION:
            yield name, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _order(order: Mapping[str, Any], names: _Names) -> str:
    side = "buy" if order["b"] else "sell"
    parts = [f"{side} {order['s']} {_named(order['a'], names)} at {order['p']}", _order_type(order["t"])]
    if order["r"]:
        parts.append("reduce only")
    if order.get("c") is not None:
        parts.append(f"cloid {order['c']}")
    return ", ".join(parts)


def _order_type(order_type: Mapping[str, Any]) -> str:
    if "limit" in order_type:
        tif = order_type["limit"]["tif"]
        return f"limit, {_TIMES_IN_FORCE.get(tif, tif)}"
    trigger = order_type["trigger"]
    kind = _TRIGGERS.get(trigger["tpsl"], trigger["tpsl"])
    return f"{kind} at {trigger['triggerPx']}, {'market' if trigger['isMarket'] else 'limit'}"


def _parts(response: object) -> list[object]:
    match cast(Any, response):
        case {"data": {"statuses": [*statuses]}}:
            return statuses
        case {"data": {"status": status}}:
            return [status]
        case _:
            return []


def _failed(part: object) -> bool:
    return isinstance(part, Mapping) and "error" in part


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")
