"""The session: one socket, from the dial to its end.

Its reader is a task of its own that belongs to the actor: while it waits for the socket's end, the transport hands batches of
frames to the dispatcher, which is a plain call. The actor's mailbox carries only what is sent. Two clocks run: the
keep-alive that the venue's idle rule asks for, and the probe that finds a half-open socket.

The probe sends a ping after 5 s without a byte, and ends the socket when none has come within 8 s more. After a stall of the loop, or a
suspend of the machine, it waits until the socket was read again (`model.pulse`), so none is declared dead for a time in which nobody listened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from wsmgr.actors import Actor, ActorRef, Continue, Crash, ExitReason, MailboxPolicy, Stop, Timer
from wsmgr.manager.model import handover, progress, rotation
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.delivery import Buffer, Policy
from wsmgr.manager.model.dispatch import Dispatcher
from wsmgr.manager.model.frame import Answer, Frame, GoingAway, Ping
from wsmgr.manager.model.inbound import Moment
from wsmgr.manager.model.requests import Request
from wsmgr.manager.transport.errors import DialError, FrameError, SocketClosedError

if TYPE_CHECKING:
    from wsmgr.manager.runtime.context import Context, VenueContext
    from wsmgr.manager.transport.protocol import Closed, Socket

PROBE_TICK = 1.0
PROBE_AFTER = 5
PROBE_WITHIN = 8
PROBES_A_TICK = 4
BLOCK_TICKS = 8
GOODBYE = 2.0
"""Seconds that a peer has to answer our close frame."""
SILENT_GOODBYE = 0.05
"""The same for one that has not answered a ping: what was on its socket is interrupted, and must not be called live meanwhile."""


class ConnectionLostError(Exception):
    """A socket ended, for a reason of the network or the venue: expected, and never a bug.

    Args:
        reason: What happened, in half a sentence.
        closed: How the socket ended, where it had been open.
        dial: Why the dial failed, where it had not.
    """

    expected = True

    def __init__(self, reason: str, *, closed: Closed | None = None, dial: DialError | None = None) -> None:
        """Keep what is known of the end."""
        super().__init__(reason)
        self.reason = reason
        self.closed = closed
        self.dial = dial


@frozen
class Opened:
    """Said to the link: the socket is open and takes subscriptions."""


@frozen
class Send:
    """Said to the session: write a frame.

    Attributes:
        frame: The frame.
        request: The request that it makes, or None.
    """

    frame: bytes = field(repr=False)
    request: Request | None = field(default=None, repr=False)


@frozen
class Hang:
    """Said to the session: say goodbye and end.

    Attributes:
        reason: Why, in half a sentence.
    """

    reason: str


@frozen
class _Tick:
    """A second has passed."""


@frozen
class _Probe:
    """The probe's beat."""


@frozen
class _KeepAlive:
    """The keep-alive's beat."""


