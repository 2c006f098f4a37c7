"""For tests of actors, ours and yours: virtual time, a probe, an event recorder, a leak check.

Virtual time runs on both backends: the clock stands still while anything can run, and jumps to the next deadline when
nothing can. A day of backoff takes a millisecond, and what happens at a deadline happens in the same order each time::

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return virtual_backend(request.param)

Real sockets do not go with it: while a peer outside of the loop thinks, time jumps.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from anyio.lowlevel import checkpoint
from trio.testing import MockClock

from .actor import Actor
from .errors import LeakError
from .messages import Continue, Ignore, NoReply, Reply, Stop
from .process.stacks import awaits_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .events import Event
    from .process.calls import ReplyTo
    from .reasons import ExitReason

E = TypeVar("E")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock starts at 0 and jumps; use it as `loop_factory`."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds


def virtual_backend(name: str) -> tuple[str, dict[str, Any]]:
    """Return what anyio's `anyio_backend` fixture, and `anyio.run`, need for virtual time.

    Args:
        name: `asyncio` or `trio`.

    Raises:
        ValueError: It is neither.
    """
    if name == "asyncio":
        return name, {"loop_factory": VirtualTimeLoop}
    if name == "trio":
        return name, {"clock": MockClock(autojump_threshold=0)}
    raise ValueError(f"virtual time exists for 'asyncio' and 'trio', not for {name!r}")


class Probe(Actor[Any]):
    """An actor that does what it is sent, and writes down what happens to it.

    A call or cast that is a function runs in the actor, as `await fn(probe)`: a call answers with its result, unless
    that is `Reply`, `NoReply` or `Stop` already. Anything else is written into the journal, and echoed to a caller.

    Attributes:
        name: The first member of each entry.
        journal: Entries `(name, "init")`, `(name, message)` and `(name, "terminate", reason)`; may be shared.
    """

    def __init__(self, name: str = "probe", journal: list[tuple[object, ...]] | None = None) -> None:
        self.name = name
        self.journal: list[tuple[object, ...]] = [] if journal is None else journal

    async def init(self) -> Continue | Ignore | Stop | None:
        """Write it down."""
        self.journal.append((self.name, "init"))
        return None

    async def handle_call(self, request: object, reply_to: ReplyTo) -> Reply | NoReply | Stop:
        """Run or echo."""
        del reply_to
        result = await self._run(request)
        return result if isinstance(result, (Reply, NoReply, Stop)) else Reply(result)

    async def handle_cast(self, message: object) -> Stop | None:
        """Run or write down."""
        result = await self._run(message)
        return result if isinstance(result, Stop) else None

    async def handle_info(self, message: object) -> Stop | None:
        """Write it down."""
        self.journal.append((self.name, message))
        return None

    async def terminate(self, reason: ExitReason) -> None:
        """Write it down."""
        self.journal.append((self.name, "terminate", reason))

    async def _run(self, message: object) -> object:
        if callable(message):
            return await cast(Callable[[Probe], Awaitable[object]], message)(self)
        self.journal.append((self.name, message))
        return message


class TrappingProbe(Probe):
    """A `Probe` that traps exits."""

    trap_exit = True


class EventRecorder:
    """Keeps the events of supervisors: `Supervisor(..., on_event=recorder)`.

    Attributes:
        events: All of them, oldest first.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = anyio.Event()

    def __call__(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)
        self._more.set()
        self._more = anyio.Event()

    def of(self, kind: type[E]) -> list[E]:
        """Return those of one class."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(
        self, kind: type[E], *, where: Callable[[E], bool] = lambda _: True, timeout: float = 10.0
    ) -> E:
        """Return the first event of a class for which `where` holds, waiting for it.

        Raises:
            TimeoutError: None came within `timeout` seconds.
        """
        with anyio.fail_after(timeout):
            while True:
                for event in self.of(kind):
                    if where(event):
                        return event
                await self._more.wait()


@asynccontextmanager
async def check_leaks() -> AsyncGenerator[None, None]:
    """Fail when the body leaves a task behind that was not there before.

    Raises:
        LeakError: With the name and the stack of each.
    """
    before = {task.id for task in _tasks()}
    yield
    for _ in range(3):
        await checkpoint()
    left = [task for task in _tasks() if task.id not in before]
    if left:
        stacks = "\n".join(f"{task.name}: {' < '.join(reversed(awaits_of(task.coro)))}" for task in left)
        raise LeakError(f"{len(left)} tasks were left running:\n{stacks}")


async def settle(condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
    """Let everything else run until `condition` holds; for what has no event to wait for.

    Raises:
        TimeoutError: It did not within `timeout` seconds.
    """
    pause = 0.001
    with anyio.fail_after(timeout):
        while not condition():
            await anyio.sleep(pause)
            pause = min(pause * 2, 1.0)


def run_virtually(fn: Callable[[], Awaitable[E]], *, backend: str = "asyncio") -> E:
    """Run `await fn()` in virtual time and return its result; for tests without pytest's plugin."""
    name, options = virtual_backend(backend)
    return anyio.run(fn, backend=name, backend_options=options)


def _tasks() -> list[anyio.TaskInfo]:
    # anyio's plugin for pytest runs each step of a test in a task of its own: they are not the test's.
    return [
        task
        for task in anyio.get_running_tasks()
        if not getattr(task.coro, "__qualname__", "").startswith("TestRunner.")
    ]


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for no deadline: where nothing is ready the clock is moved instead."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; with nothing ready, jump by `timeout`. Without a deadline, wait really."""
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self._jump(timeout)
        return ready
