"""Which gap is asked for next, and when nobody else needs the room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from tests.manager.model.catalog import FILLS, A, B, atom
from tests.manager.model.test_requests import make, open_connection, written
from tests.manager.model.world import World

from wsmgr.manager.model.connection import ConnectionState
from wsmgr.manager.model.continuity import Gap, Healed
from wsmgr.manager.model.healing import MOST_GAPS, SETTLE
from wsmgr.manager.model.healing_queue import HealingQueue, healing_fact, may_ask
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.quota import Quotas

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection

GAP = Gap(started_at=1000.0, ended_at=1010.0, duration=10.0, reason="lost")
LATER = evolve(GAP, started_at=1020.0, ended_at=1030.0)
MINE = atom(FILLS, user="me")
"""A private stream; the others are public."""


def test_a_gap_is_due_some_time_after_its_end_and_private_ones_go_first() -> None:
    """Somebody trades on them; of those alike, whichever waits for longest."""
    world, queue = World(), HealingQueue()
    a, b, mine = world.keep(A), world.keep(B), world.keep(MINE)
    assert (None, math.inf) == queue.due(0.0)
    for at, entry in ((0.0, b), (1.0, a), (2.0, mine)):
        assert [] == queue.want(entry, GAP, at)
    assert (None, SETTLE) == queue.due(SETTLE - 0.1)
    assert (b, SETTLE) == queue.due(SETTLE)
    assert (b, SETTLE + 1.5) == queue.due(SETTLE + 1.5)
    assert (mine, SETTLE + 2.0) == queue.due(SETTLE + 2.0)


def test_a_new_gap_stirs_the_queue() -> None:
    """Whoever asks may sleep for as long as there is none; whoever tells it of them begins anew."""
    world, queue = World(), HealingQueue()
    entry = world.keep(A)
    stirred = [queue.stirred]
    for gap in (GAP, LATER):
        queue.want(entry, gap, 0.0)
        stirred.append(queue.stirred)
        queue.stirred = False
    assert [False, True, True] == stirred
    assert entry.healing is not None
    assert [GAP, LATER] == [each.gap for each in entry.healing.wanted]


def test_a_gap_that_has_to_give_way_is_returned() -> None:
    """The caller tells of it."""
    world, queue = World(), HealingQueue()
    entry = world.keep(A)
    found = [queue.want(entry, GAP, 0.0) for _ in range(MOST_GAPS + 1)]
    assert [1] == [len(each) for each in found if each]


def test_a_subscription_leaves_the_queue_with_the_last_of_its_gaps() -> None:
    """Nothing is left of it there."""
    world, queue = World(), HealingQueue()
    entry = world.keep(A)
    queue.want(entry, GAP, 0.0)
    queue.want(entry, evolve(GAP, started_at=2000.0, ended_at=2010.0), 0.0)
    found = [Item(1, 1900.0, b"1"), Item(2, 2005.0, b"2")]
    assert [1, 1, 0] == [
        len(queue.snapshot_came(entry, shown, fresh))
        for shown, fresh in ((found, found), ([Item(0, 900.0, b"0"), *found], []), (found, found))
    ]
    assert ({}, None) == (dict[str, object](queue.entries), entry.healing)


def test_a_subscription_with_gaps_that_still_wait_is_not_let_go() -> None:
    """Though one of them is done with."""
    world, queue = World(), HealingQueue()
    entry = world.keep(A)
    queue.want(entry, GAP, 0.0)
    queue.want(entry, evolve(GAP, started_at=2000.0, ended_at=2010.0), 0.0)
    found = [Item(1, 1900.0, b"1"), Item(2, 2005.0, b"2")]
    assert 1 == len(queue.snapshot_came(entry, found, found))
    assert {entry.id: entry} == queue.entries
    assert entry.healing is not None
    assert 1 == len(entry.healing.wanted)


def ready(quotas: Quotas | None = None) -> tuple[World, Connection]:
    """A world whose connection for requests is open and in which nobody asks."""
    world = World(quotas or Quotas(requests_in_flight=4, messages_per_minute=200))
    request = make(world)
    connection = open_connection(world)
    world.venue.requests.give_up(request, "it was to open the connection", world.now)
    assert may_ask(world.venue, world.now)
    return world, connection


@pytest.mark.parametrize("state", [ConnectionState.DIALLING, ConnectionState.PARKED])
def test_nothing_is_asked_while_the_connection_for_it_is_not_ready(state: ConnectionState) -> None:
    """Healing opens no connection and waits in no line."""
    world, connection = ready()
    connection.state = state
    assert not may_ask(world.venue, world.now)
    assert not may_ask(World().venue, 0.0)


def test_nothing_is_asked_while_requests_wait_or_take_half_of_the_gate() -> None:
    """Whoever waits for an answer comes first, at whichever venue of the origin."""
    world, _ = ready()
    waiting = make(world)
    assert not may_ask(world.venue, world.now)
    assert [waiting] == written(world)
    assert may_ask(world.venue, world.now)
    make(world)
    make(world)
    assert 2 == len(written(world))
    assert not may_ask(world.venue, world.now)
    other = world.add_venue("w")
    assert not may_ask(other, world.now)


def test_without_a_quota_of_requests_there_is_always_room_for_one() -> None:
    """Nothing says how many are too many."""
    world, _ = ready(Quotas())
    for _ in range(100):
        make(world)
    assert 100 == len(written(world))
    assert may_ask(world.venue, world.now)


def test_nothing_is_asked_that_would_use_up_the_quota_of_messages() -> None:
    """What is kept of it is for resubscriptions and actions; or the venue wants silence."""
    world, _ = ready()
    while world.origin.messages.free(world.now, keep=world.origin.messages.reserve) > 0:
        assert may_ask(world.venue, world.now)
        world.origin.messages.record(world.now)
    assert not may_ask(world.venue, world.now)
    world, _ = ready()
    world.origin.silent_until = world.now + 1.0
    assert not may_ask(world.venue, world.now)


def test_the_fact_names_the_proof_or_why_there_is_none() -> None:
    """With the gap and how much it was filled with."""
    entry = World().keep(A)
    whole = evolve(GAP, proof="filled", healed_by="query byTime")
    fact = healing_fact(entry, Healed(gap=whole, items=3), actor="healer")
    assert ("healed", "info", "v", entry.id, "healer") == (
        fact.kind,
        fact.level,
        fact.venue,
        fact.subscription_id,
        fact.actor,
    )
    assert {
        "started_at": 1000.0,
        "ended_at": 1010.0,
        "items": 3,
        "proof": "filled",
        "by": "query byTime",
    } == fact.detail
    left = evolve(GAP, open_because="it was not answered")
    fact = healing_fact(entry, Healed(gap=left), actor="healer")
    assert ("not_healed", "warning") == (fact.kind, fact.level)
    assert {
        "started_at": 1000.0,
        "ended_at": 1010.0,
        "items": 0,
        "why": "it was not answered",
    } == fact.detail
