"""Replay and record: captured frames in, sent frames out, in one format.

One JSON object a line: `{"subscription": ..., "frame": ..., "timestamp": seconds}`. `frame` is what the venue sent;
its bytes go out as they stand in the file, they are not decoded. `timestamp` counts from the acknowledgement of that
subscription.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, TextIO

import attrs
import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import (
    UnreadableSubscriptionError,
    read_subscription,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

_SHORTEST_LOOP = 0.001


class ReplayError(ValueError):
    """A capture file that cannot be played. Its text names the file, the line and what is wrong with it."""


class _Line(msgspec.Struct):
    subscription: dict[str, object]
    frame: msgspec.Raw
    timestamp: float = 0.0


@attrs.frozen(kw_only=True)
class Recording:
    """The frames of one subscription, in the order of the file.

    Attributes:
        frames: Each frame's text, as it stands in the file.
        offsets: Seconds after the acknowledgement at which each was received.
        rate: Frames a second instead of the offsets.
        loop: Whether it begins again after the last frame.
    """

    frames: tuple[str, ...]
    offsets: tuple[float, ...]
    rate: float | None = None
    loop: bool = False

    def frame(self, n: int) -> str:
        """The text of the nth frame played, from 0."""
        return self.frames[n % len(self.frames)]

    def times(self, start: float) -> Iterator[float]:
        """When each frame is due, for a subscription acknowledged at `start`; endless in a loop."""
        if self.rate is not None:
            steps = [1 / self.rate] * len(self.frames)
        else:
            steps = [
                max(_SHORTEST_LOOP, after - before)
                for before, after in zip((0.0, *self.offsets), self.offsets, strict=False)
            ]
        at = start
        for step in cycle(steps) if self.loop else steps:
            at += step
            yield at


def load_recordings(path: Path, *, rate: float | None, loop: bool) -> dict[str, Recording]:
    """Read a capture file: the recordings by the key of their subscription.

    Raises:
        ReplayError: The file cannot be read, or a line is not of the format.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ReplayError(
            f"cannot read the capture {path}: {error.strerror}; give a file of captured frames"
        ) from error
    found: dict[str, list[tuple[float, str]]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            key, entry = _read_line(path, number, line)
            found.setdefault(key, []).append(entry)
    if not found:
        raise ReplayError(f"the capture {path} has no frame in it")
    recordings: dict[str, Recording] = {}
    for key, entries in found.items():
        entries.sort(key=lambda entry: entry[0])
        frames, offsets = tuple(text for _, text in entries), tuple(offset for offset, _ in entries)
        recordings[key] = Recording(frames=frames, offsets=offsets, rate=rate, loop=loop)
    return recordings


def _read_line(path: Path, number: int, line: bytes) -> tuple[str, tuple[float, str]]:
    try:
        entry = msgspec.json.decode(line, type=_Line)
        key = read_subscription(entry.subscription).key
        return key, (entry.timestamp, bytes(entry.frame).decode())
    except (msgspec.MsgspecError, UnreadableSubscriptionError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path}, line {number}: {error}") from error


class Recorder:
    """Writes what is sent, in the capture format, a line at a time."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, subscription: Subscription, text: str, offset: float) -> None:
        """Record one data frame.

        Args:
            subscription: What it was sent for.
            text: The frame.
            offset: Seconds after the acknowledgement.
        """
        self._file.write(f'{{"subscription":{subscription.key},"frame":{text},"timestamp":{offset:.6f}}}\n')
