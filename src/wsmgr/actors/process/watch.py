"""Watching the callbacks of one actor: each is timed, told to a sink, counted. Nothing of it runs unless asked for."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    # ref imports this module: an annotation is all that is needed here.
    from wsmgr.actors.ref import ActorRef  # noqa: TC004

_log = logging.getLogger("wsmgr.actors.trace")

T = TypeVar("T")


@frozen(kw_only=True)
class TraceEvent:
    """A callback is entered (`seconds` is None), or was left.

    Attributes:
        ref: Whose.
        callback: `handle_call`, `handle_cast` or `handle_info`.
        message: What it was given.
        answer: What it returned.
        error: What it raised.
        seconds: How long it took, by the computer's clock; None when it is entered.
    """

    ref: ActorRef[Any]
    callback: str
    message: object = field(repr=False)
    answer: object = field(default=None, repr=False)
    error: BaseException | None = None
    seconds: float | None = None


@frozen(kw_only=True)
class Statistics:
    """What an actor has done since its statistics were switched on. Times are seconds of the computer's clock.

    Attributes:
        seconds: Since when.
        calls: Calls handled; a postponed message counts each time.
        casts: Casts handled.
        infos: Messages of the runtime handled.
        busy: How long callbacks took together, what they awaited included.
        longest: How long the longest took.
        longest_callback: Which that was.
    """

    seconds: float
    calls: int
    casts: int
    infos: int
    busy: float
    longest: float
    longest_callback: str | None


class Watch:
    """What watches one actor: a sink, statistics, or both."""

    def __init__(self, ref: ActorRef[Any]) -> None:
        self._ref = ref
        self.sink: Callable[[TraceEvent], None] | None = None
        self._since: float | None = None
        self._counts = {"handle_call": 0, "handle_cast": 0, "handle_info": 0}
        self._busy = 0.0
        self._longest = 0.0
        self._longest_callback: str | None = None

    @property
    def on(self) -> bool:
        """Whether anything is asked for."""
        return self.sink is not None or self._since is not None

    def count(self, *, on: bool) -> None:
        """Begin to count anew, or end it."""
        self._since = perf_counter() if on else None
        self._counts = dict.fromkeys(self._counts, 0)
        self._busy = self._longest = 0.0
        self._longest_callback = None

    def statistics(self) -> Statistics | None:
        """Return what was counted, or None when nothing is."""
        if self._since is None:
            return None
        return Statistics(
            seconds=perf_counter() - self._since,
            calls=self._counts["handle_call"],
            casts=self._counts["handle_cast"],
            infos=self._counts["handle_info"],
            busy=self._busy,
            longest=self._longest,
            longest_callback=self._longest_callback,
        )

    async def run(self, callback: str, message: object, running: Awaitable[T]) -> T:
        """Await a callback, with a look before and after."""
        self._tell(callback, message)
        started = perf_counter()
        try:
            answer = await running
        except BaseException as error:
            seconds = self._add(callback, started)
            self._tell(callback, message, error=error, seconds=seconds)
            raise
        seconds = self._add(callback, started)
        self._tell(callback, message, answer=answer, seconds=seconds)
        return answer

    def _add(self, callback: str, started: float) -> float:
        seconds = perf_counter() - started
        self._counts[callback] += 1
        self._busy += seconds
        if seconds >= self._longest:
            self._longest, self._longest_callback = seconds, callback
        return seconds

    def _tell(self, callback: str, message: object, **outcome: Any) -> None:  # noqa: ANN401 - the fields of the event
        if self.sink is None:
            return
        try:
            self.sink(TraceEvent(ref=self._ref, callback=callback, message=message, **outcome))
        except Exception:  # noqa: BLE001 - a sink is somebody else's code
            self.sink = None
            _log.exception("the sink of a trace failed and is removed", extra={"actor": self._ref.path})


def log_trace(event: TraceEvent) -> None:
    """Write `event` to the log `wsmgr.actors.trace`: classes of messages and not their contents."""
    if event.seconds is None:
        _log.info("%s %s(%s)", event.ref, event.callback, type(event.message).__name__)
        return
    outcome = type(event.answer if event.error is None else event.error).__name__
    _log.info("%s %s -> %s in %.6f s", event.ref, event.callback, outcome, event.seconds)
