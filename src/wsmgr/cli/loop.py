"""Loop: runs async work for a command, on the chosen backend, until it is done or a signal asks for its end.

The first Ctrl-C (or SIGTERM) cancels the work, which then drains; a second one ends the process at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio

from wsmgr.cli.errors import INTERRUPTED
from wsmgr.cli.settings import Backend

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED: Final = 128


def run(
    backend: Backend, body: Callable[[], Awaitable[int]], *, terminated: int = _SIGNALLED + signal.SIGTERM
) -> int:
    """Run `body` and return its exit code, or that of the signal that ended it.

    Args:
        backend: The event loop: asyncio, on uvloop where there is one, or trio.
        body: The work; a signal cancels it.
        terminated: The exit code where it was SIGTERM that ended it.
    """
    options = {"use_uvloop": sys.platform != "win32"} if backend == "asyncio" else {}
    code = anyio.run(partial(_until_signalled, body, terminated), backend=backend, backend_options=options)
    if any(
        thread is not threading.current_thread() and not thread.daemon for thread in threading.enumerate()
    ):
        _leave_threads_behind(code)
    return code


async def _until_signalled(body: Callable[[], Awaitable[int]], terminated: int) -> int:
    received: list[int] = []
    code = 0
    failure: Exception | None = None
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async with anyio.create_task_group() as group:
            work = anyio.CancelScope()

            async def listen() -> None:
                async for number in signals:
                    if received:
                        os._exit(_SIGNALLED + number)
                    received.append(number)
                    work.cancel()

            group.start_soon(listen)
            with work:
                try:
                    code = await body()
                except Exception as error:  # noqa: BLE001 - raised below, outside of the group that would wrap it
                    failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    match received:
        case []:
            return code
        case [signal.SIGTERM, *_]:
            return terminated
        case _:
            return INTERRUPTED


def _leave_threads_behind(code: int) -> None:
    """End the process at once where a worker thread still waits for a reader of stdout that reads no more.

    The interpreter would wait for that thread, for as long as the reader likes.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(timeout=0.2)
            if thread.is_alive():
                sys.stderr.flush()
                os._exit(code)
