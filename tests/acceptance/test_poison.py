"""Ten poisoned subscriptions among a hundred: each is found out and parked with its reason, and the ninety go on.

Poisoned are streams of a dialect with a bug, installed as other distributions install theirs: of some coins it gives the numbers of frames
as text, which our own code stumbles over at every frame. All hundred sit on one socket, and frames come in no particular order, so one
crash after another names another suspect.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.acceptance.terminal import Daemon
from wsmgr.manager.daemon.unix_client import DaemonClient
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import StartSimulator
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

SUBSCRIPTIONS, POISONED = 100, 10
BUDGET = 4
"""How many crashes park a connection."""
WITHIN = 30.0
AFTERWARDS = 1.0
WHY = "TypeError: can only concatenate str"
DIALECT = """
import os

from attrs import define, evolve

from wsmgr.manager.model.frame import Data
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG

POISONED = frozenset(f"bbo:{coin}" for coin in os.environ["POISONED_COINS"].split(","))


@define(eq=False)
class Buggy(HyperliquidDialect):
    def classify(self, raw):
        frame = HyperliquidDialect.classify(self, raw)
        if type(frame) is Data and frame.wire_key in POISONED:
            frame.venue_seq = "17"
        return frame


def dialect():
    return Buggy(name="buggy", catalog={**CATALOG, "bbo": evolve(CATALOG["bbo"], numbered=True)})
"""
CONFIG = """
[venues.poisoned]
dialect = "buggy"
url = "{url}"

[venues.poisoned.quotas]  # a hundred subscribes on each of a dozen sockets: the minute's quotas would only make it longer
dials_per_minute = "off"
messages_per_minute = "off"
"""


class ConfiguredDaemon(Daemon):
    """A daemon that runs with a configuration file."""

    def __init__(self, config: Path, state_dir: Path) -> None:
        super().__init__("", "asyncio", state_dir)
        self._config = config
        self.client = DaemonClient(StateDirectory(state_dir).socket())

    def start(self) -> None:
        self("--backend", self.backend, "--config", str(self._config), "daemon", "start")

    def rows(self) -> list[dict[str, Any]]:
        return list(self.client.items("/v1/subscriptions"))

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.client.items("/v1/events") if event["kind"] == kind]

    def acknowledged(self, count: int) -> None:
        """Wait until so many subscriptions are acknowledged."""
        deadline = time.monotonic() + WITHIN
        while count != sum(row["state"] == "acknowledged" for row in self.rows()):
            assert time.monotonic() < deadline, self.rows()
            time.sleep(0.05)

    def settled(self, healthy: int, parked: int) -> list[dict[str, Any]]:
        """Wait until so many are live and so many have failed; returns the rows of these."""
        deadline = time.monotonic() + WITHIN
        while True:
            rows = self.rows()
            states = [row["state"] for row in rows]
            if (healthy, parked) == (states.count("live"), states.count("failed")):
                return [row for row in rows if row["state"] == "failed"]
            assert time.monotonic() < deadline, {state: states.count(state) for state in states}
            time.sleep(0.05)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    """Install the dialect for the processes that are started from here: `install(poisoned_coins)`."""

    def run(coins: list[str]) -> None:
        site = tmp_path / "site"
        (site / "buggy-1.0.dist-info").mkdir(parents=True)
        (site / "buggy_dialect.py").write_text(DIALECT)
        (site / "buggy-1.0.dist-info/METADATA").write_text(
            "Metadata-Version: 2.1\nName: buggy\nVersion: 1.0\n"
        )
        (site / "buggy-1.0.dist-info/entry_points.txt").write_text(
            "[wsmgr.dialects]\nbuggy = buggy_dialect:dialect\n"
        )
        monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join([str(site), *os.environ.get("PYTHONPATH", "").split()])
        )
        monkeypatch.setenv("POISONED_COINS", ",".join(coins))

    return run


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[[SimulatorThread], ConfiguredDaemon]]:
    """Start a daemon on a simulator: `daemon(simulator)`."""
    started: list[ConfiguredDaemon] = []

    def start(simulator: SimulatorThread) -> ConfiguredDaemon:
        config = tmp_path / "wsmgr.toml"
        config.write_text(CONFIG.format(url=simulator.address.url))
        started.append(ConfiguredDaemon(config, tmp_path / "state"))
        started[0].start()
        return started[0]

    yield start
    for each in started:
        each.kill()


def coins_of(simulator: SimulatorThread) -> list[str]:
    """Return the venue's coins."""
    mids: dict[str, str] = msgspec.json.decode(simulator.request("POST", "/info", {"type": "allMids"}))
    return sorted(mids)


def check(served: ConfiguredDaemon, simulator: SimulatorThread, poisoned: list[str], *, dials: int) -> None:
    """Wait until it has settled: the poisoned ones alone are parked with their reason, and nothing goes on for ever."""
    parked = served.settled(SUBSCRIPTIONS - POISONED, POISONED)
    assert sorted(poisoned) == sorted(row["params"]["coin"] for row in parked)
    assert [] == [row["error"] for row in parked if not row["error"].startswith(WHY)]
    told = {event["subscription_id"] for event in served.events("failed") if WHY in event["detail"]["error"]}
    assert {row["id"] for row in parked} == told
    now = simulator.log()["dials"]
    # Each crash and each park costs a dial: of the connection that they all sit on, or of one for a suspect alone.
    assert POISONED < now - dials <= 1 + BUDGET * POISONED
    time.sleep(AFTERWARDS)
    served.settled(SUBSCRIPTIONS - POISONED, POISONED)
    assert now == simulator.log()["dials"], "it goes on for ever"


def test_ten_poisoned_subscriptions_are_parked_with_their_reason_while_ninety_live_and_after_a_restart_too(
    start_simulator: StartSimulator,
    install: Callable[[list[str]], None],
    daemon: Callable[[SimulatorThread], ConfiguredDaemon],
) -> None:
    """Nobody else is parked with them; the process that follows needs no more attempts than it takes to find each out."""
    simulator = start_simulator("mute=bbo", rate=20)
    coins = coins_of(simulator)[:SUBSCRIPTIONS]
    poisoned = coins[:: SUBSCRIPTIONS // POISONED]
    install(poisoned)
    served = daemon(simulator)
    for coin in coins:
        wish = {"type": "bbo", "venue": "poisoned", "params": {"coin": coin}, "keep": True, "wait": "none"}
        served.client.subscribe(wish)
    served.acknowledged(SUBSCRIPTIONS)
    simulator.set_faults()
    check(served, simulator, poisoned, dials=0)

    served.kill()
    served.backend = "trio"
    before = simulator.log()["dials"]
    served.start()
    check(served, simulator, poisoned, dials=before)
