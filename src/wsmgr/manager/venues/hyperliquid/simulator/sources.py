"""Sources: what a stream sends, per type, as two plain functions.

A :class:`Source` answers `first(at)` (what a new subscriber gets at once) and `tick(at)` (what everybody gets at a
tick). A tick of number `n` is at `n` times the stream's interval; both functions depend on that alone, so whoever
calls them may be late, early, or a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs


class Tick(NamedTuple):
    """A point in a stream.

    Attributes:
        n: Its number.
        time: Seconds after the start of the simulator.
    """

    n: int
    time: float


class Frame(NamedTuple):
    """A data frame.

    Attributes:
        text: What goes over the wire.
        ids: What identifies the events in it (trade ids, order ids ...); empty for states.
    """

    text: str
    ids: tuple[object, ...] = ()


def nothing(_: Tick) -> Sequence[Frame]:
    """No frame."""
    return ()


@attrs.frozen(kw_only=True)
class Source:
    """What a stream sends.

    Attributes:
        first: Frames for a new subscriber, right after its acknowledgement.
        tick: Frames for all subscribers at a tick.
        events: Whether it sends events, each of which matters, and not states.
    """

    first: Callable[[Tick], Sequence[Frame]]
    tick: Callable[[Tick], Sequence[Frame]]
    events: bool = False


def state(make: Callable[[Tick], str]) -> Source:
    """A source that sends the whole state, at once and at each tick."""

    def frames(at: Tick) -> Sequence[Frame]:
        return (Frame(make(at)),)

    return Source(first=frames, tick=frames)
