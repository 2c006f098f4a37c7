"""What only the trio transport has to see to."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from wsmgr.manager.testing import ScriptedPeer
from wsmgr.manager.testing.transport_check import Sink
from wsmgr.manager.transport import Dial, TransportError
from wsmgr.manager.transport.trio_websocket import connect

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {}


async def test_send_that_is_cancelled_halfway_ends_the_socket() -> None:
    """Half a frame can never be completed: what followed it would be read as its rest."""
    with ScriptedPeer() as peer, anyio.fail_after(10):
        async with connect(Dial(url=f"{peer.url}/mute"), Sink()) as socket:
            async with anyio.create_task_group() as group:
                group.start_soon(socket.send, "x" * 2**24)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            closed = await socket.wait_closed()
    assert (None, "us") == (closed.code, closed.by)
    assert "halfway" in closed.reason


async def test_send_that_is_cancelled_before_it_began_harms_nothing() -> None:
    """A deadline that passed before a byte went out costs nobody the connection."""
    sink = Sink()
    with ScriptedPeer() as peer, anyio.fail_after(10):
        async with connect(Dial(url=f"{peer.url}/echo"), sink) as socket:
            with anyio.move_on_after(0):
                await socket.send("never sent")
            await socket.send("sent")
            assert [b"sent"] == await sink.wait_for(1)


async def test_failure_of_the_library_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """No exception group and no error of trio-websocket crosses the boundary; the cause can be found."""
    with ScriptedPeer() as peer, anyio.fail_after(10):
        async with connect(Dial(url=f"{peer.url}/tell"), Sink()) as socket:
            bug = RuntimeError("inside the library")

            def receive_data(data: bytes) -> None:
                raise bug

            assert socket._connection is not None
            monkeypatch.setattr(socket._connection._wsproto, "receive_data", receive_data)
            await socket.send("go")
            closed = await socket.wait_closed()
    assert (1006, "lost") == (closed.code, closed.by)
    assert isinstance(closed.error, TransportError)
    assert closed.error.__cause__ is bug
