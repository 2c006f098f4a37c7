"""Hyperliquid's dialect: what it asks the venue for, and whom it turns away before asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from wsmgr.manager.model.errors import ConfigurationError, ParameterError, UnknownTypeError
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.dialect import Hyperliquid

if TYPE_CHECKING:
    from wsmgr.manager.venues.dialect import Dialect

DIALECT = Hyperliquid()
UPPER = "0xABCDEF0123456789ABCDEF0123456789ABCDEF01"
USER = UPPER.lower()


def test_it_is_a_dialect() -> None:
    """The runtime knows nothing of it but the protocol."""
    dialect: Dialect = DIALECT
    assert "hyperliquid" == dialect.name
    assert CATALOG is dialect.catalog
    assert "wss://api.hyperliquid.xyz/ws" == dialect.default_url


def test_its_quotas_are_the_venues() -> None:
    """The limits that keep a caller from being locked out."""
    quotas = DIALECT.quotas
    assert (10, 30, 1000) == (quotas.connections, quotas.dials_per_minute, quotas.subscriptions)
    assert (10, 2000, 100) == (quotas.users, quotas.messages_per_minute, quotas.requests_in_flight)


def test_its_keep_alive_comes_well_within_the_idle_limit() -> None:
    """The venue closes a socket after 60 s without data or pong; only the application's ping makes a pong."""
    assert 30.0 == DIALECT.keep_alive.interval
    assert b'{"method":"ping"}' == DIALECT.keep_alive.frame


@pytest.mark.parametrize(
    ("name", "params", "subscription"),
    [
        ("allMids", {"dex": ""}, b'{"type":"allMids"}'),
        ("candle", {"interval": "1m", "coin": "BTC"}, b'{"type":"candle","coin":"BTC","interval":"1m"}'),
        (
            "l2Book",
            {"nSigFigs": "5", "mantissa": 2, "coin": "BTC", "fast": False},
            b'{"type":"l2Book","coin":"BTC","mantissa":2,"nSigFigs":5}',
        ),
        (
            "userFills",
            {"user": UPPER, "aggregateByTime": "yes"},
            b'{"type":"userFills","aggregateByTime":true,"user":"%s"}' % USER.encode(),
        ),
    ],
)
def test_requests_are_canonical(name: str, params: dict[str, Any], subscription: bytes) -> None:
    """Equal wishes are equal bytes, and what is ended is exactly what was asked for."""
    atom = DIALECT.atom(name, params)
    assert b'{"method":"subscribe","subscription":%s}' % subscription == DIALECT.subscribe(atom)
    assert b'{"method":"unsubscribe","subscription":%s}' % subscription == DIALECT.unsubscribe(atom)


def test_a_request_is_acknowledged_as_itself() -> None:
    """What is sent, echoed word for word, is the acknowledgement of the wish."""
    atom = DIALECT.atom("l2Book", {"coin": "BTC", "nSigFigs": 3})
    request = msgspec.json.decode(DIALECT.subscribe(atom))
    echo = msgspec.json.encode({"channel": "subscriptionResponse", "data": request})
    found = DIALECT.classify(echo)
    assert ("subscribe", "l2Book", atom.params) == (
        getattr(found, "method", None),
        getattr(found, "type", None),
        getattr(found, "params", None),
    )


