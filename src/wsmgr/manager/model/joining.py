"""Joining: what a consumer gets first who comes to a stream that is already live.

A venue sends a snapshot once, when a subscription begins. Whoever joins later must not have to ask for it again, and must
see neither a hole nor an overlap between the state that is replayed and the frames that follow. So each subscription
remembers, by its type's `join`, the newest frame (`last`) or the snapshot and what came since (`log`). A log is
compacted into one frame when what came since is as much as the state itself, so it stays small however long the stream
runs, and compacting costs each frame a constant share.
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


@define(eq=False)
class Log:
    """The snapshot of a stream and the frames since.

    Args:
        compose: Makes one snapshot frame of a snapshot and the frames after it, keeping the newest items.
    """

    compose: Compose = field(repr=False)
    _frames: list[bytes] = field(factory=list[bytes], init=False, repr=False)
    _base: int = field(default=0, init=False)
    _since: int = field(default=0, init=False)
    _composed: bool = field(default=False, init=False)

    def record(self, raw: bytes, *, snapshot: bool) -> None:
        """Keep a frame; a snapshot replaces all before it."""
        if snapshot:
            self.clear()
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
        except WsmgrError:
            # The venue changed the shape of these frames: consumers still get each, but there is no state to replay.
            self.clear()
            return
        self._base = len(self._frames[0])
        self._since = 0
        self._composed = True


def replay(join: Join, last: Message | None, log: Log | None) -> Message | None:
    """Return the message that a late consumer gets first, or None where there is nothing to give.

    Args:
        join: What the type says.
        last: The newest message of the stream.
        log: The stream's log, for `join = log`.
    """
    if last is None:
        return None
    match join:
        case Join.LAST:
            return _replayed(last, last.raw, composed=last.composed)
        case Join.LOG:
            state = log.state() if log is not None else None
            return _replayed(last, state[0], composed=state[1]) if state is not None else None
        case Join.FOLD | Join.NONE:
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
