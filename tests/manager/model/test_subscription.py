"""One subscription's states: the legal moves, and no others."""

from __future__ import annotations

import pytest
from tests.manager.model.catalog import TICKER, atom
from tests.manager.model.world import World

from wsmgr.manager.model.subscription import SETTLED, Entry, IllegalMoveError, State, move

PENDING, ASKED, ACKED, LIVE, STALE, LOST, REJECTED, FAILED, CLOSED = State
LEGAL: dict[State, set[State]] = {
    PENDING: {ASKED, FAILED, CLOSED},
    ASKED: {PENDING, ACKED, LIVE, LOST, REJECTED, FAILED, CLOSED},
    ACKED: {LIVE, LOST, REJECTED, FAILED, CLOSED},
    LIVE: {STALE, LOST, FAILED, CLOSED},
    STALE: {LIVE, LOST, FAILED, CLOSED},
    LOST: {PENDING, ASKED, REJECTED, FAILED, CLOSED},
    REJECTED: {PENDING, CLOSED},
    FAILED: {PENDING, CLOSED},
    CLOSED: {PENDING},
}
MOVES = [(before, after) for before in State for after in State]


def entry_in(state: State) -> Entry:
    """A subscription in a state, however it came there."""
    entry = World().keep(atom(TICKER, coin="BTC"))
    entry.state = state
    return entry


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_made_stored_and_told(before: State, after: State) -> None:
    """Who waits for a subscription, and the database, learn of every change of its state."""
    entry, told = entry_in(before), list[State]()
    entry.stored = True
    entry.watchers.add(lambda changed: told.append(changed.state))
    move(entry, after)
    assert ([after], after, False) == (told, entry.state, entry.stored)


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_changes_nothing(before: State, after: State) -> None:
    """A bug in the manager is an error with both states in it, never a subscription in a state that cannot be."""
    entry, told = entry_in(before), list[State]()
    entry.watchers.add(lambda changed: told.append(changed.state))
    with pytest.raises(IllegalMoveError) as caught:
        move(entry, after)
    assert f"{entry.key}: {before.value} -> {after.value}" == str(caught.value)
    assert ([], before) == (told, entry.state)


def test_every_state_but_closed_can_be_ended() -> None:
    """`unsubscribe` works whatever the subscription is doing."""
    assert set(State) - {State.CLOSED} == {state for state in State if State.CLOSED in LEGAL[state]}


def test_a_move_keeps_the_words_of_a_refusal_until_the_next_move() -> None:
    """`list` shows why a subscription is where it is, and no stale words once it goes on."""
    entry = entry_in(State.SUBSCRIBING)
    move(entry, State.REJECTED, error="no such coin")
    assert "no such coin" == entry.error
    move(entry, State.PENDING)
    assert entry.error is None


def test_a_watcher_may_leave_while_it_is_told() -> None:
    """`wait_live` takes itself away the moment it has seen enough; the other watchers are told all the same."""
    entry, told = entry_in(State.ACKNOWLEDGED), list[str]()

    def leaving(changed: Entry) -> None:
        changed.watchers.discard(leaving)
        told.append("leaving")

    entry.watchers |= {leaving, lambda _: told.append("staying")}
    move(entry, State.LIVE)
    move(entry, State.LOST)
    assert ["leaving", "staying", "staying"] == sorted(told)


def test_the_keeper_has_nothing_to_do_for_what_is_settled() -> None:
    """Settled are those that deliver, and those for which only time or a person does something."""
    assert {LIVE, STALE, REJECTED, FAILED, CLOSED} == set(SETTLED)
