"""Refusals at the door, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.daemon.refusals import Refusals
from wsmgr.manager.model.repeats import INTERVAL

if TYPE_CHECKING:
    from wsmgr.manager.model.fact import Fact


def test_a_flood_of_refusals_is_two_events_a_minute() -> None:
    """The first is told at once, what follows as a count; each kind for itself; and after a quiet minute at once again."""
    told: list[Fact] = []
    now = [0.0]
    refusals = Refusals(told.append, lambda: now[0])

    def taken() -> list[tuple[Any, ...]]:
        found = [tuple(fact.detail.values()) for fact in told]
        told.clear()
        return found

    for number in range(1000):
        refusals.count("token-needed", f"127.0.0.{number % 250}")
    refusals.count("host-refused", "::1")
    refusals.beat()
    assert [("token-needed", 1, "127.0.0.0"), ("host-refused", 1, "::1")] == taken()
    now[0] = INTERVAL
    refusals.beat()
    assert [("token-needed", 999, "127.0.0.249")] == taken()
    refusals.count("token-needed", "127.0.0.1")
    refusals.count("host-refused", "::2")
    assert [("host-refused", 1, "::2")] == taken()
    now[0] = 2 * INTERVAL
    refusals.beat()
    assert [("token-needed", 1, "127.0.0.1")] == taken()
    now[0] = 3 * INTERVAL
    refusals.beat()
    refusals.count("token-needed", "127.0.0.1")
    assert [("token-needed", 1, "127.0.0.1")] == taken()
