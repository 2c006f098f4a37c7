"""Reconciliation: from what is wanted and what is so, to what is done next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.world import Reader, World, data

from wsmgr.manager.model import progress
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.continuity import Closed, Failed, Rejected
from wsmgr.manager.model.errors import NotFoundError, SubscriptionClosedError, UnknownVenueError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.reconciliation import (
    CloseConnection,
    OpenConnection,
    Plan,
    Recycle,
    Subscribe,
    Unsubscribe,
)
from wsmgr.manager.model.subscription import Entry, State

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import Atom

A, B = atom(TICKER, coin="A"), atom(TICKER, coin="B")
QUIET = atom(TRADES, coin="A")
BOOK_A, BOOK_5 = atom(BOOK, coin="A"), atom(BOOK, coin="A", depth=5)


def orders(user: str) -> Atom:
    """A user's events, whose frames do not name the user."""
    return atom(ORDERS, user=user)


def asked(plan: Plan) -> list[Atom]:
    """What a plan asks the venue for, in order."""
    return [effect.atom for effect in plan.effects if isinstance(effect, Subscribe)]


def ended(plan: Plan) -> list[Atom]:
    """What a plan ends at the venue, in order."""
    return [effect.atom for effect in plan.effects if isinstance(effect, Unsubscribe)]


def socket_of(entry: Entry) -> Connection:
    """The connection on which it sits."""
    assert entry.connection is not None
    return entry.connection


def end(world: World, entry: Entry) -> Connection:
    """End a subscription; the connection on which it sat."""
    connection = socket_of(entry)
    world.registry.end(entry, by="test", now=world.now)
    return connection


def end_acknowledged(world: World, connection: Connection, wish: Atom) -> bool:
    """Let the venue take an unsubscribe."""
    return progress.end_acknowledged(world.registry, connection, world.key(wish), now=world.now)


# Asking.


def test_nothing_wanted_is_nothing_to_do() -> None:
    """An idle venue sleeps until somebody wants something."""
    assert Plan((), math.inf) == World().look()


def test_a_wish_opens_a_connection_and_is_asked_for_when_that_is_open() -> None:
    """Nothing is written to a socket that is not there."""
    world = World()
    entry = world.keep(A)
    (opening,) = world.look().effects
    assert OpenConnection(socket_of(entry)) == opening
    assert Plan((), math.inf) == world.look()
    world.open_all()
    plan = world.look()
    assert (Subscribe(socket_of(entry), A),) == plan.effects
    assert (State.SUBSCRIBING, world.now + 10.0) == (entry.state, plan.wake_at)


def test_looking_again_finds_nothing_new() -> None:
    """A keeper that was restarted looks again and does nothing twice."""
    world = World()
    for wish in (A, B, BOOK_A, BOOK_5, orders("u1")):
        world.keep(wish)
    assert 5 == len(asked(world.ask()))
    assert [(), ()] == [world.look().effects for _ in range(2)]


def test_private_streams_are_asked_for_first_then_books_then_the_rest() -> None:
    """What costs money when it is missing comes back first."""
    world = World()
    for wish in (A, BOOK_A, atom(FILLS, user="u1"), B, orders("u1"), BOOK_5):
        world.keep(wish)
    world.ask()
    for connection in world.venue.connections:
        world.cut(connection)
    plan = world.ask()
    kinds = [wish.type for wish in asked(plan)]
    assert FILLS is kinds[0]
    ranks = [0 if kind.private else 1 if kind is BOOK else 2 for kind in kinds]
    assert sorted(ranks) == ranks


def test_a_subscription_is_live_by_its_acknowledgement_or_by_its_first_frame() -> None:
    """Where the type promises a frame, an acknowledgement alone proves nothing."""
    world = World()
    quiet, ticker = world.keep(QUIET), world.keep(A)
    world.ask()
    assert [True, True] == [world.acknowledge(quiet), world.acknowledge(ticker)]
    assert [State.LIVE, State.ACKNOWLEDGED] == [quiet.state, ticker.state]
    world.deliver(ticker, data(A, ticker.key))
    assert State.LIVE is ticker.state
    assert {} == world.venue.attention
    assert Plan((), math.inf) == world.look()


