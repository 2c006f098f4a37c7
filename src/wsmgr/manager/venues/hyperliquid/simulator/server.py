"""Server: the trio shell around the engine. It accepts, reads, writes, and ends sockets; it decides nothing.

Per socket three tasks: trio-websocket's reader, ours that hands frames to the session, and the writer, which writes
whatever waits as one piece. One task for all runs the hub's schedule.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio
from trio_websocket import ConnectionClosed, wrap_server_stream
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from wsmgr.manager.venues.hyperliquid.simulator.connection import Connection
from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine, Refusal
from wsmgr.manager.venues.hyperliquid.simulator.front import READ_SIZE, Front, Gate, Upgrade
from wsmgr.manager.venues.hyperliquid.simulator.http_api import Answer, answer
from wsmgr.manager.venues.hyperliquid.simulator.options import DIALECT, Address, SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.replay import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKLOG = 1024
_HANDSHAKE_TIMEOUT = 5.0
_STOP_TIMEOUT = 0.5
_INTERRUPTED = 130
_GONE = (
    ConnectionClosed,
    LocalProtocolError,
    RemoteProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)


async def serve(
    options: SimulatorOptions, *, on_ready: Callable[[Address], None], stop: trio.Event | None = None
) -> None:
    """Run a simulator until it is stopped. Needs a trio loop.

    Args:
        options: How it behaves.
        on_ready: Called once with the address, when it accepts connections.
        stop: Set it to end: sockets are closed with code 1000 and given half a second. Cancelling ends at once.

    Raises:
        ReplayError: The capture to play cannot be read.
        OSError: The address cannot be listened on, or the file to record to cannot be written.
    """
    begun = trio.current_time()
    with ExitStack() as files:
        record_to = files.enter_context(options.record.open("w")) if options.record is not None else None
        engine = Engine(
            options,
            now=lambda: (trio.current_time() - begun) * options.speed,
            started_at=time.time(),
            record_to=record_to,
        )
        engine.hub.speed = options.speed
        listeners = await trio.open_tcp_listeners(options.port, host=options.host, backlog=_BACKLOG)
        server = _Server(engine)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run_schedule)
            nursery.start_soon(partial(trio.serve_listeners, server.handle, listeners))
            on_ready(Address(host=options.host, port=listeners[0].socket.getsockname()[1]))
            await (trio.Event() if stop is None else stop).wait()
            with trio.move_on_after(_STOP_TIMEOUT):
                await server.close_all()
            nursery.cancel_scope.cancel()


def run(options: SimulatorOptions) -> int:
    """Run a simulator as a process of its own: the address as JSON on stdout, then until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after SIGTERM, 130 after SIGINT (Ctrl-C), 1 when it could not start (why is on stderr).
    """
    return trio.run(_run, options)


async def _run(options: SimulatorOptions) -> int:
    stop = trio.Event()
    code = 0

    async def stop_on_signal(task_status: trio.TaskStatus[None]) -> None:
        nonlocal code
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            async for number in signals:
                code = _INTERRUPTED if number == signal.SIGINT else 0
                stop.set()
                return

    async with trio.open_nursery() as nursery:
        await nursery.start(stop_on_signal)
        try:
            await serve(options, on_ready=_announce, stop=stop)
        except (ReplayError, OSError) as error:
            sys.stderr.write(f"wsmgr: the simulator cannot start: {_why(error, options)}\n")
            code = 1
        nursery.cancel_scope.cancel()
    return code


def _why(error: ReplayError | OSError, options: SimulatorOptions) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {options.port} of {options.host} is taken; name another, or 0 for any free one"
    return str(error)


def _announce(address: Address) -> None:
    line = msgspec.json.encode(
        {"dialect": DIALECT, "url": address.url, "explorer_url": address.explorer_url, "pid": os.getpid()}
    )
    try:
        sys.stdout.write(line.decode() + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads the address: it serves on, and the interpreter must not try to flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Server:
    """The tasks around one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._speed = engine.options.speed
        self._changed = trio.Event()
        self._ended = trio.Event()

    async def run_schedule(self) -> None:
        """Make the streams tick."""
        while True:
            due = self._engine.hub.run(self._engine.now())
            self._changed = trio.Event()
            wait = float("inf") if due is None else (due - self._engine.now()) / self._speed
            if wait > 0:
                with trio.move_on_after(wait):
                    await self._changed.wait()
            else:
                await trio.lowlevel.checkpoint()

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one TCP connection; whatever the client does, only its own connection ends."""
        front = Front(stream)
        try:
            upgrade = await front.serve(self._answer)
            if upgrade is not None:
                await self._upgrade(stream, front, upgrade)
        except* _GONE:
            pass  # the client is gone; when it had a socket, the journal says so
        finally:
            self._ended.set()
            await trio.aclose_forcefully(stream)

    async def close_all(self) -> None:
        """Close every socket politely; returns when all are gone."""
        for session in list(self._engine.sessions.values()):
            session.end("close", "the simulator stops")
        while self._engine.sessions:
            self._ended = trio.Event()
            await self._ended.wait()

    def _answer(self, method: str, path: str, body: bytes) -> Answer:
        found = answer(self._engine, method, path, body)
        self._schedule_changed()
        return found

    async def _upgrade(self, stream: trio.SocketStream, front: Front, upgrade: Upgrade) -> None:
        try:
            client = str(stream.socket.getpeername()[0])
        except OSError:
            return  # it is gone already
        gate = Gate(stream, upgrade.seen)
        refusal = self._engine.admit(upgrade.path, client)
        await trio.sleep(self._engine.faults.slow_upgrade / self._speed)
        if self._engine.faults.reset_upgrade:
            self._engine.journal.refused += refusal is None
            await gate.reset()
            return
        if refusal is not None:
            await front.send(_refused(refusal, self._speed))
            return
        async with trio.open_nursery() as nursery:
            socket = None
            with trio.move_on_after(_HANDSHAKE_TIMEOUT):
                request = await wrap_server_stream(nursery, gate, receive_buffer_size=READ_SIZE)
                socket = await request.accept()
            if socket is not None:
                changed = self._schedule_changed
                connection = Connection(engine=self._engine, gate=gate, socket=socket, changed=changed)
                await connection.run(upgrade.path, client)
            nursery.cancel_scope.cancel()

    def _schedule_changed(self) -> None:
        """Something may be due earlier than the schedule thought."""
        self._changed.set()


def _refused(refusal: Refusal, speed: float) -> Answer:
    headers: tuple[tuple[str, str], ...] = (("Connection", "close"),)
    if refusal.retry_after is not None:
        headers = (*headers, ("Retry-After", f"{refusal.retry_after / speed:g}"))
    return Answer(status=refusal.status, body=refusal.text.encode(), headers=headers)
