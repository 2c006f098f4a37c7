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


def test_the_oldest_that_nobody_waits_for_goes_first() -> None:
    """A caller's commit is never given up for a counter."""
    backlog = Backlog(2)
    call, cast, newer = waiting(called=True), waiting(), waiting(called=True)
    backlog.add(call)
    backlog.add(cast)

    assert cast is backlog.add(newer)
    assert ([call, newer], 1) == (backlog.first(9), backlog.given_up)


def test_a_new_call_is_refused_where_all_the_others_are_calls() -> None:
    """Who came first is served first."""
    backlog = Backlog(1)
    first, second = waiting(called=True), waiting(called=True)
    backlog.add(first)

    assert second is backlog.add(second)
    assert ([first], 0) == (backlog.first(9), backlog.given_up)


def test_callers_withdraw_and_casts_stay() -> None:
    """Those who came before the time given; or all of them."""
    backlog = Backlog(10)
    early, cast, late = waiting(1.0, called=True), waiting(1.0), waiting(2.0, called=True)
    for entry in (early, cast, late):
        backlog.add(entry)

    assert [early] == backlog.withdraw(2.0)
    assert [late] == backlog.withdraw()
    assert [cast] == backlog.first(9)


def test_what_was_given_up_is_told_once() -> None:
    """The next report counts anew."""
    backlog = Backlog(1)
    for _ in range(3):
        backlog.add(waiting())

    assert (2, 0) == (backlog.forget_given_up(), backlog.forget_given_up())


@given(calls=st.lists(st.booleans(), max_size=30), limit=st.integers(1, 5))
def test_the_bound_holds_and_nothing_vanishes(calls: list[bool], limit: int) -> None:
    """Each commit is waiting, or was returned as the one that had to go."""
    backlog = Backlog(limit)
    entries = [waiting(called=called) for called in calls]

    gone = [loser for entry in entries if (loser := backlog.add(entry)) is not None]

    assert len(backlog) <= limit
    assert {id(entry) for entry in entries} == {id(entry) for entry in [*backlog.first(99), *gone]}
