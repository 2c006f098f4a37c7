"""Queries as data: what is refused before it is sent, and in which words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.venues.hyperliquid.info import UnknownQueryError, parse_query

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
        ("userFills", {"address": USER[:-1] + "g"}, r"is not an address"),
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
            r"oid='abc' is not an order's number, or its client id",
        ),
        ("orderStatus", {"user": USER, "oid": True}, r"oid=True is not an order's number"),
        ("orderStatus", {"user": USER, "oid": -1}, r"oid=-1 is not an order's number"),
        ("orderStatus", {"user": USER, "oid": "0xabc"}, r"oid='0xabc' is not an order's number"),
        ("tokenDetails", {"tokenId": USER}, r"is not a token's id: 0x and 32"),
        ("tokenDetails", {"tokenId": 5}, r"is not a token's id"),
        ("userFunding", {"user": USER, "startTime": NOW // 1000}, r"give milliseconds, not seconds"),
        ("userFunding", {"user": USER, "startTime": NOW * 1000}, r"before 1970 or after 5138"),
        ("userFunding", {"user": USER, "startTime": -1}, r"before 1970 or after 5138"),
        ("userFunding", {"user": USER, "startTime": datetime(2025, 7, 1)}, r"is not a time: a datetime with"),  # noqa: DTZ001
        ("userFunding", {"user": USER, "startTime": date(2025, 7, 1)}, r"is not a time"),
        ("userFunding", {"user": USER, "startTime": "2025-07-01T00:00:00"}, r"is not a time"),
        ("userFunding", {"user": USER, "startTime": "yesterday"}, r"startTime='yesterday' is not a time"),
        ("userFunding", {"user": USER, "startTime": 1.5e12}, r"is not a time"),
        ("userFunding", {"user": USER, "startTime": True}, r"is not a time"),
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


@given(
    st.datetimes(datetime(1974, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_its_millisecond_in_any_zone(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    expected = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - both without
    for given_time in (zoned, zoned.isoformat(), expected, str(expected)):
        payload = parse_query("userFunding", {"user": USER, "startTime": given_time})
        assert expected == payload["startTime"]
