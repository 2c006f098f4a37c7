"""Hyperliquid's dialect: what it asks the venue for, and whom it turns away before asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from wsmgr.manager.model.errors import ConfigurationError, ParameterError, UnknownTypeError
from wsmgr.manager.venues import dialects
from wsmgr.manager.venues.dialect import Ack, Data, Unroutable
from wsmgr.manager.venues.dialects import dialect_named
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

if TYPE_CHECKING:
    from wsmgr.manager.venues.dialect import Dialect

DIALECT = HyperliquidDialect()
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


@pytest.mark.parametrize(
    "name", [name for name, each in CATALOG.items() if each.private and not each.removed]
)
def test_an_address_has_one_form_and_nonsense_is_refused_here(name: str) -> None:
    """Two users with the same address in different case are one user; what is no address never reaches the venue."""
    more = {"coin": "BTC"} if "coin" in CATALOG[name].required else {}
    spelled = [DIALECT.atom(name, {"user": user, **more}) for user in (UPPER, USER, "0xABCDEF" + USER[8:])]
    assert [USER] * 3 == [atom.user for atom in spelled]
    assert [dict(spelled[1].params)] * 3 == [dict(atom.params) for atom in spelled]
    assert 1 == len({atom.wire_key for atom in spelled})
    nonsense = (
        "0x",
        "0x12",
        USER[2:],
        USER + "0",
        USER[:-1],
        USER[:-1] + "g",
        "0X" + USER[2:],
        f" {USER}",
        "vitalik.eth",
    )
    for user in nonsense:
        with pytest.raises(ParameterError, match="0x and 40 hexadecimal digits"):
            DIALECT.atom(name, {"user": user, **more})


@pytest.mark.parametrize("name", ["explorerBlock", "explorerTxs"])
def test_the_explorers_streams_are_asked_for_as_the_others(name: str) -> None:
    """Their frames are bare; requests and acknowledgements are not."""
    atom = DIALECT.atom(name, {})
    assert b'{"method":"subscribe","subscription":{"type":"%s"}}' % name.encode() == DIALECT.subscribe(atom)
    echo = msgspec.json.encode(
        {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": {"type": name}}}
    )
    assert Ack("subscribe", name, {}) == DIALECT.classify(echo)


def test_the_explorers_streams_stand_beside_each_other() -> None:
    """Their wire keys differ, so that one socket carries both."""
    block, txs = DIALECT.atom("explorerBlock", {}), DIALECT.atom("explorerTxs", {})
    assert ("explorer", "explorer") == (block.type.host, txs.type.host)
    assert block.wire_key != txs.wire_key


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


ADDED: dict[str, Any] = {
    "parameters": [
        {"name": "coin", "required": True},
        {"name": "24h", "kind": "integer", "default": 7},
        {"name": "deep", "kind": "flag", "default": False},
        {"name": "owner", "kind": "address"},
    ],
    "identity": {"coin": "of.coin", "24h": "24h-window", "deep": "of.is.deep", "owner": "user.address"},
    "time": "of.at",
}


@pytest.mark.parametrize(
    ("params", "data", "wire_key"),
    [
        ({"coin": "BTC"}, {"of": {"coin": "BTC"}}, "l3Book:BTC"),
        ({"coin": "BTC", "24h": 7}, {"of": {"coin": "BTC"}, "24h-window": 7}, "l3Book:BTC"),
        ({"coin": "BTC", "24h": "1"}, {"of": {"coin": "BTC"}, "24h-window": 1}, "l3Book:BTC,1"),
        ({"coin": "BTC", "deep": "yes"}, {"of": {"coin": "BTC", "is": {"deep": True}}}, "l3Book:BTC,,true"),
        ({"coin": "BTC", "deep": False}, {"of": {"coin": "BTC", "is": {"deep": False}}}, "l3Book:BTC"),
        (
            {"coin": "BTC", "owner": UPPER},
            {"of": {"coin": "BTC"}, "user": {"address": UPPER}},
            f"l3Book:BTC,,,{USER}",
        ),
    ],
)
def test_an_added_type_is_asked_for_and_routed(
    params: dict[str, Any], data: dict[str, Any], wire_key: str
) -> None:
    """By paths that no built-in type has, through members that are something else elsewhere, named in no Python."""
    dialect = DIALECT.with_types({"l3Book": ADDED})
    atom = dialect.atom("l3Book", params)
    data["of"]["at"] = 2500
    assert wire_key == atom.wire_key
    assert Data(wire_key, venue_time=2.5) == dialect.classify(
        msgspec.json.encode({"channel": "l3Book", "data": data})
    )
    request = msgspec.json.decode(dialect.subscribe(atom))
    echo = msgspec.json.encode({"channel": "subscriptionResponse", "data": request})
    assert Ack("subscribe", "l3Book", dict(atom.params)) == dialect.classify(echo)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"of": "BTC"},
        {"of": {"coin": 7}},
        {"of": [{"coin": "BTC"}]},
        [{"of": {"coin": "BTC"}}],
        "BTC",
        None,
        7,
    ],
)
def test_an_added_type_is_routed_by_what_it_declared_or_not_at_all(data: object) -> None:
    """A frame that does not say whose it is goes to nobody."""
    dialect = DIALECT.with_types({"l3Book": ADDED})
    found = dialect.classify(msgspec.json.encode({"channel": "l3Book", "data": data}))
    assert Unroutable("unparsed", "l3Book") == found


def test_an_added_type_may_come_as_a_list_and_share_names_with_the_others() -> None:
    """Its members are read by its own rules, whatever the built-in types have under the same names."""
    table = {
        "parameters": [{"name": "coin", "kind": "integer", "required": True}],
        "identity": {"coin": "coin"},
        "items": "",
        "time": "subscription.time",
    }
    dialect = DIALECT.with_types({"prints": table})
    raw = msgspec.json.encode(
        {"channel": "prints", "data": [{"coin": 5}, {"coin": 5, "subscription": {"time": 3000}}]}
    )
    assert Data(dialect.atom("prints", {"coin": "5"}).wire_key, venue_time=3.0) == dialect.classify(raw)
    assert Data("trades:BTC", venue_time=1.0) == dialect.classify(
        b'{"channel":"trades","data":[{"coin":"BTC","time":1000}]}'
    )
    assert Unroutable("unparsed", "prints") == dialect.classify(
        b'{"channel":"prints","data":[{"coin":"BTC"}]}'
    )
    assert Data("prints:5", venue_time=4.0) == dialect.classify(
        b'{"channel":"prints","data":{"coin":5,"subscription":{"time":4000}}}'
    )
    assert Data("prints:5") == dialect.classify(b'{"channel":"prints","data":{"coin":5,"subscription":7}}')
    echo = b'{"method":"subscribe","subscription":{"type":"prints","coin":5}}'
    assert Ack("subscribe", "prints", {"coin": 5}) == dialect.classify(
        b'{"channel":"subscriptionResponse","data":%s}' % echo
    )


def test_an_added_type_may_be_bare_packed_or_folded() -> None:
    """What the built-in types can, an added one can: it is data, not code."""
    tables: dict[str, dict[str, object]] = {
        "explorerForks": {"bare": ["fork"], "host": "explorer", "items": "", "time": "at"},
        "slowAssetCtxs": {"packed": True, "join": "fold"},
    }
    dialect = DIALECT.with_types(tables)
    assert Data("explorerForks", venue_time=2.0) == dialect.classify(b'[{"fork":1,"at":2000}]')
    full = b'{"channel":"slowAssetCtxs","data":"q1ZyCnFWsqpWyk0syg6oULJSMlTSUcrNTIGya2sB"}'
    assert {"BTC": {"markPx": "1", "midPx": "1"}} == dialect.payload(full)
    assert full == dialect.compose(dialect.catalog["slowAssetCtxs"], [full])


def test_a_corrected_type_changes_where_it_was_told_to() -> None:
    """The venue echoes one parameter more: what could not share a socket now can."""
    dialect = DIALECT.with_types({"l2Book": {"identity": {"coin": "coin", "fast": "fast"}, "cadence": 0.5}})
    frame = b'{"channel":"l2Book","data":{"coin":"BTC","time":1000,"levels":[],"fast":true}}'
    assert "l2Book:BTC,true" == dialect.atom("l2Book", {"coin": "BTC", "fast": True}).wire_key
    assert Data("l2Book:BTC,true", venue_time=1.0) == dialect.classify(frame)
    assert Data("l2Book:BTC", venue_time=1.0) == DIALECT.classify(frame)
    assert (0.5, 5.0) == (dialect.catalog["l2Book"].cadence, DIALECT.catalog["l2Book"].cadence)


def test_a_retired_type_is_refused_with_the_reason_that_was_told() -> None:
    """What the venue removes tomorrow needs no release either."""
    dialect = DIALECT.with_types({"webData3": {"removed": "it is gone; use clearinghouseState"}})
    with pytest.raises(UnknownTypeError, match="webData3: it is gone; use clearinghouseState"):
        dialect.atom("webData3", {"user": USER})
    raw = msgspec.json.encode({"channel": "webData3", "data": {"userState": {"user": USER}}})
    assert Unroutable("unknown_channel", "webData3") == dialect.classify(raw)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"channel": "pong"}, "any but pong, subscriptionResponse, error, post"),
        ({"channel": "l2Book"}, "it is that of l2Book"),
        ({"parameters": [{"name": "type"}]}, "the name of a parameter is 'type'"),
        ({"host": "evm"}, "host is 'evm'; allowed is one of api, explorer"),
    ],
)
def test_a_type_that_would_break_the_others_is_refused(table: dict[str, object], words: str) -> None:
    """What an added type takes is its own: no answer and no other stream is lost to it."""
    with pytest.raises(ConfigurationError) as raised:
        DIALECT.with_types({"l3Book": table})
    assert "[dialects.hyperliquid.types.l3Book]" in str(raised.value)
    assert words in str(raised.value)


def test_types_of_the_configuration_reach_the_dialect_that_is_named() -> None:
    """`dialect_named` is where the configuration's tables come in."""
    assert "l3Book" in dialect_named("hyperliquid", {"l3Book": ADDED}).catalog
    assert CATALOG is dialect_named("hyperliquid").catalog
    with pytest.raises(ConfigurationError, match="no dialect 'hyperliquids'"):
        dialect_named("hyperliquids", {"l3Book": ADDED})


def test_a_dialect_that_takes_no_types_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that nobody reads is a mistake, not a wish."""

    class Point:
        name = "elsewhere"

        def load(self) -> type:
            return object

    monkeypatch.setattr(dialects, "entry_points", lambda **_: [Point()])
    with pytest.raises(ConfigurationError, match=r"dialects\.elsewhere\.types.* l3Book.* takes no types"):
        dialects.dialect_named("elsewhere", {"l3Book": ADDED})
