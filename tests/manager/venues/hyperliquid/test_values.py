"""Values: the rules that questions and actions share, and the words of what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.exchange import parse_call
from wsmgr.manager.venues.hyperliquid.info import parse_query
from wsmgr.manager.venues.hyperliquid.order_ids import Cloid
from wsmgr.manager.venues.hyperliquid.values import READERS, Kind, read_value

NOW = 1_782_000_000_000
ADDRESS = "0x" + "ab" * 20
RAW = "0x" + "ab" * 16
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


class NoOffset(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, _when: datetime | None) -> None:
        return None

    def dst(self, _when: datetime | None) -> None:
        return None

    def tzname(self, _when: datetime | None) -> str:
        return "nowhere"


def read(kind: Kind, value: object, choices: tuple[Any, ...] = ()) -> Any:
    return read_value("it: name", value, kind, READERS[kind], choices)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (NOW, NOW),
        (str(NOW), NOW),
        (0, 0),
        ("0", 0),
        (500_000_000_000, 500_000_000_000),
        (10**11, 10**11),
        (10**14 - 1, 10**14 - 1),
        ("2026-06-21T00:00:00Z", NOW),
        ("2026-06-21T02:00:00.001+02:00", NOW + 1),
        ("1970-01-02T00:00:00Z", 86_400_000),
        (datetime(2026, 6, 21, tzinfo=UTC), NOW),
        (datetime(2026, 6, 21, 2, tzinfo=timezone(timedelta(hours=2))), NOW),
    ],
)
def test_a_time_is_unix_milliseconds(value: object, found: int) -> None:
    """However it is given; a datetime and a text say which time they mean, whatever the year."""
    assert found == read(Kind.TIME, value)


@given(
    st.datetimes(datetime(1974, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_its_millisecond_in_any_zone(moment: datetime, minutes: int) -> None:
    """As a datetime, as its text, as a number and as the number's text."""
    zoned = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    expected = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - both without
    for given_time in (zoned, zoned.isoformat(), expected, str(expected)):
        assert expected == read(Kind.TIME, given_time)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (NOW // 1000, rf"in 1970 to 1973; write milliseconds, not seconds: {NOW}$"),
        (str(NOW // 1000), rf"in 1970 to 1973; write milliseconds, not seconds: {NOW}$"),
        (10**11 - 1, "not seconds"),
        (NOW * 1000, rf"after 5138; write milliseconds, not microseconds: {NOW}$"),
        (10**14, "not microseconds"),
        (-1, "-1 is before 1970; write a later time"),
        (datetime(1969, 12, 31, tzinfo=UTC), r"1969-12-31T00:00:00\+00:00 is before 1970"),
        (date(2026, 6, 21), r"is a day, not a time; write 2026-06-21T00:00:00Z$"),
        ("2026-06-21", r"='2026-06-21' is a day, not a time; write 2026-06-21T00:00:00Z$"),
        (datetime(2026, 6, 21), "no offset from UTC; where it is in UTC, write 2026-06-21T00:00:00Z"),  # noqa: DTZ001 - the point of the test
        (
            "2026-06-21T00:00:00",
            "no offset from UTC; where it is in UTC, write 2026-06-21T00:00:00Z, or give it tzinfo=UTC$",
        ),
        (datetime(2026, 6, 21, tzinfo=NoOffset()), "no offset from UTC"),
        ("tomorrow", "='tomorrow' is not a time: a datetime with a time zone, whole milliseconds"),
        ("", "='' is not a time"),
        ("-5", "is not a time"),
        ("\u0661", "is not a time"),
        (1.782e12, "is not a time"),
        (True, "=True is not a time"),
        (None, "is not a time"),
    ],
)
def test_a_time_that_could_mean_two_things_is_refused(value: object, words: str) -> None:
    """A day, another unit, a time without an offset: nothing is guessed, and the error says what to write."""
    with pytest.raises(ParameterError, match=words) as caught:
        read(Kind.TIME, value)
    assert str(caught.value).startswith("it: name=")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (77, 77),
        ("77", 77),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (RAW, Cloid(RAW)),
        (RAW.upper(), Cloid(RAW)),
        (Cloid(RAW), Cloid(RAW)),
    ],
)
def test_an_order_is_named_by_its_number_or_by_its_caller_s_id(value: object, found: object) -> None:
    """A number, its text, the text of a client order id, or the id itself."""
    assert found == read(Kind.ORDER_ID, value)


@pytest.mark.parametrize(
    "value", ["abc", "", True, -1, "-1", 2**63, 1.0, "0xabc", RAW + "0", RAW[2:], " 77", None, b"77"]
)
def test_what_names_no_order_is_refused(value: object) -> None:
    """In words that name both ways."""
    with pytest.raises(
        ParameterError, match=r"^it: name=.* is not the number of an order, or a client order id"
    ):
        read(Kind.ORDER_ID, value)


