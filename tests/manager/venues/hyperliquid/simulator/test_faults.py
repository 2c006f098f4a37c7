"""Faults: how they are written, and what each does to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.faults import FaultError, Faults, known_faults, parse_faults
from wsmgr.manager.venues.hyperliquid.simulator.options import Limits
from wsmgr.manager.venues.hyperliquid.simulator.session import MAX_OUTBOX

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "0x" + "a" * 40


def test_faults_are_read_as_the_command_line_writes_them() -> None:
    """Names with and without a value, lists by commas and by repetition, dashes for underscores."""
    texts = ["flap", "http_429=2.5", "quiet=trades,bbo", "quiet=l2Book", "refuse-users-over=3", "limits=real"]
    expected = Faults(
        flap=True,
        http_429=2.5,
        quiet=frozenset({"trades", "bbo", "l2Book"}),
        refuse_users_over=3,
        limits="real",
    )
    assert expected == parse_faults(texts)


def test_faults_of_the_design_are_all_known() -> None:
    """Every name that the command line documents."""
    names = {
        "flap", "http_429", "blackhole_after", "mute", "quiet", "drop_every", "kill_during_resubscribe", "slow_ack",
        "lost_ack", "garbage", "giant_frame", "duplicate", "half_open", "refuse_users_over", "forget", "late",
    }  # fmt: skip
    assert names <= known_faults().keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "unknown fault 'nope'; known faults: ack_case, blackhole_after, .*slow_ack"),
        ("late=soon", "fault 'late' wants a number of seconds, not 'soon'"),
        ("late=-1", "fault 'late' wants a number of seconds, not '-1'"),
        ("late=nan", "fault 'late' wants a number of seconds, not 'nan'"),
        ("late", "fault 'late' wants a number of seconds, not no value"),
        ("garbage=2", "fault 'garbage' wants a share from 0 to 1, not '2'"),
        ("quiet", "fault 'quiet' wants the name of a type, such as orderUpdates, or of one .*, not no value"),
        ("close_code=17", "fault 'close_code' wants a close code, such as 1001 or 1006, not '17'"),
        ("refuse_users_over=-1", "fault 'refuse_users_over' wants a number of users, not '-1'"),
        ("flap=no", "fault 'flap' wants no value, not 'no'"),
        ("limits=unreal", "fault 'limits' wants real, not 'unreal'"),
    ],
)
def test_fault_that_cannot_be_meant_is_refused_with_what_would_be_right(text: str, message: str) -> None:
    """The message is what a person sees who mistyped."""
    with pytest.raises(FaultError, match=message):
        parse_faults([text])


def test_fault_given_twice_is_refused() -> None:
    """The second value would win silently."""
    with pytest.raises(FaultError, match="'late' is given twice"):
        parse_faults(["late=1", "late=2"])


def test_quiet_acknowledges_and_sends_nothing(make_venue: Callable[..., Any]) -> None:
    """The other types flow."""
    client = make_venue("quiet=trades").connect()
    client.subscribe("trades", coin="BTC")
    client.subscribe("bbo", coin="BTC")
    client.venue.advance(1)
    assert ["subscriptionResponse", "subscriptionResponse", *["bbo"] * 11] == [
        f["channel"] for f in client.frames()
    ]


def test_one_stream_can_stall_while_the_others_of_its_type_flow(make_venue: Callable[..., Any]) -> None:
    """Named by its coin or its user; that of a builder's dex has a colon of its own."""
    client = make_venue("quiet=trades:BTC,bbo:xyz:SP500", f"quiet=userFills:{USER}").connect()
    for coin in ("BTC", "ETH"):
        client.subscribe("trades", coin=coin)
    client.subscribe("bbo", coin="xyz:SP500")
    client.subscribe("userFills", user=USER)
    client.subscribe("userFundings", user=USER)
    client.venue.advance(1)
    frames = [frame for frame in client.data() if "data" in frame]
    assert {"trades", "userFundings"} == {frame["channel"] for frame in frames}
    assert {"ETH"} == {frame["data"][0]["coin"] for frame in frames if frame["channel"] == "trades"}


