"""Trials: whether a second side of a subscription goes on where the primary one is (`sides`).

While it is on trial, the primary goes on delivering and the second side's frames are held, until both have brought the same item or frame. From
there the second side is known to continue where the primary is: what is held follows, without what had been delivered.

A trial has an end. Where both sides were quiet, the second one takes over, or joins: it was acknowledged while the first still delivered, if
that was well (`handover`). Where the second one alone has brought something, the first one is not whole any more: the second one takes over,
behind a gap. Where the trial shows that the venue serves only the newest of two sockets, or gives each a share, the venue is marked
(`one_socket_only`) as well, and its streams move break before make from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wsmgr.manager.model import handover
from wsmgr.manager.model.claim import Phase
from wsmgr.manager.model.connection import Purpose, Second, Stage
from wsmgr.manager.model.continuity import Interruption, Resumed
from wsmgr.manager.model.gaps import admit_gap, since_last_proof
from wsmgr.manager.model.inbound import Moment
from wsmgr.manager.model.judging import LATENESS, Finding, judge, window
from wsmgr.manager.model.merging import Orphans, Trial
from wsmgr.manager.model.publishing import publish
from wsmgr.manager.model.repair import Repair
from wsmgr.manager.model.sides import fact, name_of, stir, take_back, take_over
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import Kind, Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.frame import Data
    from wsmgr.manager.model.merging import Held, Merger, Verdict
    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry

MET_FOR = 600.0
"""Seconds for which one trial that showed two sockets to be an overlap speaks against another that does not."""


def proved(registry: Registry, entry: Entry, *, now: float, wall: float) -> None:
    """The second side was proved to deliver: it takes over at once, or its trial begins."""
    second = entry.second
    assert second is not None  # noqa: S101 - the caller found it
    second.connection.proved = True
    claim = second.connection.claim_of(entry.key)
    if claim is not None and claim.phase is Phase.ASKED:
        second.connection.set_phase(claim, Phase.HELD)
    if entry.type.merge is Merge.NONE:
        _switch_unmerged(registry, entry, second, now=now, wall=wall)
        return
    second.stage = Stage.ON_TRIAL
    second.deadline = now + window(entry)
    merger = registry.venues[entry.venue].remember(entry)
    assert merger is not None  # noqa: S101 - only what can be merged comes here
    second.trial = Trial(merger)
    if entry.connection is not None:
        handover.begin(entry, entry.connection, now=now, wall=wall)


def hold(registry: Registry, entry: Entry, frame: Data, raw: bytes, *, now: float, wall: float) -> None:
    """Take a frame of a second side that has not joined: its first one proves it, and all are held while it is on trial."""
    second = entry.second
    assert second is not None  # noqa: S101 - the caller found it
    if second.stage is Stage.ASKED:
        proved(registry, entry, now=now, wall=wall)
    if second.trial is not None:
        second.trial.second(raw, frame.venue_time, wall, frame.snapshot)
        if second.trial.matched:
            join(registry, entry, now=now)
        elif second.trial.overflowed:
            # What is let go is lost to a side that takes over: nothing is waited for any longer.
            settle(registry, entry, now=now, wall=wall)


def join(registry: Registry, entry: Entry, *, now: float, met: bool = True) -> None:
    """End a trial well: the second side takes over, or joins; what was held of it follows, without what had been delivered.

    Where the sides have `met`, the primary was whole until the second one went on; where both were quiet, that is to be proved yet.
    """
    second = entry.second
    assert second is not None  # noqa: S101 - the caller has checked it
    if met and entry.connection is not None:
        handover.settle(entry.connection, entry.wire_key)
    if met and second.trial is not None and second.trial.both_deliver:
        registry.venues[entry.venue].met_at = now
    trial, second.trial = second.trial, None
    second.deadline = None
    if second.purpose is Purpose.MOVE:
        take_over(registry, entry, now=now, why=second.why)
    else:
        second.stage = Stage.JOINED
        stir(registry, entry)
        second.connection.routes[entry.wire_key] = entry
        registry.note(fact(entry, "redundant", second.connection, {"primary": name_of(entry.connection)}))
    if trial is not None:
        _release(entry, trial, second.connection.id)


def settle(registry: Registry, entry: Entry, *, now: float, wall: float) -> None:
    """Judge a trial whose time is up."""
    second = entry.second
    assert second is not None  # noqa: S101 - the caller has checked it
    assert second.trial is not None  # noqa: S101 - the caller has checked it
    overlap = second.trial.judge()
    old, new = name_of(entry.connection), second.connection.id
    match judge(entry, second.trial, overlap, wall):
        case Finding.CONTINUES:
            join(registry, entry, now=now, met=False)
        case Finding.UNDECIDED:
            second.deadline = now + LATENESS
        case Finding.UNPROVED:
            join(registry, entry, now=now)
            entry.tell(Resumed(epoch=entry.epoch, exact=False, gap=None))
        case Finding.SECOND_SILENT:
            take_back(registry, entry, why=f"{new} sent nothing new while {old} did", now=now)
        case Finding.PRIMARY_SILENT:
            why = f"{old} had not brought what {new} did"
            _fail_over(registry, entry, second, now=now, wall=wall, why=why)
        case Finding.NO_OVERLAP if _has_met(registry.venues[entry.venue], now):
            # Other streams were on two sockets a while ago: it is this one that is not whole.
            why = f"{old} does not bring what {new} does ({overlap.value})"
            _fail_over(registry, entry, second, now=now, wall=wall, why=why)
        case Finding.NO_OVERLAP:
            venue = registry.venues[entry.venue]
            venue.one_socket_only, venue.overlap_failed_at = True, now
            detail: dict[str, object] = {"overlap": overlap.value}
            registry.note(fact(entry, "overlap_failed", second.connection, detail, "error"))
            why = f"two sockets are no overlap here ({overlap.value})"
            _fail_over(registry, entry, second, now=now, wall=wall, why=why)


def lost_primary(
    registry: Registry, entry: Entry, interruption: Interruption, *, now: float, wall: float
) -> bool:
    """Let the second side stand in for a primary whose socket is gone; returns whether there was one that delivers.

    One that had joined has brought, or will bring, everything. One on trial delivers too, but whether it began before the primary ended is
    not known: that is a gap, which ends with what it has brought.
    """
    second = entry.second
    if second is None or second.stage not in {Stage.ON_TRIAL, Stage.JOINED} or not second.connection.ready:
        return False
    if second.joined and not second.is_mute(now):
        take_over(registry, entry, now=now, why=interruption.reason)
        if entry.type.cadence is None and entry.state is State.LIVE:
            # Beside a side that delivered nobody would have missed it, had the venue lost it: it is asked about at once.
            entry.repair = Repair(why="its other side was lost", since=now)
    else:
        _fail_over(
            registry, entry, second, now=now, wall=wall, why=interruption.reason, interruption=interruption
        )
    return True


def _switch_unmerged(registry: Registry, entry: Entry, second: Second, *, now: float, wall: float) -> None:
    """Switch where frames of two sides cannot be told apart or put in order: at the first proof of the second one."""
    old = entry.connection
    last = Moment(wall, now) if old is None or old.inbound is None else old.inbound.whole_until()
    interruption = Interruption(
        since=last.wall,
        since_monotonic=last.monotonic,
        reason=f"moved from {name_of(old)} to {second.connection.id}: {second.why}",
        connection=name_of(old),
    )
    is_gap = entry.type.kind is Kind.EVENT and entry.log is None
    if old is not None and not is_gap:
        handover.begin(entry, old, now=now, wall=wall)
    take_over(registry, entry, now=now, why=second.why)
    if entry.log is not None:
        entry.first = entry.fresh = True
    if is_gap:
        admit_gap(registry, entry, interruption, now=now, wall=wall)
    else:
        entry.tell(Resumed(epoch=entry.epoch, exact=False, gap=None))


def _fail_over(
    registry: Registry,
    entry: Entry,
    second: Second,
    *,
    now: float,
    wall: float,
    why: str,
    interruption: Interruption | None = None,
) -> None:
    """Let a second side take over though it is not known that it continues the primary: with a gap between the two."""
    trial, second.trial = second.trial, None
    if interruption is None:
        # Since the trial began, one side alone may not have been the whole stream.
        last = since_last_proof(entry, why, now=now, wall=wall)
        since = min([last.since, wall - window(entry) - LATENESS, *entry.unproved.values()])
        interruption = evolve(last, since=since, since_monotonic=None)
    take_over(registry, entry, now=now, why=why)
    admit_gap(registry, entry, interruption, now=now, wall=wall)
    if trial is not None:
        _release(entry, trial, second.connection.id, begins=True)


def lost_second(registry: Registry, entry: Entry, *, why: str, now: float) -> None:
    """Take back a second side whose socket is gone; another one is wanted at once.

    What it has brought while on trial is kept until the primary side has had the time to bring it too.
    """
    second = entry.second
    assert second is not None  # noqa: S101 - the caller found it
    take_back(registry, entry, why=why, now=now, pause=0.0)
    held = [] if second.trial is None else second.trial.held()
    if held:
        earlier = [] if entry.orphans is None else entry.orphans.frames
        entry.orphans = Orphans(second.connection.id, [*earlier, *held], now + LATENESS)


def settle_orphans(registry: Registry, entry: Entry, orphans: Orphans, *, now: float, wall: float) -> None:
    """Deliver what only a side that was lost has brought: the other one was not whole, which is a gap, and the venue is asked about the stream."""
    if not entry.delivers and not entry.settled:
        # It is asked for again just now; they may be older than what is known of its gap.
        entry.orphans = evolve(orphans, due_at=now + LATENESS)
        return
    entry.orphans = None
    if entry.state is not State.LIVE or entry.merger is None:
        # Its gap began with its last message, before these came.
        return
    verdicts = [(held, entry.merger.take(held.raw, held.venue_time)) for held in orphans.frames]
    news = [
        (held, verdict) for held, verdict in verdicts if verdict.fresh and not _is_nothing(entry.merger, held)
    ]
    if not news:
        return
    last = since_last_proof(
        entry, f"only {orphans.connection} delivered, and it was lost", now=now, wall=wall
    )
    since = min(last.since, news[0][0].wall - LATENESS)
    admit_gap(registry, entry, evolve(last, since=since, since_monotonic=None), now=now, wall=wall)
    for held, verdict in news:
        _publish(entry, held, verdict, orphans.connection)
    _wake(entry)
    if entry.type.cadence is None:
        entry.repair = Repair(why="only its other side delivered", since=now)
        stir(registry, entry)


def _release(entry: Entry, trial: Trial, connection: str, *, begins: bool = False) -> None:
    """Publish what was held, without what had been delivered; where it `begins` the stream anew, its snapshot is one for the consumers too."""
    merger = entry.merger
    assert merger is not None  # noqa: S101 - it is there while there is a trial
    for held in trial.held():
        if not begins and _is_nothing(merger, held):
            continue
        verdict = merger.take(held.raw, held.venue_time)
        if verdict.fresh:
            _publish(entry, held, verdict, connection, begins=begins)
    _wake(entry)


def _has_met(venue: Venue, now: float) -> bool:
    """Whether a trial has shown lately that the venue gives whole streams to two sockets."""
    return venue.met_at is not None and now - venue.met_at < MET_FOR


def _is_nothing(merger: Merger, held: Held) -> bool:
    """Whether a frame only says that there was nothing yet when its side began: no news to who has heard the other one."""
    return held.snapshot and merger.merge is Merge.ITEMS and not merger.keys(held.raw, None)


def _publish(entry: Entry, held: Held, verdict: Verdict, connection: str, *, begins: bool = False) -> None:
    publish(
        entry,
        held.raw,
        connection=connection,
        wall=held.wall,
        venue_time=held.venue_time,
        snapshot=held.snapshot and begins,
        verdict=verdict,
    )


def _wake(entry: Entry) -> None:
    for buffer in entry.buffers:
        buffer.wake()