@pytest.mark.parametrize(
    ("name", "params", "wire_key", "user"),
    [
        ("allMids", {}, "allMids", None),
        ("allMids", {"dex": "xyz"}, "allMids:xyz", None),
        ("l2Book", {"coin": "BTC"}, "l2Book:BTC", None),
        ("l2Book", {"coin": "BTC", "nSigFigs": 3}, "l2Book:BTC", None),
        ("candle", {"coin": "BTC", "interval": "1m"}, "candle:BTC,1m", None),
        ("activeAssetCtx", {"coin": "@107"}, "activeAssetCtx:@107", None),
        ("openOrders", {"user": UPPER}, f"openOrders:{USER}", USER),
        ("openOrders", {"user": UPPER, "dex": "xyz"}, f"openOrders:{USER},xyz", USER),
        ("webData3", {"user": UPPER}, f"webData3:{USER}", USER),
        ("orderUpdates", {"user": UPPER}, "orderUpdates", USER),
        ("userEvents", {"user": UPPER}, "user", USER),
    ],
)
def test_a_wish_knows_what_its_frames_will_show(
    name: str, params: dict[str, Any], wire_key: str, user: str | None
) -> None:
    """Placement keeps apart what the wire cannot tell apart, and counts the users."""
    atom = DIALECT.atom(name, params)
    assert wire_key == atom.wire_key
    assert user == atom.user


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("l2book", "did you mean l2Book?"),
        ("L2BOOK", "did you mean l2Book?"),
        ("trade", "did you mean trades?"),
        ("userFill", "userFills"),
        ("userfills", "did you mean userFills?"),
        ("webData", "did you mean webData3?"),
        ("activeSpotAssetCtx", "activeAssetCtx"),
        ("orderbook", "`wsmgr types hyperliquid`"),
        ("", "`wsmgr types hyperliquid`"),
    ],
)
def test_a_type_that_does_not_exist_is_refused_with_the_nearest_names(name: str, words: str) -> None:
    """A slip of the pen is answered with what was probably meant, before anything is sent."""
    with pytest.raises(UnknownTypeError) as raised:
        DIALECT.atom(name, {"coin": "BTC"})
    assert repr(name) in str(raised.value)
    assert words in str(raised.value)
    assert "webData2" not in str(raised.value)


def test_a_removed_type_is_refused_with_its_replacement() -> None:
    """Who still asks for webData2 is told what took its place, not that it never was."""
    with pytest.raises(UnknownTypeError, match=r"webData2: the venue removed it .* use webData3"):
        DIALECT.atom("webData2", {"user": USER})


def test_a_wrong_parameter_is_refused_before_anything_is_sent() -> None:
    """The catalog's checks stand between a caller and the wire; whether a coin exists is the venue's to say."""
    with pytest.raises(ParameterError, match="interval"):
        DIALECT.atom("candle", {"coin": "BTC", "interval": "7m"})
    assert {"coin": "NOSUCHCOIN"} == DIALECT.atom("trades", {"coin": "NOSUCHCOIN"}).params


@pytest.mark.parametrize(
    ("base", "explorer"),
    [
        ("wss://api.hyperliquid.xyz/ws", "wss://rpc.hyperliquid.xyz/ws"),
        ("wss://API.hyperliquid.xyz:443/ws", "wss://rpc.hyperliquid.xyz:443/ws"),
        ("wss://api.hyperliquid-testnet.xyz/ws", "wss://rpc.hyperliquid-testnet.xyz/ws"),
        ("ws://127.0.0.1:4000/ws", "ws://127.0.0.1:4000/explorer/ws"),
        ("ws://127.0.0.1:4000/ws/", "ws://127.0.0.1:4000/explorer/ws"),
        ("ws://127.0.0.1:4000", "ws://127.0.0.1:4000/explorer/ws"),
        ("wss://proxy/hl/ws?key=1", "wss://proxy/hl/explorer/ws?key=1"),
    ],
)
def test_the_explorer_is_found_from_the_venues_address(base: str, explorer: str) -> None:
    """One `--url` names every host of the venue: the real ones, a simulator, a proxy."""
    assert base == DIALECT.url(base, "api")
    assert explorer == DIALECT.url(base, "explorer")


def test_a_host_that_does_not_exist_is_named() -> None:
    """A catalog that names another host is a mistake that says so."""
    with pytest.raises(ConfigurationError, match="'evm'"):
        DIALECT.url(DIALECT.default_url, "evm")