def test_late_sends_on_after_the_acknowledgement_and_then_ends(make_venue: Callable[..., Any]) -> None:
    """The race that puts one user's events into another's stream: A's go on while B's come."""
    client = make_venue("late=2").connect()
    other = "0x" + "b" * 40
    client.subscribe("orderUpdates", user=USER)
    client.venue.advance(1)
    client.texts()
    client.unsubscribe("orderUpdates", user=USER)
    client.subscribe("orderUpdates", user=other)

    def owners() -> set[str]:
        return {order["order"]["cloid"][2:26] for frame in client.data() for order in frame["data"]}

    client.venue.advance(1.5)
    assert {USER[2:26], other[2:26]} == owners()
    client.venue.advance(1)
    client.data()
    client.venue.advance(1)
    assert {other[2:26]} == owners()


def test_late_data_of_a_subscription_that_came_back_does_not_end(make_venue: Callable[..., Any]) -> None:
    """The end that was planned at the unsubscribe is void when the same thing is subscribed again."""
    client = make_venue("late=2").connect()
    client.subscribe("trades", coin="BTC")
    client.unsubscribe("trades", coin="BTC")
    client.subscribe("trades", coin="BTC")
    client.venue.advance(3)
    client.texts()
    client.venue.advance(1)
    assert 10 == len(client.frames())


def test_slow_acknowledgement_holds_back_the_data_too(make_venue: Callable[..., Any]) -> None:
    """Data never comes before its acknowledgement."""
    client = make_venue("slow_ack=1").connect()
    client.subscribe("trades", coin="BTC")
    client.venue.advance(0.9)
    assert [] == client.texts()
    client.venue.advance(0.2)
    assert ["subscriptionResponse", "trades"] == [frame["channel"] for frame in client.frames()[:2]]


def test_early_data_comes_before_its_acknowledgement(make_venue: Callable[..., Any]) -> None:
    """And does not wait for one that is slow."""
    client = make_venue("early_data").connect()
    client.subscribe("trades", coin="BTC")
    assert ["trades", "subscriptionResponse"] == [frame["channel"] for frame in client.frames()]


def test_acknowledgement_with_changed_case_keeps_everything_else(make_venue: Callable[..., Any]) -> None:
    """The letters of the named fields only; an address keeps its prefix."""
    client = make_venue("ack_case=user,coin").connect()
    client.subscribe("activeAssetData", user="0x" + "aB" * 20, coin="kPEPE")
    text = client.texts()[0]
    echo = f'{{"type":"activeAssetData","user":"0x{"AB" * 20}","coin":"Kpepe"}}'
    assert (
        f'{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{echo}}}}}' == text
    )


def test_error_for_nobody_comes_before_each_acknowledgement(make_venue: Callable[..., Any]) -> None:
    """A client must not take it for its own."""
    client = make_venue("stray_error").connect()
    client.subscribe("trades", coin="BTC")
    error, acknowledgement = client.frames()[:2]
    assert ("error", "subscriptionResponse") == (error["channel"], acknowledgement["channel"])
    assert "NOBODY" in error["data"]


@pytest.mark.parametrize(
    ("fault", "ids"),
    [("double_post", [7, 7]), ("stray_post", [999_999_999, 7]), ("mute=post", []), ("late=1", [7])],
)
def test_post_is_answered_wrongly(make_venue: Callable[..., Any], fault: str, ids: list[int]) -> None:
    """Twice, to nobody, or not at all; it no longer counts as in flight."""
    venue = make_venue(fault)
    request = {"type": "info", "payload": {"type": "perpDexs"}}
    answers = venue.connect().ask({"method": "post", "id": 7, "request": request})
    assert ids == [answer["data"]["id"] for answer in answers]
    assert 0 == venue.engine.journal.posts


@pytest.mark.parametrize(
    ("type_", "fields", "inside"),
    [
        ("l2Book", {"coin": "BTC"}, True),
        ("userEvents", {"user": USER}, True),
        ("candle", {"coin": "BTC", "interval": "1m"}, True),
        ("orderUpdates", {"user": USER}, False),
        ("fastAssetCtxs", {}, False),
    ],
)
def test_unknown_fields_stand_in_the_data_or_beside_it(
    make_venue: Callable[..., Any], type_: str, fields: dict[str, Any], inside: bool
) -> None:
    """The rest of the frame is as it would be without them."""
    venue = make_venue("extra_fields=1")
    with_fields, without = venue.connect(), make_venue().connect()
    for client in (with_fields, without):
        client.subscribe(type_, **fields)
        client.venue.advance(0.5)
    for frame, plain in zip(with_fields.data(), without.data(), strict=True):
        assert (frame["data"] if inside else frame).pop("notInTheDocumentation") == {"added": True}
        assert plain == frame


