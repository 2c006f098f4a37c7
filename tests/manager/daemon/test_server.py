"""The server: the socket, the actor, the extra."""

from __future__ import annotations

import logging
import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.manager.daemon.conftest import eventually

from wsmgr.actors import Crash, Killed
from wsmgr.manager.daemon.edge import edge
from wsmgr.manager.daemon.errors import DaemonUnreachableError, MissingExtraError
from wsmgr.manager.daemon.listeners import ApiServerError, listen
from wsmgr.manager.manager import Manager

if TYPE_CHECKING:
    from pathlib import Path

    from tests.manager.daemon.conftest import RunDaemon, RunningDaemon

    from wsmgr.actors import ActorRef

NOWHERE = "ws://127.0.0.1:9/ws"


def api_of(daemon: RunningDaemon) -> ActorRef[Any]:
    """Return the actor that serves, as the tree has it now."""
    (edge_node,) = (child for child in daemon.manager.engine.root.tree().children if child.id == "edge")
    (api,) = edge_node.children
    assert api.ref is not None
    return api.ref


def test_the_socket_is_for_its_owner_alone(directory: Path) -> None:
    """Whoever can open the socket can end subscriptions: nobody else may, not even for a moment."""
    with listen(directory / "s"):
        assert 0o600 == stat.S_IMODE((directory / "s").stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    assert 0o177 != umask


def test_a_stale_socket_is_replaced(directory: Path) -> None:
    """What a killed daemon left does not keep the next one from starting."""
    listen(directory / "s").close()
    with listen(directory / "s"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(directory / "s"))


def test_a_file_that_is_no_socket_is_left_alone(directory: Path) -> None:
    """Nothing of the user's is ever removed."""
    (directory / "s").write_text("mine")
    with pytest.raises(ApiServerError, match=r"cannot listen on .*/s"):
        listen(directory / "s")
    assert "mine" == (directory / "s").read_text()


@pytest.mark.anyio
async def test_a_socket_that_cannot_be_made_fails_the_start(directory: Path) -> None:
    """A daemon whose API cannot be reached does not pretend to run."""
    with pytest.raises(Exception, match="cannot listen"):
        async with Manager(url=NOWHERE, edge=edge(directory / "missing" / "s")):
            pytest.fail("it started")


@pytest.mark.anyio
@pytest.mark.parametrize("reason", [Crash(RuntimeError("boom")), Killed()])
async def test_a_server_that_ended_is_started_again(run_daemon: RunDaemon, reason: Crash | Killed) -> None:
    """An API that dies comes back on the same socket, and the manager's subscriptions do not notice."""
    async with run_daemon(NOWHERE) as daemon:
        row = await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True, wait="none")
        first = api_of(daemon)
        first.exit(reason)
        await eventually(lambda: not first.alive and api_of(daemon) is not first)
        assert [row["id"]] == [each["id"] for each in (await daemon.get("/v1/subscriptions"))["items"]]


@pytest.mark.anyio
async def test_the_socket_is_gone_with_the_daemon(run_daemon: RunDaemon) -> None:
    """Who looks for a daemon after its end finds none, and no connection hangs in a backlog."""
    async with run_daemon(NOWHERE) as daemon:
        assert await daemon.ask(daemon.client.answers)
    assert not daemon.path.exists()
    with pytest.raises(DaemonUnreachableError):
        daemon.client.get("/v1/health")


@pytest.mark.anyio
async def test_the_server_keeps_quiet(
    run_daemon: RunDaemon, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Serving prints nothing and is no news for the log: neither that it serves nor what was asked."""
    caplog.set_level(logging.INFO)
    async with run_daemon(NOWHERE) as daemon:
        await daemon.get("/v1/health")
    captured = capfd.readouterr()
    assert "" == captured.out
    assert "hypercorn" not in captured.err
    assert "Running on" not in captured.err
    assert [] == [record.message for record in caplog.records if record.name == "wsmgr.manager.daemon"]


def test_a_missing_extra_names_the_command_that_installs_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra a user reads what to type, not a traceback."""
    monkeypatch.setitem(sys.modules, "hypercorn", None)
    monkeypatch.setitem(sys.modules, "hypercorn.config", None)
    for name in ("server", "listeners", "connections"):
        monkeypatch.delitem(sys.modules, f"wsmgr.manager.daemon.{name}")
    with pytest.raises(MissingExtraError, match=r"hypercorn.*pip install 'wsmgr\[daemon\]'"):
        edge(directory / "s")


def test_what_the_command_line_uses_is_light() -> None:
    """`wsmgr list` does not wait for a web framework, nor for an event loop, to be imported."""
    heavy = {
        "fastapi",
        "hypercorn",
        "starlette",
        "pydantic",
        "httpx",
        "trio",
        "sqlite_utils",
        "asyncio",
        "anyio",
    }
    modules = ("unix_client", "discovery", "process")
    code = (
        ";".join(f"import wsmgr.manager.daemon.{name}" for name in modules)
        + ";import sys;print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set() == heavy & set(loaded)
