"""The watchdog: a thread that looks where the loop's thread stands while the loop does not turn.

When the loop has come back it cannot be known any more what held it up, so somebody else has to look meanwhile. The thread sleeps
until the loop's next sign of life is overdue, which on a healthy loop is once or twice a second; then it looks at the loop's stack a few
times. It notes file names, lines and functions, and never a value.

What it can tell apart:

* Code that does not return: the frame where it stood most often. Also code that holds the interpreter while it computes, so that the
  watchdog wakes up late too: it looks at the moment at which it is let go on, and the stack is the same still.
* A process that stood still as a whole, without working: stopped (SIGSTOP, a frozen container), or without a processor. Then
  no frame is to blame.

Where no thread can be started, how long the loop stood still is known all the same, and only where is not.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from collections import Counter
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from attrs import frozen

if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType

PATIENCE = 0.5
"""Seconds by which a sign of life may be overdue before the watchdog looks."""

PAUSE = 0.1
"""Seconds between its first look and the second; each further pause is twice as long."""

LOOKS = 5
"""How often it looks at one stall."""

DEPTH = 8
"""Frames of a stack that are kept, the innermost first."""

IDLE = 0.2
"""A process that used the processor for less than this part of a time did not work in it."""

STOPPED = "the whole process stood still and did not work: it was stopped, or had no processor"


@frozen
class Finding:
    """What the watchdog saw of one stall.

    Attributes:
        where: The place, as `service.py:42 in crunch`, or None where no code is to blame.
        stack: The frames there, innermost first.
        why: Why there is no place, where there is none.
    """

    where: str | None = None
    stack: tuple[str, ...] = ()
    why: str | None = None


class Watchdog:
    """Looks at the thread that enters it, while it does not call `turned`. Leaving ends the watchdog's own thread.

    Args:
        interval: Seconds between two calls of `turned` on a healthy loop.
    """

    def __init__(self, interval: float) -> None:
        """Bind what is watched; nothing runs yet."""
        self._overdue = interval + PATIENCE
        self._turned_at = 0.0
        self._worked = 0.0
        self._seen: list[tuple[float, Finding]] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._missing: str | None = None

    def __enter__(self) -> Self:
        """Begin to watch the current thread."""
        self._turned_at, self._worked = time.monotonic(), time.process_time()
        watched = threading.get_ident()
        thread = threading.Thread(target=self._watch, args=(watched,), name="wsmgr-watchdog", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._missing = f"no thread could be started to look: {error}"
        else:
            self._thread = thread
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the thread; it is gone when this returns."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def turned(self) -> Finding:
        """Take it that the loop turns; returns what was seen since this was last called."""
        before, worked = self._turned_at, self._worked
        self._turned_at, self._worked = time.monotonic(), time.process_time()
        looks, self._seen = self._seen, []
        # What was begun before the loop turned last, and noted after it, is of another stall.
        seen = [found for turned_at, found in looks if turned_at == before]
        if self._missing is not None:
            return Finding(why=self._missing)
        if seen:
            return _verdict(seen)
        stood = self._turned_at - before
        if stood > self._overdue + PATIENCE and _idle(stood, self._worked - worked):
            return Finding(why=STOPPED)
        return Finding(why="it was over before anyone looked")

    def _watch(self, watched: int) -> None:
        """Run in the thread: wait until a sign of life is overdue, and look."""
        turned_at, looks = self._turned_at, 0
        pause = self._overdue
        while True:
            slept_at, worked = time.monotonic(), time.process_time()
            if self._ended.wait(pause):
                return
            overslept = time.monotonic() - slept_at - pause
            if turned_at != self._turned_at:
                turned_at, looks = self._turned_at, 0
            left = turned_at + self._overdue - time.monotonic()
            if left > 0:
                pause = left
                continue
            if overslept > PATIENCE and _idle(overslept, time.process_time() - worked):
                found = Finding(why=STOPPED)
            else:
                found = _look(watched)
            if looks < LOOKS:
                self._seen.append((turned_at, found))
            looks += 1
            pause = PAUSE * 2.0 ** min(looks, LOOKS)


class _Code(IntEnum):
    """Whose code a frame runs: the higher, the more it is to blame for a stall."""

    RUNNER = 0
    """The event loop itself: below it nothing is of interest."""
    OURS = 1
    """This package."""
    STANDARD = 2
    """The standard library."""
    PACKAGE = 3
    """An installed package."""
    CALLER = 4
    """The program."""


def _verdict(seen: list[Finding]) -> Finding:
    """Return the place that was seen most often, with its stack; else why there is none."""
    places = Counter(finding.where for finding in seen if finding.where is not None)
    if not places:
        return seen[-1]
    place = places.most_common(1)[0][0]
    return next(finding for finding in seen if finding.where == place)


def _idle(seconds: float, worked: float) -> bool:
    return worked < IDLE * seconds


def _look(watched: int) -> Finding:
    # Documented, and the one way to see another thread's stack.
    frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return blamed(frames.get(watched))


def blamed(frame: FrameType | None) -> Finding:
    """Return which code of a stack is to blame: the innermost frame of the program, else of a package, else of ours.

    Args:
        frame: The innermost frame of the stack.
    """
    stack: list[str] = []
    best, where = _Code.RUNNER, None
    while frame is not None:
        kind = _kind(frame.f_code.co_filename)
        if kind is _Code.RUNNER:
            break
        place = _place(frame.f_code, frame.f_lineno)
        if len(stack) < DEPTH:
            stack.append(place)
        if kind > best:
            best, where = kind, place
        frame = frame.f_back
    if where is None:
        return Finding(why="it stood in the event loop itself")
    return Finding(where, tuple(stack))


def _place(code: CodeType, line: int | None) -> str:
    path = Path(code.co_filename)
    name = f"{path.parent.name}/{path.name}" if path.stem in {"__init__", "__main__"} else path.name
    return f"{name}:{line} in {code.co_qualname.rpartition('<locals>.')[2]}"


def _folder(path: str | None) -> str:
    return "" if path is None else path.replace("\\", "/").rstrip("/") + "/"


_OURS = _folder(str(Path(__file__).parents[2]))
_STANDARD = _folder(sysconfig.get_path("stdlib"))
_PACKAGES = ("/site-packages/", "/dist-packages/")
_RUNNERS = ("/trio/_core/", "/anyio/_backends/", "/uvloop/")


def _kind(filename: str) -> _Code:
    name = filename.replace("\\", "/")
    if name.startswith(_OURS):
        return _Code.OURS
    if any(part in name for part in _RUNNERS) or name.startswith(_STANDARD + "asyncio/"):
        return _Code.RUNNER
    if any(part in name for part in _PACKAGES):
        return _Code.PACKAGE
    if name.startswith(("<frozen", _STANDARD)):
        return _Code.STANDARD
    return _Code.CALLER