@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        ("drop_every=1", 1001, ("close", 1001)),
        ("drop_every=1", 1006, ("cut", 1000)),
        ("flap", 3000, ("close", 3000)),
    ],
)
def test_sockets_end_with_the_code_that_was_asked_for(
    make_venue: Callable[..., Any], fault: str, code: int, expected: tuple[str, int]
) -> None:
    """1006 is what a client sees where no close frame came."""
    client = make_venue(fault, f"close_code={code}").connect()
    client.venue.advance(1.1)
    assert expected == (client.session.ending.how, client.session.ending.code)


def test_lost_acknowledgement_leaves_the_data(make_venue: Callable[..., Any]) -> None:
    """What a client can tell such a subscription by is its data, or `Already subscribed`."""
    client = make_venue("lost_ack").connect()
    client.subscribe("trades", coin="BTC")
    assert ["trades"] == [frame["channel"] for frame in client.frames()]


def test_mute_silences_one_channel(make_venue: Callable[..., Any]) -> None:
    """A ping without a pong."""
    client = make_venue("mute=pong").connect()
    assert [] == client.ask({"method": "ping"})


def test_forgotten_subscription_is_new_to_the_server_when_it_is_sent_again(
    make_venue: Callable[..., Any],
) -> None:
    """An acknowledgement where `Already subscribed` was expected is how a client learns that it was lost; once."""
    client = make_venue("forget=trades").connect()
    client.subscribe("trades", coin="BTC")
    client.venue.advance(2)
    client.texts()
    client.venue.advance(1)
    assert [] == client.texts()
    client.subscribe("trades", coin="BTC")
    client.venue.advance(5)
    frames = client.frames()
    assert "subscriptionResponse" == frames[0]["channel"]
    assert 50 <= len(frames)


def test_drop_every_resets_each_socket_after_its_time(make_venue: Callable[..., Any]) -> None:
    """Counted from when that socket opened."""
    client = make_venue("drop_every=5").connect()
    client.venue.advance(4.9)
    early = client.session.ending
    client.venue.advance(0.2)
    assert (None, "reset") == (early, client.session.ending.how)


def test_flap_closes_what_it_accepted(make_venue: Callable[..., Any]) -> None:
    """With a proper close frame."""
    assert "close" == make_venue("flap").connect().session.ending.how


def test_blackhole_answers_nothing_and_stays_open(make_venue: Callable[..., Any]) -> None:
    """Not even after the idle timeout: only a client's own probe finds it."""
    client = make_venue("blackhole_after=3").connect()
    client.subscribe("trades", coin="BTC")
    client.venue.advance(4)
    client.texts()
    client.send({"method": "ping"})
    client.venue.advance(120)
    assert [] == client.texts()
    assert client.session.ending is None
    assert client.session.is_silent
    assert client.session.is_deaf


def test_half_open_socket_hears_and_says_nothing(make_venue: Callable[..., Any]) -> None:
    """The server knows the subscription, the client never hears of it."""
    client = make_venue("half_open").connect()
    client.subscribe("trades", coin="BTC")
    client.venue.advance(5)
    assert [] == client.texts()
    assert 1 == len(client.session.protocol.subscriptions)
    assert 0 == client.session.record.subscriptions[0].sent


def test_garbage_and_duplicates_come_at_their_share(make_venue: Callable[..., Any]) -> None:
    """Every frame doubled, every frame after one that nobody asked for."""
    client = make_venue("duplicate=1", "garbage=1").connect()
    client.subscribe("trades", coin="BTC")
    client.texts()
    client.venue.advance(1)
    texts = client.texts()
    assert 30 == len(texts)
    assert all(texts[at + 1] == texts[at + 2] != texts[at] for at in range(0, 30, 3))


def test_giant_frame_comes_once_a_socket(make_venue: Callable[..., Any]) -> None:
    """Larger than the 1 MiB that many clients take at most."""
    client = make_venue("giant_frame", "quiet=trades,bbo").connect()
    client.subscribe("trades", coin="BTC")
    client.subscribe("bbo", coin="BTC")
    assert 1 == len([text for text in client.texts() if len(text) > 2**20])


