"""Ctrl-C in commands that read in a blocking way, and in those that run a loop."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wsmgr.cli.interrupts import Interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAINS_FOR_EVER = """
import sys
import anyio
from wsmgr.cli.loop import run

async def body():
    try:
        print("works", flush=True)
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=sys.argv[2] == "for ever"):
            print("drains", flush=True)
            await anyio.sleep_forever()

sys.exit(run(sys.argv[1], body, terminated=7))
"""


def test_an_interrupt_while_waiting_ends_the_wait() -> None:
    """Nothing comes, and Ctrl-C works all the same."""

    def waits() -> Iterator[int]:
        signal.raise_signal(signal.SIGINT)
        yield 1

    interrupts = Interrupts()
    with interrupts.handled(), pytest.raises(KeyboardInterrupt):
        list(interrupts.between(waits()))


def test_an_interrupt_while_writing_lets_the_piece_be_finished() -> None:
    """No reader of stdout sees half a line."""
    written: list[str] = []

    def write(item: int) -> None:
        signal.raise_signal(signal.SIGINT)
        written.append(f"all of {item}")

    interrupts = Interrupts()
    with interrupts.handled(), pytest.raises(KeyboardInterrupt):
        list(map(write, interrupts.between([1, 2])))
    assert ["all of 1"] == written


def test_the_former_handler_comes_back() -> None:
    """A command that is done leaves nothing behind."""
    before = signal.getsignal(signal.SIGINT)
    interrupts = Interrupts()
    with interrupts.handled():
        assert before != signal.getsignal(signal.SIGINT)
        assert [1, 2] == list(interrupts.between([1, 2]))
    assert before == signal.getsignal(signal.SIGINT)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("number", "drains", "code"),
    [
        (signal.SIGTERM, "at once", 7),
        (signal.SIGINT, "for ever", 130),
    ],
)
def test_the_first_signal_drains_and_a_second_ends_at_once(
    backend: str, number: signal.Signals, drains: str, code: int
) -> None:
    """Whatever the drain waits for, two signals end the process."""
    command = [sys.executable, "-c", DRAINS_FOR_EVER, backend, drains]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "works\n" == process.stdout.readline()
        process.send_signal(number)
        assert "drains\n" == process.stdout.readline()
        if drains == "for ever":
            process.send_signal(number)
        assert code == process.wait(10)
