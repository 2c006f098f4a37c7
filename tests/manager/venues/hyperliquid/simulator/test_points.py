"""The 23 points that a simulator of this venue must meet, each once, by its number.

The numbers are those of the list that the simulator was specified from. Finer tests of most points stand in the files
beside this one; those that need a network are in `test_server.py`.
"""

from __future__ import annotations

import base64
import json
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.engine import PATHS
from wsmgr.manager.venues.hyperliquid.simulator.faults import parse_faults
from wsmgr.manager.venues.hyperliquid.simulator.options import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "0xabcdef0123456789abcdef0123456789abcdef01"
OTHER = "0x2222222222222222222222222222222222222222"


def post(number: int, payload: Any, kind: str = "info") -> dict[str, Any]:
    return {"method": "post", "id": number, "request": {"type": kind, "payload": payload}}


def data_of(client: Any, type_: str, **fields: Any) -> Any:
    """The data of the first frame of a subscription."""
    client.texts()
    client.subscribe(type_, **fields)
    return client.data()[0]["data"]


def test_point_01_the_upgrade_is_on_the_venues_paths(make_venue: Callable[..., Any]) -> None:
    """`/ws` as SDKs append it, the bare host, and the explorer's; nothing else is there."""
    engine = make_venue().engine
    assert {"/ws", "/", "/explorer/ws"} == set(PATHS)
    assert [None] * 3 == [engine.admit(path, "client") for path in PATHS]
    assert 404 == engine.admit("/elsewhere", "client").status


def test_point_02_a_greeting_comes_only_when_asked_for(make_venue: Callable[..., Any]) -> None:
    """The text of older servers."""
    assert [] == make_venue().connect().texts()
    assert ["Websocket connection established."] == make_venue("greeting").connect().texts()


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"),
    [("http_429=7", 429, 7.0), ("http_503=2", 503, 2.0), ("http_403", 403, None)],
)
def test_point_03_upgrades_are_refused_with_a_status(
    make_venue: Callable[..., Any], fault: str, status: int, retry_after: float | None
) -> None:
    """The other ways to fail (slow, reset, closed at once, half open) need a network: `test_server.py`."""
    refusal = make_venue(fault).engine.admit("/ws", "client")
    assert (status, retry_after) == (refusal.status, refusal.retry_after)


def test_point_04_a_socket_ends_after_60_s_without_data_or_pong(make_venue: Callable[..., Any]) -> None:
    """Acknowledgements, errors and answers to posts do not count; a close code can be asked for."""
    venue: Any = make_venue()
    client: Any = venue.connect()
    for second in range(59):
        client.ask(post(second, {"type": "perpDexs"}))
        client.ask("nonsense")
        venue.advance(1)
    early = client.session.ending
    venue.advance(2)
    assert (None, "cut", "idle: no data and no pong was sent to it") == (
        early,
        client.session.ending.how,
        client.session.ending.why,
    )
    for code, how in ((1000, "close"), (1001, "close"), (1006, "cut")):
        idle = make_venue(f"close_code={code}")
        other = idle.connect()
        idle.advance(61)
        assert (how, code if how == "close" else 1000) == (
            other.session.ending.how,
            other.session.ending.code,
        )


def test_point_05_a_ping_is_answered_without_data(client: Any) -> None:
    """Byte for byte."""
    client.send({"method": "ping"})
    assert ['{"channel":"pong"}'] == client.texts()


def test_point_06_an_acknowledgement_is_a_normalised_echo_before_the_data(client: Any) -> None:
    """Order of fields, filled defaults, dropped unknown fields, lower case; what was sent as a default is repeated."""
    client.subscribe("candle", coin="BTC", interval="1d", more=1)
    first, second = client.texts()[:2]
    echo = '{"type":"candle","interval":"1d","coin":"BTC"}'
    assert (
        f'{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{echo}}}}}' == first
    )
    assert second.startswith('{"channel":"candle"')
    client.subscribe("clearinghouseState", user=USER.upper().replace("0X", "0x"), dex="")
    assert {"type": "clearinghouseState", "user": USER, "dex": ""} == client.frames()[0]["data"][
        "subscription"
    ]
    client.subscribe("l2Book", coin="BTC")
    assert {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None} == client.frames()[0][
        "data"
    ]["subscription"]