class Session(Actor[Any]):
    """One socket of a connection.

    Args:
        context: What the actors share.
        venue: The connection's venue.
        connection: The connection.
        link: Told when the socket is open.
    """

    trap_exit = True
    mailbox = MailboxPolicy(capacity=65_536, overflow="reject")

    def __init__(
        self, context: Context, venue: VenueContext, connection: Connection, link: ActorRef[Any]
    ) -> None:
        """Bind what the session works with; nothing is dialled yet."""
        self._context = context
        self._venue = venue
        self._connection = connection
        self._link = link
        self._socket: Socket | None = None
        self._pinged_at: float | None = None
        self._resumed_at = 0.0
        self._silent = False
        self._notice: str | None = None
        self._blocked_ticks: int | None = None
        self._dispatch = Dispatcher(
            context.registry,
            connection,
            classify=venue.dialect.classify,
            on_control=self._control,
            monotonic=context.clock.monotonic,
            wall=context.clock.wall,
        )

    async def init(self) -> Continue:
        """Start at once; the network is for later."""
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Dial, beside the mailbox."""
        self.start_soon(self._serve)

    async def handle_cast(self, message: Send | Hang) -> Stop | None:
        """Write a frame, or end."""
        match message:
            case Send(frame, request):
                return await self._send(frame, request)
            case Hang(reason):
                await self._goodbye(reason)
                return Stop(Crash(ConnectionLostError(reason)))

    async def handle_info(self, message: object) -> Stop | None:
        """Beat: keep alive, and probe."""
        match message:
            case Timer(message=_KeepAlive()):
                return await self._keep_alive()
            case Timer(message=_Tick()):
                return await self._tick()
            case Timer(message=_Probe()):
                return await self._probe()
            case _:
                return None

    async def terminate(self, reason: ExitReason) -> None:
        """Say goodbye to the venue, where there is still a socket."""
        await self._goodbye("")
        self._venue.sessions.pop(self._connection.id, None)

    async def _serve(self) -> None:
        dial = self._venue.dials[self._connection.host]
        try:
            async with self._context.connect(dial, self._on_batch) as socket:
                self._open(socket)
                closed = await socket.wait_closed()
        except DialError as error:
            raise ConnectionLostError(str(error), dial=error) from error
        raise _end_of(closed)

    def _open(self, socket: Socket) -> None:
        self._socket = socket
        self._venue.sessions[self._connection.id] = self.ref
        clock = self._context.clock
        progress.opened(self._context.registry, self._connection, now=clock.monotonic(), wall=clock.wall())
        self._link.cast(Opened())
        self._heed_notice()
        self.send_interval(PROBE_TICK, _Tick())
        self.send_interval(PROBE_TICK / PROBES_A_TICK, _Probe())
        self.send_interval(self._venue.dialect.keep_alive.interval, _KeepAlive())
        self._context.look(self._venue.model.name)
        self._context.serve(self._venue)

    def _on_batch(self, frames: list[bytes]) -> None:
        clock = self._context.clock
        self._dispatch(frames)
        # Not before: where our own code raises on a frame, the rest of this batch is lost.
        if self._connection.inbound is not None:
            self._connection.inbound.heard(Moment(clock.wall(), clock.monotonic()))
        if self._venue.model.stirred:
            self._context.look(self._venue.model.name)
        if self._connection.dedicated:
            self._pause_for_blocked()

    def _pause_for_blocked(self) -> None:
        """Read no further while a consumer with the policy `block` is full; it is woken again by that consumer."""
        blocked = self._blocked()
        if not blocked or self._socket is None or self._blocked_ticks is not None:
            return
        self._blocked_ticks = 0
        self._connection.paused = True
        self._socket.pause_reading()
        for buffer in blocked:
            buffer.resume = self._resume

    def _resume(self) -> None:
        if self._blocked_ticks is not None and not self._blocked():
            self._blocked_ticks = None
            self._connection.paused = False
            self._resumed_at = self._context.clock.monotonic()
            if self._socket is not None:
                self._socket.resume_reading()

    def _blocked(self) -> list[Buffer]:
        return [
            buffer
            for entry in self._connection.members.values()
            for buffer in entry.buffers
            if buffer.policy is Policy.BLOCK
            and buffer.is_full
            and not buffer.failed
            and buffer.closed is None
        ]

    def _control(self, frame: Frame) -> None:
        if isinstance(frame, Ping):
            self._count_message()
            self.ref.cast(Send(frame.answer))
            return
        clock = self._context.clock
        registry = self._context.registry
        if isinstance(frame, GoingAway):
            self._notice = frame.why
            self._heed_notice()
            return
        if isinstance(frame, Answer):
            self._context.serve_origin(self._venue.origin)
        if take_answer(registry, self._connection, frame, now=clock.monotonic(), wall=clock.wall()):
            self._context.look(self._venue.model.name)

    def _heed_notice(self) -> None:
        """Have the socket replaced that the venue has said it will end; a notice may come before the socket is known to be open."""
        if self._notice is not None and self._connection.ready:
            now = self._context.clock.monotonic()
            rotation.want(self._context.registry, self._connection, why=self._notice, now=now)
            self._notice = None
            self._context.look(self._venue.model.name)

    async def _send(self, frame: bytes, request: Request | None = None) -> Stop | None:
        if self._socket is None:
            return None
        if request is not None and not request.begin_writing(self._connection.id):
            return None
        try:
            await self._socket.send(frame)
        except SocketClosedError as error:
            return Stop(Crash(_end_of(error.closed)))
        return None

    async def _keep_alive(self) -> Stop | None:
        frame = self._venue.dialect.keep_alive.frame
        if frame is not None:
            self._count_message()
            return await self._send(frame)
        return await self._ping()

    def _count_message(self) -> None:
        """Count a frame that the keeper did not plan: the venue counts it too."""
        self._venue.model.origin.messages.record(self._context.clock.monotonic())

    async def _ping(self) -> Stop | None:
        if self._socket is None:
            return None
        try:
            await self._socket.ping()
        except SocketClosedError as error:
            return Stop(Crash(_end_of(error.closed)))
        return None

    async def _probe(self) -> Stop | None:
        """Look at the silence of the socket; nothing is judged while it is not read, or while the loop has just stood still."""
        socket = self._socket
        now = self._context.clock.monotonic()
        if (
            socket is None
            or not self._context.registry.pulse.may_judge(now)
            or self._blocked_ticks is not None
        ):
            return None
        # Looked at four times a tick, and two looks early: it is found within the whole of the two times.
        after, within = PROBE_AFTER * PROBE_TICK, PROBE_WITHIN * PROBE_TICK
        early = 2.0 * PROBE_TICK / PROBES_A_TICK
        heard_at = max(socket.last_inbound_at, self._resumed_at)
        if self._pinged_at is None or heard_at >= self._pinged_at:
            self._pinged_at = None
            if now - heard_at < after - early:
                return None
            self._pinged_at = now
            return await self._ping()
        if now - self._pinged_at < within - early:
            return None
        self._silent = True
        silent = (
            f"no byte for {now - heard_at:.1f} s, and no answer to a ping in {now - self._pinged_at:.1f} s"
        )
        return Stop(Crash(ConnectionLostError(silent)))

    async def _tick(self) -> Stop | None:
        if self._socket is not None:
            self._connection.rtt = self._socket.rtt
        if self._blocked_ticks is not None and self._context.registry.pulse.may_judge(
            self._context.clock.monotonic()
        ):
            self._count_blocked()
        return None if self._socket is None else await self._listen(self._socket)

    async def _listen(self, socket: Socket) -> Stop | None:
        """Note the last byte, of an answer to a ping too; ask for one where it is to be proved that this socket is whole."""
        clock, heard_at, inbound = self._context.clock, socket.last_inbound_at, self._connection.inbound
        if inbound is None:
            return None
        inbound.heard(Moment(clock.wall() - (clock.monotonic() - heard_at), heard_at))
        if not self._connection.handovers:
            return None
        if handover.heard(self._connection, inbound.whole_until().monotonic):
            self._context.look(self._venue.model.name)
        return await self._ping() if self._connection.handovers else None

    def _count_blocked(self) -> None:
        """While reading is paused nothing is judged; a consumer that blocks for too long is failed, and reading goes on."""
        self._blocked_ticks = (self._blocked_ticks or 0) + 1
        if self._blocked_ticks >= BLOCK_TICKS:
            for buffer in self._blocked():
                buffer.fail()
                buffer.wake()
        self._resume()

    async def _goodbye(self, reason: str) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            self._connection.move(ConnectionState.DRAINING)
            await socket.aclose(1000, reason, timeout=SILENT_GOODBYE if self._silent else GOODBYE)


def _end_of(closed: Closed) -> BaseException:
    """Return what ended a socket: what our own code raised on a batch, or the loss; a peer that breaks the protocol is no bug of ours."""
    if closed.by == "us" and closed.error is not None and not isinstance(closed.error, FrameError):
        return closed.error
    return ConnectionLostError(str(closed), closed=closed)
