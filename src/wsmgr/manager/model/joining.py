"""Joining: what a consumer gets first who comes to a stream that is already live.

A venue sends a snapshot once, when a subscription begins. Whoever joins later must not have to ask for it again, and must
see neither a hole nor an overlap between the state that is replayed and the frames that follow. So each subscription
remembers, by its type's `join`, the newest frame (`last`) or the snapshot and what came since (`log`, `fold`). A log is
compacted into one frame when what came since is as much as the state itself, so it stays small however long the stream
runs, and compacting costs each frame a constant share.

`log` and `fold` differ in what a frame without a snapshot before it is worth. Items are worth something by themselves, so a
`log` begins with whatever comes first. A `fold` is made of changes, which say nothing without what they change: it begins
with a snapshot, and what comes before one is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from attrs import define, field

from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.subscription_type import Join

if TYPE_CHECKING:
    from wsmgr.manager.model.message import Message

COMPACT_BYTES = 64 * 2**10

Compose = Callable[[Sequence[bytes]], bytes]


def _ignore(_error: WsmgrError) -> None:
    """Nobody is told."""


@define(eq=False)
class Log:
    """The snapshot of a stream and the frames since.

    Args:
        compose: Makes one snapshot frame of a snapshot and the frames after it.
        needs_snapshot: Whether frames without a snapshot before them are worth nothing.
        on_give_up: Told why, when its frames could not be composed, so that it was forgotten.
    """

    compose: Compose = field(repr=False)
    needs_snapshot: bool = False
    on_give_up: Callable[[WsmgrError], None] = field(default=_ignore, repr=False)
    _frames: list[bytes] = field(factory=list[bytes], init=False, repr=False)
    _base: int = field(default=0, init=False)
    _since: int = field(default=0, init=False)
    _composed: bool = field(default=False, init=False)

    def record(self, raw: bytes, *, snapshot: bool) -> None:
        """Keep a frame; a snapshot replaces all before it."""
        if snapshot:
            self.clear()
        elif self.needs_snapshot and not self._frames:
            return
        self._frames.append(raw)
        if len(self._frames) == 1:
            self._base = len(raw)
            return
        self._since += len(raw)
        if self._since > max(COMPACT_BYTES, self._base):
            self._compact()

    def clear(self) -> None:
        """Forget everything: what comes next begins with a new snapshot."""
        self._frames.clear()
        self._base = self._since = 0
        self._composed = False

    def state(self) -> tuple[bytes, bool] | None:
        """Return one frame that holds the whole state and whether it was composed, or None when nothing came yet."""
        if not self._frames:
            return None
        if len(self._frames) > 1:
            self._compact()
        return (self._frames[0], self._composed) if self._frames else None

    def _compact(self) -> None:
        try:
            self._frames = [self.compose(self._frames)]
        except WsmgrError as error:
            # The venue changed the shape of these frames: consumers still get each, but there is no state to replay.
            self.clear()
            self.on_give_up(error)
            return
        self._base = len(self._frames[0])
        self._since = 0
        self._composed = True


def log_for(join: Join, compose: Compose, on_give_up: Callable[[WsmgrError], None]) -> Log | None:
    """Return the log that a stream keeps for those who come late, or None where it needs none."""
    return Log(compose, needs_snapshot=join is Join.FOLD, on_give_up=on_give_up) if join.keeps_log else None


def replay(join: Join, last: Message | None, log: Log | None) -> Message | None:
    """Return the message that a late consumer gets first, or None where there is nothing to give.

    Args:
        join: What the type says.
        last: The newest message of the stream.
        log: The stream's log, where it keeps one.
    """
    if last is None:
        return None
    match join:
        case Join.LAST:
            return _replayed(last, last.raw, composed=last.composed)
        case Join.LOG | Join.FOLD:
            state = log.state() if log is not None else None
            return _replayed(last, state[0], composed=state[1]) if state is not None else None
        case Join.NONE:
            return None


def _replayed(last: Message, raw: bytes, *, composed: bool) -> Message:
    """Return a replayed message: it carries the number of the newest message in it and does not advance it."""
    return msgspec.structs.replace(
        last,
        raw=raw,
        snapshot=True,
        replayed=True,
        composed=composed,
        duplicates=0,
        gap=None,
        _data=msgspec.UNSET,
    )