def test_an_acknowledgement_that_does_not_come_is_asked_for_again_and_then_the_socket_is_recycled() -> None:
    """Ten seconds each, three times; then the socket itself is not to be trusted."""
    world = World()
    entry = world.keep(A)
    world.ask()
    for attempt in (1, 2):
        assert Plan((), attempt * 10.0) == world.look()
        world.now = attempt * 10.0
        assert [A] == asked(world.look())
    world.now = 30.0
    plan = world.look()
    recycled = [effect.connection for effect in plan.effects if isinstance(effect, Recycle)]
    assert [socket_of(entry)] == recycled
    world.cut(socket_of(entry), "recycled")
    assert [A] == asked(world.ask())


def test_a_first_frame_that_does_not_come_is_asked_for_again() -> None:
    """Acknowledged and silent is not delivering."""
    world = World()
    entry = world.keep(A)
    world.ask()
    world.acknowledge(entry)
    assert Plan((), 10.0) == world.look()
    world.now = 10.0
    assert [A] == asked(world.look())


def test_a_late_acknowledgement_is_still_one() -> None:
    """A venue that is slow is not refused when its answer comes after the second request."""
    world = World()
    entry = world.keep(QUIET)
    world.ask()
    world.now = 10.0
    assert [QUIET] == asked(world.look())
    assert world.acknowledge(entry)
    assert State.LIVE is entry.state
    world.acknowledge(entry, already=True)
    assert Plan((), math.inf) == world.look()


def test_an_acknowledgement_that_nobody_waits_for_moves_nothing() -> None:
    """Of another connection, of nothing that is wanted, or twice."""
    world = World()
    first, second = world.keep(BOOK_A), world.keep(BOOK_5)
    world.ask()
    progress.acknowledged(world.registry, socket_of(first), second.key, already=False, now=0.0, wall=0.0)
    progress.acknowledged(
        world.registry, socket_of(first), "v/trades?coin=Z", already=False, now=0.0, wall=0.0
    )
    assert [State.SUBSCRIBING, State.SUBSCRIBING] == [first.state, second.state]


# Quotas.


def test_requests_beyond_the_quota_of_messages_wait_until_a_minute_has_passed() -> None:
    """Nothing is sent that the venue would punish, and nothing is forgotten for it."""
    world = World(quotas=Quotas(messages_per_minute=2))
    wishes = [atom(TRADES, coin=coin) for coin in "ABC"]
    entries = [world.keep(wish) for wish in wishes]
    assert wishes[:2] == asked(world.ask())
    for entry in entries[:2]:
        world.acknowledge(entry)
    assert Plan((), 60.0) == world.look()
    world.now = 60.0
    assert wishes[2:] == asked(world.look())


def test_ends_are_written_before_new_requests() -> None:
    """What is ended frees what the new one may need."""
    world = World(quotas=Quotas(messages_per_minute=2))
    entry = world.make_live(QUIET)
    world.keep(A)
    end(world, entry)
    plan = world.look()
    assert ([QUIET], []) == (ended(plan), asked(plan))


def test_nothing_is_written_while_the_venue_wants_silence() -> None:
    """A venue that counted too many messages is left alone for as long as it says."""
    world = World()
    world.keep(A)
    world.look()
    world.open_all()
    world.origin.silent_until = 60.0
    assert Plan((), 60.0) == world.look()
    world.now = 60.0
    assert [A] == asked(world.look())


def test_venues_of_one_origin_share_its_messages() -> None:
    """The venue counts by address."""
    world = World(quotas=Quotas(messages_per_minute=3))
    other = world.add_venue("w")
    for wish in (A, B):
        world.keep(wish)
        world.keep(wish, venue="w")
    world.look()
    world.look(other)
    world.open_all()
    assert [2, 1] == [len(asked(world.look())), len(asked(world.look(other)))]


