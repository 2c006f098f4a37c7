"""The items of Hyperliquid's frames: what tells each from the others, when it happened, and frames with fewer of them."""

from __future__ import annotations

import json
import random
import zlib
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsmgr.manager.model.merging import Merger, Verdict
from wsmgr.manager.model.subscription_type import Merge
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect
from wsmgr.manager.venues.hyperliquid.payloads import PayloadError

CAPTURES = Path(__file__).parents[3] / "data" / "hyperliquid-testnet-2025-07.jsonl"
DIALECT = HyperliquidDialect()
MERGED = [each.name for each in CATALOG.values() if each.merge is Merge.ITEMS]
USER = "0x" + "ab" * 20


def text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def frame(channel: str, data: object, **members: object) -> bytes:
    return text({"channel": channel, **members, "data": data})


def history(channel: str, member: str, *items: object, **members: object) -> bytes:
    return frame(channel, {**members, "user": USER, member: list(items)})


def trade(tid: object, **members: object) -> dict[str, object]:
    return {"coin": "BTC", "side": "B", "px": "1.0", "time": 1764835613064, "tid": tid, **members}


def packed(data: object) -> str:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return b64encode(deflater.compress(text(data)) + deflater.flush()).decode()


# None of these types is in the captures; the shapes are those of the venue's documentation.
DOCUMENTED = {
    "userHistoricalOrders": history(
        "userHistoricalOrders",
        "orderHistory",
        {"order": {"coin": "BTC", "oid": 5}, "status": "open", "statusTimestamp": 1764843090519},
        {"order": {"coin": "BTC", "oid": 5}, "status": "filled", "statusTimestamp": 1764843090520},
        isSnapshot=True,
    ),
    "explorerBlock": text(
        [
            {"blockTime": 1764842873555, "hash": "0x0", "height": 1},
            {"blockTime": 1764842873999, "hash": "0x0", "height": 2},
        ]
    ),
    "explorerTxs": text(
        [{"action": {"type": "order"}, "block": 1, "hash": "0xa", "time": 1764842873555, "user": USER}]
    ),
}


def captured(name: str) -> bytes:
    """The first recorded frame of a type, or one of the venue's documentation."""
    if name in DOCUMENTED:
        return DOCUMENTED[name]
    for line in CAPTURES.read_bytes().splitlines():
        told = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        if json.loads(bytes(told["subscription"]))["type"] == name:
            return bytes(told["frame"])
    raise LookupError(name)


def items_in(name: str, raw: bytes) -> Any:
    """The items of a frame, read by another way."""
    payload, member = DIALECT.payload(raw), CATALOG[name].items
    return [payload] if member is None else payload[member] if member else payload


def keys(name: str, raw: bytes) -> list[object]:
    return [item.key for item in DIALECT.items(CATALOG[name], raw)]


@pytest.mark.parametrize("name", MERGED)
def test_the_items_of_a_frame_are_told_apart_and_copied_as_they_came(name: str) -> None:
    """For every type that is merged by its items: all of them, in order, byte for byte, with a time each."""
    raw = captured(name)
    found = DIALECT.items(CATALOG[name], raw)
    assert items_in(name, raw) == [json.loads(item.raw) for item in found]
    assert len(found) == len({item.key for item in found}) > 0
    for item in found:
        assert item.raw in raw
        assert item.time is not None
        assert 1.7e9 < item.time < 1.8e9


@pytest.mark.parametrize("name", MERGED)
def test_a_frame_with_all_of_its_items_is_the_frame(name: str) -> None:
    """Nothing is added, lost or written in another way."""
    raw = captured(name)
    assert raw == DIALECT.with_items(CATALOG[name], raw, DIALECT.items(CATALOG[name], raw))


