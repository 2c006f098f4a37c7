"""Ctrl-C and `sys.exit`: they end a tree in order, on each backend, whatever the tree and its host are doing.

The signals are real and go to processes of their own. This file is also their program: run as a script it forks one process for
each case, sends the signals, and prints how each ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import Actor, ChildSpec, Exited, Restarting, Started, Stop, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNERS: dict[str, Callable[[Any], object]] = {
    "asyncio.run": lambda main: asyncio.run(main()),
    "anyio.run on asyncio": anyio.run,
    "anyio.run on trio": lambda main: anyio.run(main, backend="trio"),
}
FORMS = ("run", "async with")
STATES = {
    "idle": ["c", "b", "a"],
    "init": ["c", "b", "a"],
    "restarts": ["c", "b", "a"],
    "supervisor": ["c", "b", "a"],
    "handler": ["c", "b", "a"],
    "report": ["c", "b", "a"],
    "listener": ["c", "b", "a"],
    "good-bye": ["d", "c", "b", "a"],
}
"""What goes on when the signal comes, and who says good-bye, in order."""

PATIENCE = 30.0
"""Real seconds after which the processes of one runner hang. They need less than one; a busy machine may need many more."""

Case = tuple[str, str, str]


# -- the processes -----------------------------------------------------------------------------------------------------


class Tree:
    """The tree of one process: three children that say good-bye, and a fourth that makes the state."""

    def __init__(self, state: str, tell: Callable[[], None]) -> None:
        self.state = state
        self.tell = tell
        self.goodbyes: list[str] = []
        self.starts = 0
        specs = [ChildSpec(name, lambda name=name: Goodbye(self, name)) for name in "abc"]  # type: ignore[misc]
        fourth: dict[str, Callable[[], Actor[Any]]] = {
            "init": lambda: NeverReady(self),
            "restarts": lambda: NeverBack(self),
            "supervisor": Obedient,
            "handler": Obedient,
            "report": Obedient,
            "listener": Obedient,
            "good-bye": lambda: Goodbye(self, "d", slowly=True),
        }
        if state in fourth:
            specs.append(ChildSpec("d", fourth[state], restart="transient"))
        self.supervisor = Supervisor(specs, name="tree", max_restarts=1_000_000, on_event=self.on_event)

    def on_event(self, event: object) -> None:
        match event:
            case Restarting() if self.state == "supervisor":
                # In the supervisor's own task.
                interrupt_oneself()
            case Exited(child_id="d") if self.state == "report":
                # In the task of the child that ends.
                interrupt_oneself()
            case Exited(child_id="d") if self.state == "listener":
                sys.exit(3)
            case _:
                pass
        if isinstance(event, Started) and event.child_id == "tree":
            fourth = self.supervisor.which_children()[-1].ref
            assert fourth is not None
            if self.state == "idle":
                self.tell_when_idle()
            elif self.state == "handler":
                fourth.cast(interrupt_oneself)
            elif self.state == "good-bye":
                fourth.cast(None)
            else:
                fourth.cast(fail)

    def tell_when_idle(self) -> None:
        """Tell, from a thread, as soon as the loop waits for something to do."""
        loop_thread = threading.get_ident()

        def watch() -> None:
            # The functions in which the two backends wait for the operating system.
            while sys._current_frames()[loop_thread].f_code.co_name not in {"select", "get_events"}:
                time.sleep(0.001)
            self.tell()

        threading.Thread(target=watch, daemon=True).start()

    async def host(self, form: str) -> None:
        if form == "run":
            await self.supervisor.run()
        else:
            async with self.supervisor:
                await anyio.sleep_forever()


def interrupt_oneself() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def fail() -> None:
    raise ValueError("fail")


class Goodbye(Actor[Any]):
    """Says good-bye, and takes its time."""

    trap_exit = True

    def __init__(self, tree: Tree, name: str, *, slowly: bool = False) -> None:
        self.tree = tree
        self.name = name
        self.slowly = slowly

    async def handle_cast(self, message: object) -> Stop:
        return Stop()

    async def terminate(self, reason: object) -> None:
        if self.slowly:
            self.tree.tell_when_idle()
        await anyio.sleep(0.2 if self.slowly else 0.005)
        self.tree.goodbyes.append(self.name)


class NeverReady(Actor[Any]):
    """Its start does not end."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    async def init(self) -> None:
        self.tree.tell_when_idle()
        await anyio.sleep_forever()


class Obedient(Actor[Any]):
    """Does what it is sent."""

    async def handle_cast(self, message: Any) -> None:
        message()
        await anyio.sleep(0.001)


class NeverBack(Obedient):
    """Fails to start again, as often as it is tried."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    async def init(self) -> None:
        self.tree.starts += 1
        if self.tree.starts == 20:
            self.tree.tell()
        if self.tree.starts > 1:
            fail()


def be_the_process(case: Case, output: int) -> None:
    """Run one tree until it is interrupted, and write down how it ended."""
    runner, form, state = case
    # The shell that began all this may have told its background jobs to ignore the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def tell() -> None:
        os.write(output, b"ready\n")

    tree = Tree(state, tell)

    async def main() -> None:
        await tree.host(form)

    end = "returned"
    try:
        RUNNERS[runner](main)
    except BaseException as error:  # noqa: BLE001 - what came out is what is asked
        end = type(error).__name__
    os.write(output, json.dumps([end, tree.goodbyes]).encode() + b"\n")


class Running:
    """A process that runs one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.output = b""
        self.pipe, output = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                be_the_process(case, output)
            finally:
                os._exit(0)
        os.close(output)

    def read(self) -> bool:
        """Read what it wrote, interrupt it when it is ready; False at the end."""
        more = os.read(self.pipe, 4096)
        self.output += more
        if more == b"ready\n":
            os.kill(self.pid, signal.SIGINT)
        return bool(more)

    def ended(self) -> list[object]:
        """Return with what it ended, and who said good-bye."""
        os.close(self.pipe)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        *_, last = [b"", *self.output.splitlines()]
        ended: list[object] = json.loads(last) if last.startswith(b"[") else ["hangs", []]
        return ended


async def nothing() -> None:
    """Be done."""


def interrupt_all() -> None:
    """Run all cases and print how each ended."""
    ended: list[tuple[Case, list[object]]] = []
    for runner, run in RUNNERS.items():
        # What it imports is imported once, here.
        run(nothing)
        processes = [Running((runner, form, state)) for form in FORMS for state in STATES]
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            for process in processes:
                selector.register(process.pipe, selectors.EVENT_READ, process)
            while selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(deadline - time.monotonic()):
                    if not key.data.read():
                        selector.unregister(key.fileobj)
        ended += [(process.case, process.ended()) for process in processes]
    print(json.dumps(ended))  # noqa: T201 - the program's output


# -- the tests ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ends() -> dict[Case, tuple[str, list[str]]]:
    """How each case ended, and who had said good-bye."""
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return {tuple(case): (end, goodbyes) for case, (end, goodbyes) in json.loads(done.stdout)}


@pytest.mark.skipif(sys.platform == "win32", reason="forks, and sends SIGINT to one process")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("runner", RUNNERS)
def test_end_of_the_program_ends_the_tree_in_order_and_comes_out_of_its_host(
    runner: str, form: str, state: str, ends: dict[Case, tuple[str, list[str]]]
) -> None:
    """While it waits, starts, restarts, decides, handles, tells, or ends: no group around it, nobody forgotten, no hang."""
    error = "SystemExit" if state == "listener" else "KeyboardInterrupt"
    assert (error, STATES[state]) == ends[runner, form, state]


if __name__ == "__main__":
    interrupt_all()
