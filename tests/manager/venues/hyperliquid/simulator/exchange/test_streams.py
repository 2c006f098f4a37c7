"""What watchers of an account that acts are sent, in which order, and what the log says that they were owed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .conftest import BTC, Book, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Player

EVENTS = (
    "orderUpdates",
    "userEvents",
    "userFills",
    "userHistoricalOrders",
    "notification",
    "userNonFundingLedgerUpdates",
)
STATES = (
    "openOrders",
    "clearinghouseState",
    "allDexsClearinghouseState",
    "spotState",
    "twapStates",
    "webData3",
)
NOOP = {"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 20}


def watch(player: Player, *types: str, begin: bool = True) -> Any:
    """A socket that watches the player, who acts already; what came until now is read."""
    client = player.venue.connect()
    if begin:
        player.done(NOOP)
    for type_ in types:
        client.subscribe(type_, user=player.user)
    client.texts()
    return client


def log(player: Player, type_: str) -> list[Any]:
    """The ids of the events in the log of one of the player's streams."""
    key = json.dumps({"type": type_, "user": player.user}, separators=(",", ":"))
    return [ids for _, _, ids in player.venue.engine.hub.streams[key].events]


def test_order_through_a_socket_is_told_to_all_streams_at_once(player: Player) -> None:
    """The events first, in the venue's order, then the states as they are after it, then the answer."""
    client = watch(player, *EVENTS, *STATES)
    book = Book(player.venue)
    payload = player.signed({"type": "order", "orders": [wire(px=book.ask, sz="0.001")], "grouping": "na"})
    request = {"method": "post", "id": 5, "request": {"type": "action", "payload": payload}}
    frames = client.ask(request)
    expected = ["orderUpdates", "user", "userFills", "userHistoricalOrders", *STATES, "post"]
    assert expected == [frame["channel"] for frame in frames]
    data = {frame["channel"]: frame["data"] for frame in frames}
    status = data["post"]["response"]["payload"]["response"]["data"]["statuses"][0]
    oid = status["filled"]["oid"]
    assert {"totalSz": "0.001", "avgPx": f"{book.ask}.0", "oid": oid} == status["filled"]
    assert ["open", "filled"] == [change["status"] for change in data["orderUpdates"]]
    assert ["0.001", "0.0"] == [change["order"]["sz"] for change in data["orderUpdates"]]
    assert {oid} == {change["order"]["oid"] for change in data["orderUpdates"]}
    [fill] = data["user"]["fills"]
    assert {"user": player.user, "fills": [fill]} == data["userFills"]
    assert [fill] == player.exchange.fills(player.user, player.venue.now)
    assert "BTC" == data["clearinghouseState"]["clearinghouseState"]["assetPositions"][0]["position"]["coin"]
    assert ([], "") == (data["openOrders"]["orders"], data["openOrders"]["dex"])
    keys = ["coin", "px", "sz", "side", "time", "startPosition", "dir", "closedPnl", "hash", "oid", "crossed"]
    assert [*keys, "fee", "tid", "feeToken", "twapId"] == list(fill)


def test_resting_order_is_told_twice_and_its_fill_is_announced(player: Player) -> None:
    """Open when it is placed, filled when the market comes; a text for people says what was bought."""
    client = watch(player, *EVENTS, "openOrders")
    book = Book(player.venue)
    oid = player.one(wire(px=book.bid, sz="0.001", cloid="0x" + "1" * 32))["resting"]["oid"]
    opened = client.data()
    assert ["orderUpdates", "userHistoricalOrders", "openOrders"] == [f["channel"] for f in opened]
    assert [oid] == [order["oid"] for order in opened[-1]["data"]["orders"]]
    while player.open_oids():
        player.venue.advance(0.1)
        assert player.venue.now < 600
    told = [
        frame for frame in client.data() if frame["channel"] != "openOrders" or not frame["data"]["orders"]
    ]
    channels = ["orderUpdates", "user", "userFills", "userHistoricalOrders", "notification", "openOrders"]
    assert channels == [frame["channel"] for frame in told][:6]
    text = f"Resting order filled: Bought 0.001 BTC at ${book.bid}.0"
    assert {"notification": text} == told[4]["data"]
    assert "0x" + "1" * 32 == told[2]["data"]["fills"][0]["cloid"]
    assert ("filled", "0.0") == (told[0]["data"][0]["status"], told[0]["data"][0]["order"]["sz"])


def test_made_up_events_end_with_the_first_action(player: Player) -> None:
    """From then on an idle account is silent, and its states stay as they are."""
    client = watch(player, "orderUpdates", "userFills", "userEvents", "openOrders", begin=False)
    player.venue.advance(1)
    assert {"orderUpdates", "userFills", "user", "openOrders"} == {f["channel"] for f in client.data()}
    player.done(NOOP)
    client.texts()
    player.venue.advance(5)
    frames = client.data()
    assert {"openOrders"} == {frame["channel"] for frame in frames}
    assert {"[]"} == {json.dumps(frame["data"]["orders"]) for frame in frames}