def test_point_07_errors_have_the_venues_texts(client: Any) -> None:
    """With the normalised echo, or with the raw text of what could not be read."""
    client.subscribe("trades", coin="BTC")
    client.texts()
    unknown = f'{{"method":"subscribe","subscription":{{"type":"webData2","user":"{USER}"}}}}'
    sent = [
        {"method": "subscribe", "subscription": {"coin": "BTC", "type": "trades"}},
        {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}},
        {"method": "subscribe", "subscription": {"type": "bbo", "coin": "NOBODY"}},
        unknown,
    ]
    assert [
        'Already subscribed: {"type":"trades","coin":"BTC"}',
        'Already unsubscribed: {"type":"bbo","coin":"BTC"}',
        'Invalid subscription {"type":"bbo","coin":"NOBODY"}',
        f"Error parsing JSON into valid websocket request: {unknown}",
    ] == [client.ask(request)[0]["data"] for request in sent]


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("candle", {"coin": "BTC", "interval": "7m"}),
        ("l2Book", {"coin": "BTC", "nSigFigs": 6}),
        ("l2Book", {"coin": "BTC", "nSigFigs": 4, "mantissa": 2}),
        ("l2Book", {"coin": "BTC", "nSigFigs": 5, "mantissa": 3}),
        ("userFills", {"user": "0x1"}),
        ("trades", {"coin": "btc"}),
        ("activeAssetData", {"user": USER, "coin": "@1"}),
    ],
)
def test_point_08_values_are_checked(client: Any, type_: str, fields: dict[str, Any]) -> None:
    """Intervals, aggregations, addresses, coins, and perps where only perps are."""
    client.subscribe(type_, **fields)
    assert "error" == client.frames()[0]["channel"]
    assert {} == client.session.protocol.subscriptions


def test_point_09_posts_have_three_wrappers_and_echo_their_id(client: Any) -> None:
    """An info answer is wrapped once more, an unknown coin is null, explorer requests and nonsense are an error text."""
    unreadable = {
        "type": "error",
        "payload": "422 Unprocessable Entity: Failed to deserialize the JSON body into the target type",
    }
    asked = [
        (post(7, {"type": "perpDexs"}), "info"),
        (post(2**40, {"type": "l2Book", "coin": "NOBODY"}), "info"),
        (post(9, {"type": "blockDetails", "height": 1}, "explorer"), "error"),
        (post(10, {"type": "nothing"}), "error"),
        (post(11, {"no": "action"}, "action"), "error"),
    ]
    answers = [client.ask(request)[0] for request, _ in asked]
    assert ["post"] * 5 == [answer["channel"] for answer in answers]
    assert [7, 2**40, 9, 10, 11] == [answer["data"]["id"] for answer in answers]
    responses = [answer["data"]["response"] for answer in answers]
    assert [kind for _, kind in asked] == [response["type"] for response in responses]
    assert ("perpDexs", "xyz") == (
        responses[0]["payload"]["type"],
        responses[0]["payload"]["data"][1]["name"],
    )
    assert {"type": "info", "payload": {"type": "l2Book", "data": None}} == responses[1]
    assert [unreadable] * 2 == responses[2:4]
    assert str(responses[4]["payload"]).startswith("422 Unprocessable Entity: ")


def test_point_09_answers_come_late_and_out_of_order(make_venue: Callable[..., Any]) -> None:
    """What waits counts as in flight; a question is answered as of when it was asked."""
    venue = make_venue("slow_post=2", "scatter_posts=3")
    client = venue.connect()
    for number in range(20):
        client.send(post(number, {"type": "exchangeStatus"}))
    assert (20, 20) == (venue.engine.journal.posts, venue.engine.journal.most_posts)
    venue.advance(1.9)
    assert [] == client.texts()
    venue.advance(3.2)
    answers = [frame["data"] for frame in client.frames()]
    numbers = [answer["id"] for answer in answers]
    assert list(range(20)) == sorted(numbers)
    assert numbers != sorted(numbers)
    assert 1 == len({answer["response"]["payload"]["data"]["time"] for answer in answers})
    client.send(post(20, {"type": "exchangeStatus"}))
    assert (1, 20) == (venue.engine.journal.posts, venue.engine.journal.most_posts)


