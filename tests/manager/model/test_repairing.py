"""Repairing: a stream that fell silent is brought back step by step, and nobody else is touched first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest
from tests.manager.model.catalog import FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.exchange import Exchange, told
from tests.manager.model.world import World, asked, numbers_of, socket_of, state_of

from wsmgr.manager.model import progress, repairing
from wsmgr.manager.model.continuity import Gap, Stale
from wsmgr.manager.model.effects import Recycle, Subscribe, Unsubscribe
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.repair import (
    PROBE_PATIENCE,
    STEP_PATIENCE,
    WAITS,
    Repair,
    RepairStep,
)
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_type import Merge
from wsmgr.manager.model.watching import PROBE_INTERVAL

if TYPE_CHECKING:
    from tests.manager.model.world import Reader

    from wsmgr.manager.model.subscription_type import Atom

STEADY = attrs.evolve(TICKER, cadence=1.0)
THRESHOLD = 5.0
STEPS = {"stale", "probed", "resubscribed", "moved", "recycled", "not_repaired", "repaired", "forgotten"}
QUIET = attrs.evolve(
    atom(ORDERS, user="u1"),
    type=attrs.evolve(ORDERS, merge=Merge.ITEMS, duplicate_key=("id",), items="orders"),
)
"""A user's events that have keys and may be silent."""


def steady(coin: str) -> Atom:
    """A stream that sends something every second."""
    return attrs.evolve(atom(TICKER, coin=coin), type=STEADY)


def steps(exchange: Exchange, entry: Entry) -> list[tuple[float, str]]:
    """What was done about a stream, and when."""
    return [
        (at, fact.kind)
        for at, fact in exchange.dated_facts()
        if fact.subscription_id == entry.id and fact.kind in STEPS
    ]


def gaps(reader: Reader) -> list[Gap]:
    """The gaps that a reader was told of."""
    return [item for item in reader.read() if isinstance(item, Gap)]


def two_streams() -> tuple[Exchange, Entry, Entry]:
    """Two streams on one connection, both of which have just spoken."""
    exchange = Exchange(World(quotas=Quotas(connections=10)))
    one, _ = exchange.keep(steady("A"))
    other, _ = exchange.keep(steady("B"))
    exchange.tell(one.key)
    exchange.tell(other.key)
    exchange.run(3.0, one.key, other.key)
    assert {State.LIVE} == {one.state, other.state}
    exchange.done.clear()
    exchange.world.dated_notes.clear()
    return exchange, one, other


def test_the_steps_are_taken_in_their_order_each_where_the_one_before_did_not_help() -> None:
    """Probe, resubscribe, move: on the connection that does not serve it, and then on another that does."""
    exchange, mute, other = two_streams()
    old = socket_of(mute)
    exchange.sockets[old.id].deaf.add(mute.key)
    exchange.run(4.0, other.key)
    assert State.LIVE is state_of(mute)
    exchange.run(30.0, mute.key, other.key)
    stale_at = 3.0 + THRESHOLD
    resubscribed_at = stale_at + PROBE_PATIENCE
    moved_at = resubscribed_at + STEP_PATIENCE
    assert [
        (stale_at, "stale"),
        (stale_at, "probed"),
        (resubscribed_at, "resubscribed"),
        (moved_at, "moved"),
        (moved_at + 1.0, "repaired"),
    ] == steps(exchange, mute)
    assert State.LIVE is state_of(mute)
    assert old is not mute.connection
    assert old is other.connection


def test_every_step_names_its_evidence() -> None:
    """Who asks why is told what was seen."""
    exchange, mute, other = two_streams()
    exchange.sockets[socket_of(mute).id].deaf.add(mute.key)
    exchange.run(100.0, mute.key, other.key)
    why = "no message for 5.0 s, where one comes every 1 s"
    facts = {fact.kind: fact.detail for _, fact in exchange.dated_facts() if fact.subscription_id == mute.id}
    assert {"silent_seconds": 5.0, "cadence": 1.0} == facts["stale"]
    assert {"answer": "the venue has it", "why": why} == facts["probed"]
    assert {"why": why} == facts["resubscribed"]
    assert {"from": "v-1", "why": why} == facts["moved"]
    assert {"by": "move", "after_seconds": 26.0} == facts["repaired"]