def test_past_that_was_shown_stays_the_past(player: Player) -> None:
    """A client that comes back after the first action finds the items that it knows, then the new ones."""
    client = watch(player, "userFills", begin=False)
    player.venue.advance(1)
    seen = [fill["tid"] for frame in client.data() for fill in frame["data"]["fills"]]
    player.venue.engine.closed(client.session, "test")
    player.venue.advance(1)
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001"))
    again = player.venue.connect()
    again.subscribe("userFills", user=player.user)
    [snapshot] = again.data()
    tids = [fill["tid"] for fill in snapshot["data"]["fills"]]
    new = player.exchange.fills(player.user, player.venue.now)[0]["tid"]
    assert (30, new) == (len(tids), tids[-1])
    assert seen[-1] in tids
    missed = tids[tids.index(seen[-1]) + 1 :]
    logged = log_of_fills(player)
    assert 10 == len(missed) - 1 == len(logged[len(seen) : -1])


def log_of_fills(player: Player) -> list[Any]:
    """The log of the stream with its filled-in parameter left out of the key, as the hub names it."""
    [stream] = [s for s in player.venue.engine.hub.streams.values() if '"userFills"' in s.key]
    return [ids for _, _, ids in stream.events]


def test_account_that_nobody_watched_begins_with_empty_histories(player: Player) -> None:
    """What tests of exact amounts rely on."""
    player.done(NOOP)
    now = player.venue.now
    for items in (
        player.exchange.fills(player.user, now),
        player.exchange.historical_orders(player.user, now),
        player.exchange.ledger_updates(player.user, now, 0),
        player.exchange.fundings(player.user, now, 0),
        player.state()["assetPositions"],
        player.exchange.open_orders(player.user, now),
    ):
        assert [] == items
    assert "100000.0" == player.state()["marginSummary"]["accountValue"]


def test_what_an_absent_client_misses_is_in_the_log_and_never_sent(player: Player) -> None:
    """Exactly those events: the client's own and the log's, by their ids and by their times."""
    client = watch(player, "orderUpdates")
    book = Book(player.venue)
    first = player.one(wire(px=book.bid - 5000, sz="0.001"))["resting"]["oid"]
    player.venue.engine.closed(client.session, "test")
    player.venue.advance(1)
    missed = player.one(wire(px=book.bid - 5000, sz="0.001"))["resting"]["oid"]
    player.venue.advance(1)
    again = player.venue.connect()
    again.subscribe("orderUpdates", user=player.user)
    third = player.one(wire(px=book.bid - 5000, sz="0.001"))["resting"]["oid"]
    [frame] = again.data()
    assert [third] == [change["order"]["oid"] for change in frame["data"]]
    logged = [oid for ids in log(player, "orderUpdates") for oid, _, _ in ids]
    assert [first, missed, third] == logged
    [stream] = [s for s in player.venue.engine.hub.streams.values() if '"orderUpdates"' in s.key]
    [_, (n, at, _), _] = stream.events
    before, after = (one.session.record.subscriptions[0] for one in (client, again))
    assert before.last_n < n < after.first_n
    assert before.until < at < after.since


def test_snapshot_of_an_account_that_acts_holds_what_it_did(player: Player) -> None:
    """`isSnapshot` once, then never; no item twice."""
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001"))
    client = player.venue.connect()
    client.subscribe("userFills", user=player.user)
    client.subscribe("userHistoricalOrders", user=player.user)
    fills, orders = client.data()
    assert (True, 1) == (fills["data"]["isSnapshot"], len(fills["data"]["fills"]))
    assert ["open", "filled"] == [change["status"] for change in orders["data"]["orderHistory"]]
    player.one(wire(px=book.ask, sz="0.001"))
    later = [frame["data"] for frame in client.data()]
    assert all("isSnapshot" not in data for data in later)
    assert fills["data"]["fills"][0]["tid"] != later[0]["fills"][0]["tid"]


def test_fills_of_one_time_are_one_for_those_who_ask(player: Player) -> None:
    """`aggregateByTime`: one fill of the whole size at the average price."""
    book = Book(player.venue, deep=False)
    player.done(NOOP)
    client = player.venue.connect()
    client.subscribe("userFills", user=player.user)
    client.subscribe("userFills", user=player.user, aggregateByTime=True)
    client.texts()
    status = player.one(wire(px=book.ask + 30 * book.tick, sz="0.05", tif="Ioc"))["filled"]
    single, folded = (frame["data"]["fills"] for frame in client.data())
    assert len(single) > 1
    assert [(status["totalSz"], status["avgPx"])] == [(fill["sz"], fill["px"]) for fill in folded]
    now = player.venue.now
    assert folded == player.exchange.fills(player.user, now, aggregate_by_time=True)
    assert folded == player.exchange.fills_by_time(player.user, now, 0, aggregate_by_time=True)


