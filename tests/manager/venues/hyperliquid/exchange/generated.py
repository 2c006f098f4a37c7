"""Generated values: what the venue takes, in all the ways in which a caller may write it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.exchange.world import UNIVERSE

from wsmgr.manager.venues.hyperliquid.exchange import (
    LIMIT_ALO,
    LIMIT_GTC,
    LIMIT_IOC,
    Cloid,
    LimitOrder,
    TriggerOrder,
)

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.universe import Asset

assets = st.sampled_from(UNIVERSE.assets)
tokens = st.sampled_from(UNIVERSE.tokens)
flags = st.booleans()
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
cloids = st.integers(0, 2**128 - 1).map(Cloid.from_int)
order_ids = st.integers(0, 2**63 - 1)
counts = st.integers(1, 10_000)
times = st.integers(10**12, 10**14 - 1)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=30)


def scaled(decimals: int, most: int = 10**9) -> st.SearchStrategy[Decimal]:
    """Positive numbers with at most so many decimal places."""
    return st.integers(1, most).map(lambda count: Decimal(count).scaleb(-decimals))


usdc = scaled(6)
hype = scaled(8)


@st.composite
def prices(draw: st.DrawFn, asset: Asset) -> Decimal:
    """Prices that the venue takes: five significant figures, or a whole number."""
    if draw(flags):
        return Decimal(draw(st.integers(1, 10**7)))
    places = draw(st.integers(0, asset.price_decimals))
    return Decimal(draw(st.integers(1, 99_999))).scaleb(-places)


def sizes(asset: Asset) -> st.SearchStrategy[Decimal]:
    """Sizes that the venue takes."""
    return scaled(asset.size_decimals, 10**7)


def order_types(asset: Asset) -> st.SearchStrategy[LimitOrder | TriggerOrder]:
    """Limit and trigger orders."""
    triggers = st.builds(
        TriggerOrder, price=prices(asset), is_market=flags, trigger=st.sampled_from(["tp", "sl"])
    )
    return st.sampled_from([LIMIT_GTC, LIMIT_IOC, LIMIT_ALO]) | triggers


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Orders as mappings of what `OrderRequest` takes."""
    asset = draw(assets)
    return {
        "asset": draw(st.sampled_from([asset.name, asset.coin, asset.id])),
        "is_buy": draw(flags),
        "size": draw(written(sizes(asset))),
        "limit_price": draw(written(prices(asset))),
        "order_type": draw(order_types(asset)),
        "reduce_only": draw(flags),
        "cloid": draw(st.none() | cloids),
    }


def written(values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Decimal | str | int]:
    """The same number in the ways in which it may be given."""
    ways = st.sampled_from([_exact, _text, _padded, _exponent, _whole])
    return st.builds(lambda value, way: way(value), values, ways)


def _exact(value: Decimal) -> Decimal:
    return value


def _text(value: Decimal) -> str:
    return f"{value:f}"


def _padded(value: Decimal) -> str:
    return f"{value:f}" + ("00" if "." in f"{value:f}" else ".00")


def _exponent(value: Decimal) -> str:
    return f"{value:E}"


def _whole(value: Decimal) -> Decimal | int:
    return int(value) if value == int(value) else value
