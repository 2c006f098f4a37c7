"""Hyperliquid's payloads: decoded, as they came, and composed into snapshots."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsmgr.manager.model.subscription_type import Join
from wsmgr.manager.venues.dialect import Data
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect
from wsmgr.manager.venues.hyperliquid.payloads import MAX_INFLATED_BYTES, PayloadError

CAPTURES = Path(__file__).parents[3] / "data" / "hyperliquid-testnet-2025-07.jsonl"
DIALECT = HyperliquidDialect()
USER = "0x" + "ab" * 20
LOGS = [each for each in CATALOG.values() if each.join is Join.LOG]


def captured() -> list[tuple[str, bytes]]:
    lines = CAPTURES.read_bytes().splitlines()
    read = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines]
    return [(json.loads(bytes(each["subscription"]))["type"], bytes(each["frame"])) for each in read]


def packed(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = b64encode(deflater.compress(text) + deflater.flush()).decode()
    return msgspec.json.encode({"channel": "fastAssetCtxs", "data": data})


def history(items: list[int], *, snapshot: bool = False) -> bytes:
    flag = {"isSnapshot": True} if snapshot else {}
    data = {**flag, "user": USER, "fills": [{"tid": item} for item in items]}
    return msgspec.json.encode({"channel": "userFills", "data": data})


def trades(items: range) -> bytes:
    return msgspec.json.encode(
        {"channel": "trades", "data": [{"coin": "BTC", "tid": item} for item in items]}
    )


def test_the_payload_of_a_captured_frame_is_its_data_member() -> None:
    """`message.data` is what the venue sent, and its bytes are those that came."""
    for _, raw in captured():
        assert json.loads(raw)["data"] == DIALECT.payload(raw)
        assert raw == b'{"channel":"%s","data":%s}' % (
            json.loads(raw)["channel"].encode(),
            DIALECT.payload_bytes(raw),
        )


def test_the_bytes_of_a_payload_are_not_written_anew() -> None:
    """Spaces, order, escapes and number forms stay as the venue wrote them."""
    text = b'{"b": 1.50, "a":[ "\\u00e9" , 10000000000000000000000000 ]}'
    assert text == DIALECT.payload_bytes(b'{"data": ' + text + b', "channel":"l2Book"}')


def test_a_packed_payload_is_unpacked() -> None:
    """`fastAssetCtxs` reads like every other type."""
    text = b'{"BTC":{"markPx":"1.0","midPx":"1.5"}}'
    assert {"BTC": {"markPx": "1.0", "midPx": "1.5"}} == DIALECT.payload(packed(text))
    assert text == DIALECT.payload_bytes(packed(text))


@pytest.mark.parametrize("read", [DIALECT.payload, DIALECT.payload_bytes])
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"not JSON", "not JSON"),
        (b'{"channel":"fastAssetCtxs","data":{}}', "not a text"),
        (b'{"channel":"fastAssetCtxs","data":"*"}', "cannot be unpacked"),
        (b'{"channel":"fastAssetCtxs","data":"////////"}', "cannot be unpacked"),
        (b'{"channel":"fastAssetCtxs","data":""}', "breaks off"),
    ],
)
def test_a_damaged_payload_is_an_error_of_ours(read: Any, raw: bytes, words: str) -> None:
    """A reader of a damaged frame gets one error that says which and why."""
    with pytest.raises(PayloadError) as raised:
        read(raw)
    assert words in str(raised.value)


def test_a_packed_payload_may_be_as_large_as_a_frame_and_no_larger() -> None:
    """A few kilobytes that unpack to gigabytes do not take the memory."""
    largest = b'"' + b"a" * (MAX_INFLATED_BYTES - 2) + b'"'
    assert largest == DIALECT.payload_bytes(packed(largest))
    with pytest.raises(PayloadError, match="more than 16777216 bytes"):
        DIALECT.payload_bytes(packed(largest + b" "))


def test_a_history_is_composed_of_its_snapshot_and_what_came_since() -> None:
    """A late consumer gets one snapshot in the venue's format, with the venue's other members."""
    frames = [history([1, 2], snapshot=True), history([3]), history([4, 5])]
    composed = DIALECT.compose(CATALOG["userFills"], frames)
    assert history([1, 2, 3, 4, 5], snapshot=True) == composed
    assert Data(f"userFills:{USER}", snapshot=True) == DIALECT.classify(composed)


def test_a_history_that_began_without_a_snapshot_is_composed_as_one() -> None:
    """What is composed is a snapshot and says so."""
    found = DIALECT.payload(DIALECT.compose(CATALOG["userFills"], [history([1]), history([2])]))
    assert {"isSnapshot": True, "user": USER, "fills": [{"tid": 1}, {"tid": 2}]} == found


def test_trades_are_composed_as_the_venue_sends_its_first_ones() -> None:
    """A list stays a list, without a flag, of the newest 30."""
    composed = DIALECT.compose(CATALOG["trades"], [trades(range(30)), trades(range(30, 33))])
    assert trades(range(3, 33)) == composed
    assert 30 == DIALECT.count_items(CATALOG["trades"], composed)


def test_a_history_keeps_its_newest_items() -> None:
    """A log is bounded, and what it loses is its oldest part."""
    limit = CATALOG["userFills"].log_limit
    composed = DIALECT.compose(
        CATALOG["userFills"], [history(list(range(limit)), snapshot=True), history([limit])]
    )
    tids = [item["tid"] for item in DIALECT.payload(composed)["fills"]]
    assert list(range(1, limit + 1)) == tids


@pytest.mark.parametrize("kind", LOGS, ids=[each.name for each in LOGS])
def test_one_captured_frame_composed_is_that_frame(kind: Any) -> None:
    """Composing copies items as they came, for every type that is joined as a log."""
    frames = [raw for name, raw in captured() if name == kind.name]
    if kind.name == "userHistoricalOrders":  # the captures have none
        frames = [
            b'{"channel":"userHistoricalOrders","data":{"isSnapshot":true,"orderHistory":[{"order":{}}]}}'
        ]
    for raw in frames:
        assert raw == DIALECT.compose(kind, [raw])
    assert frames


def test_items_are_counted() -> None:
    """The bound of a log is counted in items: those of the frame's list, or the frame itself."""
    counts = {name: DIALECT.count_items(CATALOG[name], raw) for name, raw in captured()}
    assert 30 == counts["trades"]
    assert 30 == counts["userFills"]
    assert 100 == counts["userFundings"]
    assert 3 == counts["userTwapSliceFills"]
    assert 1 == counts["orderUpdates"]
    assert 1 == counts["candle"]
    assert 0 == DIALECT.count_items(CATALOG["userFills"], b'{"channel":"userFills","data":{"user":"0x"}}')