def test_of_the_subscribes_that_add_a_user_one_is_in_flight_at_a_time() -> None:
    """The venue's refusal of a user names nobody, so it must be clear whom it means."""
    world = World()
    first, second = world.keep(orders("u1")), world.keep(orders("u2"))
    world.keep(atom(FILLS, user="u2"))
    assert [orders("u1")] == asked(world.ask())
    world.acknowledge(first)
    assert 1 == len(asked(world.look()))
    world.acknowledge(second)
    assert 1 == len(asked(world.look()))


def test_a_known_users_streams_do_not_wait_for_each_other() -> None:
    """Only what adds a user is taken one by one."""
    world = World()
    world.make_live(orders("u1"))
    world.keep(atom(FILLS, user="u1"))
    world.keep(orders("u2"))
    assert {"u1", "u2"} == {wish.user for wish in asked(world.ask())}


def test_of_two_venues_of_one_origin_one_adds_a_user_at_a_time() -> None:
    """The quota of users is the origin's."""
    world = World()
    other = world.add_venue("w")
    world.keep(orders("u1"))
    world.keep(orders("u2"), venue="w")
    world.look()
    world.look(other)
    world.open_all()
    assert [1, 0] == [len(asked(world.look())), len(asked(world.look(other)))]


def test_a_new_user_whose_acknowledgement_is_lost_is_asked_for_again_and_blocks_nobody_for_ever() -> None:
    """One lost answer does not shut the door on every user."""
    world = World()
    first, second = world.keep(orders("u1")), world.keep(orders("u2"))
    world.ask()
    world.now = 10.0
    assert [orders("u1")] == asked(world.look())
    world.acknowledge(first, already=True)
    assert [orders("u2")] == asked(world.look())
    world.acknowledge(second)
    assert [State.LIVE, State.LIVE] == [first.state, second.state]


def test_ending_a_new_user_in_flight_lets_no_second_one_go() -> None:
    """Its answer is still to come, and a refusal would be taken for the other's."""
    world = World()
    first = world.keep(orders("u1"))
    world.ask()
    connection = end(world, first)
    world.keep(orders("u2"))
    assert [] == asked(world.ask())
    progress.acknowledged(world.registry, connection, first.key, already=False, now=0.0, wall=0.0)
    end_acknowledged(world, connection, first.atom)
    assert [orders("u2")] == asked(world.ask())


def test_who_waits_for_a_quota_says_so_once_and_comes_in_when_it_is_free() -> None:
    """`list` shows why it waits; the log says it once, not at every look."""
    world = World(quotas=Quotas(users=1))
    first = world.make_live(orders("u1"))
    told: list[str | None] = []
    second = world.keep(orders("u2"))
    second.watchers.add(lambda entry: told.append(entry.error))
    for _ in range(3):
        world.look()
    assert (State.PENDING, None) == (second.state, second.connection)
    assert 1 == len(told)
    assert "'users' (1), held by u1" in (second.error or "")
    assert 1 == len(
        [note for note in world.notes if isinstance(note, Fact) and note.kind == "waits_for_quota"]
    )
    connection = end(world, first)
    world.look()
    end_acknowledged(world, connection, first.atom)
    plan = world.look()
    assert second.connection is None
    assert plan.wake_at <= world.now + 15.0
    world.now += 15.0
    assert [orders("u2")] == asked(world.ask())
    assert second.error is None


# Ending.


def test_an_end_is_written_once_and_its_wire_key_rests_before_another_may_have_it() -> None:
    """Until the acknowledgement and ten seconds more, late frames may come."""
    world = World(quotas=Quotas(connections=2))
    world.make_live(A)
    connection = end(world, world.make_live(BOOK_A))
    assert [BOOK_A] == ended(world.look())
    other = world.keep(BOOK_5)
    assert [] == asked(world.look())
    world.now = 5.0
    assert end_acknowledged(world, connection, BOOK_A)
    assert 15.0 == world.look().wake_at
    assert other.connection is None
    world.now = 15.0
    assert [BOOK_5] == asked(world.ask())
    assert not end_acknowledged(world, connection, BOOK_A)


