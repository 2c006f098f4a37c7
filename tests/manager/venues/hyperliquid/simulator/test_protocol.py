"""What the server answers: acknowledgements, echoes and the texts of the error channel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.coins import universe

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "0xABCDEF0123456789abcdef0123456789abcdef01"
LOWER = USER.lower()

# What is sent as a subscription, and its echo, byte for byte.
ECHOES = [
    (
        {"type": "candle", "coin": "HYPE", "interval": "1d"},
        '{"type":"candle","interval":"1d","coin":"HYPE"}',
    ),
    (
        {"type": "l2Book", "coin": "HYPE"},
        '{"type":"l2Book","coin":"HYPE","nSigFigs":null,"mantissa":null}',
    ),
    (
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
        '{"type":"l2Book","coin":"BTC","nSigFigs":5,"mantissa":2,"fast":true}',
    ),
    ({"coin": "HYPE", "type": "bbo"}, '{"type":"bbo","coin":"HYPE"}'),
    ({"type": "trades", "coin": "kPEPE", "unknown": 1}, '{"type":"trades","coin":"kPEPE"}'),
    ({"type": "allMids"}, '{"type":"allMids"}'),
    ({"type": "allMids", "dex": "xyz"}, '{"type":"allMids","dex":"xyz"}'),
    (
        {"type": "userFills", "user": USER},
        f'{{"type":"userFills","user":"{LOWER}","aggregateByTime":false}}',
    ),
    (
        {"type": "clearinghouseState", "user": USER, "dex": ""},
        f'{{"type":"clearinghouseState","user":"{LOWER}","dex":""}}',
    ),
    ({"type": "openOrders", "user": USER}, f'{{"type":"openOrders","user":"{LOWER}"}}'),
    (
        {"type": "spotState", "user": USER, "ignorePortfolioMargin": False},
        f'{{"type":"spotState","user":"{LOWER}","ignorePortfolioMargin":false}}',
    ),
    (
        {"type": "activeAssetData", "coin": "BTC", "user": USER},
        f'{{"type":"activeAssetData","user":"{LOWER}","coin":"BTC"}}',
    ),
]

# Requests that the server cannot read: it answers with their text.
UNREADABLE = [
    "hello",
    "",
    "[]",
    "3",
    '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"SOL"}}',
    '{"method":"subscribe","subscription":{"coin":"SOL"}}',
    '{"method":"subscribe","subscription":{"type":"nothing"}}',
    f'{{"method":"subscribe","subscription":{{"type":"webData2","user":"{LOWER}"}}}}',
    '{"method":"subscribe","subscription":{"type":"bbo"}}',
    '{"method":"subscribe","subscription":{"type":"bbo","coin":null}}',
    '{"method":"subscribe","subscription":{"type":"bbo","coin":5}}',
    '{"method":"subscribe","subscription":{"type":"userFills","user":"0x123"}}',
    '{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","nSigFigs":"5"}}',
    '{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","fast":1}}',
    '{"method":"unsubscribe","subscription":{"type":"bbo"}}',
    '{"method":"dance"}',
    '{"method":"post","request":{"type":"info","payload":{"type":"meta"}}}',
]

# Subscriptions that can be read and that the venue does not have, with their echo.
INVALID = [
    ({"type": "trades", "coin": "NOBODY"}, '{"type":"trades","coin":"NOBODY"}'),
    ({"type": "trades", "coin": "btc"}, '{"type":"trades","coin":"btc"}'),
    (
        {"type": "candle", "coin": "TST2", "interval": "1d"},
        '{"type":"candle","interval":"1d","coin":"TST2"}',
    ),
    (
        {"type": "candle", "coin": "BTC", "interval": "7m"},
        '{"type":"candle","interval":"7m","coin":"BTC"}',
    ),
    (
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 7},
        '{"type":"l2Book","coin":"BTC","nSigFigs":7,"mantissa":null}',
    ),
    (
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
        '{"type":"l2Book","coin":"BTC","nSigFigs":4,"mantissa":2}',
    ),
    ({"type": "assetCtxs", "dex": "nodex"}, '{"type":"assetCtxs","dex":"nodex"}'),
    (
        {"type": "activeAssetData", "user": USER, "coin": "@1"},
        f'{{"type":"activeAssetData","user":"{LOWER}","coin":"@1"}}',
    ),
]


@pytest.mark.parametrize(("subscription", "echo"), ECHOES)
@pytest.mark.parametrize("method", ["subscribe", "unsubscribe"])
def test_acknowledgement_repeats_the_subscription_in_the_servers_own_form(
    client: Any, subscription: dict[str, Any], echo: str, method: str
) -> None:
    """Clients match acknowledgements by this text: order, filled defaults and lower case are the venue's."""
    client.send({"method": "subscribe", "subscription": subscription})
    if method == "unsubscribe":
        client.texts()
        client.send({"method": method, "subscription": subscription})
    expected = f'{{"channel":"subscriptionResponse","data":{{"method":"{method}","subscription":{echo}}}}}'
    assert expected == client.texts()[0]


def test_ping_is_answered_by_a_pong_without_data(client: Any) -> None:
    """The exact frame that clients compare with."""
    client.send({"method": "ping"})
    assert ['{"channel":"pong"}'] == client.texts()


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_request_is_answered_with_its_own_text(client: Any, text: str) -> None:
    """A client can attribute this error only by the text that follows the colon."""
    expected = {"channel": "error", "data": f"Error parsing JSON into valid websocket request: {text}"}
    assert [expected] == client.ask(text)


