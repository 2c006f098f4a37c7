"""The backlog: order and bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.store.backlog import Backlog, Waiting
from wsmgr.manager.store.changes import CloseSubscription
from wsmgr.manager.store.committer import Commit


class Asker:
    """Waits, and is never told anything here."""

    def reply(self, value: object) -> bool:
        return True

    def reject(self, error: Exception) -> bool:
        return True


def waiting(since: float = 0.0, *, called: bool = False) -> Waiting:
    return Waiting(Commit([CloseSubscription(id="a", at=since)]), since, Asker() if called else None)


def test_batches_come_in_order_and_stay_until_they_are_written() -> None:
    """A batch that failed is the next one again."""
    backlog = Backlog(10)
    entries = [waiting(number) for number in range(3)]
    for entry in entries:
        backlog.add(entry)

    assert entries[:2] == backlog.first(2) == backlog.first(2)
    backlog.remove_first(2)
    assert entries[2:] == backlog.first(2)


def test_a_caller_that_waited_too_long_is_withdrawn_and_what_nobody_waits_for_stays() -> None:
    """Its answer is no, so it must not be written later."""
    backlog = Backlog(10)
    old, nobodys, young = waiting(1.0, called=True), waiting(1.0), waiting(3.0, called=True)
    for entry in (old, nobodys, young):
        backlog.add(entry)

    assert [old] == backlog.withdraw(before=2.0)
    assert [nobodys, young] == backlog.first(9)
    assert [young] == backlog.withdraw()
    assert [nobodys] == backlog.first(9)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 10))
def test_the_bound_holds_and_what_there_is_room_for_is_kept_in_order(called: list[bool], limit: int) -> None:
    """Whatever comes, no more than the bound waits, and who is left out is told."""
    backlog = Backlog(limit)
    entries = [waiting(number, called=each) for number, each in enumerate(called)]

    taken = [backlog.add(entry) for entry in entries]

    assert entries[:limit] == backlog.first(100)
    assert [True] * min(limit, len(entries)) + [False] * (len(entries) - limit) == taken
