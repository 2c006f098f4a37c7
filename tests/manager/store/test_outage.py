"""An outage: when it is told, how soon it is tried again, and what it needs."""

from __future__ import annotations

import pytest

from wsmgr.manager.store.faults import Fault, FaultKind
from wsmgr.manager.store.outage import LOCK_PATIENCE, RETRY_DELAYS, Outage
from wsmgr.manager.store.rebuilding import Rebuilt

LOCKED = Fault(FaultKind.LOCKED, "database is locked")
FULL = Fault(FaultKind.FULL, "no space")
DAMAGED = Fault(FaultKind.DAMAGED, "malformed")
READ_ONLY = Fault(FaultKind.READ_ONLY, "read-only")


@pytest.mark.parametrize("fault", [FULL, DAMAGED, READ_ONLY])
def test_a_fault_is_told_at_once_and_once(fault: Fault) -> None:
    """Loud, and not a line a second."""
    outage = Outage(100.0)
    assert [True, False, False] == [outage.meet(fault, 100.0 + second) for second in range(3)]
    assert outage.told


def test_a_lock_is_told_when_it_has_lasted() -> None:
    """A backup that holds it for a moment is nobody's business."""
    outage = Outage(100.0)
    times = (100.0, 100.0 + LOCK_PATIENCE - 0.1, 100.0 + LOCK_PATIENCE, 101.0 + LOCK_PATIENCE)
    assert [False, False, True, False] == [outage.meet(LOCKED, now) for now in times]


def test_another_fault_in_the_same_outage_is_told_too() -> None:
    """What is to be done about it is something else."""
    outage = Outage(0.0)
    assert [True, True, False] == [outage.meet(fault, 1.0) for fault in (FULL, READ_ONLY, FULL)]


def test_it_is_tried_again_later_and_later_and_then_every_second() -> None:
    """A moment's fault costs a moment."""
    outage = Outage(0.0)
    delays = []
    for _ in range(7):
        outage.meet(FULL, 0.0)
        delays.append(outage.delay)
    assert [*RETRY_DELAYS, 1.0, 1.0] == delays
    assert sorted(RETRY_DELAYS) == list(RETRY_DELAYS)


@pytest.mark.parametrize(
    ("fault", "needs"), [(LOCKED, False), (FULL, False), (DAMAGED, True), (READ_ONLY, True)]
)
def test_a_fault_that_passes_needs_no_mending(fault: Fault, needs: bool) -> None:
    """The connection is as good as before."""
    outage = Outage(0.0)
    outage.meet(fault, 0.0)
    assert needs is (outage.to_mend is not None)


def test_damage_is_not_forgotten_over_what_is_met_while_it_is_mended() -> None:
    """A disk that is full, too, does not make a damaged file whole."""
    outage = Outage(0.0)
    for fault in (DAMAGED, FULL, READ_ONLY):
        outage.meet(fault, 0.0)
    assert DAMAGED == outage.to_mend


def test_a_file_that_was_examined_and_found_whole_is_not_damaged() -> None:
    """Then the statement is wrong, and that is a bug; a file that was made anew may be damaged again."""
    found_whole, made_anew = Outage(0.0), Outage(0.0)
    for outage in (found_whole, made_anew):
        outage.meet(DAMAGED, 0.0)
    found_whole.mended(None)
    made_anew.mended(Rebuilt(why="malformed", history_kept=False, moved_aside=None))
    assert (True, False) == (found_whole.contradicts(DAMAGED), found_whole.contradicts(FULL))
    assert (False, None) == (made_anew.contradicts(DAMAGED), made_anew.to_mend)


def test_its_end_says_how_long_it_was_and_what_it_took() -> None:
    """Also where the last attempt only had to open the new file."""
    outage = Outage(10.0)
    rebuilt = Rebuilt(why="malformed", history_kept=True, moved_aside=None)
    outage.meet(DAMAGED, 10.0)
    outage.mended(rebuilt)
    outage.meet(READ_ONLY, 11.0)
    outage.mended(None)
    healed = outage.heal(12.5)
    assert (2.5, rebuilt) == (healed.duration, healed.rebuilt)
