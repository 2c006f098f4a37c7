"""Hyperliquid's catalog: its data agrees with itself and with what the venue takes."""

from __future__ import annotations

from typing import Any

import pytest

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.subscription_type import (
    ConnectionClass,
    FirstProof,
    Join,
    Kind,
    Merge,
    SubscriptionType,
)
from wsmgr.manager.model.type_table import catalog_with
from wsmgr.manager.venues.hyperliquid.answers import canonical
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG, INTERVALS

USER = "0xABCDEF0123456789abcdef0123456789ABCDEF01"
SERVED = [each for each in CATALOG.values() if each.removed is None]
PUBLIC = {
    *("allMids", "assetCtxs", "allDexsAssetCtxs", "spotAssetCtxs", "fastAssetCtxs", "outcomeMetaUpdates"),
    *("trades", "bbo", "l2Book", "candle", "activeAssetCtx"),
}
PRIVATE = {
    *("userFills", "userFundings", "userNonFundingLedgerUpdates", "userHistoricalOrders", "userTwapHistory"),
    *("userTwapSliceFills", "orderUpdates", "userEvents", "notification", "activeAssetData", "openOrders"),
    *("clearinghouseState", "twapStates", "allDexsClearinghouseState", "spotState", "webData3"),
}
EXPLORER = {"explorerBlock", "explorerTxs"}


