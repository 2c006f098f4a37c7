"""The conformance kit of transports: what `wsmgr.manager.transport.protocol` promises, as checks against a real server.

`await check_transport(connect, ScriptedPeer)` runs all of them; `CHECKS` has each by itself, for a test per check. A check
needs a scenario of the peer (see `peer_scripts`): a server made with another library may know only some, and is asked only those.

The checks are plain coroutine functions on anyio and raise `AssertionError`; they need no test framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.testing import transport_endings, transport_promises

if TYPE_CHECKING:
    from wsmgr.manager.testing.transport_check import MakePeer
    from wsmgr.manager.transport import Connect

CHECKS = (*transport_promises.CHECKS, *transport_endings.CHECKS)
"""Every check, in the order of the life of a connection."""


async def check_transport(connect: Connect, make_peer: MakePeer) -> list[str]:
    """Run every check that the peer knows the scenario of, and return their names.

    Args:
        connect: The transport.
        make_peer: Makes a peer, as a context manager: `ScriptedPeer`, or a server of yours.

    Raises:
        AssertionError: A promise is broken; the message begins with the check's name.
    """
    with make_peer() as peer:
        scenarios = peer.scenarios
    names: list[str] = []
    for check in CHECKS:
        if check.scenario in scenarios:
            try:
                await check(connect, make_peer)
            except Exception as error:
                raise AssertionError(f"{check.name}: {error!r}") from error
            names.append(check.name)
    return names
