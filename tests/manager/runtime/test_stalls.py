"""The watchdog: who is to blame while the loop stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

import wsmgr
from wsmgr.manager.runtime import stalls
from wsmgr.manager.runtime.stalls import DEPTH, STOPPED, Finding, Watchdog, blamed

if TYPE_CHECKING:
    from collections.abc import Callable

STANDARD = sysconfig.get_path("stdlib")
RUNNER = f"{STANDARD}/asyncio/base_events.py"
OURS = f"{next(iter(wsmgr.__path__))}/manager/runtime/handle.py"
PACKAGE = "/app/.venv/lib/python3.12/site-packages/requests/api.py"
OVER = Finding(why="it was over before anyone looked")
INTERVAL = 0.05
STOPPING = """
import sys, time
from wsmgr.manager.runtime.stalls import Watchdog

with Watchdog(0.1) as watchdog:
    before = time.monotonic()
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
        now, found = time.monotonic(), watchdog.turned()
        if now - before > 1.5:
            print(found.where, found.why, flush=True)
            break
        before = now
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the watchdog look soon."""
    monkeypatch.setattr(stalls, "PATIENCE", 0.1)
    monkeypatch.setattr(stalls, "PAUSE", 0.02)


def called(*places: tuple[str, str]) -> Finding:
    """Return who is blamed for a stack of functions in files, the outermost first."""
    found: list[Finding] = []
    inward: Callable[[], None] = lambda: found.append(blamed(sys._getframe(1)))  # noqa: E731 - one frame above itself
    for file, name in reversed(places):
        names: dict[str, Any] = {"inward": inward}
        source = f"\n\ndef {name}():\n    inward()\n"
        exec(compile(source, file, "exec"), names)
        inward = names[name]
    inward()
    return found[0]


def watchdogs() -> list[str]:
    """Return the watchdogs' threads that there are."""
    return [thread.name for thread in threading.enumerate() if thread.name == "wsmgr-watchdog"]


def place(function: Callable[..., object], line: int) -> str:
    """Return how a line of a function of this file is named, counted from its first."""
    return f"test_stalls.py:{function.__code__.co_firstlineno + line} in {function.__name__}"


@pytest.mark.parametrize(
    ("stack", "where"),
    [
        pytest.param(
            [(RUNNER, "run"), (OURS, "call"), ("/app/service.py", "crunch")],
            "service.py:4 in crunch",
            id="the program, called by us",
        ),
        pytest.param(
            [
                (RUNNER, "run"),
                ("/app/service.py", "crunch"),
                (PACKAGE, "get"),
                (f"{STANDARD}/ssl.py", "read"),
            ],
            "service.py:4 in crunch",
            id="the program, which calls a package that calls the standard library",
        ),
        pytest.param(
            [(RUNNER, "run"), (PACKAGE, "get"), (f"{STANDARD}/selectors.py", "select")],
            "api.py:4 in get",
            id="a package alone",
        ),
        pytest.param(
            [(RUNNER, "run"), (OURS, "next"), (f"{STANDARD}/json/__init__.py", "loads")],
            "json/__init__.py:4 in loads",
            id="the standard library under us",
        ),
        pytest.param([(RUNNER, "run"), (OURS, "next")], "handle.py:4 in next", id="we ourselves"),
        pytest.param(
            [("/app/outer.py", "outer"), ("/app/inner.py", "inner")],
            "inner.py:4 in inner",
            id="the innermost",
        ),
        pytest.param(
            [(PACKAGE.replace("requests/api", "trio/_core/_run"), "run"), ("/app/main.py", "crunch")],
            "main.py:4 in crunch",
            id="on trio",
        ),
    ],
)
def test_the_programs_own_innermost_frame_is_to_blame(stack: list[tuple[str, str]], where: str) -> None:
    """Else a package's, else the standard library's, else ours."""
    assert where == called(*stack).where


@pytest.mark.parametrize(
    "runner",
    [
        RUNNER,
        PACKAGE.replace("requests/api", "trio/_core/_run"),
        PACKAGE.replace("requests/api", "anyio/_backends/_asyncio"),
    ],
)
def test_what_runs_the_loop_is_not_to_blame(runner: str) -> None:
    """The program's main function, which waits for the loop, stands on every stack."""
    found = called(("/app/service.py", "main"), (runner, "run"))
    assert Finding(why="it stood in the event loop itself") == found
    assert Finding(why="it stood in the event loop itself") == blamed(None)


def test_the_stack_is_short_and_holds_no_value() -> None:
    """Names of files and functions, and lines: nothing that a secret could be in."""
    found = called((RUNNER, "run"), *[("/home/ann/secret/service.py", f"f{depth}") for depth in range(20)])
    assert tuple(f"service.py:4 in f{depth}" for depth in range(19, 19 - DEPTH, -1)) == found.stack


def test_a_method_is_named_with_its_class() -> None:
    """And a function inside another without it."""

    class Strategy:
        def decide(self) -> Finding:
            return blamed(sys._getframe())

    assert place(Strategy.decide, 1).replace("decide", "Strategy.decide") == Strategy().decide().where