def test_socket_is_killed_in_the_middle_of_its_resubscribing(make_venue: Callable[..., Any]) -> None:
    """A reconnect that had four subscriptions to bring back is reset at the second, once."""
    venue = make_venue("kill_during_resubscribe")
    coins = ("BTC", "ETH", "SOL", "BNB")

    def connect() -> Any:
        client = venue.connect()
        for coin in coins:
            client.subscribe("trades", coin=coin)
        return client

    first = connect()
    assert first.session.ending is None
    venue.engine.closed(first.session, "test")
    second = connect()
    assert "reset" == second.session.ending.how
    assert 1 == len(second.session.record.subscriptions)
    venue.engine.closed(second.session, "test")
    assert connect().session.ending is None


def test_greeting_is_the_first_frame(make_venue: Callable[..., Any]) -> None:
    """The text that older servers sent."""
    assert ["Websocket connection established."] == make_venue("greeting").connect().texts()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("http_429=7", (429, 7.0)), ("http_503", (503, 5.0)), ("http_403", (403, None))],
)
def test_upgrades_are_refused_with_the_status(
    make_venue: Callable[..., Any], fault: str, expected: object
) -> None:
    """And its Retry-After."""
    refusal = make_venue(fault).engine.admit("/ws", "127.0.0.1")
    assert expected == (refusal.status, refusal.retry_after)


def test_real_limits_refuse_the_eleventh_socket_and_the_thirty_first_dial(
    make_venue: Callable[..., Any],
) -> None:
    """For one client address; another has its own."""
    venue = make_venue("limits=real")
    for _ in range(10):
        assert venue.engine.admit("/ws", "10.0.0.1") is None
        venue.connect(client="10.0.0.1")
    assert 429 == venue.engine.admit("/ws", "10.0.0.1").status
    assert venue.engine.admit("/ws", "10.0.0.2") is None
    refused = [venue.engine.admit("/ws", "10.0.0.2") for _ in range(30)]
    assert [None] * 29 == refused[:29]
    assert (429, 60.0) == (refused[29].status, refused[29].retry_after)


def test_socket_over_the_limit_can_be_accepted_and_closed_instead(make_venue: Callable[..., Any]) -> None:
    """What the venue does at that limit is not documented: a client must survive both."""
    venue = make_venue(limits=Limits(connections=1, at_connection_limit="close"))
    first = venue.connect()
    assert venue.engine.admit("/ws", "127.0.0.1") is None
    second = venue.connect()
    assert (None, "close") == (first.session.ending, second.session.ending.how)


def test_faults_can_be_changed_while_sockets_are_open(make_venue: Callable[..., Any]) -> None:
    """A socket goes silent, and speaks again when the fault is taken away; what was due meanwhile is lost."""
    venue = make_venue()
    client = venue.connect()
    client.subscribe("trades", coin="BTC")
    client.texts()
    venue.engine.set_faults(parse_faults(["blackhole_after=0"]))
    venue.advance(1)
    assert [] == client.texts()
    venue.engine.set_faults(Faults())
    venue.advance(1)
    assert 10 == len(client.texts())


def test_idle_socket_is_cut_after_its_time_unless_data_or_a_pong_was_sent(
    make_venue: Callable[..., Any],
) -> None:
    """Acknowledgements and errors do not count."""
    venue = make_venue("quiet=orderUpdates")
    quiet, pinging, streaming = (venue.connect() for _ in range(3))
    for second in range(65):
        venue.advance(1)
        if second == 40:
            pinging.send({"method": "ping"})
            quiet.subscribe("orderUpdates", user=USER)
            quiet.send("nonsense")
        if second == 1:
            streaming.subscribe("bbo", coin="BTC")
        for client in (quiet, pinging, streaming):
            client.texts()
    assert ["cut", None, None] == [
        c.session.ending and c.session.ending.how for c in (quiet, pinging, streaming)
    ]
    venue.advance(40)
    assert "cut" == pinging.session.ending.how


def test_reader_that_takes_nothing_is_reset_and_holds_up_nobody(make_venue: Callable[..., Any]) -> None:
    """The outbox of a stuck socket is bounded, and a stream's other readers go on."""
    venue = make_venue(rate=50)
    stuck, reading = venue.connect(), venue.connect()
    for client in (stuck, reading):
        client.subscribe("allDexsAssetCtxs")
    received = 0
    for _ in range(100):
        venue.advance(0.1)
        received += len(reading.texts())
    assert "reset" == stuck.session.ending.how
    assert "too slowly" in stuck.session.ending.why
    assert received > 200
    assert stuck.session.record.sent_bytes < MAX_OUTBOX
