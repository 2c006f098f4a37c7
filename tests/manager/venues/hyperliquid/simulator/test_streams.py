"""What the streams send: shapes, numbers, snapshots, who gets what."""

from __future__ import annotations

import base64
import json
import re
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "0xabcdef0123456789abcdef0123456789abcdef01"
OTHER = "0x2222222222222222222222222222222222222222"
DECIMAL = re.compile(r"-?\d+\.\d*[1-9]|-?\d+\.0")
EXAMPLE_VALUES = {"coin": "BTC", "interval": "1m", "user": USER, "dex": "", "flag": False, "number": None}

# The keys of one frame's data, in the venue's order, from captured frames.
CAPTURED_KEYS = {
    "bbo": ["coin", "time", "bbo"],
    "l2Book": ["coin", "time", "levels"],
    "candle": ["t", "T", "s", "i", "o", "c", "h", "l", "v", "n"],
    "activeAssetCtx": ["coin", "ctx"],
    "activeAssetData": ["user", "coin", "leverage", "maxTradeSzs", "availableToTrade", "markPx"],
    "clearinghouseState": ["dex", "user", "clearinghouseState"],
    "openOrders": ["dex", "user", "orders"],
    "twapStates": ["dex", "user", "states"],
    "allDexsClearinghouseState": ["user", "clearinghouseStates"],
    "spotState": ["user", "spotState"],
    "webData3": ["userState", "perpDexStates"],
    "userFills": ["isSnapshot", "user", "fills"],
    "userFundings": ["isSnapshot", "user", "fundings"],
    "userNonFundingLedgerUpdates": ["isSnapshot", "user", "nonFundingLedgerUpdates"],
    "userHistoricalOrders": ["isSnapshot", "user", "orderHistory"],
    "userTwapHistory": ["isSnapshot", "user", "history"],
    "userTwapSliceFills": ["isSnapshot", "user", "twapSliceFills"],
    "assetCtxs": ["dex", "ctxs"],
    "allDexsAssetCtxs": ["ctxs"],
    "allMids": ["mids"],
}
HISTORIES = {
    "userFills": "fills",
    "userFundings": "fundings",
    "userNonFundingLedgerUpdates": "nonFundingLedgerUpdates",
    "userHistoricalOrders": "orderHistory",
    "userTwapHistory": "history",
    "userTwapSliceFills": "twapSliceFills",
}
API_TYPES = sorted(name for name, rule in TYPES.items() if not rule.explorer)
SILENT_AT_FIRST = {"orderUpdates", "userEvents", "notification", "outcomeMetaUpdates"}


def required(type_: str) -> dict[str, Any]:
    """The required fields of a type, with example values."""
    return {field.name: EXAMPLE_VALUES[field.kind] for field in TYPES[type_].fields if field.required}


@pytest.mark.parametrize("type_", API_TYPES)
def test_acknowledgement_comes_before_the_first_data(client: Any, type_: str) -> None:
    """Also for types that send their state at once; quiet types send nothing but the acknowledgement."""
    client.subscribe(type_, **required(type_))
    channels = [frame["channel"] for frame in client.frames()]
    expected = (
        ["subscriptionResponse"]
        if type_ in SILENT_AT_FIRST
        else ["subscriptionResponse", TYPES[type_].channel]
    )
    assert expected == channels


@pytest.mark.parametrize("type_", API_TYPES)
def test_every_type_sends_at_the_rate(client: Any, type_: str) -> None:
    """Ten frames a second of each stream; a stream that is only quiet by itself would make tests wait for ever."""
    client.subscribe(type_, **required(type_))
    client.texts()
    frames: list[Any] = []
    for _ in range(8):
        client.venue.advance(0.25)
        frames += client.frames()
    assert 20 == len(frames)
    assert {TYPES[type_].channel} == {frame["channel"] for frame in frames}


@pytest.mark.parametrize("type_", sorted(CAPTURED_KEYS))
def test_data_has_the_venues_members_in_its_order(client: Any, type_: str) -> None:
    """Clients are written against captured frames: the shape is theirs."""
    client.subscribe(type_, **required(type_))
    data = client.data()[0]["data"]
    assert CAPTURED_KEYS[type_] == list(data)