def test_point_09_posts_over_100_in_flight_of_one_address_are_refused(make_venue: Callable[..., Any]) -> None:
    """On the error channel, with the id; a socket that ends gives back what it held, another address has its own."""
    venue = make_venue("slow_post=5", limits=Limits.real())
    one, two, elsewhere = (venue.connect(client=client) for client in ("a", "a", "b"))
    for number in range(60):
        one.send(post(number, {"type": "perpDexs"}))
    for number in range(41):
        two.send(post(number, {"type": "perpDexs"}))
    assert [{"channel": "error", "data": "too many pending post requests id=40"}] == two.frames()
    elsewhere.send(post(1, {"type": "perpDexs"}))
    assert [] == elsewhere.frames()
    venue.engine.closed(one.session, "test")
    two.send(post(41, {"type": "perpDexs"}))
    venue.advance(5)
    assert [*range(40), 41] == [frame["data"]["id"] for frame in two.frames()]
    assert [] == one.frames()
    assert 0 == venue.engine.journal.posts


def test_point_10_limits_are_those_of_an_address_with_the_venues_texts(
    make_venue: Callable[..., Any],
) -> None:
    """Each can be set; users count for all sockets, or for one."""
    venue = make_venue(limits=Limits(users=1, subscriptions=2, messages_per_minute=4))
    one, two = venue.connect(), venue.connect()
    one.subscribe("orderUpdates", user=USER)
    two.subscribe("orderUpdates", user=OTHER)
    assert "Cannot track more than 1 total users." == two.frames()[0]["data"]
    two.subscribe("trades", coin="BTC")
    one.subscribe("trades", coin="ETH")
    assert "Cannot subscribe to more than 2 channels." == one.frames()[-1]["data"]
    assert "Cannot send more than 4 messages per minute." == one.ask({"method": "ping"})[0]["data"]
    per_socket = make_venue(limits=Limits(users=1, users_per="connection"))
    one, two = per_socket.connect(), per_socket.connect()
    one.subscribe("orderUpdates", user=USER)
    two.subscribe("orderUpdates", user=OTHER)
    assert ["subscriptionResponse"] * 2 == [client.frames()[0]["channel"] for client in (one, two)]
    two.subscribe("orderUpdates", user=USER)
    assert "Cannot track more than 1 total users." == two.frames()[-1]["data"]


def test_point_10_a_socket_too_many_is_refused_or_accepted_and_closed(make_venue: Callable[..., Any]) -> None:
    """What the venue does there is not documented; dials have a limit of their own."""
    refusing = make_venue(limits=Limits(connections=1))
    refusing.connect()
    assert 429 == refusing.engine.admit("/ws", "127.0.0.1").status
    closing = make_venue(limits=Limits(connections=1, at_connection_limit="close"))
    closing.connect()
    assert closing.engine.admit("/ws", "127.0.0.1") is None
    assert "close" == closing.connect().session.ending.how
    dialling = make_venue(limits=Limits(dials_per_minute=2)).engine
    assert [None, None, 429] == [
        refusal and refusal.status for refusal in (dialling.admit("/ws", "a") for _ in range(3))
    ]


def test_point_11_variants_of_one_book_are_two_streams_that_name_only_their_coin(client: Any) -> None:
    """One frame for each subscription; `spread` and `fast` are all that tells them apart."""
    for fields in ({}, {"nSigFigs": 3}, {"fast": True}):
        client.subscribe("l2Book", coin="BTC", **fields)
    books = [frame["data"] for frame in client.data()]
    assert [
        ["coin", "time", "levels"],
        ["coin", "time", "levels", "spread"],
        ["coin", "time", "levels", "fast"],
    ] == [list(book) for book in books]
    assert [20, 20, 5] == [len(book["levels"][0]) for book in books]
    other = client.venue.connect()
    client.venue.advance(1)
    assert [] == other.texts()


def test_point_12_private_events_name_no_user(client: Any) -> None:
    """Those of userEvents come on the channel `user`, one member a frame; orderUpdates are a bare array."""
    for type_ in ("userEvents", "orderUpdates", "notification"):
        client.subscribe(type_, user=USER)
    client.venue.advance(3)
    frames = client.data()
    assert {"user", "orderUpdates", "notification"} == {frame["channel"] for frame in frames}
    for frame in frames:
        match frame["channel"]:
            case "user":
                assert 1 == len(frame["data"])
            case "orderUpdates":
                assert isinstance(frame["data"], list)
            case _:
                assert ["notification"] == list(frame["data"])
        assert "user" not in frame["data"]


