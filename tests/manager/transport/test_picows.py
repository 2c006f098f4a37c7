"""What only the transport on picows can get wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from wsmgr.manager.testing.transport_check import Sink
from wsmgr.manager.transport.errors import FrameError
from wsmgr.manager.transport.picows_socket import PicowsSocket

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Only this loop has picows."""
    return "asyncio"


class RefusedByTheParser:
    """What picows leaves of a connection whose first frames it could not parse, and which the peer has ended since."""

    is_close_frame_sent = True
    close_handshake = SimpleNamespace(sent=SimpleNamespace(code=1009, reason="too large"))

    def disconnect(self, *, graceful: bool = True) -> None:
        """It is gone already."""


async def test_frame_that_broke_the_protocol_along_with_the_upgrade_is_no_loss() -> None:
    """The connection may be gone before anybody has looked at what came with the response: the first cause counts."""
    connection = PicowsSocket(Sink(), 1000)
    connection._transport = cast(Any, RefusedByTheParser())
    connection.lost(None)
    closed = await connection.wait_closed()
    assert (1009, "us", "too large") == (closed.code, closed.by, closed.reason)
    assert isinstance(closed.error, FrameError)