def test_a_stale_stream_says_so_and_its_gap_begins_with_its_last_message() -> None:
    """Not with the discovery of its silence; it ends with the next message."""
    exchange = Exchange()
    entry, reader = exchange.keep(steady("A"))
    exchange.tell(entry.key)
    exchange.run(10.0, entry.key)
    last_at = exchange.world.wall
    reader.read()
    exchange.sockets["v-1"].mute.add(entry.key)
    exchange.run(THRESHOLD)
    assert State.STALE is state_of(entry)
    assert [Stale(since=last_at)] == [item for item in reader.read() if isinstance(item, Stale)]
    exchange.run(20.0, entry.key)
    (gap,) = gaps(reader)
    assert (last_at, State.LIVE) == (gap.started_at, entry.state)
    assert exchange.world.wall - 20.0 < gap.ended_at


def test_a_stream_that_comes_back_by_itself_is_left_alone() -> None:
    """Its message is the proof; what was tried is given up."""
    exchange, mute, other = two_streams()
    exchange.sockets["v-1"].mute.add(mute.key)
    exchange.run(THRESHOLD + 1.0, other.key)
    assert State.STALE is state_of(mute)
    exchange.sockets["v-1"].mute.clear()
    exchange.run(60.0, mute.key, other.key)
    assert (State.LIVE, None, 1) == (mute.state, mute.repair, mute.counters.gaps)
    assert ["stale", "probed", "repaired"] == [kind for _, kind in steps(exchange, mute)]
    assert [Subscribe] == [type(effect) for _, effect in exchange.done]


def test_of_fifty_streams_on_a_connection_the_one_that_is_mute_is_repaired_and_no_other_is_touched() -> None:
    """Nothing else is written, nobody else has a gap, and the socket stays."""
    exchange = Exchange()
    pairs = [exchange.keep(steady(str(number))) for number in range(50)]
    keys = [entry.key for entry, _ in pairs]
    for key in keys:
        exchange.tell(key)
    exchange.run(3.0, *keys)
    exchange.done.clear()
    mute = pairs[17][0]
    exchange.sockets["v-1"].mute.add(mute.key)
    exchange.run(30.0, *keys)
    written = {
        exchange.world.key(effect.atom)
        for _, effect in exchange.done
        if isinstance(effect, Subscribe | Unsubscribe)
    }
    assert ({mute.key}, 0, 1) == (written, exchange.count(Recycle), len(exchange.world.venue.connections))
    for entry, reader in pairs:
        assert (State.LIVE, int(entry is mute)) == (entry.state, entry.counters.gaps)
        assert len(told(reader)) == entry.seq
    assert {34} == {entry.seq for entry, _ in pairs if entry is not mute}


def test_where_all_streams_of_a_connection_are_mute_it_is_recycled_once() -> None:
    """Nobody who delivers is hurt by that, and it is one step instead of fifty."""
    exchange = Exchange()
    entries = [exchange.keep(steady(str(number)))[0] for number in range(50)]
    keys = [entry.key for entry in entries]
    for key in keys:
        exchange.tell(key)
    exchange.run(3.0, *keys)
    exchange.done.clear()
    exchange.sockets["v-1"].mute.update(keys)
    exchange.run(60.0, *keys)
    assert (1, 0) == (exchange.count(Recycle), exchange.count(Unsubscribe))
    assert 1 == len(exchange.facts("recycled"))
    assert {(State.LIVE, 1)} == {(entry.state, entry.counters.gaps) for entry in entries}
    assert 2 == exchange.world.venue.connections[0].socket


def test_a_stream_alone_on_its_connection_is_resubscribed_and_then_its_connection_recycled() -> None:
    """Nobody is lost with the socket, so no other one is opened."""
    exchange = Exchange()
    entry, _ = exchange.keep(steady("A"))
    exchange.tell(entry.key)
    exchange.run(2.0, entry.key)
    exchange.sockets["v-1"].deaf.add(entry.key)
    exchange.run(60.0, entry.key)
    kinds = [kind for _, kind in steps(exchange, entry)]
    assert ["stale", "probed", "resubscribed", "recycled", "repaired"] == kinds
    assert (State.LIVE, "v-1") == (entry.state, socket_of(entry).id)