@pytest.mark.parametrize(
    ("name", "key", "time"),
    [
        ("trades", ("BTC", 455478288652533), 1751493267.110),
        ("candle", ("BTC", "1m", 1751493540000, 3, "0.0045"), 1751493599.999),
        ("userFills", (317510766942530, "A", 33846367360), 1750006143.360),
        ("userFundings", (1751137200183, "BTC"), 1751137200.183),
        ("userTwapSliceFills", (36638712655580, "B", 34075540961), 1750330467.117),
        ("userHistoricalOrders", (5, "open", 1764843090519), 1764843090.519),
        ("orderUpdates", (34780723762, "open", 1751494125554), 1751494125.554),
        ("explorerBlock", (1,), 1764842873.555),
        ("explorerTxs", ("0xa",), 1764842873.555),
    ],
)
def test_an_item_is_known_by_its_types_key_and_has_its_own_time(name: str, key: object, time: float) -> None:
    """The first item of a recorded frame."""
    first = DIALECT.items(CATALOG[name], captured(name))[0]
    assert key == first.key
    assert pytest.approx(time, abs=1e-6) == first.time


def test_a_member_that_is_an_object_counts_however_its_members_stand() -> None:
    """A ledger update is the same whichever socket wrote it, and another one if anything in it is."""
    name, wraps = "userNonFundingLedgerUpdates", b'{"channel":"%s","data":{"user":"0x","%s":[%s]}}'

    def key(update: bytes) -> object:
        return keys(name, wraps % (name.encode(), b"nonFundingLedgerUpdates", update))[0]

    first = key(b'{"time":5,"hash":"0x0","delta":{"type":"deposit","usdc":"1.0","more":{"a":1,"b":[2]}}}')
    again = key(
        b'{"delta": {"more":{"b":[2], "a":1}, "usdc":"1.0","type":"deposit"} ,"hash":"0x0", "time":5}'
    )
    other = key(b'{"time":5,"hash":"0x0","delta":{"type":"deposit","usdc":"1.0","more":{"a":1,"b":[3]}}}')
    assert first == again
    assert first != other


@pytest.mark.parametrize("missing", [trade(None), {"coin": "BTC", "tradeId": 7}])
def test_an_item_that_lacks_a_member_of_its_key_counts_whole(missing: dict[str, object]) -> None:
    """When the venue renames a member, two trades are never taken for one."""
    other = {**missing, "px": "2.0"}
    first, second, again = keys("trades", frame("trades", [missing, other, missing]))
    assert first != second
    assert first == again


def test_an_item_whose_inner_object_is_gone_counts_whole() -> None:
    """`order.oid` is looked for in whatever is there."""
    orders = [{"order": order, "status": "open", "statusTimestamp": 1} for order in ("text", None, [1], [2])]
    found = keys("orderUpdates", frame("orderUpdates", orders))
    assert 4 == len(set(found))


def test_an_item_of_a_type_without_a_key_counts_whole() -> None:
    """Nothing is known of what makes it unique but all of it."""
    raw = frame("allMids", {"mids": {"BTC": "1"}})
    found = keys("allMids", raw) + keys("allMids", frame("allMids", {"mids": {"BTC": "2"}}))
    assert 2 == len(set(found))
    assert found[0] == keys("allMids", raw)[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1750330465, 1750330465.0),
        (1750330465123, 1750330465.123),
        (1750330465.5, 1750330465.5),
        ("1750330465123", None),
        (None, None),
        (0, None),
        (-1750330465, None),
        (True, None),
        (10**18, None),
        ({"ms": 1}, None),
    ],
)
def test_a_time_is_in_seconds_whatever_the_venue_wrote(value: object, expected: float | None) -> None:
    """`userTwapHistory` has seconds, all else milliseconds; what is no time is none."""
    (item,) = DIALECT.items(CATALOG["trades"], frame("trades", [trade(1, time=value)]))
    assert expected == item.time


def test_the_time_of_a_twap_is_that_of_its_status() -> None:
    """The venue writes it in seconds, and the start of the TWAP in milliseconds."""
    assert 1750330465.0 == DIALECT.items(CATALOG["userTwapHistory"], captured("userTwapHistory"))[0].time


