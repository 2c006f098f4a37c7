"""Progress: sockets that come and go, refusals and failures."""

from __future__ import annotations

import math

from tests.manager.model.catalog import BOOK_5, BOOK_A, QUIET, TRADES, A, B, atom
from tests.manager.model.world import Reader, World, asked, data, end, end_acknowledged, ended, socket_of

from wsmgr.manager.model import progress
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.continuity import Failed, Rejected
from wsmgr.manager.model.effects import CloseConnection
from wsmgr.manager.model.frame import Refusal, RefusalKind
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.reconciliation import Plan
from wsmgr.manager.model.subscription import Entry, State


def test_everything_is_asked_for_again_after_a_lost_socket_once() -> None:
    """Also when the socket falls a second time in the middle of it."""
    world = World()
    wishes = [atom(TRADES, coin=str(number)) for number in range(20)]
    entries = [world.make_live(wish) for wish in wishes]
    (connection,) = world.venue.connections
    world.cut(connection)
    assert wishes == asked(world.ask())
    for entry in entries[:7]:
        world.acknowledge(entry)
    world.cut(connection)
    assert sorted(wishes, key=str) == sorted(asked(world.ask()), key=str)
    for entry in entries:
        world.acknowledge(entry)
    assert {State.LIVE} == {entry.state for entry in entries}
    assert Plan((), math.inf) == world.look()
    assert [1] * 7 == [entry.counters.gaps - 1 for entry in entries[:7]]


def test_an_ended_stream_is_not_asked_for_after_a_lost_socket() -> None:
    """A new socket knows nothing: there is neither anything to end nor to bring back."""
    world = World()
    world.make_live(A)
    connection = end(world, world.make_live(B))
    world.look()
    world.cut(connection)
    plan = world.ask()
    assert ([A], []) == (asked(plan), ended(plan))
    world.now = 100.0
    assert [] == ended(world.look())


def test_a_lost_socket_frees_its_wire_keys() -> None:
    """Late frames died with it."""
    world = World(quotas=Quotas(connections=2))
    connection = end(world, world.make_live(BOOK_A))
    world.look()
    world.cut(connection)
    world.keep(BOOK_5)
    assert [BOOK_5] == asked(world.ask())


def test_nothing_is_asked_for_on_a_socket_that_is_lost() -> None:
    """Between the loss and the next dial there is nothing to write to."""
    world = World()
    entry = world.make_live(A)
    progress.lost(world.registry, socket_of(entry), reason="reset", now=0.0, wall=0.0)
    assert Plan((), math.inf) == world.look()


def test_an_empty_connection_is_closed_after_ten_seconds() -> None:
    """A socket that carries nothing costs one of ten."""
    world = World()
    connection = end(world, world.make_live(QUIET))
    world.look()
    end_acknowledged(world, connection, QUIET)
    assert 10.0 == world.look().wake_at
    world.now = 10.0
    assert (CloseConnection(connection),) == world.look().effects
    assert [] == world.venue.connections


def test_a_connection_that_is_filled_in_time_is_not_closed() -> None:
    """Ending one stream and beginning another does not cost a dial."""
    world = World()
    connection = end(world, world.make_live(QUIET))
    world.look()
    end_acknowledged(world, connection, QUIET)
    world.now = 9.0
    entry = world.keep(A)
    world.look()
    world.now = 30.0
    world.acknowledge(entry)
    world.look()
    assert [connection] == world.venue.connections


def refuse(world: World, entry: Entry, *, final: bool) -> None:
    """Let the venue refuse what is in flight."""
    progress.refused(world.registry, entry, "no", final=final, now=world.now)


def test_a_refusal_of_what_was_never_live_is_final() -> None:
    """The caller is told, and the venue is not asked again."""
    world = World()
    entry, reader = world.hold(A, Reader(events=True))
    world.ask()
    refuse(world, entry, final=True)
    assert (State.REJECTED, "no", None) == (entry.state, entry.error, entry.connection)
    assert [Rejected(error="no")] == reader.read()
    world.now = 10_000.0
    assert [] == asked(world.look())
    assert {} == world.venue.attention


def test_a_refusal_of_what_was_live_before_is_tried_after_one_five_fifteen_and_then_every_sixty_minutes() -> (
    None
):
    """A venue that has lost its mind for a moment gets it back."""
    world = World()
    entry = world.make_live(QUIET)
    world.cut(socket_of(entry))
    world.ask()
    waits: list[float] = []
    for _ in range(5):
        refuse(world, entry, final=True)
        assert entry.deadline is not None
        assert entry.deadline >= world.look().wake_at
        waits.append(entry.deadline - world.now)
        world.now = entry.deadline
        assert [QUIET] == asked(world.ask())
    assert [60.0, 300.0, 900.0, 3600.0, 3600.0] == waits
    world.acknowledge(entry)
    world.cut(socket_of(entry))
    world.ask()
    refuse(world, entry, final=True)
    assert world.now + 60.0 == entry.deadline


