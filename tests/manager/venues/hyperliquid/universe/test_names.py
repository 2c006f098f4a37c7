"""Names, for universes of any shape: what is found is what was meant, or there is an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.universe.answers import pair, perp, token

from wsmgr.manager.venues.hyperliquid.universe import AmbiguousAssetError, Universe, UnknownAssetError

# Few letters, in both cases, so that names collide.
short = st.text("abAB", min_size=1, max_size=3)


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    perps = draw(st.lists(short, max_size=8))
    token_names = draw(st.lists(short, min_size=1, max_size=5))
    indexes = st.integers(0, len(token_names) - 1)
    pairs = draw(
        st.lists(st.tuples(st.integers(0, 99), indexes, indexes), max_size=6, unique_by=lambda one: one[0])
    )
    dexes = draw(st.lists(short, max_size=3, unique=True))
    return {
        "meta": {"universe": [perp(name, place % 6) for place, name in enumerate(perps)]},
        "spot_meta": {
            "tokens": [token(index, name, index % 6, 8) for index, name in enumerate(token_names)],
            "universe": [pair(*numbers) for numbers in pairs],
        },
        "perp_dexs": [None, *({"name": name} for name in dexes)],
        "dex_metas": {
            name: {"universe": [perp(f"{name}:{market}", 1) for market in draw(st.lists(short, max_size=3))]}
            for name in dexes
        },
    }


@given(payloads(), st.data())
def test_a_name_means_one_asset_by_its_first_step_or_is_refused(
    found: dict[str, Any], data: st.DataObject
) -> None:
    universe = Universe.read(**found)
    names = sorted({name for asset in universe.assets for name in (asset.coin, asset.name)})
    name = (
        data.draw(st.sampled_from(names) if names else short)
        if data.draw(st.booleans())
        else data.draw(short)
    )
    name = data.draw(st.sampled_from([name, name.upper(), name.lower()]))
    by_coin = [asset for asset in universe.assets if asset.coin == name]
    by_name = [asset for asset in universe.assets if asset.name == name]
    by_any = [
        asset
        for asset in universe.assets
        if name.casefold() in (asset.coin.casefold(), asset.name.casefold())
    ]
    meant = by_coin or by_name or by_any
    if len(meant) == 1:
        assert meant[0] == universe.asset(name)
        return
    with pytest.raises(AmbiguousAssetError if meant else UnknownAssetError) as caught:
        universe.asset(name)
    assert (type(caught.value) is AmbiguousAssetError) == bool(meant)
    if meant:
        assert sorted(asset.coin for asset in meant) == sorted(caught.value.nearest)


@given(payloads())
def test_every_asset_is_found_by_its_number(found: dict[str, Any]) -> None:
    universe = Universe.read(**found)
    assert list(universe.assets) == [universe.asset(asset.id) for asset in universe.assets]
    assert len(universe.assets) == len({asset.id for asset in universe.assets})


@given(payloads())
def test_every_token_is_found_by_its_name_and_id(found: dict[str, Any]) -> None:
    universe = Universe.read(**found)
    assert list(universe.tokens) == [universe.token(f"{one.name}:{one.token_id}") for one in universe.tokens]


@given(payloads(), st.text(max_size=8))
def test_what_is_proposed_can_be_asked_for(found: dict[str, Any], name: str) -> None:
    """A proposed name exists: asking for it finds it, or says that several have it."""
    universe = Universe.read(**found)
    for proposed in universe.nearest(name):
        try:
            assert proposed in (universe.asset(proposed).name, universe.asset(proposed).coin)
        except AmbiguousAssetError as error:
            assert error.nearest  # noqa: PT017 - either is right