def test_a_frame_keeps_its_other_members_when_items_are_removed() -> None:
    """Whether it is a snapshot, whose it is, and what the venue may add one day."""
    fills = [{"tid": tid, "side": "B", "oid": 1} for tid in range(4)]
    raw = history("userFills", "fills", *fills, isSnapshot=True, more=[1])
    found = DIALECT.items(CATALOG["userFills"], raw)
    kept = DIALECT.with_items(CATALOG["userFills"], raw, [found[1], found[3]])
    assert history("userFills", "fills", fills[1], fills[3], isSnapshot=True, more=[1]) == kept
    raw = frame("trades", [trade(1), trade(2)], serial=7)
    kept = DIALECT.with_items(CATALOG["trades"], raw, DIALECT.items(CATALOG["trades"], raw)[1:])
    assert frame("trades", [trade(2)], serial=7) == kept


def test_a_bare_frame_stays_bare() -> None:
    """The explorer's frames have no envelope."""
    kind, raw = CATALOG["explorerBlock"], captured("explorerBlock")
    found = DIALECT.items(kind, raw)
    assert b"[" + found[1].raw + b"]" == DIALECT.with_items(kind, raw, found[1:])


def test_a_candle_is_one_item_and_a_list_of_candles_is_several() -> None:
    """The venue sends one bar a frame, and documents a list."""
    kind = CATALOG["candle"]
    bars = [{"s": "BTC", "i": "1m", "t": 1, "n": number, "v": "0"} for number in range(3)]
    listed = frame("candle", bars)
    found = DIALECT.items(kind, listed)
    assert frame("candle", bars[1:]) == DIALECT.with_items(kind, listed, found[1:])
    single = frame("candle", bars[0])
    assert frame("candle", bars[2]) == DIALECT.with_items(kind, single, found[2:])
    with pytest.raises(PayloadError, match="has one item, not 3"):
        DIALECT.with_items(kind, single, found)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("trades", b"text"),
        ("trades", b""),
        ("trades", b"\xff"),
        ("trades", frame("trades", {"coin": "BTC"})),
        ("trades", frame("trades", [1])),
        ("trades", frame("trades", [[]])),
        ("trades", frame("orderUpdates", [trade(1)])),
        ("trades", text([trade(1)])),
        ("trades", b'{"data":[]}'),
        ("userFills", frame("userFills", [])),
        ("userFills", frame("userFills", {"fills": {}})),
        ("userFills", frame("userFills", {"fills": None})),
        ("userFills", frame("userFundings", {"fundings": []})),
        ("candle", frame("candle", "BTC")),
        ("explorerBlock", frame("explorerTxs", [])),
        ("explorerBlock", b'[{"height":1]'),
        ("trades", frame("trades", [trade(1)])[:-20]),
        ("trades", b'{"channel":"trades","data":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ],
)
def test_a_frame_of_another_type_or_shape_is_an_error_of_ours(name: str, raw: bytes) -> None:
    """Whoever reads items meets one kind of error, whatever the venue sent."""
    with pytest.raises(PayloadError):
        DIALECT.items(CATALOG[name], raw)


def test_a_frame_without_the_member_that_holds_the_items_has_none() -> None:
    """It is counted so for joining too."""
    assert [] == DIALECT.items(CATALOG["userFills"], frame("userFills", {"user": USER}))
    assert [] == DIALECT.items(CATALOG["userFills"], history("userFills", "fills"))
    assert [] == DIALECT.items(CATALOG["trades"], frame("trades", []))


def test_a_type_of_the_configuration_is_read_like_one_that_was_built_in() -> None:
    """Where its items are, what makes them unique, when they happened and whether they are packed is all data."""
    fields = {"merge": "items", "items": "rows", "duplicate_key": ["id", "id.n", "who.name", "class"]}
    dialect = DIALECT.with_types({"plain": fields, "tight": {**fields, "packed": True}})
    rows = [{"id": {"n": n}, "who": {"name": "a"}, "class": "x", "time": 1750330465123} for n in (1, 2)]
    plain, tight = dialect.catalog["plain"], dialect.catalog["tight"]
    for kind, raw in (
        (plain, frame("plain", {"rows": rows, "more": 1})),
        (tight, frame("tight", packed({"rows": rows, "more": 1}))),
    ):
        found = dialect.items(kind, raw)
        assert [(b'{"n":1}', 1, "a", "x"), (b'{"n":2}', 2, "a", "x")] == [item.key for item in found]
        assert [1750330465.123] * 2 == [item.time for item in found]
        assert {"rows": rows[1:], "more": 1} == dialect.payload(dialect.with_items(kind, raw, found[1:]))