def test_an_end_whose_acknowledgement_does_not_come_is_written_again_and_then_the_socket_is_recycled() -> (
    None
):
    """A stream that the venue goes on sending is ended with its socket, at the latest."""
    world = World()
    world.make_live(A)
    connection = end(world, world.make_live(B))
    assert [B] == ended(world.look())
    for attempt in (1, 2):
        world.now = attempt * 10.0
        assert [B] == ended(world.look())
    world.now = 30.0
    assert [connection] == [each.connection for each in world.look().effects if isinstance(each, Recycle)]


def test_one_acknowledgement_is_enough_for_an_end_that_was_written_twice() -> None:
    """The answer to the first request may be lost for good; the second one's ends it."""
    world = World()
    world.make_live(A)
    connection = end(world, world.make_live(B))
    world.look()
    world.now = 10.0
    assert [B] == ended(world.look())
    assert end_acknowledged(world, connection, B)
    for world.now in (20.0, 30.0, 40.0):
        assert () == world.look().effects


def test_a_wish_that_was_never_asked_for_is_ended_without_a_word() -> None:
    """There is nothing to unsubscribe."""
    world = World()
    entry = world.keep(A)
    world.look()
    end(world, entry)
    world.open_all()
    assert [] == ended(world.look())


def test_a_subscribe_in_flight_is_ended_at_the_venue_too() -> None:
    """The venue may have taken it already."""
    world = World()
    entry = world.keep(A)
    world.ask()
    connection = end(world, entry)
    assert [A] == ended(world.look())
    progress.acknowledged(world.registry, connection, entry.key, already=False, now=0.0, wall=0.0)
    assert State.CLOSED is entry.state
    assert () == world.look().effects


def test_what_was_asked_for_and_not_answered_is_ended_at_the_venue_too() -> None:
    """Its acknowledgement was lost and it waits to be asked for again: the venue has it all the same."""
    world = World(quotas=Quotas(messages_per_minute=1))
    entry = world.keep(orders("u1"))
    world.ask()
    world.now = 10.0
    assert [] == asked(world.look())
    connection = end(world, entry)
    other = world.keep(orders("u2"))
    world.now = 60.0
    plan = world.ask()
    assert ([orders("u1")], []) == (ended(plan), asked(plan))
    assert connection is not other.connection


def test_a_stream_wanted_again_while_its_end_is_in_flight_comes_back() -> None:
    """The end is answered first, then the new request."""
    world = World()
    connection = end(world, world.make_live(QUIET))
    assert [QUIET] == ended(world.look())
    again = world.keep(QUIET)
    assert [QUIET] == asked(world.look())
    end_acknowledged(world, connection, QUIET)
    world.acknowledge(again)
    assert (State.LIVE, connection, 1) == (again.state, again.connection, again.epoch)
    for world.now in (10.0, 20.0, 30.0):
        assert () == world.look().effects


def test_an_end_is_not_written_again_over_a_newer_subscribe() -> None:
    """Its acknowledgement was lost; to write it again would end the stream that is wanted now."""
    world = World()
    end(world, world.make_live(QUIET))
    world.look()
    again = world.keep(QUIET)
    assert [QUIET] == asked(world.look())
    world.now = 5.0
    world.acknowledge(again)
    for world.now in (10.0, 20.0, 30.0):
        assert () == world.look().effects
    assert State.LIVE is again.state


def test_the_answer_to_one_end_is_not_taken_for_the_next_ones() -> None:
    """Subscribe, end, subscribe, end: the second end is written, whenever the first one's answer comes."""
    world = World(quotas=Quotas(messages_per_minute=3))
    connection = end(world, world.make_live(QUIET))
    world.look()
    again = world.keep(QUIET)
    assert [QUIET] == asked(world.look())
    end(world, again)
    assert [] == ended(world.look())
    end_acknowledged(world, connection, QUIET)
    world.now = 60.0
    assert [QUIET] == ended(world.look())


def test_an_ended_subscription_is_gone_and_its_readers_are_told() -> None:
    """Who reads learns who ended it; who asks for the id learns that there is none."""
    world = World()
    entry, reader = world.hold(A, Reader(events=True))
    world.registry.end(entry, by="somebody", now=0.0)
    assert [Closed(by="somebody")] == reader.read()
    assert isinstance(reader.buffer.closed, SubscriptionClosedError)
    with pytest.raises(NotFoundError, match=entry.id):
        world.registry.entry(entry.id)
    assert Plan((), math.inf) == world.look()


