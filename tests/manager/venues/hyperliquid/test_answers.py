"""Hyperliquid's answers: an acknowledgement or a refusal is tied to the wish that it is about."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.outcome import Refused
from wsmgr.manager.venues.dialect import Ack, Answer, Frame, Refusal, RefusalKind, Unroutable
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

DIALECT = HyperliquidDialect()
SERVED = sorted(name for name, each in DIALECT.catalog.items() if each.removed is None)
# What the venue writes where a request left something out: see its acknowledgements of l2Book and userFills.
FILLED = {"nSigFigs": None, "mantissa": None, "aggregateByTime": False, "dex": "", "fast": False}
UPPER = "0xABCDEF0123456789ABCDEF0123456789ABCDEF01"
USER = UPPER.lower()


def answer(channel: str, data: object) -> Frame:
    return DIALECT.classify(msgspec.json.encode({"channel": channel, "data": data}))


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize(
    ("wish", "echo"),
    [
        (
            {"type": "candle", "coin": "HYPE", "interval": "1d"},
            {"type": "candle", "interval": "1d", "coin": "HYPE"},
        ),
        (
            {"type": "l2Book", "coin": "HYPE"},
            {"type": "l2Book", "coin": "HYPE", "nSigFigs": None, "mantissa": None},
        ),
        (
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
        ),
        ({"type": "userFills", "user": UPPER}, {"type": "userFills", "user": USER, "aggregateByTime": False}),
        ({"type": "openOrders", "user": USER}, {"type": "openOrders", "user": UPPER, "dex": ""}),
        ({"type": "allMids"}, {"type": "allMids", "dex": "", "venueAddedThis": [1]}),
    ],
)
def test_an_acknowledgement_equals_the_wish(method: Any, wish: dict[str, Any], echo: dict[str, Any]) -> None:
    """The venue's normal form (other order, defaults, new members, other case) is brought back to ours."""
    atom = DIALECT.atom(wish["type"], {name: value for name, value in wish.items() if name != "type"})
    found = answer("subscriptionResponse", {"method": method, "subscription": echo})
    assert Ack(method, atom.type.name, dict(atom.params)) == found