def crunch(seconds: float) -> None:
    time.sleep(seconds)


def compute(times: int) -> None:
    deque(repeat(None, times), maxlen=0)


@pytest.mark.usefixtures("impatient")
def test_code_that_does_not_return_is_named() -> None:
    """With where it was called from; and it is told once."""
    with Watchdog(INTERVAL) as watchdog:
        crunch(1.0)
        found = watchdog.turned()
        assert OVER == watchdog.turned()
    assert place(crunch, 1) == found.where
    assert found.stack[0] == found.where
    assert found.stack[1].endswith("in test_code_that_does_not_return_is_named")


@pytest.mark.usefixtures("impatient")
def test_code_that_holds_the_interpreter_is_named_too() -> None:
    """The watchdog itself cannot run meanwhile; it looks when it is let go on, and the stack is the same still."""
    began = time.perf_counter()
    compute(1_000_000)
    times = int(1_000_000 * 0.8 / (time.perf_counter() - began))
    found = OVER
    with Watchdog(INTERVAL) as watchdog:
        # A machine that has no processor for the watchdog's thread, or a slow moment to measure by, may spoil a try.
        for _ in range(5):
            compute(times)
            found = watchdog.turned()
            if found.where is not None:
                break
    assert place(compute, 1) == found.where


@pytest.mark.usefixtures("impatient")
def test_the_place_where_it_stood_most_often_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look may hit something that was done on the way."""
    seen = iter(["a.py:1 in a", "b.py:1 in b", "b.py:1 in b", "b.py:1 in b", "b.py:1 in b"])
    enough = threading.Event()

    def look(_watched: int) -> Finding:
        where = next(seen)
        if where != "a.py:1 in a":
            enough.set()
        return Finding(where=where)

    monkeypatch.setattr(stalls, "_look", look)
    with Watchdog(INTERVAL) as watchdog:
        while not (enough.is_set() and len(watchdog._seen) > 2):
            enough.wait(0.01)
        assert "b.py:1 in b" == watchdog.turned().where


@pytest.mark.usefixtures("impatient")
def test_a_stall_is_looked_at_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it lasts: the watchdog holds the interpreter for no longer than it must."""
    looks: list[int] = []
    monkeypatch.setattr(stalls, "LOOKS", 2)

    def look(watched: int) -> Finding:
        looks.append(watched)
        return Finding(where="a.py:1 in a")

    monkeypatch.setattr(stalls, "_look", look)
    with Watchdog(INTERVAL) as watchdog:
        while len(looks) < 4:
            time.sleep(0.01)
        assert len(watchdog._seen) == 2
    assert {threading.get_ident()} == set(looks)


def test_while_the_loop_turns_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the watchdog sleeps until the next sign of life would be overdue."""
    looks: list[int] = []
    monkeypatch.setattr(stalls, "_look", looks.append)
    waits: list[float] = []

    class Waited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return super().wait(timeout)

    monkeypatch.setattr(threading, "Event", Waited)
    with Watchdog(INTERVAL) as watchdog:
        ends = time.monotonic() + 3 * (INTERVAL + stalls.PATIENCE)
        while time.monotonic() < ends:
            time.sleep(INTERVAL)
            assert OVER == watchdog.turned()
    assert [] == looks
    # The thread's start waits for an event without a deadline.
    assert len([seconds for seconds in waits if seconds]) <= 5


def test_a_process_that_was_stopped_blames_no_code() -> None:
    """Nobody's code ran, whichever thread goes on first."""
    process = subprocess.Popen([sys.executable, "-c", STOPPING], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        time.sleep(2.5)
        process.send_signal(signal.SIGCONT)
        assert f"None {STOPPED}\n" == process.stdout.readline()
    assert 0 == process.returncode


def test_the_thread_ends_with_the_watch() -> None:
    """Whatever ends it."""
    with Watchdog(INTERVAL):
        assert ["wsmgr-watchdog"] == watchdogs()
    assert [] == watchdogs()
    with pytest.raises(ZeroDivisionError), Watchdog(INTERVAL):
        raise ZeroDivisionError
    assert [] == watchdogs()


def test_without_a_thread_only_the_place_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager runs all the same, and says why."""

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with Watchdog(INTERVAL) as watchdog:
        found = watchdog.turned()
    assert Finding(why="no thread could be started to look: can't start new thread") == found


@pytest.mark.anyio
@pytest.mark.usefixtures("impatient")
async def test_a_coroutine_that_blocks_its_loop_is_named(anyio_backend_name: str) -> None:
    """On both loops, and not the program that runs the loop."""

    async def strategy() -> None:
        await checkpoint()
        crunch(0.5)

    with Watchdog(INTERVAL) as watchdog:
        async with anyio.create_task_group() as group:
            group.start_soon(strategy)
        found = watchdog.turned()
    assert place(crunch, 1) == found.where, anyio_backend_name
    assert found.stack[1].endswith("in strategy")