def test_a_reader_that_leaves_after_the_end_wakes_no_dead() -> None:
    """The natural order: the stream is ended, the reader learns of it, the reader leaves."""
    world = World()
    entry, reader = world.hold(A)
    world.registry.end(entry, by="test", now=0.0)
    again = world.keep(A)
    world.registry.release(entry, reader.buffer, 1.0)
    assert again is world.venue.attention[again.id]
    world.now = 20.0
    assert [A] == asked(world.ask())


def test_a_new_life_of_a_subscription_has_a_new_epoch() -> None:
    """`epoch:seq` never names two messages."""
    world = World()
    for epoch in range(3):
        entry = world.make_live(A)
        assert (epoch, 1) == (entry.epoch, entry.seq)
        end(world, entry)


# Holding.


def test_a_stream_that_nobody_holds_is_ended_after_fifteen_seconds() -> None:
    """A reader that reconnects at once finds its stream as it was."""
    world = World()
    entry, reader = world.hold(QUIET)
    world.ask()
    world.acknowledge(entry)
    world.now = 100.0
    world.registry.release(entry, reader.buffer, world.now)
    assert Plan((), 115.0) == world.look()
    world.now = 115.0
    assert [QUIET] == ended(world.look())
    assert State.CLOSED is entry.state


def test_a_reader_that_comes_in_time_keeps_the_stream() -> None:
    """The same wire subscription, not a new one."""
    world = World()
    entry, reader = world.hold(QUIET)
    world.ask()
    world.acknowledge(entry)
    world.registry.release(entry, reader.buffer, 0.0)
    world.now = 14.0
    assert entry is world.hold(QUIET)[0]
    world.now = 100.0
    assert Plan((), math.inf) == world.look()
    assert {} == world.venue.attention


def test_one_reader_of_two_leaves_the_other_undisturbed() -> None:
    """One id, one wire subscription, for as long as one reads."""
    world = World()
    entry, first = world.hold(QUIET)
    world.hold(QUIET)
    world.ask()
    world.acknowledge(entry)
    world.registry.release(entry, first.buffer, 0.0)
    world.now = 1000.0
    assert Plan((), math.inf) == world.look()


def test_a_kept_stream_needs_no_reader() -> None:
    """It stays until somebody ends it."""
    world = World()
    entry, reader = world.hold(QUIET)
    entry.kept = True
    world.registry.release(entry, reader.buffer, 0.0)
    world.now = 1000.0
    assert [QUIET] == asked(world.ask())


def test_a_reader_that_leaves_takes_its_losses_into_the_counters() -> None:
    """What its consumers dropped stays on the subscription's account."""
    world = World()
    entry, reader = world.hold(A, Reader(max_messages=1))
    world.ask()
    world.deliver(entry, *[data(A, entry.key)] * 4)
    world.registry.release(entry, reader.buffer, 0.0)
    assert 3 == entry.counters.dropped


# Sockets that come and go.


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


# Refusals and failures.


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


# Finding.


def test_equal_wishes_are_one_subscription() -> None:
    """One id, one row, one history."""
    world = World()
    first, new = world.registry.want("v", A, wall=0.0)
    again, newer = world.registry.want("v", atom(TICKER, coin="A"), wall=5.0)
    assert first is again
    assert (True, False) == (new, newer)


def test_subscriptions_of_a_user_are_found_whatever_the_case() -> None:
    """Addresses are typed in either case."""
    world = World()
    entry = world.keep(orders("0xab"))
    world.keep(orders("0xcd"))
    world.keep(A)
    assert [entry] == list(world.registry.by_user("0xAB"))


def test_a_venue_that_does_not_exist_is_refused_with_those_that_do() -> None:
    """A typing error in a name is seen at once."""
    with pytest.raises(UnknownVenueError, match="there is no venue 'w'; the venues are: v"):
        World().registry.venue("w")