@st.composite
def wishes(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A type and parameters that it takes, spelled in one of the ways in which callers spell them."""
    name = draw(st.sampled_from(SERVED))
    values: dict[str, st.SearchStrategy[Any]] = {
        "coin": st.sampled_from(["BTC", "kPEPE", "@107", "PURR/USDC", "xyz:SP500", "#14720"]),
        "user": st.sampled_from([USER, UPPER, "0x" + "00" * 20]),
        "dex": st.sampled_from(["", "xyz", None]),
        "interval": st.sampled_from(["1m", "1M", "1d"]),
        "nSigFigs": st.sampled_from([None, 2, "3", 5]),
        "mantissa": st.sampled_from([None, 1, "5"]),
        "fast": st.sampled_from([None, True, False, "true"]),
        "aggregateByTime": st.booleans(),
        "ignorePortfolioMargin": st.booleans(),
    }
    kind = DIALECT.catalog[name]
    wanted = [each.name for each in kind.parameters if each.required or draw(st.booleans())]
    return name, {each: draw(values[each]) for each in wanted}


@given(
    wish=wishes(),
    method=st.sampled_from(["subscribe", "unsubscribe"]),
    filled=st.booleans(),
    upper=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_the_venues_echo_of_any_wish_is_that_wish(
    wish: tuple[str, dict[str, Any]], method: Any, filled: bool, upper: bool, order: Any
) -> None:
    """Whatever the type, however the venue lays out what it was sent: the acknowledgement matches exactly.

    So does `Already subscribed`, and so does a refusal that repeats the request.
    """
    name, params = wish
    try:
        atom = DIALECT.atom(name, params)
    except ParameterError:
        assert "mantissa" in params
        return
    echo = dict(msgspec.json.decode(DIALECT.subscribe(atom))["subscription"])
    if filled:
        known = {each.name for each in atom.type.parameters}
        echo |= {each: value for each, value in FILLED.items() if each in known and each not in echo}
        echo["venueAddedThis"] = {"of": [1]}
    if upper and "user" in echo:
        echo["user"] = "0x" + echo["user"][2:].upper()
    shuffled = list(echo.items())
    order.shuffle(shuffled)
    text = msgspec.json.encode(dict(shuffled)).decode()
    expected = dict(atom.params)
    assert Ack(method, name, expected) == answer(
        "subscriptionResponse", {"method": method, "subscription": dict(shuffled)}
    )
    assert Ack(method, name, expected, already=True) == answer("error", f"Already {method}d: {text}")
    words = f"Invalid subscription {text}"
    assert Refusal(RefusalKind.INVALID, words, name, expected) == answer("error", words)


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        [],
        {"method": "subscribe"},
        {"method": "resubscribe", "subscription": {"type": "allMids"}},
        {"method": "subscribe", "subscription": {"type": "l2"}},
        {"method": "subscribe", "subscription": {"coin": "BTC"}},
        {"method": "subscribe", "subscription": {"type": "l2Book"}},
        {"method": "subscribe", "subscription": {"type": "l2Book", "coin": {"of": 1}}},
        {"method": "subscribe", "subscription": {"type": ["l2Book"], "coin": "BTC"}},
    ],
)
def test_an_acknowledgement_of_nothing_we_know_is_unroutable(data: object) -> None:
    """An echo that cannot be read is counted as drift, never taken for a wish."""
    assert Unroutable("unparsed", "subscriptionResponse") == answer("subscriptionResponse", data)


@pytest.mark.parametrize(("word", "method"), [("subscribed", "subscribe"), ("unsubscribed", "unsubscribe")])
@pytest.mark.parametrize("colon", [":", ""])
def test_what_was_so_already_is_an_acknowledgement(word: str, method: Any, colon: str) -> None:
    """`Already subscribed` is the proof that a quiet stream is probed for."""
    words = f'Already {word}{colon} {{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null}}'
    assert Ack(method, "l2Book", {"coin": "BTC"}, already=True) == answer("error", words)


@pytest.mark.parametrize("colon", [":", ""])
def test_an_invalid_subscription_is_refused_by_name(colon: str) -> None:
    """The refusal reaches the wish that it is about, with and without the colon."""
    words = f'Invalid subscription{colon} {{"type":"candle","interval":"1d","coin":"TST2"}}'
    expected = Refusal(RefusalKind.INVALID, words, "candle", {"coin": "TST2", "interval": "1d"})
    assert expected == answer("error", words)


def test_a_request_that_the_venue_could_not_parse_is_refused_by_its_own_text() -> None:
    """The request's raw text comes back, and its subscription member says whose it was."""
    request = '{"method":"subscribe","subscription":{"type":"bbo","coin":"SOL"}}'
    words = f"Error parsing JSON into valid websocket request: {request}"
    assert Refusal(RefusalKind.INVALID, words, "bbo", {"coin": "SOL"}) == answer("error", words)


@pytest.mark.parametrize(
    "words",
    [
        'Error parsing JSON into valid websocket request: {"method":"subscribe","xsubscription":{"type":"bbo"}}',
        'Error parsing JSON into valid websocket request: {"method":"subscribe","subscription":{"type":"new"}}',
        "Error parsing JSON into valid websocket request: ",
        "Invalid subscription",
        'Invalid subscription {"type":"l2Book","coin":',
    ],
)
def test_a_refusal_whose_echo_cannot_be_read_is_nobodys(words: str) -> None:
    """What cannot be attributed keeps its kind and its words, and blames no one."""
    assert Refusal(RefusalKind.INVALID, words) == answer("error", words)


SIGNED = (
    '{"method":"post","id":%s,"request":{"type":"action","payload":{"action":{"type":"scheduleCancel"},'
    '"nonce":1782000000000,"signature":{"r":"0x19ca","s":"0x3769","v":27}}}}'
)
UNPARSED = "Error parsing JSON into valid websocket request"


@pytest.mark.parametrize("colon", [": ", " "])
def test_an_action_that_the_venue_could_not_parse_is_refused_by_its_number(colon: str) -> None:
    """Its caller hears it at once; nobody else may read a signed action that was not carried out."""
    assert Answer(7, Refused(UNPARSED)) == answer("error", UNPARSED + colon + SIGNED % 7)


@pytest.mark.parametrize(
    ("words", "kept", "kind"),
    [
        (f"{UNPARSED}: {SIGNED % 1.5}", f"{UNPARSED}: ", RefusalKind.INVALID),
        (f"{UNPARSED}: {SIGNED[:-9]}", f"{UNPARSED}: ", RefusalKind.INVALID),
        (f'{UNPARSED}: "{SIGNED[:-9]}"', f'{UNPARSED}: "', RefusalKind.UNKNOWN),
        (f"Something that is new: {SIGNED % 7}", "Something that is new: ", RefusalKind.UNKNOWN),
        (
            f"Cannot send more than 2000 messages per minute: {SIGNED % 7}",
            "Cannot send more than 2000 messages per minute: ",
            RefusalKind.MESSAGES,
        ),
        (
            'New words {"type":"bbo","coin":"SOL"}',
            'New words {"type":"bbo","coin":"SOL"}',
            RefusalKind.UNKNOWN,
        ),
        ('New words {"method":"subscribe"}', 'New words {"method":"subscribe"}', RefusalKind.UNKNOWN),
    ],
)
def test_words_that_are_kept_echo_nothing_but_subscriptions(words: str, kept: str, kind: RefusalKind) -> None:
    """Words go to the log and into the events, which many may read who may not act."""
    assert Refusal(kind, kept) == answer("error", words)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Cannot track more than 15 total users.", RefusalKind.USERS),
        ("Cannot track more than 10 total users.", RefusalKind.USERS),
        ("Cannot subscribe to more than 1000 channels.", RefusalKind.SUBSCRIPTIONS),
        ("Cannot send more than 2000 messages per minute.", RefusalKind.MESSAGES),
        ("too many pending post requests", RefusalKind.UNKNOWN),
        ("Already subscribed: nonsense", RefusalKind.UNKNOWN),
        ("Something that is new", RefusalKind.UNKNOWN),
        ("", RefusalKind.UNKNOWN),
    ],
)
def test_limits_are_told_by_their_words(words: str, kind: RefusalKind) -> None:
    """Which quota is used up is read from the text, whatever its figure; new words are kept as they are."""
    assert Refusal(kind, words) == answer("error", words)


def test_a_request_too_many_is_the_answer_to_that_request() -> None:
    """The one limit that names whom it is about: nobody waits for that answer any longer."""
    words = "too many pending post requests id=1234"
    assert Answer(1234, Refused(words)) == answer("error", words)


@pytest.mark.parametrize("data", [None, 7, {}, {"message": "x"}, []])
def test_an_error_without_words_is_unroutable(data: object) -> None:
    """An error of another shape is drift, and no reason to refuse a wish."""
    assert Unroutable("unparsed", "error") == answer("error", data)


def test_an_echo_nested_without_end_is_nobodys() -> None:
    """A text inside an error is as little trusted as a frame."""
    words = "Invalid subscription " + '{"type":' * 100_000
    assert Refusal(RefusalKind.INVALID, words) == answer("error", words)