def test_a_corrected_type_is_read_by_its_new_key() -> None:
    """What was made for a type is not used for another one of its name."""
    corrected = DIALECT.with_types({"trades": {"duplicate_key": ["hash"], "time": "at"}}).catalog["trades"]
    raw = frame("trades", [trade(1, hash="0xa", at=1750330465123)])
    assert ("BTC", 1) == DIALECT.items(CATALOG["trades"], raw)[0].key
    (item,) = DIALECT.items(corrected, raw)
    assert (("0xa",), 1750330465.123) == (item.key, item.time)
    assert ("BTC", 1) == DIALECT.items(CATALOG["trades"], raw)[0].key


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(MERGED), seed=st.integers(0, 2**32), times=st.integers(1, 6))
def test_no_damage_to_a_frame_raises_anything_but_our_error(name: str, seed: int, times: int) -> None:
    """A frame is read, or it is refused; whatever is read can be written again."""
    chance, raw = random.Random(seed), bytearray(captured(name)[:2000])
    for _ in range(times):
        at = chance.randrange(len(raw))
        raw[at : at + chance.randrange(3)] = chance.choice(
            (b"", b'"', b"{", b"}", b"[", b"]", b"null", b"1e9", b"9" * 30)
        )
    try:
        found = DIALECT.items(CATALOG[name], bytes(raw))
    except PayloadError:
        return
    written = DIALECT.with_items(CATALOG[name], bytes(raw), found)
    assert found == DIALECT.items(CATALOG[name], written)


@settings(max_examples=100, deadline=None)
@given(
    frames=st.lists(st.lists(st.integers(0, 15), max_size=5), max_size=8),
    name=st.sampled_from(["trades", "userFills"]),
)
def test_merged_frames_hold_every_item_once(frames: list[list[int]], name: str) -> None:
    """Whatever two sockets repeat, in whichever frames: once each, in the order in which they came first."""
    kind, expected, delivered = CATALOG[name], list[int](), list[int]()
    merger = Merger(kind.merge, partial(DIALECT.items, kind), partial(DIALECT.with_items, kind))
    for tids in frames:
        listed = [trade(tid, oid=1) for tid in tids]
        raw = frame("trades", listed) if name == "trades" else history("userFills", "fills", *listed)
        new = [tid for tid in dict.fromkeys(tids) if tid not in expected]
        expected += new
        verdict = merger.take(raw, None)
        assert len(tids) - len(new) == verdict.duplicates
        if verdict.fresh:
            shown = raw if verdict.kept is None else verdict.kept
            delivered += [item["tid"] for item in items_in(name, shown)]
    assert expected == delivered
    assert 0 == merger.unreadable


def test_a_snapshot_after_a_reconnect_is_cut_down_to_what_was_missed() -> None:
    """The recorded snapshot, of which all but the last three fills had been delivered."""
    kind, raw = CATALOG["userFills"], captured("userFills")
    found = DIALECT.items(kind, raw)
    merger = Merger(kind.merge, partial(DIALECT.items, kind), partial(DIALECT.with_items, kind))
    merger.remember(DIALECT.with_items(kind, raw, found[:-3]))
    verdict = merger.take(raw, None)
    assert verdict.kept is not None
    assert found[-3:] == DIALECT.items(kind, verdict.kept)
    assert len(found) - 3 == verdict.duplicates
    assert True is DIALECT.payload(verdict.kept)["isSnapshot"]
    assert Verdict(fresh=False, duplicates=len(found)) == merger.take(raw, None)
