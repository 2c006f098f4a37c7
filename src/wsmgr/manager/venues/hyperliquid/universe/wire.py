"""What is read of the venue's answers to `meta`, `spotMeta` and `perpDexs`.

Only the members that names, numbers and decimals come from; whatever else an answer holds is skipped. The shapes are
those of the venue's info endpoint (https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint).
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from wsmgr.manager.venues.hyperliquid.universe.errors import UniverseError

Name = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Perp(msgspec.Struct, rename="camel", frozen=True):
    """A perpetual of a `meta`; its place in the list is its index."""

    name: Name
    sz_decimals: Count
    is_delisted: bool = False


class PerpMeta(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `meta`."""

    universe: tuple[Perp, ...]


class SpotPair(msgspec.Struct, rename="camel", frozen=True):
    """A pair of `spotMeta`: its tokens are base and quote, by the tokens' index."""

    name: Name
    tokens: tuple[Count, Count]
    index: Count


class SpotToken(msgspec.Struct, rename="camel", frozen=True):
    """A token of `spotMeta`."""

    name: Name
    sz_decimals: Count
    wei_decimals: Count
    index: Count
    token_id: Name


class SpotMeta(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `spotMeta`."""

    universe: tuple[SpotPair, ...]
    tokens: tuple[SpotToken, ...]


class PerpDex(msgspec.Struct, rename="camel", frozen=True):
    """A builder's dex."""

    name: Name


PerpDexs = tuple[PerpDex | None, ...]
"""The answer to `perpDexs`: null is the venue's own dex, and has the first place."""

Answer = TypeVar("Answer")


def read(what: str, payload: object, shape: type[Answer]) -> Answer:
    """Read an answer; members that are not known are skipped.

    Args:
        what: What was asked for, for the message.
        payload: The decoded JSON.
        shape: What it must be.

    Raises:
        UniverseError: It is not of that shape.
    """
    try:
        return msgspec.convert(payload, shape)
    except msgspec.ValidationError as error:
        raise UniverseError(f"the answer to {what} cannot be read: {error}") from error
