"""Dispatch: the hot path from a batch of frames to the consumers' buffers.

One pass: classify, one dictionary look-up, counters in slots, one message, its consumers' buffers; then each consumer
that got something is woken once. No task, scope, event, log call or actor mailbox per message. Look-ups are scoped to the
connection, so a frame on one socket never reaches a subscription of another. Whatever is not data goes to `on_control`,
in its place among the data, and a frame that nobody can use is counted and sampled, never fatal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wsmgr.manager.model import handover, progress, trials
from wsmgr.manager.model.connection import Stage
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.filling import finish
from wsmgr.manager.model.frame import Data, Frame, Unroutable
from wsmgr.manager.model.gaps import missed
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.publishing import publish
from wsmgr.manager.model.snapshots import Shown, snapshot_shows
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_type import Join, Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection, Second
    from wsmgr.manager.model.delivery import Buffer
    from wsmgr.manager.model.merging import Merger
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

    def __call__(self, frames: list[bytes]) -> None:  # noqa: C901, PLR0912, PLR0915 - one pass; a call more per message costs a tenth of it
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
                entry = routes.get(frame.wire_key)
                if entry is None:
                    entry = self._second_side(frame, raw, wall)
                    if entry is None:
                        continue
                if entry.merger is not None:
                    self._merged(entry, entry.merger, frame, raw, wall)
                    touched.update(entry.buffers)
                    continue
                if entry.state is not live:
                    progress.prove(self._registry, entry, now=self._monotonic(), wall=wall)
                if frame.venue_seq is not None:
                    self._numbered(entry, frame, raw, wall)
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
                if entry.recent is not None:
                    entry.recent.append(message)
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

    def _second_side(self, frame: Data, raw: bytes, wall: float) -> Entry | None:
        """Take a frame that no route leads to; returns the subscription if it came on its second side and that took over with it."""
        entry = self._connection.seconds.get(frame.wire_key)
        if entry is None or entry.second is None or entry.second.stage is Stage.WAITING:
            # Before it was asked for here, such a frame is another stream's.
            self._left_behind(frame, raw, wall)
            return None
        now = self._monotonic()
        if entry.type.merge is Merge.NONE or not entry.delivers:
            trials.proved(self._registry, entry, now=now, wall=wall)
            return entry
        trials.hold(self._registry, entry, frame, raw, now=now, wall=wall)
        return None

    def _merged(self, entry: Entry, merger: Merger, frame: Data, raw: bytes, wall: float) -> None:
        """Publish what is new in a frame, while some of it may have been delivered before."""
        snapshot = frame.snapshot
        present = entry.first and entry.fresh and entry.type.join is Join.LAST
        if entry.first:
            snapshot = _first(entry, wall) or snapshot
        ahead = self._registry.venues[entry.venue].origin.clock_ahead
        shown = snapshot_shows(entry, merger, raw, clock_ahead=ahead) if snapshot or present else None
        known = merger.merge is Merge.TIME and merger.knows(raw, frame.venue_time)
        verdict = merger.take(raw, frame.venue_time)
        if verdict.fresh or known or merger.merge is Merge.ITEMS:
            # One that is older than what was delivered, and was not delivered itself, proves nothing.
            self._prove(entry, shown, wall)
        if verdict.fresh and frame.venue_seq is not None:
            self._numbered(entry, frame, raw, wall)
        if verdict.fresh:
            publish(
                entry,
                raw,
                connection=self._connection.id,
                wall=wall,
                venue_time=frame.venue_time,
                venue_seq=frame.venue_seq,
                snapshot=snapshot,
                verdict=verdict,
            )
        else:
            entry.counters.duplicates += verdict.duplicates
            if snapshot and entry.log is not None:
                entry.log.record(raw, snapshot=True)
        if entry.second is not None:
            self._compare(entry, entry.second, frame, raw, fresh=verdict.fresh)

    def _prove(self, entry: Entry, shown: Shown | None, wall: float) -> None:
        """Note the proof that a frame is, and what a snapshot shows of gaps."""
        if entry.state is not State.LIVE:
            reach = None if shown is None else shown.reach
            progress.prove(self._registry, entry, now=self._monotonic(), wall=wall, reach=reach)
        elif shown is not None and entry.healing is not None:
            found = self._registry.venues[entry.venue].healing.snapshot_came(entry, shown.items, shown.fresh)
            finish(self._registry, entry, found, actor="session", now=self._monotonic())

    def _compare(self, entry: Entry, second: Second, frame: Data, raw: bytes, *, fresh: bool) -> None:
        """Note a frame of the primary side of two, or of one of two that have joined."""
        if second.joined:
            entry.counters.note_side(self._connection.id, first=fresh)
            second.note_frame(own=self._connection is second.connection, now=self._monotonic())
        elif second.trial is not None:
            second.trial.primary(raw, frame.venue_time)
            if second.trial.matched:
                trials.join(self._registry, entry, now=self._monotonic())

    def _numbered(self, entry: Entry, frame: Data, raw: bytes, wall: float) -> None:
        """Compare a frame's number with the one before: what lies between is missing."""
        last, number = entry.venue_seq, frame.venue_seq
        assert number is not None  # noqa: S101 - the callers have checked it
        entry.venue_seq = number if last is None or entry.merger is None else max(last, number)
        if last is None or not entry.type.numbered or number <= last + 1:
            return
        missed(self._registry, entry, first=last + 1, last=number - 1, now=self._monotonic(), wall=wall)
        if entry.merger is not None:
            # What is missing is looked into from here on, and this frame is not among it.
            entry.merger.remember(raw, frame.venue_time)

    def _left_behind(self, frame: Data, raw: bytes, wall: float) -> None:
        """Take a frame of a side that its subscription has left, as long as that is listened to; else nobody wants it."""
        left = self._connection.handovers.get(frame.wire_key)
        if left is None or not handover.take(left, self._connection, frame, raw, wall):
            self._unrouted(frame.wire_key, raw)
            return
        for buffer in left.entry.buffers:
            buffer.wake()

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
    snapshot = entry.fresh and entry.log is not None and not entry.type.marks_snapshots
    entry.fresh = False
    return snapshot
