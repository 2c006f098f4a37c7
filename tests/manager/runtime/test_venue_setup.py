"""Setting up venues: which of them share quotas, and what of a configuration cannot be meant."""

from __future__ import annotations

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


def test_requests_are_numbered_from_anywhere() -> None:
    """An id that a venue makes up hits nobody's request."""
    starts = {set_up(a={}).venues["a"].model.requests.number for _ in range(5)}
    assert len(starts) > 1