def test_a_refusal_for_a_quota_waits_a_minute_and_tries_again() -> None:
    """The venue counts differently than we do: it is believed, and asked again."""
    world = World()
    entry = world.keep(QUIET)
    world.ask()
    refuse(world, entry, final=False)
    assert (State.PENDING, "no") == (entry.state, entry.error)
    assert [] == asked(world.look())
    world.now = 60.0
    assert [QUIET] == asked(world.ask())


def park(world: World, connection: Connection, *suspects: str | None) -> None:
    """Let a connection use up its restarts."""
    connection.suspects = list(suspects)  # type: ignore[assignment, unused-ignore]  # one for each crash
    progress.parked(world.registry, connection, "boom", now=world.now, wall=world.wall)


def test_a_parked_connection_fails_its_suspect_and_lets_the_rest_move_on() -> None:
    """One stream whose frames break us takes nobody along."""
    world = World()
    suspect, other = world.make_live(A), world.make_live(B)
    connection = socket_of(suspect)
    park(world, connection, suspect.id, suspect.id, suspect.id)
    assert (State.FAILED, "boom", None) == (suspect.state, suspect.error, suspect.connection)
    assert [B] == asked(world.ask())
    world.deliver(other, data(B, other.key))
    assert socket_of(other) is not connection
    assert ConnectionState.PARKED is connection.state
    world.now = 299.0
    assert [] == asked(world.look())
    world.now = 300.0
    assert [A] == asked(world.ask())
    assert socket_of(suspect).dedicated
    assert [suspect] == list(socket_of(suspect).members.values())


def test_without_a_suspect_all_fail_and_are_tried_again_together() -> None:
    """Where it is not clear who it was, nobody is tried at once."""
    world = World()
    entries = [world.make_live(wish) for wish in (A, B)]
    park(world, socket_of(entries[0]))
    assert [State.FAILED, State.FAILED] == [entry.state for entry in entries]
    world.now = 300.0
    world.ask()
    assert socket_of(entries[0]) is socket_of(entries[1])


def test_a_stream_that_fails_again_and_again_is_tried_later_and_later() -> None:
    """After 5 minutes, doubling to an hour, though the venue acknowledges it each time."""
    world = World()
    entry = world.make_live(QUIET)
    waits: list[float] = []
    for _ in range(6):
        park(world, socket_of(entry), *[entry.id] * 3)
        assert entry.deadline is not None
        waits.append(entry.deadline - world.now)
        world.now = entry.deadline
        world.ask()
        world.acknowledge(entry)
    assert [300.0, 600.0, 1200.0, 2400.0, 3600.0, 3600.0] == waits


def test_a_parked_connection_is_shown_for_five_minutes_and_then_closed() -> None:
    """Somebody who looks in time sees why."""
    world = World()
    connection = socket_of(world.make_live(A))
    park(world, connection)
    world.now = 299.0
    world.look()
    assert connection in world.venue.connections
    world.now = 300.0
    assert CloseConnection(connection) in world.look().effects


def test_a_failure_is_told_to_the_readers() -> None:
    """They learn that nothing will come for a while, and why."""
    world = World()
    entry, reader = world.hold(QUIET, Reader(events=True))
    world.ask()
    world.acknowledge(entry)
    reader.read()
    park(world, socket_of(entry))
    assert Failed(error="boom") == reader.read()[-1]


def test_a_refusal_that_was_overtaken_by_an_end_is_not_taken_for_the_next_subscribe() -> None:
    """Answers come in order: before the end's answer, a refusal is of the subscribe before it."""
    world = World()
    entry = world.keep(QUIET)
    world.ask()
    end(world, entry)
    world.look()
    again = world.keep(QUIET)
    assert [QUIET] == asked(world.look())
    refuse(world, again, final=True)
    assert State.SUBSCRIBING is again.state


def test_a_refusal_that_names_a_stream_counts_although_a_frame_had_passed_for_its_proof() -> None:
    """A late frame of an earlier life is no acknowledgement: the venue's word is."""
    world = World()
    entry, reader = world.hold(A, Reader(events=True))
    world.ask()
    world.deliver(entry, data(A, entry.key))
    assert State.LIVE is entry.state
    connection = entry.connection
    assert connection is not None
    refusal = Refusal(RefusalKind.INVALID, "no", A.type.name, dict(A.params))
    take_answer(world.registry, connection, refusal, now=world.now, wall=world.wall)
    assert (State.REJECTED, "no", None) == (entry.state, entry.error, entry.connection)
    assert [Rejected] == [type(item) for item in reader.read()][-1:]
    again = world.make_live(B)
    sides = again.connection
    assert sides is not None
    unfounded = Refusal(RefusalKind.INVALID, "no", B.type.name, dict(B.params))
    take_answer(world.registry, sides, unfounded, now=world.now, wall=world.wall)
    assert State.LIVE is again.state
