"""The universe beside those of hl-sdk and of the official SDK, made of the same answers."""

from __future__ import annotations

from typing import Any, cast

from hl.universe import Universe as HlUniverse
from hyperliquid.info import Info as OfficialInfo  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.universe.answers import (
    DEX_METAS,
    META,
    PERP_DEXS,
    SPOT_META,
    pair,
    perp,
    token,
)

from wsmgr.manager.venues.hyperliquid.universe import Universe

# The official SDK cannot read a dex that was given up (null), hence none here.
DEXES: list[Any] = [None, {"name": "xyz"}, {"name": "flx"}]
names = st.text(st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=127), min_size=1, max_size=5)
decimals = st.integers(0, 5)


class Official(OfficialInfo):  # type: ignore[misc]
    """The official SDK's Info, whose answers are given."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        super().__init__(skip_ws=True, perp_dexs=["", *answers["dex_metas"]])

    def post(self, url_path: str, payload: Any = None) -> Any:
        kind, dex = payload["type"], payload.get("dex", "")
        if dex:
            return self.answers["dex_metas"][dex]
        return self.answers[{"meta": "meta", "spotMeta": "spot_meta", "perpDexs": "perp_dexs"}[kind]]


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Answers in which no name stands twice: those SDKs take the last (or the first) of them."""
    perps = draw(st.lists(st.tuples(names, decimals), max_size=10, unique_by=lambda one: one[0].casefold()))
    tokens = draw(
        st.lists(
            st.tuples(st.integers(0, 500), names, decimals),
            min_size=1,
            max_size=6,
            unique_by=(lambda one: one[0], lambda one: one[1].casefold()),
        )
    )
    indexes = st.sampled_from([index for index, *_ in tokens])
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, 1500), indexes, indexes),
            max_size=8,
            unique_by=(lambda one: one[0], lambda one: one[1:]),
        )
    )
    markets = st.lists(st.tuples(names, decimals), max_size=4, unique_by=lambda one: one[0].casefold())
    return {
        "meta": {
            "universe": [perp(*one, isDelisted=True) if n % 3 else perp(*one) for n, one in enumerate(perps)]
        },
        "spot_meta": {
            "tokens": [token(index, name, size, size + 5) for index, name, size in tokens],
            "universe": [pair(*one) for one in pairs],
        },
        "perp_dexs": DEXES,
        "dex_metas": {
            dex: {"universe": [perp(f"{dex}:{name}", size) for name, size in draw(markets)]}
            for dex in ("flx", "xyz")
        },
    }


REALISTIC = {"meta": META, "spot_meta": SPOT_META, "perp_dexs": DEXES, "dex_metas": DEX_METAS}


@given(answers())
@example(REALISTIC)
def test_names_numbers_and_decimals_are_the_official_sdk_s(found: dict[str, Any]) -> None:
    official, ours = Official(found), Universe.read(**found)
    assert official.coin_to_asset == {asset.coin: asset.id for asset in ours.assets}
    assert official.asset_to_sz_decimals == {asset.id: asset.size_decimals for asset in ours.assets}
    assert official.name_to_coin == {
        name: asset.coin for asset in ours.assets for name in (asset.coin, asset.name)
    }
    for name in official.name_to_coin:
        assert official.name_to_asset(name) == ours.asset(name).id


@given(answers())
@example(REALISTIC)
def test_names_numbers_and_decimals_are_hl_sdk_s(found: dict[str, Any]) -> None:
    """hl-sdk takes a token's place for its number, and knows no builder's dex: it is given a list in which both agree."""
    by_index = {one["index"]: one for one in found["spot_meta"]["tokens"]}
    dense = [by_index.get(index, {"szDecimals": 0}) for index in range(max(by_index) + 1)]
    theirs = HlUniverse.from_perpetual_meta_and_spot_meta(
        cast(Any, found["meta"]), cast(Any, {**found["spot_meta"], "tokens": dense})
    )
    ours = Universe.read(found["meta"], found["spot_meta"], found["perp_dexs"])
    assert theirs.id_to_info == {
        asset.id: {
            "id": asset.id,
            "name": asset.coin,
            "type": "SPOT" if asset.spot else "PERPETUAL",
            "pxDecimals": asset.price_decimals,
            "szDecimals": asset.size_decimals,
        }
        for asset in ours.assets
    }
    for name, number in theirs.name_to_id.items():
        assert number == ours.asset(name).id


def test_a_dex_that_was_given_up_keeps_its_place() -> None:
    """The official SDK fails on it; its numbers go on counting all the same."""
    ours = Universe.read(META, SPOT_META, PERP_DEXS, DEX_METAS)
    assert (110000, 130000) == (ours.asset("xyz:XYZ100").id, ours.asset("flx:TSLA").id)
