"""The link: keeps one connection connected.

It asks the dialer for its turn, starts a session when it is granted, and watches it. A socket that ends is the exit of the
session with `ConnectionLostError`: the link notes what was interrupted and asks for its turn again. Any other exit is a bug of
ours: the link ends with the same reason, and that counts against the connection's restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.actors import (
    ActorRef,
    CallExitError,
    ChildSpec,
    Continue,
    Crash,
    Down,
    ExitReason,
    NoProc,
    StateMachine,
    Stop,
    Supervisor,
)
from wsmgr.manager.model import progress
from wsmgr.manager.model.connection import IDLE, Connection, ConnectionState
from wsmgr.manager.runtime.dialer import (
    DialAccepted,
    DialGranted,
    DialNews,
    DialRefused,
    DialWanted,
    SocketEnded,
    tell,
    urgency,
)
from wsmgr.manager.runtime.session import ConnectionLostError, Opened, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.runtime.context import Context, VenueContext

ASK_AGAIN = 30.0
FORGIVEN_AFTER = 60.0


class Link(StateMachine[Any]):
    """Keeps one connection connected.

    Args:
        context: What the actors share.
        venue: The connection's venue.
        connection: The connection.
        supervisor: Returns the supervisor of this connection, under which sessions are started.
    """

    trap_exit = True

    def __init__(
        self,
        context: Context,
        venue: VenueContext,
        connection: Connection,
        supervisor: Callable[[], Supervisor],
    ) -> None:
        """Bind what the link works with."""
        self._context = context
        self._venue = venue
        self._connection = connection
        self._supervisor = supervisor
        self._session: ActorRef[Any] | None = None
        self._recorded: BaseException | None = None

    async def init(self) -> Continue:
        """Take the connection's place, whatever an earlier link left behind."""
        self._venue.links[self._connection.id] = self.ref
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Ask for the first turn."""
        if self._connection.state not in IDLE:
            self._lost(self._connection.reason or "restarted")
        self._ask()

    async def handle_cast(self, message: DialGranted | Opened) -> None:
        """Dial when granted; note that the socket is open."""
        match message:
            case DialGranted() if self.state == ConnectionState.DISCONNECTED:
                progress.dialling(self._connection)
                self._to(ConnectionState.DIALLING)
                self.start_soon(self._start_session)
            case Opened():
                self._to(ConnectionState.READY)
                self._tell_dialer(DialAccepted(self._connection.id))
            case _:
                pass

    async def handle_info(self, message: object) -> Stop | None:
        """Take the end of the session, or ask for a turn again that never came."""
        if isinstance(message, Down) and message.ref is self._session:
            self._session = None
            reason = message.ref.exit_reason if isinstance(message.reason, NoProc) else message.reason
            return self._ended(reason or message.reason)
        if self.state == ConnectionState.DISCONNECTED:
            self._ask()
        return None

    async def terminate(self, reason: ExitReason) -> None:
        """Give the place back; a bug in the link itself has no suspect among the subscriptions."""
        if isinstance(reason, Crash) and reason.error is not self._recorded:
            self._connection.reason = f"{type(reason.error).__name__}: {reason.error}"
            self._connection.suspects.append(None)
        if self._venue.links.get(self._connection.id) is self.ref:
            del self._venue.links[self._connection.id]

    def _ask(self) -> None:
        """Ask the dialer for a turn, and once more now and then."""
        self._to(ConnectionState.DISCONNECTED, timeout=ASK_AGAIN)
        self._tell_dialer(DialWanted(self._connection.id, urgency(self._connection)))

    async def _start_session(self) -> None:
        spec = ChildSpec(
            "session",
            lambda: Session(self._context, self._venue, self._connection, self.ref),
            restart="temporary",
        )
        try:
            session = await self._supervisor().start_child(spec)
        except CallExitError:
            # The connection's supervisor is ending, and this link with it.
            return
        self._session = session
        self.monitor(session)

    def _ended(self, reason: ExitReason) -> Stop | None:
        match reason:
            case Crash(ConnectionLostError() as error):
                self._report(error)
                self._lost(error.reason)
                self._ask()
                return None
            case Crash(error):
                suspect = self._connection.handling
                if self._uptime() > FORGIVEN_AFTER:
                    self._connection.suspects.clear()
                self._connection.suspects.append(None if suspect is None else suspect.id)
                self._recorded = error
                self._lost(f"{type(error).__name__}: {error}")
                return Stop(reason)
            case _ if self._context.draining:
                self._lost("the manager was stopped", wanted=True)
                return None
            case _ if self._connection not in self._venue.model.connections:
                self._lost("nothing was left on it", wanted=True)
                return None
            case _:
                self._lost("the session was ended")
                self._ask()
                return None

    def _report(self, error: ConnectionLostError) -> None:
        """Tell the dialer how the dial or the socket ended."""
        connection = self._connection
        if error.dial is not None:
            self._tell_dialer(
                DialRefused(
                    connection.id,
                    error.reason,
                    retry_after=error.dial.retry_after,
                    credential=error.dial.phase == "auth",
                )
            )
            return
        self._tell_dialer(SocketEnded(connection.id, uptime=self._uptime(), proved=connection.proved))

    def _uptime(self) -> float:
        """Return for how many seconds the present socket has been open; 0 where there is none."""
        opened = self._connection.opened_monotonic
        return 0.0 if opened is None else self._context.clock.monotonic() - opened

    def _lost(self, reason: str, *, wanted: bool = False) -> None:
        clock = self._context.clock
        progress.lost(
            self._context.registry,
            self._connection,
            reason=reason,
            now=clock.monotonic(),
            wall=clock.wall(),
            wanted=wanted,
        )
        self._context.look(self._venue.model.name)

    def _to(self, state: ConnectionState, *, timeout: float | None = None) -> None:
        self._connection.move(state)
        self.next_state(state, timeout=timeout)

    def _tell_dialer(self, news: DialNews) -> None:
        tell(self._context, self._venue.origin, news)
