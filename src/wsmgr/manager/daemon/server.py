"""The API's server, as an actor under the manager's `edge`: one for each listener.

When the actor ends, the requests that wait are told (`Closing`), and what runs is finished inside a shield. A client that neither
reads nor goes away cannot keep it: after `HANG_UP_AFTER` its socket is shut down, after `GRACE` the shield falls.
"""

from __future__ import annotations

import socket as sockets
import threading
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import to_thread

from wsmgr.actors import Actor
from wsmgr.manager.daemon.api import make_app
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.connections import Connections
from wsmgr.manager.daemon.listeners import ApiServerError, Listener, limited
from wsmgr.manager.runtime.engine import Engine

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HANG_UP_AFTER: Final = 1.5
GRACE: Final = 2.5
SHUTDOWN: Final = GRACE + 3.0
"""What a child specification of this actor should allow."""
_MAKING: Final = threading.Lock()
"""Held by the thread that makes an application: pydantic does not stand two that make the same schemas."""


class ApiServer(Actor[Any]):
    """Serves the API of a manager at one place.

    Args:
        engine: The running manager.
        listener: The place, and what stands before the API there.
    """

    def __init__(self, engine: Engine, listener: Listener) -> None:
        """Bind the server; nothing listens yet."""
        self._engine = engine
        self._listener = listener

    async def init(self) -> None:
        """Listen, and make the application: connections wait meanwhile, and who is told that the daemon runs is answered."""
        closing = Closing()
        socket = self._listener.open()
        try:
            # Making it takes a part of a second: in a thread the loop goes on meanwhile.
            app = await to_thread.run_sync(_made, self._engine, closing)
        except BaseException:
            socket.close()
            self._listener.close()
            raise
        self.start_soon(self._serve, socket, app, closing)

    async def _serve(self, socket: sockets.socket, app: ASGIApp, closing: Closing) -> None:
        served = anyio.Event()
        try:
            connections = self._listener.connections()
            async with anyio.create_task_group() as group:
                with anyio.CancelScope(shield=True) as shield:
                    group.start_soon(self._close_in_time, closing, connections, served, shield)
                    await connections.serve(
                        socket,
                        lambda one: limited(self._listener.application(app, one), one, connections),
                        closing,
                    )
                served.set()
                group.cancel_scope.cancel()
        finally:
            socket.close()
            self._listener.close()
        if not closing.begun:
            raise ApiServerError("the API's server ended by itself")

    async def _close_in_time(
        self, closing: Closing, connections: Connections, served: anyio.Event, shield: anyio.CancelScope
    ) -> None:
        """Wait to be cancelled, and close then: gently, less gently, by force."""
        try:
            await anyio.sleep_forever()
        finally:
            closing.begin()
            self._listener.close()
            shield.deadline = anyio.current_time() + GRACE
            with anyio.move_on_after(HANG_UP_AFTER, shield=True):
                await served.wait()
            if not served.is_set():
                connections.hang_up()


def _made(engine: Engine, closing: Closing) -> ASGIApp:
    with _MAKING:
        return make_app(engine, closing)