def test_leverage_is_told_to_those_who_watch_the_coin(player: Player) -> None:
    """`activeAssetData` comes at once with the new leverage."""
    player.done(NOOP)
    client = player.venue.connect()
    client.subscribe("activeAssetData", user=player.user, coin="BTC")
    client.texts()
    player.done({**NOOP, "leverage": 7})
    [frame] = client.data()
    assert {"type": "cross", "value": 7} == frame["data"]["leverage"]


def test_states_never_go_back_in_time(player: Player) -> None:
    """What is sent at once after an action, and what the clock sends next."""
    client = watch(player, "clearinghouseState", "webData3")
    for _ in range(20):
        player.venue.advance(0.047)
        player.done(NOOP)
    frames = [frame["data"] for frame in client.data()]
    for times in (
        [data["clearinghouseState"]["time"] for data in frames if "clearinghouseState" in data],
        [data["userState"]["serverTime"] for data in frames if "userState" in data],
    ):
        assert len(times) > 20
        assert sorted(times) == times


def test_cancels_that_nobody_asked_for_are_told_as_such(player: Player) -> None:
    """`nonUserCancel`, one member a frame like all of them."""
    client = watch(player, "userEvents")
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001", tif="Ioc"))
    oid = player.one(wire(is_buy=False, px=book.ask + 500, sz="0.001", reduce=True))["resting"]["oid"]
    player.one(wire(is_buy=False, px=book.bid, sz="0.001", tif="Ioc"))
    members = [frame["data"] for frame in client.data()]
    assert ["fills", "fills", "nonUserCancel"] == [name for data in members for name in data]
    assert [{"coin": "BTC", "oid": oid}] == members[-1]["nonUserCancel"]


def test_watchers_of_others_hear_nothing(player: Player, other: Player) -> None:
    """An account's events are its own."""
    client = watch(other, *EVENTS)
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001"))
    assert [] == client.data()


def test_two_runs_with_the_same_actions_are_equal(
    make_venue: Callable[..., Any], make_player: Callable[[Any, int], Player]
) -> None:
    """Frames, ids, fills and hashes, byte by byte; another seed gives others."""

    def run(seed: int) -> list[str]:
        player = make_player(make_venue(seed=seed), 1)
        client = player.venue.connect()
        for type_ in (*EVENTS, *STATES):
            client.subscribe(type_, user=player.user)
        player.venue.advance(1)
        for step in range(10):
            book = Book(player.venue)
            action = {
                "type": "order",
                "orders": [
                    wire(px=book.bid - step, sz="0.002"),
                    wire(is_buy=False, px=book.bid, sz="0.001", tif="Ioc"),
                ],
                "grouping": "na",
            }
            payload = player.signed(action)
            client.send({"method": "post", "id": step, "request": {"type": "action", "payload": payload}})
            player.venue.advance(3)
        texts: list[str] = client.texts()
        return texts

    first = run(3)
    assert first == run(3)
    assert first != run(4)
    assert any("Resting order filled" in text for text in first)


def test_accounts_that_never_act_answer_with_what_their_streams_send(player: Player) -> None:
    """A client that heals a gap by a query meets the items of the stream."""
    client = player.venue.connect()
    for type_ in ("userFills", "userHistoricalOrders", "userNonFundingLedgerUpdates", "userTwapSliceFills"):
        client.subscribe(type_, user=player.user)
    player.venue.advance(2)
    frames = client.data()
    now = player.venue.now
    queries = {
        "fills": player.exchange.fills(player.user, now),
        "orderHistory": player.exchange.historical_orders(player.user, now),
        "nonFundingLedgerUpdates": player.exchange.ledger_updates(player.user, now, 0)[::-1],
        "twapSliceFills": player.exchange.twap_slice_fills(player.user, now),
    }
    for member, found in queries.items():
        sent = [item for frame in frames for item in frame["data"].get(member, [])]
        assert len(sent) >= 49
        assert all(item in found for item in sent)
        assert found.index(sent[-1]) <= 1


def test_made_up_fills_can_be_asked_for_by_time(player: Player) -> None:
    """Both ends included, oldest first."""
    player.venue.advance(10)
    start = player.venue.engine.market.milliseconds(5)
    fills = player.exchange.fills_by_time(player.user, player.venue.now, start, start + 1000)
    assert [start + 100 * n for n in range(11)] == [fill["time"] for fill in fills]
