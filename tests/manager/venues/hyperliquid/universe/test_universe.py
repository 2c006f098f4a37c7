"""The universe: names to numbers, from the venue's answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.manager.venues.hyperliquid.universe.answers import (
    DEX_METAS,
    META,
    PERP_DEXS,
    SPOT_META,
    pair,
    perp,
    token,
)

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.venues.hyperliquid.universe import (
    AmbiguousAssetError,
    Asset,
    Token,
    Universe,
    UniverseError,
    UnknownAssetError,
)

UNIVERSE = Universe.read(META, SPOT_META, PERP_DEXS, DEX_METAS)


def with_pairs(*pairs: Any) -> Universe:
    return Universe.read(META, {**SPOT_META, "universe": [*SPOT_META["universe"], *pairs]}, PERP_DEXS)


def with_perps(*perps: Any) -> Universe:
    return Universe.read({"universe": [*META["universe"], *perps]}, SPOT_META, PERP_DEXS)


@pytest.mark.parametrize(
    ("name", "asset"),
    [
        ("BTC", Asset(id=0, name="BTC", coin="BTC", size_decimals=5, spot=False, dex="")),
        ("kPEPE", Asset(id=3, name="kPEPE", coin="kPEPE", size_decimals=0, spot=False, dex="")),
        (
            "MATIC",
            Asset(id=2, name="MATIC", coin="MATIC", size_decimals=1, spot=False, dex="", delisted=True),
        ),
        (
            "PURR/USDC",
            Asset(id=10000, name="PURR/USDC", coin="PURR/USDC", size_decimals=0, spot=True, dex=""),
        ),
        ("@107", Asset(id=10107, name="HYPE/USDC", coin="@107", size_decimals=2, spot=True, dex="")),
        ("HYPE/USDT0", Asset(id=10207, name="HYPE/USDT0", coin="@207", size_decimals=2, spot=True, dex="")),
        (
            "xyz:SP500",
            Asset(id=110001, name="xyz:SP500", coin="xyz:SP500", size_decimals=3, spot=False, dex="xyz"),
        ),
        # The second of the builders' dexes has the third place after the venue's own: one was given up.
        (
            "flx:TSLA",
            Asset(id=130000, name="flx:TSLA", coin="flx:TSLA", size_decimals=3, spot=False, dex="flx"),
        ),
    ],
)
def test_an_asset_is_found_by_its_name_and_by_its_number(name: str, asset: Asset) -> None:
    assert asset == UNIVERSE.asset(name)
    assert asset == UNIVERSE.asset(asset.id)
    assert asset == UNIVERSE.asset(asset.name)


@pytest.mark.parametrize(
    ("name", "coin"),
    [
        ("btc", "BTC"),
        ("KPEPE", "kPEPE"),
        ("hype/usdc", "@107"),
        ("Purr/Usdc", "PURR/USDC"),
        ("XYZ:sp500", "xyz:SP500"),
        # The perpetual; the pair is HYPE/USDC.
        ("hype", "HYPE"),
    ],
)
def test_case_does_not_matter_where_it_leaves_no_doubt(name: str, coin: str) -> None:
    assert coin == UNIVERSE.asset(name).coin


def test_names_that_differ_in_case_only_are_told_apart_by_it() -> None:
    universe = with_perps(perp("KPEPE", 1))
    assert 3 == universe.asset("kPEPE").id
    assert 6 == universe.asset("KPEPE").id
    with pytest.raises(AmbiguousAssetError, match=r"kPEPE \(asset 3\) or KPEPE \(asset 6\)") as caught:
        universe.asset("kpepe")
    assert ("kPEPE", "KPEPE") == caught.value.nearest


def test_a_pair_s_name_that_two_pairs_have_is_refused_and_both_are_listed() -> None:
    universe = with_pairs(pair(300, 150, 0))
    with pytest.raises(AmbiguousAssetError, match=r"@107 \(asset 10107\) or @300 \(asset 10300\)") as caught:
        universe.asset("HYPE/USDC")
    assert ("@107", "@300") == caught.value.nearest
    assert 10300 == universe.asset("@300").id


def test_the_wire_s_own_name_comes_before_a_people_s_name() -> None:
    universe = with_pairs(pair(300, 1, 0))
    assert "PURR/USDC" == universe.asset("@300").name
    assert 10000 == universe.asset("PURR/USDC").id


def test_a_name_that_stands_twice_in_meta_is_never_resolved_by_its_place() -> None:
    with pytest.raises(AmbiguousAssetError, match=r"ETH \(asset 1\) or ETH \(asset 6\)"):
        with_perps(perp("ETH", 4)).asset("ETH")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BTD", ("BTC",)),
        ("kPEP", ("kPEPE",)),
        ("HYPE/USD", ("HYPE/USDC", "HYPE/USDT0", "HYPE")),
        ("xyz:SP50", ("xyz:SP500",)),
        ("@10", ("@107", "@1")),
        ("nonsense that nobody trades", ()),
        ("", ()),
        # A delisted one is known, and not proposed.
        ("MATI", ()),
    ],
)
def test_an_unknown_name_is_an_error_that_proposes_the_nearest(name: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(UnknownAssetError) as caught:
        UNIVERSE.asset(name)
    assert isinstance(caught.value, UsageError)
    assert nearest == caught.value.nearest == UNIVERSE.nearest(name)
    assert repr(name) in str(caught.value)
    assert all(one in str(caught.value) for one in nearest)


@pytest.mark.parametrize("number", [6, 9_999, 10_002, 100_000, 120_000, 130_002, -1, True])
def test_a_number_that_no_asset_has_is_refused(number: int) -> None:
    with pytest.raises(UnknownAssetError, match=f"has no asset {number}"):
        UNIVERSE.asset(number)


def test_a_name_of_a_dex_whose_markets_were_not_given_says_so() -> None:
    universe = Universe.read(META, SPOT_META, PERP_DEXS, {"xyz": DEX_METAS["xyz"]})
    assert ("xyz", "flx") == universe.dexes
    assert 110001 == universe.asset("xyz:SP500").id
    with pytest.raises(UnknownAssetError, match="the markets of the dex flx are not loaded"):
        universe.asset("flx:TSLA")


@pytest.mark.parametrize(
    ("name", "dex"),
    [
        ("xyz:SP500", "xyz"),
        ("XYZ:whatever", "xyz"),
        ("abc:SP500", None),
        ("SP500", None),
        ("", None),
        (110001, "xyz"),
        (119_999, "xyz"),
        (120_000, None),
        (130_000, "flx"),
        (0, None),
        (10_107, None),
    ],
)
def test_the_dex_of_a_name_is_known_before_its_markets_are(name: str | int, dex: str | None) -> None:
    assert dex == Universe.read(META, SPOT_META, PERP_DEXS).dex_of(name)


def test_a_dex_s_name_that_fits_two_dexes_belongs_to_none() -> None:
    universe = Universe.read(META, SPOT_META, [None, {"name": "abc"}, {"name": "ABC"}])
    assert (None, "ABC") == (universe.dex_of("Abc:X"), universe.dex_of("ABC:X"))


@pytest.mark.parametrize(
    ("name", "decimals"), [("BTC", 1), ("kPEPE", 6), ("@107", 6), ("PURR/USDC", 8), ("xyz:SP500", 3)]
)
def test_price_decimals_are_what_size_decimals_leave(name: str, decimals: int) -> None:
    assert decimals == UNIVERSE.asset(name).price_decimals


def test_price_decimals_are_never_negative() -> None:
    assert 0 == with_perps(perp("ODD", 9)).asset("ODD").price_decimals


HYPE = Token(index=150, name="HYPE", token_id=f"0x{150 + 0x6D1E7B:032x}", wei_decimals=8, size_decimals=2)


@pytest.mark.parametrize(
    "name",
    ["HYPE", "hype", HYPE.token_id, HYPE.token_id.upper().replace("X", "x"), f"HYPE:{HYPE.token_id}"],
)
def test_a_token_is_found_by_its_name_and_by_its_id(name: str) -> None:
    assert HYPE == UNIVERSE.token(name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("HYP", ("HYPE",)), ("zzz", ()), (f"PURR:{HYPE.token_id}", ("PURR",)), ("HYPE:0x00", ("HYPE",))],
)
def test_an_unknown_token_is_an_error_that_proposes_the_nearest(name: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(UnknownAssetError, match="has no token") as caught:
        UNIVERSE.token(name)
    assert nearest == caught.value.nearest


def test_a_token_s_name_that_two_tokens_have_is_refused_and_the_id_tells_them_apart() -> None:
    tokens = [*SPOT_META["tokens"], token(300, "HYPE", 0, 5)]
    universe = Universe.read(META, {**SPOT_META, "tokens": tokens}, PERP_DEXS)
    with pytest.raises(AmbiguousAssetError) as caught:
        universe.token("HYPE")
    assert [150, 300] == [universe.token(name).index for name in caught.value.nearest]


def perps(count: int, prefix: str = "") -> list[Any]:
    return [perp(f"{prefix}N{number}", 0) for number in range(count)]


def test_the_last_number_before_those_of_pairs_is_a_perpetuals() -> None:
    """The next one would be an order in another market."""
    universe = Universe.read({"universe": perps(10_000)}, SPOT_META, PERP_DEXS)
    assert (9_999, "PURR/USDC") == (universe.asset("N9999").id, universe.asset(10_000).coin)


def test_the_numbers_of_names_leave_out_what_several_go_by() -> None:
    """Both names of a pair; a name that two pairs have has no number."""
    ids = with_pairs(pair(300, 150, 0)).ids
    assert (0, 10107, 10300, 10207) == (ids["BTC"], ids["@107"], ids["@300"], ids["HYPE/USDT0"])
    assert "HYPE/USDC" not in ids
    assert 10107 == UNIVERSE.ids["HYPE/USDC"]


def broken(change: Any) -> dict[str, Any]:
    payloads = copy.deepcopy(
        {"meta": META, "spot_meta": SPOT_META, "perp_dexs": PERP_DEXS, "dex_metas": DEX_METAS}
    )
    change(payloads)
    return payloads


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.update(meta=None), "answer to meta cannot be read"),
        (lambda p: p.update(meta={"universe": None}), "answer to meta cannot be read"),
        (lambda p: p["meta"]["universe"][1].pop("szDecimals"), r"meta cannot be read.*szDecimals"),
        (lambda p: p["meta"]["universe"][1].update(szDecimals="4"), r"meta cannot be read.*universe"),
        (lambda p: p["meta"]["universe"][1].update(szDecimals=-1), r"meta cannot be read"),
        (lambda p: p["meta"]["universe"][1].update(name=""), r"meta cannot be read"),
        (lambda p: p["spot_meta"]["universe"][0].update(tokens=[1]), "spotMeta cannot be read"),
        (lambda p: p["spot_meta"]["universe"][0].update(tokens=[1, 99]), "no token 99.*PURR/USDC"),
        (lambda p: p["spot_meta"]["universe"][0].update(index=107), "same asset id, 10107"),
        (lambda p: p["spot_meta"]["tokens"][0].update(index=1), "same token index, 1"),
        (lambda p: p["spot_meta"]["universe"][0].update(index=90_000), "index 90000, for which there is no"),
        (lambda p: p["meta"].update(universe=perps(10_001)), "^meta has 10001 perpetuals"),
        (
            lambda p: p["dex_metas"]["xyz"].update(universe=perps(10_001, "xyz:")),
            "^meta of the dex xyz has 10001 perpetuals",
        ),
        (lambda p: p["spot_meta"].pop("tokens"), "spotMeta cannot be read"),
        (lambda p: p.update(perp_dexs={}), "perpDexs cannot be read"),
        (lambda p: p.update(perp_dexs=[]), "does not begin with the venue's own dex"),
        (lambda p: p["perp_dexs"].pop(0), "does not begin with the venue's own dex"),
        (lambda p: p["perp_dexs"].append({"name": "xyz"}), "two dexes 'xyz'"),
        (lambda p: p["dex_metas"].update(abc={"universe": []}), "no dex 'abc'"),
        (lambda p: p["dex_metas"].update(xyz=None), "meta of the dex xyz cannot be read"),
        (
            lambda p: p["dex_metas"]["xyz"]["universe"][0].update(name="BTC"),
            "'BTC' that does not bear its name",
        ),
    ],
)
def test_answers_that_cannot_be_read_or_contradict_themselves_make_no_universe(
    change: Any, words: str
) -> None:
    with pytest.raises(UniverseError, match=words):
        Universe.read(**broken(change))


def test_members_that_the_venue_adds_are_skipped() -> None:
    def add(payloads: dict[str, Any]) -> None:
        payloads["meta"]["added"] = payloads["spot_meta"]["added"] = {"x": [1]}
        payloads["meta"]["universe"][0]["added"] = payloads["spot_meta"]["tokens"][0]["added"] = 1
        payloads["perp_dexs"][1]["added"] = None

    assert UNIVERSE.assets == Universe.read(**broken(add)).assets
