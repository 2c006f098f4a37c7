"""The transports keep the promises of the protocol, against raw sockets and against each other's servers."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from wsmgr.manager.testing import CHECKS, ScriptedPeer, check_transport
from wsmgr.manager.testing.library_peers import SCENARIOS, picows_peer, trio_websocket_peer
from wsmgr.manager.transport import Dial, select

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from wsmgr.manager.testing.transport_check import Check, MakePeer
    from wsmgr.manager.transport import OnBatch, Socket

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
COMMON_CHECKS = [check for check in CHECKS if check.scenario in SCENARIOS]
# Over TLS the end of a connection looks different to each library, and the peer's threads cannot see a full buffer.
TLS_CHECKS = [check for check in CHECKS if check.scenario not in {"vanish", "flood", "stall", "mute"}]


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Every loop that wsmgr can be embedded in: a transport depends on its loop's own sockets."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend


def connect_trusting_the_test_certificate(
    dial: Dial, on_batch: OnBatch
) -> AbstractAsyncContextManager[Socket]:
    context = ssl.create_default_context(cafile=str(HERE / "localhost-cert.pem"))
    return select()(attrs.evolve(dial, ssl_context=context) if dial.secure else dial, on_batch)


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "localhost-cert.pem", HERE / "localhost-key.pem")
    return context


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
async def test_transport_keeps_this_promise(check: Check) -> None:
    """What `wsmgr.manager.transport.protocol` promises holds for the transport of this loop."""
    await check(select(), ScriptedPeer)


@pytest.mark.parametrize("check", TLS_CHECKS, ids=lambda check: check.name)
async def test_transport_keeps_this_promise_over_tls(check: Check) -> None:
    """TLS changes nothing."""
    await check(connect_trusting_the_test_certificate, partial(ScriptedPeer, server_context()))


@pytest.mark.parametrize("make_peer", [picows_peer, trio_websocket_peer])
@pytest.mark.parametrize("check", COMMON_CHECKS, ids=lambda check: check.name)
async def test_transport_keeps_this_promise_with_a_server_of_a_library(
    check: Check, make_peer: MakePeer
) -> None:
    """Each transport understands its own library's server and the other's."""
    await check(select(), make_peer)


async def test_check_transport_runs_the_checks_that_the_peer_knows() -> None:
    """Who has a transport of their own gets the whole kit with one call."""
    assert [check.name for check in COMMON_CHECKS] == await check_transport(select(), picows_peer)