@pytest.mark.parametrize(("subscription", "echo"), INVALID)
def test_subscription_to_nothing_is_refused_with_its_echo(client: Any, subscription: Any, echo: str) -> None:
    """No colon, as on the live venue; and nothing is subscribed."""
    expected = {"channel": "error", "data": f"Invalid subscription {echo}"}
    assert [expected] == client.ask({"method": "subscribe", "subscription": subscription})
    assert {} == client.session.protocol.subscriptions


def test_second_subscribe_of_the_same_thing_is_refused(client: Any) -> None:
    """A default that is written out, and the case of an address, make no second subscription."""
    client.subscribe("userFills", user=USER)
    client.texts()
    client.subscribe("userFills", user=LOWER, aggregateByTime=False)
    echo = f'{{"type":"userFills","user":"{LOWER}","aggregateByTime":false}}'
    assert [{"channel": "error", "data": f"Already subscribed: {echo}"}] == client.frames()


def test_unsubscribe_of_what_is_not_subscribed_is_refused(client: Any) -> None:
    """Variants are different subscriptions: without `fast` another one is meant."""
    client.subscribe("l2Book", coin="BTC", fast=True)
    client.texts()
    client.unsubscribe("l2Book", coin="BTC")
    echo = '{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null}'
    assert [{"channel": "error", "data": f"Already unsubscribed: {echo}"}] == client.frames()


def test_subscriptions_belong_to_their_connection(client: Any) -> None:
    """What one socket is subscribed to is new to the next, and its data goes to it alone."""
    client.subscribe("trades", coin="BTC")
    other = client.venue.connect()
    client.texts()
    other.subscribe("trades", coin="BTC")
    client.venue.advance(0.05)
    assert [] == client.frames()
    assert "subscriptionResponse" == other.frames()[0]["channel"]


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (
            {"type": "info", "payload": {"type": "l2Book", "coin": "NOBODY"}},
            {"type": "info", "payload": {"type": "l2Book", "data": None}},
        ),
        (
            {"type": "info", "payload": {"type": "nothing"}},
            {
                "type": "error",
                "payload": "422 Unprocessable Entity: Failed to deserialize the JSON body into the target type",
            },
        ),
        (
            {"type": "explorer", "payload": {}},
            {
                "type": "error",
                "payload": "422 Unprocessable Entity: Failed to deserialize the JSON body into the target type",
            },
        ),
        (
            {
                "type": "action",
                "payload": {
                    "action": {"type": "scheduleCancel"},
                    "nonce": 1_766_566_375_000,
                    "signature": {"r": "0x0", "s": "0x0", "v": 27},
                },
            },
            {"type": "action", "payload": {"status": "err", "response": "Unable to recover signer."}},
        ),
    ],
)
def test_post_is_answered_with_its_id(client: Any, request_: Any, response: Any) -> None:
    """The three wrappers of an answer, each as the venue's; the id is the client's."""
    answers = client.ask({"method": "post", "id": 123, "request": request_})
    assert [{"channel": "post", "data": {"id": 123, "response": response}}] == answers


def test_post_of_an_info_request_wraps_the_http_answer(client: Any) -> None:
    """Over the socket the body has one level more than over HTTP."""
    [answer] = client.ask(
        {"method": "post", "id": 7, "request": {"type": "info", "payload": {"type": "meta"}}}
    )
    payload = answer["data"]["response"]["payload"]
    assert "meta" == payload["type"]
    assert "BTC" == payload["data"]["universe"][0]["name"]


def test_limits_answer_with_texts_that_name_no_request(make_venue: Callable[..., Any]) -> None:
    """The venue's texts, word for word, with the number that holds."""
    venue = make_venue("limits=real", "refuse_users_over=2")
    client = venue.connect()
    for number in range(3):
        client.subscribe("orderUpdates", user=f"0x{number:040x}")
    assert {"channel": "error", "data": "Cannot track more than 2 total users."} == client.frames()[-1]
    for number in range(999):
        client.subscribe("trades" if number < 500 else "bbo", coin=list(universe())[number % 500])
    errors = [frame["data"] for frame in client.frames() if frame["channel"] == "error"]
    assert ["Cannot subscribe to more than 1000 channels."] == errors
    answers = [client.ask({"method": "ping"})[0] for _ in range(1000)]
    refused = {"channel": "error", "data": "Cannot send more than 2000 messages per minute."}
    assert 1000 - (2000 - 3 - 999) == answers.count(refused)


def test_user_that_left_counts_for_some_seconds_more(make_venue: Callable[..., Any]) -> None:
    """A client that swaps users at once meets the limit, one that waits does not."""
    venue = make_venue("refuse_users_over=1")
    client = venue.connect()
    client.subscribe("orderUpdates", user="0x" + "1" * 40)
    client.unsubscribe("orderUpdates", user="0x" + "1" * 40)
    client.subscribe("orderUpdates", user="0x" + "2" * 40)
    assert "error" == client.frames()[-1]["channel"]
    venue.advance(11)
    client.subscribe("orderUpdates", user="0x" + "2" * 40)
    assert "subscriptionResponse" == client.frames()[-1]["channel"]


def test_any_text_gets_an_answer_and_never_an_exception(client: Any) -> None:
    """A server that a client can crash is no test of the client."""
    for text in ('{"method":null}', '{"method":{}}', '{"subscription":[]}', "\x00", '{"a":1}' * 3, "9" * 400):
        assert "error" == client.ask(text)[0]["channel"]
    nested = json.dumps({"method": "subscribe", "subscription": {"type": ["trades"], "coin": {"a": 1}}})
    assert "error" == client.ask(nested)[0]["channel"]
