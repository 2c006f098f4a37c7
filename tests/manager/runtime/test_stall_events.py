"""What is told of a loop that stands still again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.model.repeats import INTERVAL
from wsmgr.manager.runtime.stall_events import StallEvents
from wsmgr.manager.runtime.stalls import Finding

if TYPE_CHECKING:
    from wsmgr.manager.model.fact import Fact

CRUNCH = Finding("service.py:42 in crunch", ("service.py:42 in crunch", "service.py:7 in run"))
BESIDE = Finding("service.py:43 in crunch", ("service.py:43 in crunch", "service.py:7 in run"))
OTHER = Finding("report.py:3 in draw", ("report.py:3 in draw",))
NOBODY = Finding(why="the process stood still")


def test_stalls_of_one_function_are_one_event_a_minute() -> None:
    """The first with its stack, what follows as a count; another function, or none that is to blame, for itself."""
    told: list[Fact] = []
    events = StallEvents(told.append)

    def taken() -> list[dict[str, Any]]:
        found = [dict(fact.detail) for fact in told]
        told.clear()
        return found

    for at, found in enumerate([CRUNCH, BESIDE, CRUNCH, OTHER, NOBODY, NOBODY]):
        events.take(1.1 + at / 10, found, float(at))
    events.beat(INTERVAL - 0.1)
    assert [
        {"seconds": 1.1, "where": CRUNCH.where, "stack": list(CRUNCH.stack)},
        {"seconds": 1.4, "where": OTHER.where, "stack": list(OTHER.stack)},
        {"seconds": 1.5, "where": None, "why": NOBODY.why},
    ] == taken()
    events.beat(2 * INTERVAL)
    assert [
        {"count": 2, "seconds": 2.5, "longest": 1.3, "where": CRUNCH.where},
        {"count": 1, "seconds": 1.6, "longest": 1.6, "where": None, "why": NOBODY.why},
    ] == taken()
    events.take(1.0, OTHER, 2 * INTERVAL)
    assert [list(OTHER.stack)] == [detail["stack"] for detail in taken()]