def test_point_13_a_spot_coins_context_has_a_channel_of_its_own(client: Any) -> None:
    """The request's type is the same."""
    client.subscribe("activeAssetCtx", coin="BTC")
    client.subscribe("activeAssetCtx", coin="@1")
    assert ["activeAssetCtx", "activeSpotAssetCtx"] == [frame["channel"] for frame in client.data()]


def test_point_14_snapshots_are_marked_once_and_only_where_the_venue_does(client: Any) -> None:
    """Histories mark their first frame, trades do not, states are whole, events have none."""
    client.subscribe("userFills", user=USER)
    client.subscribe("trades", coin="BTC")
    client.subscribe("clearinghouseState", user=USER)
    client.subscribe("orderUpdates", user=USER)
    fills, trades, state = client.data()
    assert True is fills["data"]["isSnapshot"]
    assert 30 == len(trades["data"])
    assert "assetPositions" in state["data"]["clearinghouseState"]
    client.venue.advance(2)
    later = [frame["data"] for frame in client.data() if frame["channel"] == "userFills"]
    assert later
    assert not [frame for frame in later if "isSnapshot" in frame]


def test_point_15_the_main_dex_is_left_out_or_empty_by_type(client: Any) -> None:
    """The stream allMids leaves it out, the others say `""`."""
    assert "dex" not in data_of(client, "allMids")
    assert "xyz" == data_of(client, "allMids", dex="xyz")["dex"]
    for type_ in ("clearinghouseState", "openOrders", "twapStates"):
        assert "" == data_of(client, type_, user=USER)["dex"]
    assert "" == data_of(client, "assetCtxs")["dex"]


def test_point_16_the_explorer_pushes_bare_arrays(make_venue: Callable[..., Any]) -> None:
    """After a normal acknowledgement, on its own host."""
    client = make_venue().connect("/explorer/ws")
    client.subscribe("explorerBlock")
    assert "subscriptionResponse" == client.frames()[0]["channel"]
    client.venue.advance(1)
    assert all(isinstance(frame, list) for frame in client.frames())


def test_point_17_fast_contexts_are_whole_first_then_differences(client: Any) -> None:
    """Base64 of raw deflate, each frame packed by itself."""
    client.subscribe("fastAssetCtxs")
    client.venue.advance(0.5)
    packed = [frame["data"] for frame in client.data()]
    sizes = [len(json.loads(zlib.decompress(base64.b64decode(data), wbits=-15))) for data in packed]
    assert 500 == sizes[0]
    assert all(0 < size < 500 for size in sizes[1:])


def test_point_18_cadences_are_the_venues(make_venue: Callable[..., Any]) -> None:
    """A book every 5 s, a fast one twice a second, mids every second; bars and best prices only on change."""
    client = make_venue(rate="real").connect()
    client.subscribe("l2Book", coin="BTC")
    client.subscribe("l2Book", coin="BTC", fast=True)
    client.subscribe("allMids")
    client.subscribe("bbo", coin="BTC")
    client.subscribe("candle", coin="BTC", interval="1m")
    client.subscribe("trades", coin="BTC")
    client.texts()
    client.venue.advance(20)
    frames = client.frames()
    books = [frame["data"] for frame in frames if frame["channel"] == "l2Book"]
    counts = {
        channel: len([f for f in frames if f["channel"] == channel]) for channel in ("allMids", "trades")
    }
    assert (4, 40) == (len([b for b in books if "fast" not in b]), len([b for b in books if "fast" in b]))
    assert 20 == counts["allMids"]
    assert counts["trades"] == len([frame for frame in frames if frame["channel"] == "candle"]) < 80
    shown = [json.dumps(frame["data"]["bbo"]) for frame in frames if frame["channel"] == "bbo"]
    assert all(one != other for one, other in pairwise(shown))


def test_point_19_numbers_are_text_and_ids_fit_a_double(client: Any) -> None:
    """Times in milliseconds but for TWAP histories; trades of the chain itself have a hash of zeros."""
    trade = data_of(client, "trades", coin="BTC")[-1]
    assert isinstance(trade["px"], str)
    assert isinstance(trade["sz"], str)
    assert 2**32 < trade["tid"] < 2**53
    assert 1e12 < trade["time"] < 1e14
    assert 1e9 < data_of(client, "userTwapHistory", user=USER)["history"][0]["time"] < 1e11
    slice_ = data_of(client, "userTwapSliceFills", user=USER)["twapSliceFills"][0]
    assert "0x" + "0" * 64 == slice_["fill"]["hash"]