def test_what_cannot_be_repaired_is_tried_again_after_one_five_and_then_every_ten_minutes() -> None:
    """The venue may get over it; until then the stream says that it is not whole."""
    exchange, mute, other = two_streams()
    exchange.silenced.add(mute.key)
    exchange.run(3600.0, other.key)
    given_up = [at for at, kind in steps(exchange, mute) if kind == "not_repaired"]
    resubscribed = [at for at, kind in steps(exchange, mute) if kind == "resubscribed"]
    pauses = [later - earlier for earlier, later in zip(given_up, resubscribed[1:], strict=False)]
    expected = [*WAITS, *[WAITS[-1]] * len(pauses)][: len(pauses)]
    assert pauses
    for wait, pause in zip(expected, pauses, strict=True):
        assert wait <= pause <= wait + 2 * PROBE_PATIENCE
    assert mute.interruption is not None
    assert (State.LIVE, 0) == (other.state, other.counters.gaps)


def test_a_probe_without_an_answer_is_no_proof() -> None:
    """The stream is asked for anew, and only it."""
    exchange, mute, other = two_streams()
    exchange.sockets["v-1"].mute.add(mute.key)
    exchange.world.now += THRESHOLD
    exchange.tell(other.key)
    exchange.beat()
    exchange.look()
    assert [mute.key] == [request.key for request in exchange.sockets["v-1"].requests]
    exchange.sockets["v-1"].requests.clear()
    exchange.world.now += 10.0
    exchange.look()
    assert RepairStep.RESUBSCRIBE is (mute.repair or Repair("", 0.0)).step


# Streams that may be silent.


def forgotten_stream(*, redundancy: int = 1) -> tuple[Exchange, Entry, Reader]:
    """A quiet stream that was heard once."""
    exchange = Exchange()
    entry, reader = exchange.keep(QUIET, redundancy=redundancy)
    exchange.run(5.0)
    exchange.tell(entry.key)
    exchange.run(5.0)
    return exchange, entry, reader


@pytest.mark.parametrize("after", [1.0, 300.0, 604.0, 700.0, 5000.0])
def test_a_quiet_stream_that_the_venue_forgot_is_found_by_the_probe_and_has_a_gap_since_the_last_proof(
    after: float,
) -> None:
    """A message, or the venue's word, whichever was later; what was withheld lies in the gap."""
    exchange, entry, reader = forgotten_stream()
    exchange.run(after)
    exchange.sockets["v-1"].forget(entry.key)
    lost_at = exchange.world.wall
    exchange.run(1.0)
    exchange.tell(entry.key)
    withheld_at = exchange.world.wall
    exchange.run(PROBE_INTERVAL)
    (gap,) = gaps(reader)
    assert gap.started_at <= lost_at < withheld_at < gap.ended_at <= lost_at + PROBE_INTERVAL + 1.0
    assert lost_at - gap.started_at <= PROBE_INTERVAL
    assert (State.LIVE, "forgotten") == (entry.state, steps(exchange, entry)[-1][1])


def test_a_message_while_the_question_is_on_its_way_is_an_answer() -> None:
    """The stream is not asked for anew, though the venue never answers."""
    exchange, entry, _ = forgotten_stream()
    exchange.world.now += PROBE_INTERVAL
    exchange.beat()
    exchange.look()
    assert [entry.key] == [request.key for request in exchange.sockets["v-1"].requests]
    exchange.sockets["v-1"].requests.clear()
    exchange.tell(entry.key)
    exchange.world.now += 1.0
    exchange.beat()
    exchange.world.now += 10.0
    assert math.inf == exchange.look()
    assert (None, State.LIVE, 0) == (entry.repair, entry.state, entry.counters.gaps)


