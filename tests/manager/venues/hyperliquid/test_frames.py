"""Hyperliquid's frames: each is routed to the subscription that it came from, whatever the venue sends."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wsmgr.manager.venues.dialect import Ack, Answer, Data, Frame, Ping, Pong, Refusal, Unroutable
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

CAPTURES = Path(__file__).parents[3] / "data" / "hyperliquid-testnet-2025-07.jsonl"
CAPTURED_FRAMES = 36
DIALECT = HyperliquidDialect()
UPPER = "0xABCDEF0123456789ABCDEF0123456789ABCDEF01"
USER = UPPER.lower()

# One wish and one frame of it for every type (and every way in which it is told apart). No channel: no envelope.
SAMPLES: list[tuple[str, dict[str, Any], str | None, Any]] = [
    ("allMids", {}, "allMids", {"mids": {"BTC": "1"}}),
    ("allMids", {"dex": "xyz"}, "allMids", {"mids": {"xyz:SP500": "1"}, "dex": "xyz"}),
    ("assetCtxs", {}, "assetCtxs", {"dex": "", "ctxs": []}),
    ("assetCtxs", {"dex": "xyz"}, "assetCtxs", {"dex": "xyz", "ctxs": []}),
    ("allDexsAssetCtxs", {}, "allDexsAssetCtxs", {"ctxs": [["", [{"markPx": "1"}]]]}),
    ("spotAssetCtxs", {}, "spotAssetCtxs", [{"coin": "@107", "markPx": "1"}, {"coin": "@1", "markPx": "2"}]),
    ("spotAssetCtxs", {}, "spotAssetCtxs", []),
    ("fastAssetCtxs", {}, "fastAssetCtxs", "q1YqSCxJVbJSUHJKLFbSUcpNLErKzFGyUjLUA4GqAQ=="),
    ("outcomeMetaUpdates", {}, "outcomeMetaUpdates", {"updates": [{"questionSettled": {}}]}),
    ("trades", {"coin": "BTC"}, "trades", [{"coin": "BTC", "time": 1}, {"coin": "BTC", "time": 2500}]),
    ("bbo", {"coin": "PURR/USDC"}, "bbo", {"coin": "PURR/USDC", "time": 2500, "bbo": [None, None]}),
    ("l2Book", {"coin": "xyz:SP500"}, "l2Book", {"coin": "xyz:SP500", "time": 2500, "levels": [[], []]}),
    (
        "l2Book",
        {"coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
        "l2Book",
        {"coin": "BTC", "time": 2500, "levels": [[], []], "spread": "1", "fast": True},
    ),
    ("candle", {"coin": "BTC", "interval": "1m"}, "candle", {"t": 1, "s": "BTC", "i": "1m", "n": 3}),
    ("candle", {"coin": "BTC", "interval": "1M"}, "candle", [{"t": 1, "s": "BTC", "i": "1M", "n": 3}]),
    ("activeAssetCtx", {"coin": "BTC"}, "activeAssetCtx", {"coin": "BTC", "ctx": {}}),
    ("activeAssetCtx", {"coin": "@107"}, "activeSpotAssetCtx", {"coin": "@107", "ctx": {}}),
    ("activeAssetData", {"user": UPPER, "coin": "BTC"}, "activeAssetData", {"user": USER, "coin": "BTC"}),
    (
        "clearinghouseState",
        {"user": UPPER},
        "clearinghouseState",
        {"dex": "", "user": UPPER, "clearinghouseState": {"time": 2500}},
    ),
    (
        "clearinghouseState",
        {"user": USER, "dex": "xyz"},
        "clearinghouseState",
        {"dex": "xyz", "user": USER, "clearinghouseState": {"time": 2500}},
    ),
    ("openOrders", {"user": USER}, "openOrders", {"dex": "", "user": USER, "orders": []}),
    ("twapStates", {"user": USER, "dex": "xyz"}, "twapStates", {"dex": "xyz", "user": USER, "states": []}),
    ("allDexsClearinghouseState", {"user": USER}, "allDexsClearinghouseState", {"user": USER}),
    (
        "spotState",
        {"user": USER, "ignorePortfolioMargin": True},
        "spotState",
        {"user": USER, "spotState": {}},
    ),
    ("webData3", {"user": UPPER}, "webData3", {"userState": {"serverTime": 2500, "user": UPPER}}),
    ("userFills", {"user": UPPER}, "userFills", {"isSnapshot": True, "user": USER, "fills": []}),
    ("userFills", {"user": USER, "aggregateByTime": True}, "userFills", {"user": USER, "fills": []}),
    ("userFundings", {"user": USER}, "userFundings", {"isSnapshot": True, "user": USER, "fundings": []}),
    ("userNonFundingLedgerUpdates", {"user": USER}, "userNonFundingLedgerUpdates", {"user": USER}),
    ("userHistoricalOrders", {"user": USER}, "userHistoricalOrders", {"user": USER, "orderHistory": []}),
    ("userTwapHistory", {"user": USER}, "userTwapHistory", {"isSnapshot": True, "user": USER, "history": []}),
    ("userTwapSliceFills", {"user": USER}, "userTwapSliceFills", {"user": USER, "twapSliceFills": []}),
    ("orderUpdates", {"user": USER}, "orderUpdates", [{"order": {"coin": "BTC"}, "statusTimestamp": 2500}]),
    ("userEvents", {"user": USER}, "user", {"fills": [{"coin": "BTC", "time": 1}]}),
    ("notification", {"user": USER}, "notification", {"notification": "text"}),
    (
        "explorerBlock",
        {},
        None,
        [{"blockTime": 2500, "hash": "0x", "height": 7, "numTxs": 1, "proposer": "0x"}],
    ),
    (
        "explorerTxs",
        {},
        None,
        [
            {"action": {"type": "order"}, "block": 7, "error": None, "hash": "0x1", "time": 1, "user": USER},
            {
                "action": {"type": "order"},
                "block": 7,
                "error": "no",
                "hash": "0x2",
                "time": 2500,
                "user": UPPER,
            },
        ],
    ),
]
TIMED = {
    "trades",
    "bbo",
    "l2Book",
    "clearinghouseState",
    "webData3",
    "orderUpdates",
    "explorerBlock",
    "explorerTxs",
}
EACH_SAMPLE = pytest.mark.parametrize(
    ("name", "params", "channel", "data"), SAMPLES, ids=[f"{each[0]}-{n}" for n, each in enumerate(SAMPLES)]
)


def captured() -> list[tuple[dict[str, Any], bytes]]:
    lines = CAPTURES.read_bytes().splitlines()
    read = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines]
    return [(msgspec.json.decode(each["subscription"]), bytes(each["frame"])) for each in read]


def frame(channel: str | None, data: object) -> bytes:
    return msgspec.json.encode(data if channel is None else {"channel": channel, "data": data})


def test_every_captured_frame_belongs_to_the_subscription_that_it_came_from() -> None:
    """Real frames of 14 types reach the stream that was subscribed."""
    frames = captured()
    assert CAPTURED_FRAMES == len(frames)
    assert 14 == len({subscription["type"] for subscription, _ in frames})
    for subscription, raw in frames:
        params = {name: value for name, value in subscription.items() if name != "type"}
        atom = DIALECT.atom(subscription["type"], params)
        found = DIALECT.classify(raw)
        assert isinstance(found, Data), raw[:80]
        assert atom.wire_key == found.wire_key


def test_captured_snapshots_and_times_are_read() -> None:
    """The flag and the time of real frames are what they say."""
    for subscription, raw in captured():
        found, data = DIALECT.classify(raw), json.loads(raw)["data"]
        assert isinstance(found, Data)
        assert (isinstance(data, dict) and data.get("isSnapshot", False)) == found.snapshot
        match subscription["type"]:
            case "l2Book" | "bbo":
                assert data["time"] / 1000 == found.venue_time
            case "trades":
                assert data[-1]["time"] / 1000 == found.venue_time
            case "orderUpdates":
                assert data[-1]["statusTimestamp"] / 1000 == found.venue_time
            case _:
                assert found.venue_time is None


def test_the_samples_cover_the_catalog() -> None:
    """A type that is added is tested, too."""
    served = {name for name, each in CATALOG.items() if each.removed is None}
    assert served == {name for name, *_ in SAMPLES}
    channels = {channel for name in served for channel in CATALOG[name].channel if not CATALOG[name].bare}
    assert channels == {channel for _, _, channel, _ in SAMPLES if channel is not None}


@EACH_SAMPLE
def test_a_wish_and_its_frames_have_the_same_wire_key(
    name: str, params: dict[str, Any], channel: str | None, data: object
) -> None:
    """What placement and dispatch compare is equal on both sides, for every type."""
    found = DIALECT.classify(frame(channel, data))
    assert isinstance(found, Data)
    assert DIALECT.atom(name, params).wire_key == found.wire_key
    assert (isinstance(data, dict) and data.get("isSnapshot") is True) == found.snapshot
    assert (2.5 if name in TIMED else None) == found.venue_time


@EACH_SAMPLE
def test_drift_in_a_member_that_routing_does_not_need_changes_nothing(
    name: str, params: dict[str, Any], channel: str | None, data: object
) -> None:
    """A frame whose spare members change their type is still routed the same: it is not called unparsed."""
    drifted: object = data
    if isinstance(data, dict):
        spare = {"coin", "s", "i", "statusTimestamp", "method", "subscription"} - set(data)
        drifted = {**data, **{member: ["of", {"another": "type"}] for member in spare}}
    elif isinstance(data, list):
        drifted = [{**item, **({"i": 7} if "i" not in item else {"coin": 7})} for item in data]
    assert DIALECT.classify(frame(channel, data)) == DIALECT.classify(frame(channel, drifted))


def test_a_time_that_is_no_number_leaves_the_rest_readable() -> None:
    """A changed time costs the time, not the frame."""
    found = DIALECT.classify(frame("l2Book", {"coin": "BTC", "time": "2026-01-01", "levels": []}))
    assert Data("l2Book:BTC") == found
    found = DIALECT.classify(frame("webData3", {"userState": {"serverTime": "soon", "user": USER}}))
    assert Data(f"webData3:{USER}") == found


def test_a_snapshot_flag_counts_only_where_it_is_true() -> None:
    """`isSnapshot: false`, documented but never seen, and a flag of another type are no snapshot."""
    for flag in (False, None, "true", 1):
        assert Data(f"userFills:{USER}") == DIALECT.classify(
            frame("userFills", {"isSnapshot": flag, "user": USER, "fills": []})
        )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", Unroutable("unparsed")),
        (b"Websocket connection established.", Unroutable("unparsed")),
        (b'[{"blockTime":1,"hash":"0x"}]', Unroutable("unparsed")),
        (b"{}", Unroutable("unparsed")),
        (b'{"channel":7,"data":1}', Unroutable("unparsed")),
        (b'{"channel":"l2Book","data":{"coin":"BTC"', Unroutable("unparsed")),
        (b'{"channel":"\xff","data":{}}', Unroutable("unparsed")),
        (b'{"channel":"l2Book"}', Unroutable("unparsed", "l2Book")),
        (b'{"channel":"l2Book","data":null}', Unroutable("unparsed", "l2Book")),
        (b'{"channel":"l2Book","data":7}', Unroutable("unparsed", "l2Book")),
        (b'{"channel":"l2Book","data":{}}', Unroutable("unparsed", "l2Book")),
        (b'{"channel":"l2Book","data":"text"}', Unroutable("unparsed", "l2Book")),
        (b'{"channel":"l2Book","data":{"coin":7}}', Unroutable("unparsed", "l2Book")),
        (b'{"channel":"webData3","data":{"userState":"x"}}', Unroutable("unparsed", "webData3")),
        (b'{"channel":"candle","data":{"s":"BTC"}}', Unroutable("unparsed", "candle")),
        (b'{"channel":"openOrders","data":{"dex":"xyz"}}', Unroutable("unparsed", "openOrders")),
        (b'{"channel":"userFills","data":[{"user":"0x"}]}', Unroutable("unparsed", "userFills")),
        (b'{"channel":"notification"}', Unroutable("unparsed", "notification")),
        (b'{"channel":"trades","data":[]}', Unroutable("empty", "trades")),
        (b'{"channel":"trades","data":[7]}', Unroutable("unparsed", "trades")),
        (b'{"channel":"webData2","data":{"user":"0x"}}', Unroutable("unknown_channel", "webData2")),
        (b'{"channel":"post","data":{"id":1,"response":{}}}', Unroutable("unparsed", "post")),
        (b'{"channel":"l2","data":7}', Unroutable("unknown_channel", "l2")),
        (b"[]", Unroutable("empty")),
        (b" [ ] ", Unroutable("empty")),
        (b"[[]]", Unroutable("unparsed")),
        (b"[7]", Unroutable("unparsed")),
        (b"[{}]", Unroutable("unparsed")),
        (b'[{"height":1}]', Unroutable("unparsed")),
        (b'[{"blockTime":1,"height":2}', Unroutable("unparsed")),
        (b'[{"blockTime":1,"height":2},7]', Data("explorerBlock")),
        (b'[{"blockTime":"soon","height":2}]', Data("explorerBlock")),
        (b' [{"new":1,"block":1,"action":{}}]', Data("explorerTxs")),
        (b'{"channel":"explorerBlock","data":[]}', Unroutable("unknown_channel", "explorerBlock")),
        (b'{"channel":"pong"}', Pong()),
        (b' {"data": {"coin": "BTC", "more": 1} , "new": {}, "channel": "bbo"} ', Data("bbo:BTC")),
    ],
)
def test_what_cannot_be_routed_says_why(raw: bytes, expected: Frame) -> None:
    """A strange frame is told by its reason, and one that is only laid out differently is not strange."""
    assert expected == DIALECT.classify(raw)


BLOCK = {"blockTime": 2500, "hash": "0x", "height": 7, "numTxs": 1, "proposer": "0x"}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([BLOCK, *[{}] * 500_000, {**BLOCK, "blockTime": 3500}], Data("explorerBlock", venue_time=3.5)),
        ([BLOCK, *[1] * 1_000_000], Data("explorerBlock")),
        ([1] * 1_000_000, Unroutable("unparsed")),
        ([{}] * 500_000, Unroutable("unparsed")),
        ([[]] * 500_000, Unroutable("unparsed")),
    ],
    ids=["blocks", "numbers behind a block", "numbers", "objects", "arrays"],
)
def test_no_object_is_made_for_each_item_of_a_bare_array(items: list[object], expected: Frame) -> None:
    """A frame of a million items costs about its own bytes and not the memory of a million objects."""
    raw = msgspec.json.encode(items)
    tracemalloc.start()
    try:
        found = DIALECT.classify(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert expected == found
    assert peak < len(raw) + 1_000_000


@pytest.mark.parametrize(
    ("last", "time"),
    [
        (b'{"blockTime":4500,"height":8}', 4.5),
        (b' { "blockTime" : 4500 , "height":8 } ', None),
        (b'{"height":8,"blockTime":4500}', None),
        (b'{"blockTime":4500,"inner":[{"blockTime":9500},{"blockTime":8500}]}', 4.5),
        (b'{"blockTime":4500,"text":"{\\"blockTime\\":9500}"}', 4.5),
        (b'{"blockTime":4500,"text":"\\\\","more":"]}"}', 4.5),
        (b'{"other":[{"blockTime":9500}]}', None),
        (b'{"other":"x","text":[[{"blockTime":9500},7]]}', None),
        (b"7", None),
        (b'[{"blockTime":9500}]', None),
        (b'"{\\"blockTime\\":9500}"', None),
        (b'{"blockTime":4500,"text":"' + b"x" * 100_000 + b'"}', None),
    ],
)
def test_the_time_of_a_bare_array_is_that_of_its_last_item(last: bytes, time: float | None) -> None:
    """Never that of an object inside it; where the last item is written unlike the first, there is none."""
    raw = b'[{"blockTime":2500,"height":7},{"blockTime":3500,"height":7},' + last + b"] \n"
    assert msgspec.json.decode(raw)
    assert Data("explorerBlock", venue_time=time) == DIALECT.classify(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"data":', b'{"channel":"l2Book","data":[', b'{"a":{"a":'])
def test_nesting_without_end_is_a_bounded_answer(opening: bytes) -> None:
    """A megabyte of brackets is refused like any other nonsense, without using up the stack."""
    assert isinstance(DIALECT.classify(opening * (2**20 // len(opening))), Unroutable)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_MEMBERS = ["coin", "time", "user", "dex", "s", "i", "isSnapshot", "userState", "clearinghouseState"]
_MEMBERS += [
    "blockTime",
    "height",
    "action",
    "block",
    "statusTimestamp",
    "method",
    "subscription",
    "type",
    "serverTime",
]
_CHANNELS = sorted({each[2] or "?" for each in SAMPLES} | {"pong", "error", "subscriptionResponse", "post"})
_OBJECTS = st.dictionaries(st.sampled_from(_MEMBERS), _VALUES, max_size=6)
_SEEDS = [raw for _, raw in captured() if len(raw) < 2000] + [frame(each[2], each[3]) for each in SAMPLES]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(channel=st.sampled_from(_CHANNELS), data=_VALUES | _OBJECTS | st.lists(_OBJECTS, max_size=3))
@example(channel="l2Book", data={"coin": "BTC", "time": 10**400})
@example(channel="l2Book", data={"coin": "BTC", "time": -1e308})
@example(channel="subscriptionResponse", data={"method": "subscribe", "subscription": {"type": ["l2Book"]}})
def test_any_json_in_any_channel_gets_an_answer(channel: str, data: object) -> None:
    """Classifying never raises, whatever well-formed JSON a peer sends."""
    raw = json.dumps({"channel": channel, "data": data}).encode("utf-8", "surrogatepass")
    assert isinstance(DIALECT.classify(raw), (Data, Ack, Answer, Refusal, Pong, Ping, Unroutable))


@settings(max_examples=300, deadline=None)
@given(
    seed=st.sampled_from(_SEEDS),
    edits=st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 3), st.binary(min_size=0, max_size=4)),
        min_size=1,
        max_size=4,
    ),
)
def test_damaged_frames_get_an_answer(seed: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    """Classifying never raises, whatever happened to a real frame on its way."""
    raw = bytearray(seed)
    for position, removed, inserted in edits:
        at = position % (len(raw) + 1)
        raw[at : at + removed] = inserted
    found = DIALECT.classify(bytes(raw))
    assert isinstance(found, (Data, Ack, Answer, Refusal, Pong, Ping, Unroutable))


@settings(max_examples=150, deadline=None)
@given(st.lists(_OBJECTS | _VALUES, max_size=3))
def test_any_bare_array_gets_an_answer(data: list[object]) -> None:
    """Classifying never raises for a frame without an envelope either."""
    raw = json.dumps(data).encode("utf-8", "surrogatepass")
    assert isinstance(DIALECT.classify(raw), (Data, Unroutable))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(raw: bytes) -> None:
    """Classifying never raises, not even for bytes that are no text."""
    assert isinstance(DIALECT.classify(raw), (Data, Ack, Refusal, Pong, Unroutable))
