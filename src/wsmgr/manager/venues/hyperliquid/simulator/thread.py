"""Thread: a simulator inside a program that has no trio loop, such as a test on asyncio."""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import attrs
import msgspec
import trio

from wsmgr.manager.venues.hyperliquid.simulator.options import Address, SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.server import serve

if TYPE_CHECKING:
    from types import TracebackType

_START_TIMEOUT = 10.0
_REQUEST_TIMEOUT = 10.0


class _Killed(msgspec.Struct):
    killed: list[int]


class SimulatorStartError(RuntimeError):
    """The simulator did not start; its cause says why."""


class SimulatorCrashError(RuntimeError):
    """The simulator crashed while it ran; its cause says why."""


class SimulatorThread:
    """A simulator on a thread of its own: `with SimulatorThread() as simulator: simulator.address.url`.

    Its methods block for some milliseconds; a test on an event loop may call them directly.

    Attributes:
        address: Where it can be reached; the port stays the same over :meth:`stop` and :meth:`start`.
    """

    address: Address

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self._options = options or SimulatorOptions()
        self._thread: threading.Thread | None = None
        self._stop: trio.Event | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._port = self._options.port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, again after :meth:`stop` on the same port; returns when it accepts connections.

        Raises:
            SimulatorStartError: It did not start.
        """
        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._main, name="hyperliquid simulator", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT) or self._error is not None:
            self._thread, error = None, self._error
            raise SimulatorStartError("the simulator did not start") from error

    def stop(self) -> None:
        """End it; returns when its thread is gone. Harmless when it does not run.

        Raises:
            SimulatorCrashError: It had crashed: a bug of the simulator, its cause says which.
        """
        if self._thread is None:
            return
        if self._token is not None and self._stop is not None and self._thread.is_alive():
            with suppress(trio.RunFinishedError):  # it ended by itself in this moment
                self._token.run_sync_soon(self._stop.set)
        self._thread.join()
        self._thread = None
        if self._error is not None:
            raise SimulatorCrashError("the simulator crashed while it ran") from self._error

    def kill(self, connection: int | None = None) -> list[int]:
        """Reset a socket by its number, or all; returns the numbers of those that were open."""
        return msgspec.json.decode(
            self.request("POST", "/sim/kill", {"connection": connection}), type=_Killed
        ).killed

    def set_faults(self, *faults: str) -> None:
        """Replace the faults; without arguments all are off."""
        self.request("POST", "/sim/faults", {"faults": list(faults)})

    def log(self) -> dict[str, Any]:
        """What `GET /sim/log` says."""
        return msgspec.json.decode(self.request("GET", "/sim/log"), type=dict[str, Any])

    def events(self) -> list[dict[str, Any]]:
        """What `GET /sim/events` says."""
        return msgspec.json.decode(self.request("GET", "/sim/events"), type=list[dict[str, Any]])

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Ask the simulator over HTTP; returns the answer's body.

        Args:
            method: Upper case.
            path: One of the simulator's paths.
            body: Sent as JSON; None sends nothing.

        Raises:
            ValueError: It was refused; the text is the simulator's.
        """
        connection = http.client.HTTPConnection(
            self.address.host, self.address.port, timeout=_REQUEST_TIMEOUT
        )
        try:
            connection.request(method, path, msgspec.json.encode(body) if body is not None else None)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ValueError(f"{method} {path}: {response.status} {content.decode()}")
        return content

    def _main(self) -> None:
        try:
            trio.run(self._run)
        except BaseException as error:  # noqa: BLE001  # handed to whoever waits in start()
            self._error = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._stop = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        options = attrs.evolve(self._options, port=self._port)
        await serve(options, on_ready=self._on_ready, stop=self._stop)

    def _on_ready(self, address: Address) -> None:
        self.address = address
        self._port = address.port
        self._ready.set()
