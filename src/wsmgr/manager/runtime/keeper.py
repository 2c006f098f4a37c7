"""The keeper of one venue: makes what is so be what is wanted.

It looks (`model.reconciliation`), performs the effects, and sleeps until something falls due or somebody tells it to look. A
keeper that was restarted adopts what it finds: the connections that run, and the subscriptions on them.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from wsmgr.actors import (
    Actor,
    CallExitError,
    Continue,
    Down,
    MailboxPolicy,
    Shutdown,
    SupervisorError,
    Timer,
)
from wsmgr.actors.reasons import REACHED_MAX_RESTART_INTENSITY
from wsmgr.manager.model import progress
from wsmgr.manager.model.connection import ConnectionState
from wsmgr.manager.model.effects import (
    CloseConnection,
    Effect,
    OpenConnection,
    Recycle,
    Subscribe,
    Unsubscribe,
)
from wsmgr.manager.model.reconciliation import reconcile
from wsmgr.manager.runtime.context import LOOK, Context, VenueContext
from wsmgr.manager.runtime.dialer import DialWithdrawn, tell
from wsmgr.manager.runtime.session import Hang, Send

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors import ActorRef, ChildSpec
    from wsmgr.manager.model.connection import Connection


class Keeper(Actor[Any]):
    """Keeps the subscriptions of one venue.

    Args:
        context: What the actors share.
        venue: The venue.
        connection_spec: Returns the child specification of a connection's supervisor.
    """

    mailbox = MailboxPolicy(capacity=1024, overflow="reject")

    def __init__(
        self,
        context: Context,
        venue: VenueContext,
        connection_spec: Callable[[Connection], ChildSpec],
    ) -> None:
        """Bind what the keeper works with."""
        self._context = context
        self._venue = venue
        self._connection_spec = connection_spec
        self._timer: Timer | None = None
        self._watched: dict[int, str] = {}

    async def init(self) -> Continue:
        """Take the venue's place."""
        self._venue.keeper = self.ref
        self._venue.look_pending = False
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Adopt what runs, start what should, and look."""
        for connection in list(self._venue.model.connections):
            running = self._venue.supervisors.get(connection.id)
            if running is not None:
                self._watch(connection, running)
        known = {connection.id for connection in self._venue.model.connections}
        for connection_id, running in list(self._venue.supervisors.items()):
            if connection_id not in known:
                self.start_soon(self._terminate, connection_id, running)
        for connection in list(self._venue.model.closing):
            if connection.id not in self._venue.supervisors:
                self._venue.model.closing.remove(connection)
        await self._look()

    async def handle_cast(self, message: object) -> None:
        """Look."""
        await self._look()

    async def handle_info(self, message: object) -> None:
        """Look when something falls due; park a connection that used up its restarts."""
        if isinstance(message, Down):
            await self._ended(message)
        await self._look()

    async def _look(self) -> None:
        self._venue.look_pending = False
        now = self._context.clock.monotonic()
        plan = reconcile(
            self._context.registry,
            self._venue.model,
            now=now,
            wall=self._context.clock.wall(),
            urls=self._venue.shown_urls,
        )
        for effect in plan.effects:
            await self._perform(effect)
        for connection in list(self._venue.model.connections):
            if (
                connection.state is not ConnectionState.PARKED
                and connection.id not in self._venue.supervisors
            ):
                await self._start(connection)
        # What a look finds may be what a request waits for: another first connection, a place at the gate.
        self._context.serve_origin(self._venue.origin)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if plan.wake_at < math.inf:
            self._timer = self.send_after(max(0.0, plan.wake_at - now), LOOK)

    async def _perform(self, effect: Effect) -> None:
        dialect = self._venue.dialect
        match effect:
            case Subscribe(connection, atom):
                self._write(connection, Send(dialect.subscribe(atom)))
            case Unsubscribe(connection, atom):
                self._write(connection, Send(dialect.unsubscribe(atom)))
            case Recycle(connection, socket, why) if connection.socket == socket:
                self._write(connection, Hang(why))
            case Recycle():
                # That socket is gone already, which is what was wanted.
                pass
            case OpenConnection(connection):
                await self._start(connection)
            case CloseConnection(connection):
                self._close(connection)

    def _write(self, connection: Connection, message: Send | Hang) -> None:
        """Hand a frame to the socket; where there is none any more, its loss is on its way here."""
        session = self._venue.sessions.get(connection.id)
        if session is not None:
            session.cast(message)

    async def _start(self, connection: Connection) -> None:
        """Start a connection; one that cannot be started is parked, whoever else starts."""
        supervisor = self._venue.connections
        if supervisor is None:
            return
        try:
            running = await supervisor.start_child(self._connection_spec(connection))
        except CallExitError:
            # The supervisor of all connections is ending; the keeper that follows starts them.
            return
        except SupervisorError as error:
            self._park(connection, str(error))
            return
        self._venue.supervisors[connection.id] = running
        self._watch(connection, running)

    def _watch(self, connection: Connection, running: ActorRef[Any]) -> None:
        self._watched[running.id] = connection.id
        self.monitor(running)

    def _close(self, connection: Connection) -> None:
        tell(self._context, self._venue.origin, DialWithdrawn(connection.id))
        running = self._venue.supervisors.get(connection.id)
        if running is None:
            self._closed(connection.id)
        else:
            self.start_soon(self._terminate, connection.id, running)

    async def _terminate(self, connection_id: str, running: ActorRef[Any]) -> None:
        """End a connection; it is forgotten only when it has ended, so that a keeper that follows finds it."""
        # Told by ourselves and not through the supervisor of all connections: that would wait for each goodbye in turn. It may
        # end in another way in the meantime, which is what was wanted.
        with contextlib.suppress(CallExitError):
            await running.stop(Shutdown())
        if self._venue.supervisors.get(connection_id) is running:
            del self._venue.supervisors[connection_id]
        self._closed(connection_id)

    def _closed(self, connection_id: str) -> None:
        """Note that a socket is gone: its place, and its users', are free for what waits."""
        model = self._venue.model
        model.closing = [connection for connection in model.closing if connection.id != connection_id]
        self._context.look(model.name)

    async def _ended(self, down: Down) -> None:
        """Park a connection that used up its restarts; start one again that ended in another way."""
        connection_id = self._watched.pop(down.ref.id, None)
        if connection_id is None or self._venue.supervisors.get(connection_id) is not down.ref:
            return
        del self._venue.supervisors[connection_id]
        connection = self._context.connection(connection_id)
        if connection is None or self._context.draining:
            return
        if down.reason == Shutdown(REACHED_MAX_RESTART_INTENSITY):
            self._park(connection, connection.reason or "it used up its restarts")
            return
        clock = self._context.clock
        progress.lost(
            self._context.registry,
            connection,
            reason=f"its supervisor ended: {down.reason}",
            now=clock.monotonic(),
            wall=clock.wall(),
        )

    def _park(self, connection: Connection, text: str) -> None:
        clock = self._context.clock
        progress.parked(self._context.registry, connection, text, now=clock.monotonic(), wall=clock.wall())
        tell(self._context, self._venue.origin, DialWithdrawn(connection.id))