def each_type(types: list[SubscriptionType]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", types, ids=[each.name for each in types])


def test_all_27_types_of_the_api_host_and_both_of_the_explorer_are_served() -> None:
    """No type of the venue is missing, and none is made up."""
    hosts = {host: {each.name for each in SERVED if each.host == host} for host in ("api", "explorer")}
    assert {"api": PUBLIC | PRIVATE, "explorer": EXPLORER} == hosts
    assert (27, 2, 29) == (len(hosts["api"]), len(hosts["explorer"]), len(SERVED))
    assert PRIVATE == {each.name for each in SERVED if each.private}


def test_the_removed_type_says_why_and_what_to_use() -> None:
    """Who asks for webData2 learns that it is gone and what replaces it."""
    removed = CATALOG["webData2"].removed
    assert removed is not None
    assert "removed" in removed
    assert "webData3" in removed


def test_every_type_is_listed_under_its_own_name() -> None:
    """A lookup by name gives the type of that name."""
    assert list(CATALOG) == [each.name for each in CATALOG.values()]


@each_type(SERVED)
def test_the_connection_class_follows_from_user_and_identity(kind: SubscriptionType) -> None:
    """A type that names a user is grouped; one that is not fully echoed is dedicated; the rest are shared."""
    unechoed = {parameter.name for parameter in kind.parameters} - {name for name, _ in kind.identity}
    if kind.private:
        assert ConnectionClass.USER_GROUPED == kind.connection_class
    elif unechoed:
        assert ConnectionClass.DEDICATED == kind.connection_class
    else:
        assert ConnectionClass.SHARED == kind.connection_class


@each_type(SERVED)
def test_identity_and_user_name_parameters_of_the_type(kind: SubscriptionType) -> None:
    """What identifies a frame is something that was asked for."""
    names = {parameter.name for parameter in kind.parameters}
    assert {name for name, _ in kind.identity} <= names
    assert kind.user is None or kind.user in kind.required


@each_type(SERVED)
def test_parameters_after_the_first_of_an_identity_are_the_only_optional_ones(kind: SubscriptionType) -> None:
    """A wire key drops empty values, so only its last may be optional or two keys would read the same."""
    optional = [name not in kind.required for name, _ in kind.identity]
    assert not any(optional[:-1])


@each_type(SERVED)
def test_merging_by_items_has_a_key_and_a_joined_log_has_items(kind: SubscriptionType) -> None:
    """What is removed as a duplicate has a key, and what is joined as a log has a list of items."""
    assert (Merge.ITEMS == kind.merge) == bool(kind.duplicate_key)
    assert Merge.TIME != kind.merge or kind.time is not None
    assert kind.items is not None or Join.LOG != kind.join


def test_the_catalog_could_stand_in_a_configuration() -> None:
    """What is asked of a user's types holds for the built-in ones."""
    assert CATALOG == catalog_with(CATALOG, {name: {} for name in CATALOG})


def test_how_each_type_is_joined() -> None:
    """Who comes late gets what the type can give: the newest frame, the items, the merged state, or nothing."""
    joined = {how: {each.name for each in SERVED if each.join is how} for how in Join}
    assert {"fastAssetCtxs"} == joined[Join.FOLD]
    assert {"outcomeMetaUpdates", "orderUpdates", "userEvents", "notification", *EXPLORER} == joined[
        Join.NONE
    ]
    histories = {"userFills", "userFundings", "userNonFundingLedgerUpdates", "userHistoricalOrders"}
    assert {"trades", "userTwapHistory", "userTwapSliceFills", *histories} == joined[Join.LOG]


def test_only_the_fast_contexts_are_packed() -> None:
    """Everything else is JSON as it comes."""
    assert {"fastAssetCtxs"} == {each.name for each in SERVED if each.packed}


def test_what_its_frames_cannot_tell_apart_has_substitutes_that_can() -> None:
    """Where a user's stream cannot be had beside another's, the refusal can say what to use."""
    unattributed = {each.name for each in SERVED if each.user is not None and not each.identity}
    assert {"orderUpdates", "userEvents", "notification"} == unattributed
    assert {"orderUpdates", "userEvents"} == {each.name for each in SERVED if each.substitutes}
    for each in SERVED:
        for name, _ in each.substitutes:
            assert ("user", "user") in CATALOG[name].identity
    expected = "userHistoricalOrders for the same records, openOrders for the orders that are open"
    assert expected == CATALOG["orderUpdates"].substitute_words
    assert "" == CATALOG["notification"].substitute_words


@each_type(SERVED)
def test_a_guaranteed_cadence_goes_with_a_frame_as_first_proof(kind: SubscriptionType) -> None:
    """What comes regularly comes first, too; and only states are regular."""
    if kind.cadence is not None:
        assert FirstProof.FRAME == kind.first_proof
        assert Kind.STATE == kind.kind


def test_streams_that_may_be_silent_are_proved_by_their_acknowledgement() -> None:
    """A quiet account or a coin without trades is live, not broken."""
    silent = {each.name for each in SERVED if each.first_proof is FirstProof.ACK}
    assert {
        "trades",
        "candle",
        "outcomeMetaUpdates",
        "orderUpdates",
        "userEvents",
        "notification",
    } == silent


def test_only_measured_cadences_are_given() -> None:
    """A guessed cadence would condemn healthy connections."""
    cadences = {each.name: each.cadence for each in SERVED if each.cadence is not None}
    assert {"allMids": 1.0, "activeAssetCtx": 1.0, "l2Book": 5.0} == cadences


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("allMids", {}, {}),
        ("allMids", {"dex": ""}, {}),
        ("allMids", {"dex": None}, {}),
        ("allMids", {"dex": "xyz"}, {"dex": "xyz"}),
        ("l2Book", {"coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": False}, {"coin": "BTC"}),
        ("l2Book", {"coin": "BTC", "fast": "false"}, {"coin": "BTC"}),
        ("l2Book", {"coin": "BTC", "fast": True}, {"coin": "BTC", "fast": True}),
        ("l2Book", {"coin": "kPEPE", "nSigFigs": "2"}, {"coin": "kPEPE", "nSigFigs": 2}),
        (
            "l2Book",
            {"nSigFigs": 5, "mantissa": "2", "coin": "BTC"},
            {"coin": "BTC", "mantissa": 2, "nSigFigs": 5},
        ),
        ("candle", {"coin": "BTC", "interval": "1M"}, {"coin": "BTC", "interval": "1M"}),
        ("userFills", {"user": USER, "aggregateByTime": False}, {"user": USER.lower()}),
        (
            "userFills",
            {"user": USER, "aggregateByTime": "true"},
            {"aggregateByTime": True, "user": USER.lower()},
        ),
        ("spotState", {"user": USER, "ignorePortfolioMargin": False}, {"user": USER.lower()}),
        ("openOrders", {"user": USER, "dex": ""}, {"user": USER.lower()}),
    ],
)
def test_parameters_become_canonical(name: str, params: dict[str, Any], expected: dict[str, Any]) -> None:
    """One wish has one form, however it was spelled."""
    found = canonical(CATALOG[name], params)
    assert expected == found
    assert list(expected) == list(found)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("l2Book", {}, "'coin' is missing"),
        ("l2Book", {"coin": "BTC", "nSigFigs": 6}, "2, 3, 4, 5"),
        ("l2Book", {"coin": "BTC", "nSigFigs": 5, "mantissa": 3}, "1, 2, 5"),
        ("l2Book", {"coin": "BTC", "mantissa": 2}, "nSigFigs=5"),
        ("l2Book", {"coin": "BTC", "nSigFigs": 4, "mantissa": 2}, "nSigFigs=5"),
        ("l2Book", {"coin": "BTC", "fast": "perhaps"}, "true or false"),
        ("l2Book", {"coin": "BTC", "depth": 5}, "no parameter 'depth'"),
        ("candle", {"coin": "BTC"}, "'interval' is missing"),
        ("candle", {"coin": "BTC", "interval": "2m"}, ", ".join(INTERVALS)),
        ("trades", {"coin": ""}, "coin"),
        ("userFills", {"user": "0x12"}, "40 hexadecimal digits"),
        ("explorerBlock", {"coin": "BTC"}, "no parameters"),
        ("userFills", {}, "'user' is missing"),
        ("fastAssetCtxs", {"coin": "BTC"}, "no parameters"),
    ],
)
def test_a_wrong_parameter_is_refused_in_words(name: str, params: dict[str, Any], words: str) -> None:
    """The caller learns what was wrong and what would be right, before anything is sent."""
    with pytest.raises(ParameterError) as raised:
        canonical(CATALOG[name], params)
    assert words in str(raised.value)
    assert name in str(raised.value)