def test_a_frame_of_another_shape_is_not_composed() -> None:
    """A frame that does not hold what its type promises is an error, not an empty log."""
    for raw in (trades(range(1)), b"text", b'{"channel":"userFills","data":{"fills":{}}}'):
        with pytest.raises(PayloadError):
            DIALECT.compose(CATALOG["userFills"], [raw])
        with pytest.raises(PayloadError):
            DIALECT.count_items(CATALOG["userFills"], raw)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=5))
def test_composing_keeps_every_item_in_order(batches: list[list[int]]) -> None:
    """Nothing is lost, doubled or moved, however the items were spread over frames."""
    frames = [history(batch, snapshot=number == 0) for number, batch in enumerate(batches)]
    found = DIALECT.payload(DIALECT.compose(CATALOG["userFills"], frames))["fills"]
    assert [item for batch in batches for item in batch] == [item["tid"] for item in found]
    assert sum(map(len, batches)) == sum(DIALECT.count_items(CATALOG["userFills"], raw) for raw in frames)


def contexts(text: str) -> bytes:
    return packed(text.encode())


def test_the_changes_of_the_fast_contexts_are_laid_over_the_whole() -> None:
    """A late consumer gets one whole frame in the venue's format: what changed is new, all else is as it was."""
    frames = [
        contexts(
            '{"BTC":{"markPx":"1.0","midPx":"1.5","funding":"0.1"},"ETH":{"markPx":"2.0","midPx":"2.5"}}'
        ),
        contexts('{"BTC":{"midPx":"1.6"}}'),
        contexts('{"BTC":{"midPx":"1.7","markPx":"1.10"},"NEW":{"midPx":"9"}}'),
        contexts("{}"),
    ]
    composed = DIALECT.compose(CATALOG["fastAssetCtxs"], frames)
    expected = b'{"BTC":{"markPx":"1.10","midPx":"1.7","funding":"0.1"},"ETH":{"markPx":"2.0","midPx":"2.5"},"NEW":{"midPx":"9"}}'
    assert expected == DIALECT.payload_bytes(composed)
    assert Data("fastAssetCtxs") == DIALECT.classify(composed)
    assert "fastAssetCtxs" == json.loads(composed)["channel"]


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"channel":"fastAssetCtxs","data":"*"}',
        b'{"channel":"fastAssetCtxs","data":{"BTC":{}}}',
        contexts('{"BTC":"1.0"}'),
        contexts("[]"),
        contexts('{"BTC":'),
        b"text",
    ],
)
def test_a_change_that_cannot_be_read_is_an_error_and_not_a_state(damaged: bytes) -> None:
    """Nobody gets a state in which a change is missing."""
    with pytest.raises(PayloadError):
        DIALECT.compose(CATALOG["fastAssetCtxs"], [contexts('{"BTC":{"midPx":"1"}}'), damaged])


CHANGES = st.dictionaries(
    st.sampled_from(["BTC", "ETH", "@1"]),
    st.dictionaries(st.sampled_from(["markPx", "midPx"]), st.integers(0, 99).map(str), max_size=2),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(CHANGES, min_size=1, max_size=8), cut=st.integers(0, 8))
def test_folding_in_parts_is_folding_at_once(changes: list[dict[str, dict[str, str]]], cut: int) -> None:
    """However often the state was composed on the way, it is what the changes say."""
    expected: dict[str, dict[str, str]] = {}
    for change in changes:
        for coin, members in change.items():
            expected.setdefault(coin, {}).update(members)
    frames = [packed(msgspec.json.encode(change)) for change in changes]
    kind = CATALOG["fastAssetCtxs"]
    halves = [DIALECT.compose(kind, frames[:cut]), *frames[cut:]] if cut and frames[:cut] else frames
    assert expected == DIALECT.payload(DIALECT.compose(kind, frames))
    assert expected == DIALECT.payload(DIALECT.compose(kind, halves))


def test_a_bare_frame_is_its_own_payload() -> None:
    """The explorer's frames have no envelope around what they tell."""
    raw = b' [{"blockTime": 2500, "height":7}]\n'
    assert [{"blockTime": 2500, "height": 7}] == DIALECT.payload(raw)
    assert b'[{"blockTime": 2500, "height":7}]' == DIALECT.payload_bytes(raw)
    assert 1 == DIALECT.count_items(CATALOG["explorerBlock"], raw)
    for read in (DIALECT.payload, DIALECT.payload_bytes):
        with pytest.raises(PayloadError, match="cannot be read"):
            read(b'[{"blockTime":')
