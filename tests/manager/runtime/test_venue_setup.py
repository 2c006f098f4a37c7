"""Setting up venues: which of them share quotas, and what of a configuration cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.config import load_config
from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.venue_setup import add_venues
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

if TYPE_CHECKING:
    from wsmgr.manager.venues.dialect import DeskSettings

MAIN = "wss://api.hyperliquid.xyz/ws"
ALICE = "0x" + "aB" * 20
AUTHORITY = Path(__file__).parent.parent / "transport" / "authority-cert.pem"


async def connect(*_: object) -> Any:
    """Nothing is dialled here."""
    raise NotImplementedError


def set_up(**venues: dict[str, Any]) -> Context:
    """The context of a configuration with these venues."""
    tables = {name.replace("_", "-"): {"dialect": "hyperliquid", **table} for name, table in venues.items()}
    context = Context(Clock(lambda: 0.0, lambda: 0.0), connect)  # type: ignore[arg-type]  # never called
    add_venues(context, load_config({"venues": tables}, venues=tuple(tables), environ={}), None)
    return context


@pytest.mark.parametrize(
    "other",
    ["wss://api.hyperliquid.xyz:443/ws", "wss://API.hyperliquid.xyz/ws", "wss://api.hyperliquid.xyz./ws"],
)
def test_one_host_is_one_origin_however_it_is_written(other: str) -> None:
    """The venue counts its quotas by address, not by spelling."""
    context = set_up(a={"url": MAIN, "account": ALICE}, b={"url": other})
    assert 1 == len(context.origins)
    with pytest.raises(ConfigurationError, match="same account"):
        set_up(a={"url": MAIN}, b={"url": other})


def test_an_account_in_another_case_is_the_same_account() -> None:
    """An address has no case."""
    with pytest.raises(ConfigurationError, match="same account"):
        set_up(a={"account": ALICE}, b={"account": ALICE.lower()})


def test_venues_of_one_origin_have_one_set_of_quotas() -> None:
    """What the second one says is never passed over in silence."""
    with pytest.raises(ConfigurationError, match="'a' and 'b' share the quotas"):
        set_up(a={"quotas": {"users": 3}}, b={"account": ALICE, "quotas": {"users": 7}})
    context = set_up(a={"quotas": {"users": 3}}, b={"account": ALICE, "quotas": {"users": 3}})
    (origin,) = context.origins.values()
    assert 3 == origin.origin.quotas.users


def test_addresses_that_are_shown_alike_are_different_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of them said is kept apart, and nothing secret of an address is in the name of its source."""
    given: list[DeskSettings] = []
    monkeypatch.setattr(HyperliquidDialect, "desk", lambda _, __, settings: given.append(settings))
    base, secret = "wss://example.com/ws", "?token=abcxyz"
    for url in (base, base, base + secret):
        _ = set_up(a={"url": url}).venues["a"].desk
    first, again, other = given
    assert first.source == again.source
    assert first.source != other.source
    assert [first.url] * 2 == [again.url, other.url]
    assert "abcxyz" not in other.url + other.source


@pytest.mark.parametrize(
    "way",
    [{"source_address": "10.0.0.2"}, {"proxy": "socks5://10.0.0.9:1080"}, {"proxy": "http://10.0.0.9:1080"}],
)
def test_another_way_to_the_same_host_is_another_origin(way: dict[str, str]) -> None:
    """A venue counts by the address that it sees: dials, `Retry-After` and quotas of one are not the other's."""
    context = set_up(a={}, b={"account": ALICE, **way}, c={"account": "0x" + "12" * 20, **way})
    a, b, c = (context.venues[name].origin for name in "abc")
    assert a is not b
    assert b is c
    assert a.dialling is not b.dialling


def test_one_proxy_is_one_origin_whatever_its_user_and_however_it_is_written() -> None:
    """The quota of its address is kept, and no password becomes part of a name."""
    context = set_up(
        a={"proxy": "socks5://alice:secret@Proxy.example:1080"},
        b={
            "account": ALICE,
            "proxy": "socks5://bob:secret2@proxy.example:1080/",
            "source_address": "10.0.0.2",
        },
    )
    assert ["hyperliquid:api.hyperliquid.xyz@socks5://proxy.example:1080"] == list(context.origins)


def test_every_host_is_dialled_the_way_that_was_configured() -> None:
    """Proxy, source address and certificates go into each dial; none of them is shown with it."""
    proxy = "socks5://user:secret@proxy.example:1080"
    context = set_up(a={"proxy": proxy, "source_address": "10.0.0.2", "ca_file": str(AUTHORITY)})
    venue = context.venues["a"]
    for dial in venue.dials.values():
        assert (proxy, "10.0.0.2") == (dial.proxy, dial.source_address)
        assert dial.ssl_context is not None
        assert ["wsmgr test authority"] == [
            found["subject"][0][0][1] for found in dial.ssl_context.get_ca_certs()
        ]
    assert "secret" not in repr(venue.dials)


def test_a_file_of_certificates_is_read_at_the_start(tmp_path: Path) -> None:
    """What is wrong with it is said before anything is dialled."""
    for text in ("", "no certificate"):
        file = tmp_path / "ca.pem"
        file.write_text(text)
        with pytest.raises(
            ConfigurationError, match=r"venues.a.: .*ca\.pem holds no certificate in PEM form"
        ):
            set_up(a={"ca_file": str(file)})
    with pytest.raises(ConfigurationError, match=r"nofile\.pem cannot be read: No such file"):
        set_up(a={"ca_file": str(tmp_path / "nofile.pem")})
    with pytest.raises(ConfigurationError, match=r"is for wss:// addresses, and ws://127.0.0.1:9/"):
        set_up(a={"url": "ws://127.0.0.1:9/ws", "ca_file": str(AUTHORITY)})


def test_requests_are_numbered_from_anywhere() -> None:
    """An id that a venue makes up hits nobody's request."""
    starts = {set_up(a={}).venues["a"].model.requests.number for _ in range(5)}
    assert len(starts) > 1
