"""The desk of one venue: which network it signs for, and what its files are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread
from attrs import define, field
from tests.manager.venues.hyperliquid.exchange.world import DEFAULT, META, SPOT_META

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.outcome import Answered, Outcome
from wsmgr.manager.venues.dialect import DeskSettings
from wsmgr.manager.venues.hyperliquid.desk import Desk
from wsmgr.manager.venues.hyperliquid.universe import UniverseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.venues.dialect import RequestKind

pytestmark = pytest.mark.anyio

SIMULATOR = "ws://127.0.0.1:9000/ws"
PREVIEW = {"type": "schedule_cancellation"}


@define
class Venue:
    """Answers what a universe is made of, and takes every action."""

    meta: Any = field(factory=lambda: META)
    nonces: list[int] = field(factory=list)

    async def request(
        self, kind: RequestKind, payload: Mapping[str, Any], *, timeout: float = 30.0
    ) -> Outcome[Any]:
        if kind == "action":
            self.nonces.append(payload["nonce"])
            return Answered({"status": "ok", "response": DEFAULT})
        found = {"meta": self.meta, "spotMeta": SPOT_META, "perpDexs": [None]}
        return Answered(found[payload["type"]])


@define
class World:
    """Makes desks, and keeps what they note."""

    directory: Path | None = None
    venue: Venue = field(factory=Venue)
    notes: list[Fact] = field(factory=list)
    ahead: float = 0.0
    source: str = "sha256:1"

    async def record(self, fact: Fact) -> None:
        self.notes.append(fact)

    def desk(self, url: str = SIMULATOR, name: str = "hyperliquid", **options: object) -> Desk:
        settings = DeskSettings(
            venue=name,
            url=url,
            source=self.source,
            account=None,
            options=options,
            directory=self.directory,
            wall=lambda: time.time() + self.ahead,
            note=self.notes.append,
            record=self.record,
        )
        return Desk(self.venue, settings)


@pytest.mark.parametrize(
    ("url", "options", "network"),
    [
        ("wss://api.hyperliquid.xyz/ws", {}, "mainnet"),
        ("wss://API.hyperliquid.xyz./ws", {}, "mainnet"),
        ("wss://api.hyperliquid-testnet.xyz/ws", {}, "testnet"),
        ("wss://api.hyperliquid-testnet.xyz./ws", {}, "testnet"),
        ("wss://api-ui.hyperliquid-testnet.xyz/ws", {"network": "testnet"}, "testnet"),
        ("wss://api-ui.hyperliquid-testnet.xyz:443/ws", {}, "testnet"),
        (SIMULATOR, {}, None),
        (SIMULATOR, {"network": "testnet"}, "testnet"),
        (SIMULATOR, {"network": "mainnet"}, "mainnet"),
        ("wss://api.hyperliquid.xyz.example.com/ws", {}, None),
        ("wss://nothyperliquid.xyz/ws", {}, None),
    ],
)
async def test_the_network_is_what_the_address_or_the_setting_says(
    url: str, options: dict[str, Any], network: str | None
) -> None:
    """No other address is taken for the main network: whoever stands there could send what is signed to the real one."""
    shown = await World().desk(url, **options).preview(PREVIEW)
    assert network == shown["network"]


@pytest.mark.parametrize(
    ("url", "network", "words"),
    [
        ("wss://api.hyperliquid.xyz./ws", "testnet", "api.hyperliquid.xyz is the mainnet"),
        ("wss://rpc.hyperliquid-testnet.xyz/ws", "mainnet", "rpc.hyperliquid-testnet.xyz is the testnet"),
        (SIMULATOR, "tesnet", "did you mean testnet"),
    ],
)
def test_a_network_that_contradicts_the_address_is_heard_at_the_start(
    url: str, network: str, words: str
) -> None:
    """Not at the first order."""
    with pytest.raises(ConfigurationError, match=words):
        World().desk(url, network=network)


async def test_two_venues_with_one_key_never_use_one_nonce_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file for all venues of a state directory; and memory, where there is none."""
    key = tmp_path / "key"
    key.write_text("4e" * 32)
    key.chmod(0o600)
    options: dict[str, Any] = {"trading": True, "network": "testnet", "secret_key_file": str(key)}
    monkeypatch.setattr(time, "time", lambda now=time.time(): now)  # noqa: B008 - it stands still
    world = World(tmp_path)
    desks = [world.desk(name=name, **options) for name in ("hyperliquid", "desk-b")]
    world.directory = None
    desks.append(world.desk(name="desk-c", **options))
    for _ in range(20):
        for desk in desks:
            await desk.act(PREVIEW, who="tester")
    assert 60 == len(set(world.venue.nonces))
    assert ["key", "nonces.json"] == sorted(
        each.name for each in await to_thread.run_sync(lambda: [*tmp_path.iterdir()])
    )


async def test_what_one_network_said_is_not_taken_for_the_others(tmp_path: Path) -> None:
    """One address may be a proxy of either: numbers are other assets there."""
    world = World(tmp_path)
    assert "ETH" == await world.desk(network="testnet").universe.coin(1)
    world.venue.meta = {"universe": [{"name": "SOL", "szDecimals": 2}, {"name": "BTC", "szDecimals": 5}]}
    assert "ETH" == await world.desk(network="testnet").universe.coin(1)
    assert "BTC" == await world.desk(network="mainnet").universe.coin(1)
    assert [] == world.notes


async def test_what_one_address_said_is_not_taken_for_anothers_that_is_shown_alike(tmp_path: Path) -> None:
    """What differs may stand in the part of an address that is never shown."""
    world = World(tmp_path)
    assert "ETH" == await world.desk(network="testnet").universe.coin(1)
    world.venue.meta = {"universe": [{"name": "SOL", "szDecimals": 2}, {"name": "BTC", "szDecimals": 5}]}
    world.source = "sha256:2"
    assert "BTC" == await world.desk(network="testnet").universe.coin(1)


async def test_an_asset_whose_number_changes_is_an_event() -> None:
    """Somebody has to look: nothing is signed by it."""
    world = World()
    desk = world.desk()
    await desk.universe.asset("ETH")
    world.venue.meta = {"universe": [*META["universe"][1:], META["universe"][0]]}
    world.ahead = 86_401
    with pytest.raises(UniverseError, match="ETH had the asset id 1"):
        await desk.universe.asset("ETH")
    (note,) = world.notes
    assert ("asset_ids_moved", "error", "hyperliquid") == (note.kind, note.level, note.venue)
    assert {"before": 1, "now": 0} == note.detail["ids"]["ETH"]
