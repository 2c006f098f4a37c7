"""`wsmgr sim`."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Spawn


def test_the_first_line_of_a_simulator_is_its_address_and_it_ends_when_told_to(
    spawn: Spawn, cli: Cli
) -> None:
    """Scripts read one line and go on."""
    simulator = spawn("sim", "hyperliquid", "--port", "0", "--rate", "50", "--fault", "late=2")
    first = json.loads(simulator.stdout.readline())
    assert ["dialect", "url", "explorer_url", "pid"] == list(first)
    assert simulator.pid == first["pid"]
    stream = ["--url", first["url"], "subscribe", "bbo", "--coin", "BTC", "--count", "1", "--json"]
    assert 0 == cli(*stream).code
    simulator.signal(signal.SIGTERM)
    assert 0 == simulator.outcome().code
