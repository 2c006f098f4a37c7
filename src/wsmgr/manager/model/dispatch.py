"""Dispatch: the hot path from a batch of frames to the consumers' buffers.

One pass: classify, one dictionary look-up, counters in slots, one message, its consumers' buffers; then each consumer
that got something is woken once. No task, scope, event, log call or actor mailbox per message. Look-ups are scoped to the
connection, so a frame on one socket never reaches a subscription of another. Whatever is not data goes to `on_control`,
in its place among the data, and a frame that nobody can use is counted and sampled, never fatal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wsmgr.manager.model import moving, progress
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.frame import Data, Frame, Unroutable
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription import Entry, State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.delivery import Buffer
    from wsmgr.manager.model.registry import Registry

SAMPLES = 5
SAMPLE_BYTES = 200

Control = Callable[[Frame], None]


class Dispatcher:
    """Gives the frames of one socket to the subscriptions that they belong to.

    Args:
        registry: The registry.
        connection: The connection whose socket it is.
        classify: Says what a frame is (`Dialect.classify`).
        on_control: Called with every frame that is neither data nor unroutable, in its place among the data.
        monotonic: The monotonic clock.
        wall: The wall clock, in unix seconds.
    """

    def __init__(
        self,
        registry: Registry,
        connection: Connection,
        *,
        classify: Callable[[bytes], Frame],
        on_control: Control,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """Bind what the hot path reads."""
        self._registry = registry
        self._connection = connection
        self._classify = classify
        self._on_control = on_control
        self._monotonic = monotonic
        self._wall = wall
        self._samples = SAMPLES

    def __call__(self, frames: list[bytes]) -> None:  # noqa: C901, PLR0915 - one pass; a call more per message costs a tenth of it
        """Dispatch the frames of one wake-up.

        Raises:
            Exception: What our own code raised; the connection's `handling` then names the suspect.
        """
        connection = self._connection
        connection_id = connection.id
        routes = connection.routes
        classify = self._classify
        live = State.LIVE
        wall = self._wall()
        touched: set[Buffer] = set()
        entry: Entry | None = None
        try:
            for raw in frames:
                entry = None
                try:
                    frame = classify(raw)
                except Exception as error:  # noqa: BLE001 - whatever a dialect stumbles over, it is this frame's matter
                    self._unclassified(raw, error)
                    continue
                if type(frame) is not Data:
                    self._other(frame, raw)
                    continue
                entry = routes.get(frame.wire_key) or self._arrived(frame.wire_key, wall)
                if entry is None:
                    self._unrouted(frame.wire_key, raw)
                    continue
                if entry.state is not live:
                    progress.prove(self._registry, entry, now=self._monotonic(), wall=wall)
                counters = entry.counters
                counters.messages += 1
                counters.bytes += len(raw)
                counters.last_at = wall
                snapshot = frame.snapshot
                if entry.first:
                    snapshot = _first(entry, wall) or snapshot
                entry.seq = seq = entry.seq + 1
                entry.last = message = Message(
                    entry.source,
                    entry.channel,
                    seq,
                    entry.epoch,
                    connection_id,
                    wall,
                    raw,
                    frame.venue_time,
                    frame.venue_seq,
                    snapshot,
                )
                if entry.gap is not None:
                    message.gap, entry.gap = entry.gap, None
                if entry.log is not None:
                    entry.log.record(raw, snapshot=snapshot)
                for buffer in entry.buffers:
                    buffer.put(message)
                    touched.add(buffer)
        except BaseException:
            connection.handling = entry
            raise
        finally:
            for buffer in touched:
                buffer.wake()

    def _other(self, frame: Frame, raw: bytes) -> None:
        if isinstance(frame, Unroutable):
            self._connection.unparsed += 1
            self._sample(frame.why, raw)
        else:
            self._on_control(frame)

    def _unclassified(self, raw: bytes, error: Exception) -> None:
        """Count a frame on which the dialect raised, though it never should: one frame costs no subscription."""
        self._connection.unparsed += 1
        self._sample(f"{type(error).__name__}: {str(error)[:SAMPLE_BYTES]}", raw)

    def _arrived(self, wire_key: str, wall: float) -> Entry | None:
        """Return the subscription whose move to this connection a frame has just proved, or None where there is none."""
        entry = self._connection.arrivals.get(wire_key)
        if entry is None or entry.move is None or entry.move.deadline is None:
            # Before it was asked for here, such a frame is another stream's.
            return None
        moving.proved(self._registry, entry, now=self._monotonic(), wall=wall)
        return entry

    def _unrouted(self, wire_key: str, raw: bytes) -> None:
        if wire_key in self._connection.claims:
            self._connection.late += 1
            return
        self._connection.unrouted += 1
        self._sample("unrouted", raw)

    def _sample(self, why: str, raw: bytes) -> None:
        """Keep the first few frames that nobody could use: a venue's drift shows here."""
        if self._samples <= 0:
            return
        self._samples -= 1
        self._registry.note(
            Fact(
                kind="frame_not_used",
                level="warning",
                venue=self._connection.venue,
                connection=self._connection.id,
                detail={"why": why, "frame": raw[:SAMPLE_BYTES].decode(errors="replace"), "bytes": len(raw)},
            )
        )


def _first(entry: Entry, wall: float) -> bool:
    """Note the first frame after a subscribe; returns whether it is a snapshot though the venue may not say so."""
    entry.first = False
    entry.quiet = False
    if entry.counters.first_at is None:
        entry.counters.first_at = wall
    snapshot = entry.fresh and entry.log is not None
    entry.fresh = False
    return snapshot
