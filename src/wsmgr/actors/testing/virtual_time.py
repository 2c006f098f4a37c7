"""Virtual time: the clock stands still while anything can run, and then jumps to the next deadline.

A day of backoff takes a millisecond, and no machine is too slow for a test. On trio the clock is trio's own
`MockClock`. On asyncio it is a loop class of the caller's choice, with the timers taken out of the loop's hands:

1. `time()` starts at 0 and is exactly the deadline of the timer that fires.
2. What is ready runs before time moves.
3. Timers fire in the order of their deadlines, and those of one deadline in the order in which they were set. A
   cancelled one never fires, and one that is set to infinity waits for ever.
4. Without a timer nothing is polled: the loop waits for its sockets, threads and signals as it always does.

How it notices that nothing can run: no loop says so, but callbacks run first come, first served. While a timer is
pending a callback of ours, the watch, goes round with the others, and a round is quiet when nothing was scheduled
since the last. Time moves at the third quiet round in a row: at the first, all that was ready has run; before the
second, the loop has looked at its sockets; at the third, what they brought has run too. A selector that jumps where it
should wait would do as well, but asyncio's own loop alone has a selector that can be replaced.

What it cannot know is what goes on outside of the loop. While a thread works or a peer thinks, the loop is idle, and
time jumps to the next deadline if there is one. And whoever polls without sleeping stops the clock.
"""

from __future__ import annotations

import asyncio
import math
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple

import anyio
from trio.testing import MockClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

    _Loop = asyncio.SelectorEventLoop
else:
    # What `super()` is in a method is the class that stands behind, whichever that is.
    _Loop = asyncio.AbstractEventLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_QUIET_ROUNDS: Final = 3


def virtual_backend(
    name: str, *, loop_class: type[asyncio.AbstractEventLoop] | None = None, eager: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return what anyio's `anyio_backend` fixture, and `anyio.run`, need for virtual time.

    Args:
        name: `asyncio` or `trio`.
        loop_class: For asyncio, the loop to run on, such as `uvloop.Loop`; by default asyncio's own.
        eager: For asyncio, whether tasks start eagerly: `asyncio.eager_task_factory`, from Python 3.12 on.

    Raises:
        ValueError: There is no such backend, it has no such option, or this Python has no eager tasks.
        TypeError: `loop_class` is no class of event loops.
    """
    if name == "asyncio":
        loop: type[asyncio.AbstractEventLoop] = (
            VirtualTimeLoop if loop_class is None else virtual_loop(loop_class)
        )
        return name, {"loop_factory": _eager(loop) if eager else loop}
    if name != "trio":
        raise ValueError(f"virtual time exists for 'asyncio' and 'trio', not for {name!r}")
    if loop_class is not None or eager:
        raise ValueError("loop_class and eager are options of 'asyncio'; trio has one loop")
    return name, {"clock": MockClock(autojump_threshold=0)}


def virtual_loop(loop_class: type[asyncio.AbstractEventLoop]) -> type[asyncio.AbstractEventLoop]:
    """Return a subclass of `loop_class` whose clock starts at 0 and jumps; use it as `loop_factory`.

    The class must be one that can be derived from and that is made without arguments, as `uvloop.Loop` is.

    Raises:
        TypeError: `loop_class` is no class of event loops.
    """
    if asyncio.AbstractEventLoop not in getattr(loop_class, "__mro__", ()):
        raise TypeError(f"loop_class must be a class of event loops, such as uvloop.Loop, not {loop_class!r}")
    return type(f"Virtual{loop_class.__name__}", (_VirtualTime, loop_class), {})


def run_virtually(
    fn: Callable[[], Awaitable[T]],
    *,
    backend: str = "asyncio",
    loop_class: type[asyncio.AbstractEventLoop] | None = None,
    eager: bool = False,
) -> T:
    """Run `await fn()` in virtual time and return its result; for tests without pytest's plugin.

    The options are those of `virtual_backend`.
    """
    name, options = virtual_backend(backend, loop_class=loop_class, eager=eager)
    return anyio.run(fn, backend=name, backend_options=options)


async def settle(condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
    """Let everything else run until `condition` holds; for what has no event to wait for.

    Time moves only while it does not hold and nothing else can run: by a millisecond, then two, up to a second.

    Raises:
        TimeoutError: It did not within `timeout` seconds.
    """
    pause = 0.001
    with anyio.move_on_after(timeout):
        while not condition():
            await anyio.sleep(pause)
            pause = min(pause * 2, 1.0)
        return
    raise TimeoutError(f"the condition did not hold within {timeout:g} s")


class _Timer(asyncio.TimerHandle):
    __slots__ = ()

    def fire(self) -> None:
        # It may have been cancelled since it became due.
        if not self.cancelled():
            self._run()


class _VirtualTime(_Loop):
    """The part of a loop that tells the time and keeps the timers; stands before the loop's class."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = count()
        self._watching = False
        self._stirred = False
        self._quiet = 0
        super().__init__()

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As the loop's own, noting that there is something to run."""
        self._stirred = True
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As the loop's own, noting that there is something to run."""
        self._stirred = True
        return super().call_soon_threadsafe(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call in `delay` virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a virtual time."""
        self._stirred = True
        timer = _Timer(when, callback, args, self, context)
        if when < math.inf:
            heappush(self._timers, (when, next(self._numbers), timer))
            if not self._watching:
                self._watching = True
                super().call_soon(self._watch)
        return timer

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads for as long as they take: they know nothing of virtual time."""
        del timeout
        await super().shutdown_default_executor()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        # The handle's own interface to its loop. The watch passes over those that were cancelled.
        del handle

    def _watch(self) -> None:
        self._quiet = 0 if self._stirred else self._quiet + 1
        self._stirred = False
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        self._watching = bool(timers)
        if not timers:
            return
        if self._quiet >= _QUIET_ROUNDS:
            self._now = timers[0][0]
        while timers and timers[0][0] <= self._now:
            self._stirred = True
            super().call_soon(heappop(timers)[2].fire)
        super().call_soon(self._watch)


class VirtualTimeLoop(_VirtualTime, asyncio.SelectorEventLoop):
    """asyncio's own loop with a clock that starts at 0 and jumps; use it as `loop_factory`."""


def _eager(loop_class: type[asyncio.AbstractEventLoop]) -> Callable[[], asyncio.AbstractEventLoop]:
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        raise ValueError("eager tasks came with Python 3.12, and this one is older: leave out `eager`")

    def new_loop() -> asyncio.AbstractEventLoop:
        loop = loop_class()
        loop.set_task_factory(factory)
        return loop

    return new_loop
