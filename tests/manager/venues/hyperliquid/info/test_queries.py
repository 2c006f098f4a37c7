"""Queries as data: what is refused before it is sent, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.venues.hyperliquid.info import UnknownQueryError, parse_query
from wsmgr.manager.venues.hyperliquid.order_ids import Cloid

USER = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
NOW = 1_751_373_000_000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("l2book", "did you mean l2Book?"),
        ("l2_boook", "did you mean l2_book"),
        ("clearinghouseStates", "did you mean clearinghouseState"),
        ("userFillsbytime", "did you mean userFillsByTime?"),
        ("qqqq", "it has allMids, candleSnapshot"),
    ],
)
def test_an_unknown_query_is_refused_with_the_nearest_names(name: str, words: str) -> None:
    with pytest.raises(UnknownQueryError) as caught:
        parse_query(name, {})
    assert isinstance(caught.value, UsageError)
    assert f"Hyperliquid has no query {name!r}; {words}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("l2Book", {}, r"l2Book: the parameter 'coin' is missing: the coin, as the wire has it"),
        ("l2Book", {"coin": None}, r"the parameter 'coin' is missing"),
        ("l2Book", {"coin": ""}, r"l2Book: coin is empty"),
        ("l2Book", {"coin": " BTC"}, r"coin=' BTC' is not a text"),
        ("l2Book", {"coin": 5}, r"coin=5 is not a text"),
        (
            "l2Book",
            {"coi": "BTC"},
            r"no parameter 'coi'; did you mean 'coin'\? it takes coin, nSigFigs, mantissa",
        ),
        ("predictedFundings", {"x": 1}, r"no parameter 'x'; it takes no parameters"),
        (
            "l2Book",
            {"coin": "BTC", "nSigFigs": "6"},
            r"nSigFigs='6' is not allowed; choose one of 2, 3, 4, 5",
        ),
        ("l2Book", {"coin": "BTC", "nSigFigs": "x"}, r"nSigFigs='x' is not a whole number"),
        (
            "l2Book",
            {"coin": "BTC", "nSigFigs": 4, "mantissa": 2},
            r"mantissa is only allowed with nSigFigs=5",
        ),
        ("l2Book", {"coin": "BTC", "mantissa": 2}, r"mantissa is only allowed with nSigFigs=5"),
        ("l2Book", {"coin": "BTC", "nSigFigs": 5, "n_sig_figs": 5}, r"'nSigFigs' is given twice"),
        ("userFills", {"user": "0x12"}, r"user='0x12' is not an address"),
        ("userFills", {}, r"'user' is missing: the account's address"),
        (
            "candleSnapshot",
            {"coin": "BTC", "interval": "2m", "startTime": 0},
            r"interval='2m' is not allowed",
        ),
        ("userFillsByTime", {"user": USER, "startTime": NOW, "aggregateByTime": 2}, "not true or false"),
        (
            "orderStatus",
            {"user": USER, "oid": "abc"},
            r"orderStatus: oid='abc' is not the number of an order",
        ),
        ("tokenDetails", {"tokenId": USER}, r"tokenDetails: tokenId='0x\w+' is not a token's id"),
        (
            "userFunding",
            {"user": USER, "startTime": NOW // 1000},
            r"userFunding: startTime=\d+ is in 1970 to 1973; write milliseconds",
        ),
        (
            "userFunding",
            {"user": USER, "startTime": NOW, "endTime": NOW - 1},
            r"endTime=\d+ is before startTime",
        ),
        (
            "candleSnapshot",
            {"coin": "BTC", "interval": "1m", "start": NOW, "end": NOW - 1},
            r"endTime=\d+ is before startTime",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_in_words_that_help(
    name: str, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        parse_query(name, params)


@pytest.mark.parametrize(
    ("name", "params", "payload"),
    [
        ("l2Book", {"coin": "#14720"}, {"type": "l2Book", "coin": "#14720"}),
        ("allMids", {"dex": ""}, {"type": "allMids"}),
        ("userFills", {"user": USER.upper().replace("X", "x")}, {"type": "userFills", "user": USER}),
        (
            "orderStatus",
            {"user": USER, "oid": "0x" + "AB" * 16},
            {"type": "orderStatus", "user": USER, "oid": "0x" + "ab" * 16},
        ),
        (
            "orderStatus",
            {"user": USER, "oid": Cloid("0x" + "AB" * 16)},
            {"type": "orderStatus", "user": USER, "oid": "0x" + "ab" * 16},
        ),
        ("orderStatus", {"user": USER, "oid": "77"}, {"type": "orderStatus", "user": USER, "oid": 77}),
        (
            "userFillsByTime",
            {"user": USER, "startTime": "0", "aggregateByTime": "yes"},
            {"type": "userFillsByTime", "user": USER, "startTime": 0, "aggregateByTime": True},
        ),
        (
            "userFunding",
            {"user": USER, "startTime": "2025-07-01T14:30:00+02:00", "endTime": NOW},
            {"type": "userFunding", "user": USER, "startTime": NOW, "endTime": NOW},
        ),
        (
            "candle_snapshot",
            {"coin": "BTC", "interval": "1M", "start": str(NOW)},
            {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1M", "startTime": NOW}},
        ),
    ],
)
def test_values_stand_on_the_wire_in_one_form(
    name: str, params: dict[str, Any], payload: dict[str, Any]
) -> None:
    assert payload == parse_query(name, params)
