"""Sides: a subscription on two connections at once, for a move or for redundancy.

A subscription delivers from its primary side. A second side is asked for on another connection; what happens when it delivers depends on how
the type's frames can be merged (DESIGN section 8):

* `none`: one side at a time. A move switches at the second side's first proof; whether that left a hole cannot be known.
* `items`, `time`: the second side is *on trial* first. The primary goes on delivering, the second side's frames are held, until both have
  brought the same item or frame. From there the second side is known to continue where the primary is: what is held follows, without what
  had been delivered. A move ends the primary then; for redundancy both deliver from then on, and whichever brings something first counts.

A trial has an end. Where both sides were quiet, the second one takes over: it was acknowledged while the first still delivered. Where the
second one alone has brought something, the first one is not whole any more: the second one takes over, behind a gap. Where the trial shows
that the venue serves only the newest of two sockets, or gives each a share, the venue is marked (`one_socket_only`) as well, and its streams
move break before make from then on.

Only a subscription that is live gets a second side. Whatever goes wrong on the way takes that side back; the subscription stays where it
was. When the primary is lost, a second side that has joined takes its place, and nothing was interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wsmgr.manager.model.connection import ACK_DEADLINE, Claim, Phase, Purpose, Second, Stage
from wsmgr.manager.model.continuity import Interruption, Resumed
from wsmgr.manager.model.fact import Fact, Level
from wsmgr.manager.model.gaps import MERGED_FOR, admit_gap, since_last_proof
from wsmgr.manager.model.judging import LATENESS, Finding, judge, window
from wsmgr.manager.model.merging import Trial
from wsmgr.manager.model.publishing import publish
from wsmgr.manager.model.repair import Repair
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import Kind, Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.frame import Data
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry

RETRY = 10.0
"""Seconds until a second side that was taken back is tried again."""


def begin(registry: Registry, entry: Entry, to: Connection, purpose: Purpose, *, why: str) -> None:
    """Give a subscription that delivers a second side; it is asked for there when the keeper next looks."""
    entry.second = Second(connection=to, purpose=purpose, why=why)
    to.seconds[entry.wire_key] = entry
    to.empty_since = None
    registry.venues[entry.venue].attention[entry.id] = entry


def asked(entry: Entry, second: Second, now: float) -> None:
    """Note that the subscribe of a second side is being written."""
    second.stage = Stage.ASKED
    second.deadline = now + ACK_DEADLINE
    second.connection.put_claim(Claim(atom=entry.atom, key=entry.key))


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


def join(registry: Registry, entry: Entry, *, now: float) -> None:
    """End a trial well: the second side takes over, or joins; what was held of it follows, without what had been delivered."""
    second = entry.second
    assert second is not None  # noqa: S101 - the caller has checked it
    trial, second.trial = second.trial, None
    second.deadline = None
    if second.purpose is Purpose.MOVE:
        take_over(registry, entry, now=now, why=second.why)
    else:
        second.stage = Stage.JOINED
        _stir(registry, entry)
        second.connection.routes[entry.wire_key] = entry
        registry.note(_fact(entry, "redundant", second.connection, {"primary": _id(entry.connection)}))
    if trial is not None:
        _release(entry, trial, second.connection.id)


def settle(registry: Registry, entry: Entry, *, now: float, wall: float) -> None:
    """Judge a trial whose time is up."""
    second = entry.second
    assert second is not None  # noqa: S101 - the caller has checked it
    assert second.trial is not None  # noqa: S101 - the caller has checked it
    overlap = second.trial.judge()
    old, new = _id(entry.connection), second.connection.id
    match judge(entry, second.trial, overlap, wall):
        case Finding.CONTINUES:
            join(registry, entry, now=now)
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
        case Finding.NO_OVERLAP:
            venue = registry.venues[entry.venue]
            venue.one_socket_only, venue.overlap_failed_at = True, now
            fact = _fact(entry, "overlap_failed", second.connection, {"overlap": overlap.value}, "error")
            registry.note(fact)
            why = f"two sockets are no overlap here ({overlap.value})"
            _fail_over(registry, entry, second, now=now, wall=wall, why=why)


def take_over(registry: Registry, entry: Entry, *, now: float, why: str) -> None:
    """Let the second side be the only one; the old primary, where it still stands, is to be ended."""
    second, old = entry.second, entry.connection
    assert second is not None  # noqa: S101 - the caller has checked it
    entry.second = None
    del second.connection.seconds[entry.wire_key]
    registry.unplace(entry, now)
    second.connection.add(entry)
    second.connection.routes[entry.wire_key] = entry
    if entry.repair is not None:
        # What was tried, was tried where it is no more.
        repair = Repair(why=entry.repair.why, since=entry.repair.since)
        entry.repair = repair if entry.state is State.STALE else None
    entry.merge_until = now + MERGED_FOR
    _stir(registry, entry)
    registry.note(_fact(entry, "moved", second.connection, {"from": _id(old), "why": why}))


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


def watch_second(registry: Registry, entry: Entry, *, now: float) -> bool:
    """Look, once a second, whether a joined side still brings what the other one does; returns whether it did not, and is made anew."""
    second = entry.second
    if second is None or not second.joined or not second.is_mute(now):
        return False
    why = f"{second.connection.id} brought none of the last {second.behind} frames"
    take_back(registry, entry, why=why, now=now, pause=0.0)
    return True


def take_back(registry: Registry, entry: Entry, *, why: str, now: float, pause: float = RETRY) -> None:
    """End the second side, if there is one; the subscription stays where it is, and one that is wanted is tried again after a pause."""
    second, entry.second = entry.second, None
    if second is None:
        return
    entry.second_due = now + pause
    entry.merge_until = now + MERGED_FOR
    connection = second.connection
    del connection.seconds[entry.wire_key]
    if connection.routes.get(entry.wire_key) is entry:
        del connection.routes[entry.wire_key]
    if connection.empty:
        connection.empty_since = now
    claim = connection.claim_of(entry.key)
    if claim is not None and claim.phase in {Phase.ASKED, Phase.HELD}:
        connection.set_phase(claim, Phase.ENDING)
        claim.deadline = None
        claim.attempts = 0
    source = entry.connection
    if source is not None and second.purpose is Purpose.MOVE:
        source.leaving = source.rotation is not None
        source.fits_since = None
    _stir(registry, entry)
    registry.note(
        _fact(
            entry, "second_side_ended", connection, {"purpose": second.purpose.value, "why": why}, "warning"
        )
    )


def _switch_unmerged(registry: Registry, entry: Entry, second: Second, *, now: float, wall: float) -> None:
    """Switch where frames of two sides cannot be told apart or put in order: at the first proof of the second one."""
    old = entry.connection
    interruption = Interruption(
        since=wall if old is None or old.last_inbound_at is None else old.last_inbound_at,
        since_monotonic=now
        if old is None or old.last_inbound_monotonic is None
        else old.last_inbound_monotonic,
        reason=f"moved from {_id(old)} to {second.connection.id}: {second.why}",
        connection=_id(old),
    )
    take_over(registry, entry, now=now, why=second.why)
    if entry.log is not None:
        entry.first = entry.fresh = True
    if entry.type.kind is Kind.EVENT and entry.log is None:
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
        interruption = evolve(
            last, since=min(last.since, wall - window(entry) - LATENESS), since_monotonic=None
        )
    take_over(registry, entry, now=now, why=why)
    admit_gap(registry, entry, interruption, now=now, wall=wall)
    if trial is not None:
        _release(entry, trial, second.connection.id, begins=True)


def _release(entry: Entry, trial: Trial, connection: str, *, begins: bool = False) -> None:
    """Publish what was held, without what had been delivered; where it `begins` the stream anew, its snapshot is one for the consumers too."""
    merger = entry.merger
    assert merger is not None  # noqa: S101 - it is there while there is a trial
    for held in trial.held():
        if held.snapshot and not begins and merger.merge is Merge.ITEMS and not merger.keys(held.raw, None):
            # That there was nothing yet when the second side began is no news to who has heard the first one.
            continue
        verdict = merger.take(held.raw, held.venue_time)
        if verdict.fresh:
            publish(
                entry,
                held.raw,
                connection=connection,
                wall=held.wall,
                venue_time=held.venue_time,
                snapshot=held.snapshot and begins,
                verdict=verdict,
            )
    for buffer in entry.buffers:
        buffer.wake()


def _stir(registry: Registry, entry: Entry) -> None:
    """Have the keeper look at it."""
    venue = registry.venues[entry.venue]
    venue.attention[entry.id] = entry
    venue.stirred = True


def _id(connection: Connection | None) -> str | None:
    return None if connection is None else connection.id


def _fact(
    entry: Entry, kind: str, connection: Connection, detail: dict[str, object], level: Level = "info"
) -> Fact:
    return Fact(
        kind=kind,
        level=level,
        venue=entry.venue,
        connection=connection.id,
        subscription_id=entry.id,
        detail=detail,
    )
