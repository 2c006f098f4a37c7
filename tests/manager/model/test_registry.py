"""The registry: wanting, holding and ending, whatever is in flight at the time."""

from __future__ import annotations

import math

import pytest
from tests.manager.model.catalog import BOOK_5, BOOK_A, QUIET, TICKER, A, B, atom, orders
from tests.manager.model.world import Reader, World, asked, data, end, end_acknowledged, ended

from wsmgr.manager.model import progress
from wsmgr.manager.model.continuity import Closed
from wsmgr.manager.model.effects import Recycle
from wsmgr.manager.model.errors import NotFoundError, SubscriptionClosedError, UnknownVenueError
from wsmgr.manager.model.quota import WINDOW, Quotas
from wsmgr.manager.model.reconciliation import Plan
from wsmgr.manager.model.subscription import State


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
    world.now = WINDOW
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
    world.now = WINDOW
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
