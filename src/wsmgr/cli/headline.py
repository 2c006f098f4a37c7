"""Headline: the prices of a message in a few words, for people who watch a stream.

It reads the shapes that Hyperliquid gives to `l2Book`, `bbo` and `trades` (its WebSocket documentation: `WsBook`, `WsBbo`,
`WsTrade`). A payload of another shape, also under the same name at another venue, has no headline.
"""

from __future__ import annotations

from typing import Final

import msgspec

_SIDES: Final = {"B": "buy", "A": "sell"}
_NOTHING: Final = "-"


class _Level(msgspec.Struct):
    px: str
    sz: str


class _Book(msgspec.Struct):
    levels: tuple[list[_Level], list[_Level]]


class _Best(msgspec.Struct):
    bbo: tuple[_Level | None, _Level | None]


class _Trade(msgspec.Struct):
    side: str
    px: str
    sz: str


def headline(type_: str, data: bytes | msgspec.Raw) -> str | None:
    """Return the prices of a message, or None where its type or its shape has none.

    Args:
        type_: The subscription type.
        data: The payload, as JSON.

    Returns:
        `bid px x sz | ask px x sz` of the best prices, `side sz @ px` of the last trade, as the venue wrote them.
    """
    try:
        match type_:
            case "l2Book":
                bids, asks = msgspec.json.decode(data, type=_Book).levels
                return _best(bids[0] if bids else None, asks[0] if asks else None)
            case "bbo":
                return _best(*msgspec.json.decode(data, type=_Best).bbo)
            case "trades":
                return _last(msgspec.json.decode(data, type=list[_Trade]))
            case _:
                return None
    except msgspec.ValidationError:
        return None


def _best(bid: _Level | None, ask: _Level | None) -> str:
    return f"bid {_level(bid)} | ask {_level(ask)}"


def _level(level: _Level | None) -> str:
    return _NOTHING if level is None else f"{level.px} x {level.sz}"


def _last(trades: list[_Trade]) -> str | None:
    if not trades:
        return None
    last = trades[-1]
    count = f" (last of {len(trades)} trades)" if len(trades) > 1 else ""
    return f"{_SIDES.get(last.side, last.side)} {last.sz} @ {last.px}{count}"