def test_a_question_that_was_never_answered_does_not_stop_the_next_one() -> None:
    """Ten minutes later the venue is asked again."""
    exchange, entry, _ = forgotten_stream()
    exchange.world.now += PROBE_INTERVAL
    exchange.beat()
    exchange.look()
    exchange.sockets["v-1"].requests.clear()
    exchange.tell(entry.key)
    exchange.run(PROBE_INTERVAL)
    exchange.done.clear()
    exchange.run(PROBE_INTERVAL)
    assert 1 == exchange.count(Subscribe)
    assert (None, State.LIVE) == (entry.repair, entry.state)


def test_where_one_of_two_joined_sides_was_forgotten_the_other_goes_on_without_a_gap() -> None:
    """And the subscription gets another second side."""
    exchange, entry, reader = forgotten_stream(redundancy=2)
    primary = socket_of(entry)
    assert entry.second_joined
    exchange.sockets[primary.id].forget(entry.key)
    exchange.tell(entry.key, 3)
    exchange.run(PROBE_INTERVAL + 30.0)
    exchange.tell(entry.key, 3)
    assert ([1, 2, 3, 4, 5, 6, 7], 0) == (told(reader), entry.counters.gaps)
    assert primary is not entry.connection
    assert entry.second_joined


def test_where_both_joined_sides_were_forgotten_there_is_a_gap_since_the_last_proof() -> None:
    """The second one is asked about as soon as the first is known to be gone."""
    exchange, entry, reader = forgotten_stream(redundancy=2)
    lost_at = exchange.world.wall
    for socket in exchange.sockets.values():
        socket.forget(entry.key)
    exchange.tell(entry.key, 3)
    exchange.run(PROBE_INTERVAL + 1.0)
    exchange.tell(entry.key, 3)
    items = reader.read()
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.started_at <= lost_at
    assert [1, 5, 6, 7] == numbers_of([item for item in items if isinstance(item, Message)])
    assert State.LIVE is state_of(entry)


# What is not judged.


def test_nothing_is_judged_while_the_socket_is_not_read() -> None:
    """A consumer that blocks it makes its own silence; what was under way gets the time that it lost."""
    exchange, mute, _ = two_streams()
    socket = socket_of(mute)
    exchange.run(THRESHOLD - 1.0)
    socket.paused = True
    exchange.run(60.0, answers=False)
    assert State.LIVE is state_of(mute)
    socket.paused = False
    exchange.run(THRESHOLD - 1.0)
    assert State.LIVE is state_of(mute)
    exchange.run(1.0)
    assert State.STALE is state_of(mute)
    exchange.world.now += 1.0
    socket.paused = True
    exchange.run(60.0, answers=False)
    assert (mute.repair or Repair("", 0.0)).step is RepairStep.PROBE


def test_a_subscribe_whose_answer_could_not_be_read_is_not_overdue() -> None:
    """It is read when reading goes on."""
    exchange, mute, _ = two_streams()
    late = exchange.world.keep(atom(TRADES, coin="late"))
    exchange.look()
    assert State.SUBSCRIBING is state_of(late)
    socket_of(mute).paused = True
    exchange.run(60.0, answers=False)
    assert ([], 1) == (exchange.facts("overdue"), late.attempts)
    socket_of(mute).paused = False
    exchange.settle()
    assert State.LIVE is state_of(late)


def test_a_repair_waits_while_its_stream_cannot_even_be_asked_for() -> None:
    """A quota or a missing socket stands in the way, not the stream."""
    exchange, mute, other = two_streams()
    exchange.sockets["v-1"].mute.add(mute.key)
    exchange.run(THRESHOLD, other.key)
    assert RepairStep.PROBE is (mute.repair or Repair("", 0.0)).step
    exchange.run(PROBE_PATIENCE - 1.0, other.key)
    exchange.world.origin.silent_until = exchange.world.now + 500.0
    exchange.run(2.0, other.key)
    assert (RepairStep.PROBE, State.STALE) == ((mute.repair or Repair("", 0.0)).step, mute.state)
    exchange.run(400.0, other.key)
    assert (RepairStep.PROBE, State.STALE) == ((mute.repair or Repair("", 0.0)).step, mute.state)
    exchange.run(150.0, other.key)
    assert RepairStep.PROBE is not (mute.repair or Repair("", 0.0)).step