@pytest.mark.parametrize(("kind", "good"), [(Kind.ORDER_NUMBER, 5), (Kind.CLOID, Cloid(RAW))])
def test_where_one_way_to_name_an_order_is_wanted_the_other_is_refused(kind: Kind, good: object) -> None:
    """A cancel by number has no use for a client's id, and the other way about."""
    assert good == read(kind, str(good))
    for wrong in (RAW if kind is Kind.ORDER_NUMBER else "5", -1, True, "abc", ""):
        with pytest.raises(ParameterError, match=r"^it: name"):
            read(kind, wrong)


def test_an_address_is_put_in_lower_case() -> None:
    """The venue signs lower case."""
    mixed = "0x" + "aB" * 20
    assert mixed.lower() == read(Kind.ADDRESS, mixed)
    for wrong in (mixed[:-1], mixed[:-1] + "g", mixed[2:], mixed + "0", 5, int(mixed, 16)):
        with pytest.raises(
            ParameterError, match=r"^it: name=.* is not an address: 0x and 40 hexadecimal digits"
        ):
            read(Kind.ADDRESS, wrong)


def test_the_id_of_a_token_is_put_in_lower_case() -> None:
    """Neither a number nor an address."""
    assert RAW == read(Kind.TOKEN_ID, "0x" + "aB" * 16)
    for wrong in (ADDRESS, 5, RAW[:-1], "PURR", "0x" + "g" * 32, ""):
        with pytest.raises(ParameterError, match=r"^it: name=.* is not a token's id: 0x and 32"):
            read(Kind.TOKEN_ID, wrong)


@pytest.mark.parametrize(
    ("value", "found"),
    [("true", True), ("Yes", True), ("1", True), (True, True), ("no", False), ("0", False), (False, False)],
)
def test_a_flag_is_true_or_false(value: object, found: object) -> None:
    """Of whatever a person types for it."""
    assert found is read(Kind.FLAG, value)


@pytest.mark.parametrize("wrong", ["buy", 2, 1, 0, 1.0, "on"])
def test_what_is_no_flag_is_refused(wrong: object) -> None:
    """A number is none."""
    with pytest.raises(ParameterError, match=r"^it: name=.* is not true or false"):
        read(Kind.FLAG, wrong)


@pytest.mark.parametrize("wrong", ["0", "-3", "2.5", "many", 2.0, True, "", 0, "1" * 19])
def test_an_integer_is_a_whole_number_above_zero(wrong: object) -> None:
    """Neither a fraction nor nothing."""
    assert (5, 5) == (read(Kind.INTEGER, 5), read(Kind.INTEGER, "5"))
    with pytest.raises(ParameterError, match=r"^it: name.* a whole number"):
        read(Kind.INTEGER, wrong)


def test_a_value_is_one_of_the_choices_where_there_are_some() -> None:
    """The error names them."""
    assert 5 == read(Kind.INTEGER, "5", (2, 5))
    with pytest.raises(ParameterError, match=r"^it: name='3' is not allowed; choose one of 2, 5$"):
        read(Kind.INTEGER, "3", (2, 5))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((kind, value) for kind in READERS for value in (KEY, f"0x{KEY}", int(KEY, 16), bytes.fromhex(KEY))),
        *((kind, f"key {KEY}") for kind in (Kind.TIME, Kind.CLOID, Kind.ORDER_ID, Kind.ADDRESS, Kind.FLAG)),
    ],
)
def test_a_key_is_no_value_and_its_error_shows_nothing_of_it(kind: Kind, value: object) -> None:
    """Nor do the errors that led to it."""
    with pytest.raises(ParameterError) as caught:
        read(kind, value)
    error: BaseException | None = caught.value
    while error is not None:
        shown = str(error).lower()
        assert not any(part in shown for part in (KEY[:16], KEY[-16:], str(int(KEY, 16))[:16]))
        error = error.__cause__ or error.__context__


MOMENTS = [NOW, str(NOW), 0, 5 * 10**11, 10**15, NOW // 1000, date(2026, 6, 21), "2026-06-21T00:00:00Z"]


@pytest.mark.parametrize("value", MOMENTS)
def test_a_time_is_read_alike_for_a_question_and_an_action(value: object) -> None:
    """What one takes, the other takes; what one refuses, the other refuses, in the same words."""

    def asked() -> object:
        return parse_query("userFunding", {"user": ADDRESS, "startTime": value})["startTime"]

    def acted() -> object:
        return parse_call("schedule_cancellation", {"time": value}).arguments["time"]

    assert _outcome(asked) == _outcome(acted)


@pytest.mark.parametrize("value", [5, "5", RAW, RAW.upper(), Cloid(RAW), "abc", -1, 2**63, "0x12", True])
def test_an_order_is_named_alike_for_a_question_and_an_action(value: object) -> None:
    """What `place_order` took as its id finds the order too."""
    order = {"asset": "BTC", "is_buy": True, "size": 1, "limit_price": 1, "order_type": "LIMIT_GTC"}

    def asked() -> object:
        return str(parse_query("orderStatus", {"user": ADDRESS, "oid": value})["oid"])

    def acted() -> object:
        return str(parse_call("modify_order", {"order_id": value, **order}).arguments["order_id"])

    assert _outcome(asked) == _outcome(acted)


def _outcome(call: Any) -> object:
    try:
        return call()
    except ParameterError as error:
        return str(error).partition("=")[2]
