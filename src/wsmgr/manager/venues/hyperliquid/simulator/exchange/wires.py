"""Wires: what the members of actions are made of, as the venue writes them.

Sources: the venue's documentation, "Exchange endpoint", and its official Python client.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Address = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]
MaybeAddress = Annotated[str, Meta(pattern="^(0x[0-9a-fA-F]{40})?$")]
Cloid = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{32}$")]
Hex = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{1,64}$")]
Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class Signature(Struct, frozen=True):
    """Who signed; `r` and `s` may lack leading zeros."""

    r: Hex
    s: Hex
    v: int


class Payload(Struct, frozen=True, rename="camel"):
    """What is posted: the action as it came, because the signature covers the order of its members."""

    action: dict[str, object]
    nonce: Number
    signature: Signature
    vault_address: Address | None = None
    expires_after: Number | None = None


class Limit(Struct, frozen=True):
    """When a limit order may match: until canceled, at once or not at all, or not at once."""

    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


class Trigger(Struct, frozen=True, rename="camel"):
    """When a trigger order becomes an order: a take profit or a stop loss."""

    is_market: bool
    trigger_px: str
    tpsl: Literal["tp", "sl"]


class Terms(Struct, frozen=True):
    """An order's type: exactly one of the two."""

    limit: Limit | None = None
    trigger: Trigger | None = None


class OrderWire(Struct, frozen=True):
    """One order: asset, is it a buy, price, size, reduce-only, type, client order id."""

    a: int
    b: bool
    p: str
    s: str
    r: bool
    t: Terms
    c: Cloid | None = None


class Builder(Struct, frozen=True):
    """Who built the client, and the fee in tenths of a basis point."""

    b: Address
    f: Number


class Priority(Struct, frozen=True):
    """A grouping that pays for priority, in tenths of a basis point."""

    p: Number


class CancelWire(Struct, frozen=True):
    """One cancel: asset and order id."""

    a: int
    o: Number


class CancelByCloidWire(Struct, frozen=True):
    """One cancel by client order id."""

    asset: int
    cloid: Cloid


class ModifyWire(Struct, frozen=True):
    """One change: which order, and what replaces it."""

    oid: Number | Cloid
    order: OrderWire


class TwapWire(Struct, frozen=True):
    """A TWAP order: asset, is it a buy, size, reduce-only, minutes, randomized."""

    a: int
    b: bool
    s: str
    r: bool
    m: int
    t: bool