@pytest.mark.parametrize("type_", API_TYPES)
def test_numbers_are_decimal_strings_and_ids_fit_a_double(client: Any, type_: str) -> None:
    """Prices and sizes are strings with a decimal, trade and order ids larger than 32 and smaller than 53 bits."""
    client.subscribe(type_, **required(type_))
    client.venue.advance(2)

    def check(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, member in value.items():
                check(key, member)
        elif isinstance(value, list):
            for member in value:
                check(name, member)
        elif name in ("tid", "oid"):
            assert 2**32 < value < 2**53
        elif name in (
            "px",
            "sz",
            "limitPx",
            "markPx",
            "midPx",
            "usdc",
            "fee",
            "fundingRate",
            "o",
            "h",
            "l",
            "c",
        ):
            assert DECIMAL.fullmatch(value), (name, value)
        else:
            assert not isinstance(value, float), (name, value)

    for frame in client.data():
        check("", frame["data"])


def test_order_book_looks_like_a_market(client: Any) -> None:
    """20 levels a side, falling and rising, never crossed, and it moves."""
    client.subscribe("l2Book", coin="BTC")
    client.venue.advance(30)
    books = [frame["data"]["levels"] for frame in client.data()]
    for bids, asks in books:
        prices = [[float(level["px"]) for level in side] for side in (bids, asks)]
        assert [20, 20] == [len(side) for side in prices]
        assert all(better > worse for better, worse in pairwise(prices[0]))
        assert all(better < worse for better, worse in pairwise(prices[1]))
        assert prices[0][0] < prices[1][0]
        assert all(float(level["sz"]) > 0 and level["n"] > 0 for level in [*bids, *asks])
    assert len({bids[0]["px"] for bids, _ in books}) > 10


def test_aggregated_books_are_told_apart_by_spread_and_fast_only(client: Any) -> None:
    """Variants share channel and coin, on one socket each sends its own frames; `nSigFigs` is never echoed in data."""
    client.subscribe("l2Book", coin="BTC")
    client.subscribe("l2Book", coin="BTC", nSigFigs=3)
    client.subscribe("l2Book", coin="BTC", fast=True)
    client.subscribe("l2Book", coin="BTC", nSigFigs=5, mantissa=5, fast=True)
    shapes = [list(frame["data"]) for frame in client.data()]
    plain = ["coin", "time", "levels"]
    assert [plain, [*plain, "spread"], [*plain, "fast"], [*plain, "spread", "fast"]] == shapes


@pytest.mark.parametrize(
    ("fields", "step", "levels"),
    [
        ({"nSigFigs": 5}, 10, 20),
        ({"nSigFigs": 5, "mantissa": 2}, 20, 20),
        ({"nSigFigs": 2, "fast": True}, 10_000, 5),
    ],
)
def test_aggregated_levels_lie_on_their_grid(
    client: Any, fields: dict[str, Any], step: int, levels: int
) -> None:
    """BTC at 108,246: five significant figures are steps of 10, two are steps of 10,000."""
    client.subscribe("l2Book", coin="BTC", **fields)
    for side in client.data()[0]["data"]["levels"]:
        prices = [float(level["px"]) for level in side]
        assert levels == len(prices)
        assert {step} == {round(abs(later - earlier)) for earlier, later in pairwise(prices)}
        assert 0 == prices[0] % step


def test_trades_begin_with_recent_ones_and_go_on_without_repeating(client: Any) -> None:
    """Up to 30 past trades without a mark; then each trade once."""
    client.subscribe("trades", coin="ETH")
    client.venue.advance(5)
    first, *later = [frame["data"] for frame in client.data()]
    assert 30 == len(first)
    ids = [trade["tid"] for data in (first, *later) for trade in data]
    assert len(ids) == len(set(ids)) > 70
    times = [trade["time"] for data in (first, *later) for trade in data]
    assert sorted(times) == times
    assert ["coin", "side", "px", "sz", "time", "hash", "tid", "users"] == list(first[0])


def test_candle_is_built_from_the_trades(client: Any) -> None:
    """The bar that begins while one listens holds exactly the trades of its time."""
    client.subscribe("candle", coin="SOL", interval="1m")
    client.subscribe("trades", coin="SOL")
    client.venue.advance(130)
    frames = client.data()
    bars = {frame["data"]["t"]: frame["data"] for frame in frames if frame["channel"] == "candle"}
    bar = bars[sorted(bars)[1]]
    trades = [trade for frame in frames if frame["channel"] == "trades" for trade in frame["data"]]
    inside = [trade for trade in trades if bar["t"] <= trade["time"] <= bar["T"]]
    assert (len(inside), inside[0]["px"], inside[-1]["px"]) == (bar["n"], bar["o"], bar["c"])
    prices = [float(trade["px"]) for trade in inside]
    assert (max(prices), min(prices)) == (float(bar["h"]), float(bar["l"]))
    assert abs(sum(float(trade["sz"]) for trade in inside) - float(bar["v"])) < 1e-6


def test_each_trade_is_in_a_long_bar_once(client: Any) -> None:
    """The count grows by the trades that came, not by those that were there."""
    client.subscribe("candle", coin="SOL", interval="1d")
    client.venue.advance(5)
    counts = [frame["data"]["n"] for frame in client.data()]
    assert {1} == {later - earlier for earlier, later in pairwise(counts)}


def test_bbo_is_sent_on_change_only(client: Any) -> None:
    """Two frames in a row never show the same best bid and offer."""
    client.subscribe("bbo", coin="BTC")
    client.venue.advance(20)
    shown = [json.dumps(frame["data"]["bbo"]) for frame in client.data()][1:]
    assert all(before != after for before, after in pairwise(shown))


def test_spot_coin_is_answered_on_the_spot_channel(client: Any) -> None:
    """The request says activeAssetCtx, the data says activeSpotAssetCtx."""
    client.subscribe("activeAssetCtx", coin="PURR/USDC")
    assert "activeSpotAssetCtx" == client.data()[0]["channel"]


def test_dex_is_echoed_by_the_venues_rules(client: Any) -> None:
    """AllMids names its dex only when it is not the main one; the others always do."""
    client.subscribe("allMids")
    client.subscribe("allMids", dex="xyz")
    client.subscribe("assetCtxs")
    client.subscribe("openOrders", user=USER)
    dexes = [frame["data"].get("dex") for frame in client.data()]
    assert [None, "xyz", "", ""] == dexes


def test_all_mids_covers_500_coins(client: Any) -> None:
    """Perps and spot of the main dex, and the builder's dex by its own name."""
    client.subscribe("allMids")
    client.subscribe("allMids", dex="xyz")
    main, builder = [frame["data"]["mids"] for frame in client.data()]
    assert 500 == len(main) + len(builder)
    assert {"BTC", "ETH", "SOL", "PURR/USDC", "@1"} <= main.keys()
    assert "xyz:SP500" in builder


def test_fast_contexts_are_whole_first_and_differences_after(client: Any) -> None:
    """Base64 of raw deflate; what follows the whole names only coins that moved."""
    client.subscribe("fastAssetCtxs")
    client.venue.advance(1)

    def unpacked(frame: Any) -> Any:
        return json.loads(zlib.decompress(base64.b64decode(frame["data"]), wbits=-zlib.MAX_WBITS))

    whole, *later = map(unpacked, client.data())
    assert 500 == len(whole)
    assert all(0 < len(change) < 50 for change in later)
    assert {"markPx", "midPx"} == whole["BTC"].keys()


@pytest.mark.parametrize(("type_", "member"), sorted(HISTORIES.items()))
def test_user_history_begins_with_a_snapshot_and_never_says_so_again(
    client: Any, type_: str, member: str
) -> None:
    """`isSnapshot` is true on the first frame and absent later; no item of the snapshot comes again."""
    client.subscribe(type_, user=USER.upper().replace("0X", "0x"))
    client.venue.advance(3)
    first, *later = [frame["data"] for frame in client.data()]
    assert first["isSnapshot"] is True
    assert all("isSnapshot" not in data for data in later)
    assert {USER} == {data["user"] for data in (first, *later)}
    items = [json.dumps(item, sort_keys=True) for data in (first, *later) for item in data[member]]
    assert len(items) == len(set(items))
    assert len(first[member]) + len(later) == len(items)


def test_snapshot_after_an_absence_holds_what_was_missed(client: Any) -> None:
    """What happened while nobody listened is in the snapshot only: ten fills in the second without a socket."""
    client.subscribe("userFills", user=USER)
    client.venue.advance(1)
    seen = [fill["tid"] for frame in client.data() for fill in frame["data"]["fills"]]
    client.venue.engine.closed(client.session, "test")
    client.venue.advance(1)
    again = client.venue.connect()
    again.subscribe("userFills", user=USER)
    [snapshot] = again.data()
    tids = [fill["tid"] for fill in snapshot["data"]["fills"]]
    assert seen[-1] in tids
    assert 10 == len(set(tids) - set(seen))


def test_events_of_an_absence_are_never_sent_but_are_in_the_journal(client: Any) -> None:
    """OrderUpdates has no snapshot: the journal alone knows what the client was owed."""
    client.subscribe("orderUpdates", user=USER)
    client.venue.advance(1)
    before = client.data()
    client.venue.engine.closed(client.session, "test")
    client.venue.advance(1)
    again = client.venue.connect()
    again.subscribe("orderUpdates", user=USER)
    client.venue.advance(1)
    after = again.data()
    [stream] = client.venue.engine.hub.streams.values()
    first, second = (one.session.record.subscriptions[0] for one in (client, again))
    assert (len(before), len(after)) == (first.sent, second.sent)
    assert 30 == stream.generated == len(stream.events)
    assert 10 == second.first_n - first.last_n - 1


def test_streams_without_a_user_in_them_carry_none(client: Any) -> None:
    """OrderUpdates is a bare array, userEvents has one member and comes on the channel `user`."""
    for type_ in ("orderUpdates", "userEvents", "notification"):
        client.subscribe(type_, user=USER)
    client.venue.advance(3)
    frames = client.data()
    by_channel = {
        channel: [f["data"] for f in frames if f["channel"] == channel]
        for channel in ("orderUpdates", "user", "notification")
    }
    assert all(isinstance(data, list) and len(data) == 1 for data in by_channel["orderUpdates"])
    assert all(len(data) == 1 for data in by_channel["user"])
    members = {next(iter(data)) for data in by_channel["user"]}
    assert {"fills", "funding", "liquidation", "nonUserCancel", "twapSliceFills", "twapHistory"} == members
    assert all(["notification"] == list(data) for data in by_channel["notification"])
    assert all("user" not in order for data in by_channel["orderUpdates"] for order in data)


def test_cloids_say_whose_events_they_are(client: Any) -> None:
    """A test of mixed-up users can tell two users' orderUpdates apart, although the venue's frames cannot."""
    client.subscribe("orderUpdates", user=USER)
    client.subscribe("orderUpdates", user=OTHER)
    client.venue.advance(1)
    owners = [order["order"]["cloid"][2:26] for frame in client.data() for order in frame["data"]]
    assert {USER[2:26], OTHER[2:26]} == set(owners)


def test_user_events_and_user_fills_tell_of_the_same_fills(client: Any) -> None:
    """A client that heals one stream by the other meets the same trade ids."""
    client.subscribe("userFills", user=USER)
    client.subscribe("userEvents", user=USER)
    client.venue.advance(2)
    frames = client.data()
    fills = {fill["tid"] for f in frames if f["channel"] == "userFills" for fill in f["data"]["fills"]}
    events = {fill["tid"] for f in frames if f["channel"] == "user" for fill in f["data"].get("fills", [])}
    assert events
    assert events <= fills


def test_two_sockets_of_one_stream_get_the_same_frames(make_venue: Callable[..., Any]) -> None:
    """What redundancy relies on: one market, one numbering, whoever listens."""
    venue = make_venue()
    one, two = venue.connect(), venue.connect()
    for client in (one, two):
        client.subscribe("trades", coin="BTC")
        client.subscribe("l2Book", coin="BTC")
        client.texts()
    venue.advance(2)
    texts = one.texts()
    assert 40 <= len(texts)
    assert texts == two.texts()


def test_same_seed_same_market_other_seed_another(make_venue: Callable[..., Any]) -> None:
    """A failure can be run again by its seed."""

    def frames(seed: int) -> list[str]:
        client = make_venue(seed=seed).connect()
        client.subscribe("l2Book", coin="BTC")
        client.subscribe("trades", coin="ETH")
        client.subscribe("userFills", user=USER)
        client.venue.advance(3)
        texts: list[str] = client.texts()
        return texts

    assert frames(7) == frames(7)
    assert frames(7) != frames(8)


def test_real_rate_keeps_the_venues_cadence(make_venue: Callable[..., Any]) -> None:
    """20 levels every 5 s, the fast book twice a second, all mids every second."""
    client = make_venue(rate="real").connect()
    for fields in ({"coin": "BTC"}, {"coin": "BTC", "fast": True}):
        client.subscribe("l2Book", **fields)
    client.subscribe("allMids")
    client.texts()
    client.venue.advance(60)
    frames = client.frames()
    books = [f["data"] for f in frames if f["channel"] == "l2Book"]
    counts = [
        len([b for b in books if "fast" not in b]),
        len([b for b in books if "fast" in b]),
        len(frames) - len(books),
    ]
    assert [12, 120, 60] == counts


def test_explorer_pushes_bare_arrays_on_its_own_host_only(make_venue: Callable[..., Any]) -> None:
    """The api host acknowledges and sends nothing; the explorer host takes no other type."""
    venue = make_venue()
    api, explorer = venue.connect(), venue.connect("/explorer/ws")
    for client in (api, explorer):
        client.subscribe("explorerBlock")
        client.subscribe("explorerTxs")
        assert ["subscriptionResponse"] * 2 == [frame["channel"] for frame in client.frames()]
    venue.advance(0.5)
    assert [] == api.frames()
    shapes = {tuple(frame[0]) for frame in explorer.frames()}
    block = ("blockTime", "hash", "height", "numTxs", "proposer")
    assert {block, ("action", "block", "error", "hash", "time", "user")} == shapes
    explorer.subscribe("trades", coin="BTC")
    assert "Invalid subscription" in explorer.texts()[0]


def test_coming_back_at_once_does_not_bring_a_tick_forward(client: Any) -> None:
    """Ticks stay on the clock's grid, also when the schedule is late while one leaves and comes back."""
    client.subscribe("bbo", coin="BTC")
    client.venue.advance(1)
    client.unsubscribe("bbo", coin="BTC")
    client.venue.now += 0.25
    client.subscribe("bbo", coin="BTC")
    client.texts()
    times: list[float] = []
    for _ in range(100):
        client.venue.advance(0.01)
        times += [client.venue.now] * len(client.texts())
    assert 10 == len(times)
    assert all(abs(later - earlier - 0.1) < 0.015 for earlier, later in pairwise(times))


def test_late_schedule_makes_up_for_its_delay(client: Any) -> None:
    """No tick is left out and the rate holds, when the simulator's process was held up for a moment."""
    client.subscribe("trades", coin="BTC")
    client.texts()
    for _ in range(10):
        client.venue.now += 0.15
        client.venue.advance(0.05)
    assert 20 == len(client.frames())


def test_unsubscribe_ends_the_data(client: Any) -> None:
    """Nothing after the acknowledgement, without the fault `late`."""
    client.subscribe("trades", coin="BTC")
    client.venue.advance(1)
    client.texts()
    client.unsubscribe("trades", coin="BTC")
    client.venue.advance(1)
    assert ["subscriptionResponse"] == [frame["channel"] for frame in client.frames()]