def test_point_20_a_reconnect_finds_nothing_and_the_log_says_what_was_missed(
    make_venue: Callable[..., Any],
) -> None:
    """The events of the absence are in the log, and are never sent."""
    venue = make_venue()
    first = venue.connect()
    first.subscribe("orderUpdates", user=USER)
    venue.advance(1)
    first.texts()
    venue.engine.closed(first.session, "test")
    venue.advance(1)
    second = venue.connect()
    venue.advance(1)
    assert [] == second.texts()
    second.subscribe("orderUpdates", user=USER)
    venue.advance(1)
    before, after = first.session.record.subscriptions[0], second.session.record.subscriptions[0]
    [stream] = venue.engine.hub.streams.values()
    missed = [n for n, _, _ in stream.events if before.last_n < n < after.first_n]
    assert 20 == len(missed)
    assert 10 == len(second.data())


def test_point_21_data_comes_after_an_end_and_before_a_beginning_was_read(
    make_venue: Callable[..., Any],
) -> None:
    """Late after an unsubscribe's acknowledgement; before a subscribe's."""
    late = make_venue("late=1").connect()
    late.subscribe("trades", coin="BTC")
    late.texts()
    late.unsubscribe("trades", coin="BTC")
    late.venue.advance(0.5)
    assert ["subscriptionResponse", *["trades"] * 5] == [frame["channel"] for frame in late.frames()]
    early = make_venue("early_data", "slow_ack=1").connect()
    early.subscribe("trades", coin="BTC")
    early.venue.advance(0.5)
    assert {"trades"} == {frame["channel"] for frame in early.frames()}
    early.venue.advance(0.6)
    assert "subscriptionResponse" in {frame["channel"] for frame in early.frames()}


def test_point_22_every_fault_that_was_asked_for_has_a_name() -> None:
    """What each does is tested in `test_faults.py`."""
    wanted = {
        "drop acknowledgements": "lost_ack",
        "drop pongs": "mute=pong",
        "stall one stream only": "quiet=trades:BTC",
        "stall a socket without closing it": "blackhole_after=1",
        "kill during the resubscribe burst": "kill_during_resubscribe",
        "duplicate frames": "duplicate=1",
        "huge frame": "giant_frame",
        "non-JSON frames and unknown channels": "garbage=1",
        "unknown fields": "extra_fields=1",
        "acknowledgement with changed case": "ack_case=user",
        "error for an unknown request": "stray_error",
        "post answered twice": "double_post",
        "post answered for an unknown id": "stray_post",
    }
    parse_faults(wanted.values())


def test_point_23_the_log_tells_everything(make_venue: Callable[..., Any]) -> None:
    """Frames with their socket and time, dials, sockets, messages a minute, posts in flight, what is subscribed."""
    venue = make_venue("slow_post=1")
    assert venue.engine.admit("/ws", "a") is None
    one, two = venue.connect(client="a"), venue.connect(client="a")
    venue.advance(1)
    one.subscribe("trades", coin="BTC")
    one.subscribe("bbo", coin="BTC")
    one.unsubscribe("bbo", coin="BTC")
    two.send(post(1, {"type": "perpDexs"}))
    two.send(post(2, {"type": "perpDexs"}))
    log = venue.engine.journal.as_json(venue.now)
    assert (1, 0, 2, 2) == (log["dials"], log["refused"], log["open"], log["most_open"])
    assert (5, 5) == (log["messages_last_minute"], log["most_messages_a_minute"])
    assert (2, 2) == (log["posts"], log["most_posts"])
    assert [{"connection": 1, "subscription": '{"type":"trades","coin":"BTC"}'}] == log["live"]
    received = log["connections"][1]["received"]
    assert [1.0, 1.0] == [frame["at"] for frame in received]
    assert [1, 2] == [json.loads(frame["text"])["id"] for frame in received]
    venue.advance(70)
    later = venue.engine.journal.as_json(venue.now)
    assert (0, 5, 0, 2) == (
        later["messages_last_minute"],
        later["most_messages_a_minute"],
        later["posts"],
        later["most_posts"],
    )