def test_a_repair_of_a_stream_that_a_quota_of_the_venue_refused_waits_too() -> None:
    """It is pending then, and is asked for again when the quota is tried again."""
    exchange, mute, other = two_streams()
    exchange.sockets["v-1"].deaf.add(mute.key)
    exchange.run(THRESHOLD + PROBE_PATIENCE - 1.0, other.key)
    exchange.world.now += 1.0
    exchange.look()
    assert (RepairStep.RESUBSCRIBE, State.SUBSCRIBING) == ((mute.repair or Repair("", 0.0)).step, mute.state)
    claim = socket_of(mute).claim_of(mute.key)
    assert claim is not None
    claim.unanswered = 0
    progress.refused(exchange.world.registry, mute, "too many", final=False, now=exchange.world.now)
    assert State.PENDING is state_of(mute)
    exchange.run(58.0, other.key)
    assert (State.PENDING, RepairStep.RESUBSCRIBE) == (mute.state, (mute.repair or Repair("", 0.0)).step)


@pytest.mark.parametrize("step", [RepairStep.PROBE, RepairStep.RESUBSCRIBE])
def test_a_lost_socket_ends_what_was_tried_on_it(step: RepairStep) -> None:
    """A new socket begins anew."""
    exchange, mute, other = two_streams()
    exchange.sockets["v-1"].deaf.add(mute.key)
    exchange.run(THRESHOLD if step is RepairStep.PROBE else THRESHOLD + PROBE_PATIENCE, other.key)
    assert step is (mute.repair or Repair("", 0.0)).step
    exchange.cut(socket_of(mute))
    assert None is mute.repair
    exchange.run(2.0, mute.key, other.key)
    assert State.LIVE is state_of(mute)


def test_a_stream_that_was_acknowledged_and_never_spoke_is_repaired_by_the_same_steps() -> None:
    """The venue is asked, then it is asked for anew, then elsewhere."""
    exchange, _, other = two_streams()
    silent = exchange.world.keep(steady("C"))
    exchange.silenced.add(silent.key)
    exchange.run(10.0, other.key)
    assert "first frame" in [fact.detail["what"] for fact in exchange.facts("overdue")]
    exchange.run(40.0, other.key)
    assert ["resubscribed", "moved"] == [kind for _, kind in steps(exchange, silent)]
    exchange.silenced.clear()
    exchange.run(3.0, silent.key, other.key)
    assert (State.LIVE, 0) == (silent.state, silent.counters.gaps)


def test_what_became_final_is_not_repaired_any_more() -> None:
    """The venue said no."""
    exchange, mute, _ = two_streams()
    exchange.world.registry.venues["v"].attention[mute.id] = mute
    repairing.begin(exchange.world.registry, mute, why="test", now=exchange.world.now)
    progress.fail(exchange.world.registry, mute, "boom", alone=False, now=exchange.world.now)
    exchange.world.look()
    assert (State.FAILED, None) == (mute.state, mute.repair)


def test_a_history_is_whole_again_after_a_repair_and_nothing_comes_twice() -> None:
    """What the snapshot brings again is left out."""
    exchange = Exchange()
    kind = attrs.evolve(FILLS, cadence=1.0)
    entry, reader = exchange.keep(attrs.evolve(atom(FILLS, user="u1"), type=kind))
    exchange.run(5.0, entry.key)
    exchange.sockets["v-1"].mute.add(entry.key)
    exchange.run(30.0, entry.key)
    numbers = told(reader)
    missing = sorted(set(range(1, 36)) - set(numbers))
    assert (sorted(set(numbers)), State.LIVE) == (numbers, entry.state)
    assert len(missing) <= 30
    assert entry.merger is None or entry.waits


def test_asking_goes_on_where_a_repair_asks_for_a_stream_elsewhere() -> None:
    """The connection that did not serve it is avoided."""
    exchange, mute, other = two_streams()
    exchange.sockets["v-1"].deaf.add(mute.key)
    exchange.run(THRESHOLD + PROBE_PATIENCE + STEP_PATIENCE - 1.0, other.key)
    assert "v-1" == socket_of(mute).id
    exchange.world.now += 1.0
    plan = exchange.world.look()
    assert ([], "v-1", "v-2") == (asked(plan), mute.avoid, socket_of(mute).id)
