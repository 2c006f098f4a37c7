"""Every state has an explanation: what is so, who decided, on what evidence, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.manager.model.catalog import TICKER, TRADES, atom
from tests.manager.model.world import World, socket_of

from wsmgr.manager.model import progress, repairing
from wsmgr.manager.model.explaining import Explanation, explain
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.repair import Repair, RepairStep
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.watching import PROBE_INTERVAL

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry

A = atom(TICKER, coin="A")


def said(world: World, entry: Entry) -> Explanation:
    """What is said of a subscription now."""
    return explain(entry, world.venue, world.now)


def test_what_delivers_says_where_and_until_when_silence_is_right() -> None:
    """A stream that may be silent is asked about after the probe's interval."""
    world = World(now=100.0)
    found = said(world, world.make_live(atom(TRADES, coin="A")))
    assert "acknowledged it on v-1 (socket 1)" in found.summary
    assert found.next is not None
    assert 100.0 + PROBE_INTERVAL == found.next.at


def test_what_waits_for_a_socket_says_why_there_is_none() -> None:
    """The connection's own reason is the answer, and its dial comes next."""
    world = World()
    entry = world.make_live(A)
    world.cut(socket_of(entry), "closed by the peer, code 1001")
    found = said(world, entry)
    assert ("dialer", "closed by the peer, code 1001") == (found.decided_by, found.evidence["interrupted"])
    assert "v-1 has no socket (disconnected): closed by the peer, code 1001" in found.summary


def test_what_waits_for_a_quota_says_which() -> None:
    """The words are those of the refusal."""
    world = World(quotas=Quotas(subscriptions=1))
    world.make_live(A)
    waiting = world.keep(atom(TICKER, coin="B"))
    world.look()
    assert "waits for the quota 'subscriptions' (1)" in said(world, waiting).summary


def test_what_was_asked_for_says_how_often() -> None:
    """And what happens if no answer comes."""
    world = World()
    entry = world.keep(A)
    world.ask()
    found = said(world, entry)
    assert ("venue", 1) == (found.decided_by, found.evidence["attempts"])
    assert found.next is not None
    assert entry.deadline == found.next.at


def test_what_was_refused_says_the_venues_words() -> None:
    """For good, where it was never live."""
    world = World()
    entry = world.keep(A)
    world.ask()
    progress.refused(world.registry, entry, "no such coin", final=True, now=world.now)
    found = said(world, entry)
    assert "the venue refused it: no such coin" == found.summary
    assert found.next is None


def test_what_is_being_repaired_says_the_step_and_the_next_one() -> None:
    """With the silence that was seen."""
    world = World(now=50.0)
    entry = world.make_live(atom(TRADES, coin="A"))
    world.now += PROBE_INTERVAL
    entry.watch.beat(world.now, entry.counters.messages)
    assert repairing.listen(world.registry, entry, world.now)
    found = said(world, entry)
    assert "the venue is asked whether it has the subscription" in found.summary
    assert PROBE_INTERVAL == found.evidence["silent_seconds"]


TRIED = {
    RepairStep.PROBE: "the venue is asked whether it has the subscription",
    RepairStep.RESUBSCRIBE: "it alone was ended, and is asked for again",
    RepairStep.MOVE: "it goes to another connection",
    RepairStep.RECYCLE: "its connection gets a new socket",
    RepairStep.WAIT: "no step has helped",
}
AFTERWARDS = {
    RepairStep.PROBE: "it alone is ended",
    RepairStep.RESUBSCRIBE: "it is asked for on another connection",
    RepairStep.MOVE: "it is left alone for a while",
    RepairStep.RECYCLE: "it is left alone for a while",
    RepairStep.WAIT: "it is repaired from the beginning",
}
WHY = "nobody has heard it"


def in_repair(world: World, state: State, step: RepairStep) -> Entry:
    """A stream in a state, with 7 s until the step after this one."""
    entry = world.make_live(A)
    entry.state = state
    entry.deadline = None
    entry.repair = Repair(why=WHY, since=world.now, step=step, deadline=world.now + 7.0, rounds=2)
    return entry


@pytest.mark.parametrize("step", list(RepairStep))
@pytest.mark.parametrize("state", [State.LIVE, State.STALE, State.ACKNOWLEDGED, State.SUBSCRIBING])
def test_what_is_being_repaired_says_what_is_tried_and_what_follows(state: State, step: RepairStep) -> None:
    """In each step its own words, with the time of the next one: not those of the first step in all of them."""
    world = World(now=50.0)
    found = said(world, in_repair(world, state, step))
    assert f"{WHY}; {TRIED[step]}" in found.summary
    assert ("keeper", step.value, 2) == (
        found.decided_by,
        found.evidence["repair"],
        found.evidence["rounds"],
    )
    assert found.next is not None
    assert found.next.what.startswith(AFTERWARDS[step])
    assert 57.0 == found.next.at


@pytest.mark.parametrize("step", list(RepairStep))
@pytest.mark.parametrize("state", [State.LOST, State.PENDING])
def test_what_waits_to_be_asked_for_in_a_repair_says_so(state: State, step: RepairStep) -> None:
    """It is asked for next, whatever its step; why, and what is being tried, is told too."""
    world = World(now=50.0)
    found = said(world, in_repair(world, state, step))
    assert f"{WHY}; {TRIED[step]}" in found.summary
    assert ("keeper", step.value) == (found.decided_by, found.evidence["repair"])
    assert found.next is not None
    assert ("it is asked for", 50.0) == (found.next.what, found.next.at)


@pytest.mark.parametrize("step", list(RepairStep))
def test_who_decided_that_a_repair_has_no_socket(step: RepairStep) -> None:
    """The keeper took it in one step; in every other one it is the dialer's matter when there is one again."""
    world = World(now=50.0)
    entry = in_repair(world, State.STALE, RepairStep.WAIT)
    world.cut(socket_of(entry), "reset")
    assert entry.repair is not None
    entry.repair.step = step
    found = said(world, entry)
    assert ("keeper" if step is RepairStep.RECYCLE else "dialer") == found.decided_by
    assert found.next is not None
    assert "the connection dials" == found.next.what


def test_a_question_that_is_not_asked_yet_comes_next() -> None:
    """Nothing is said to follow it before there is an answer to wait for."""
    world = World(now=50.0)
    entry = in_repair(world, State.STALE, RepairStep.PROBE)
    assert entry.repair is not None
    entry.repair.deadline = None
    found = said(world, entry)
    assert found.next is not None
    assert (TRIED[RepairStep.PROBE], None) == (found.next.what, found.next.at)


@pytest.mark.parametrize(("due", "what"), [(55.0, "it is written once more"), (60.0, "it is asked for on")])
def test_of_the_answer_and_the_step_that_is_next_which_is_due_first(due: float, what: str) -> None:
    """An acknowledgement has a deadline of its own while a repair goes on."""
    world = World(now=50.0)
    entry = in_repair(world, State.SUBSCRIBING, RepairStep.RESUBSCRIBE)
    entry.deadline = due
    found = said(world, entry)
    assert found.next is not None
    assert found.next.what.startswith(what)
    assert min(due, 57.0) == found.next.at
