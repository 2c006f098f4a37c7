"""`wsmgr sim hyperliquid`: its options reach the simulator. What every simulator's command does: `tests/cli`."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.cli.conftest import cli, spawn, state_dir

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Spawn

__all__ = ["cli", "spawn", "state_dir"]

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def ask(port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_speed_and_limits_reach_the_simulator(spawn: Spawn) -> None:
    """Its clock runs as fast as asked, and its limit holds."""
    options = ["--speed", "500", "--limit", "real", "--limit", "dials_per_minute=0", "--mainnet"]
    simulator = spawn("sim", "hyperliquid", *options)
    port = int(urlsplit(json.loads(simulator.stdout.readline())["url"]).port or 0)
    begun = time.monotonic()
    first: Any = json.loads(ask(port, "GET", "/sim/log", {})[1])
    status, body = ask(port, "GET", "/ws", HANDSHAKE)
    assert (429, b"Too Many Requests") == (status, body)
    last: Any = json.loads(ask(port, "GET", "/sim/log", {})[1])
    passed = time.monotonic() - begun
    assert 0 < last["now"] - first["now"] <= 500 * passed
    assert (1, 1) == (last["dials"], last["refused"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--speed", "0"], "speed is 0.0: give simulated seconds in a real one, more than 0"),
        (["--limit", "users=many"], "limit users is 'many': give a number"),
        (["--fault", "close_code=1"], "fault 'close_code' wants a close code, such as 1001 or 1006, not '1'"),
    ],
)
def test_option_that_cannot_be_meant_is_refused(arguments: list[str], message: str, cli: Cli) -> None:
    """With what would be right, as wrong usage."""
    outcome = cli("sim", "hyperliquid", *arguments)
    assert (2, b"") == (outcome.code, outcome.out)
    assert message in outcome.err
