"""Redundancy: a subscription on two sockets loses nothing with one of them."""

from __future__ import annotations

import math
from random import Random

import attrs
import pytest
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, atom
from tests.manager.model.exchange import Exchange, told
from tests.manager.model.world import World, numbers_of, socket_of

from wsmgr.manager.model import redundancy, sides
from wsmgr.manager.model.connection import Purpose, Stage
from wsmgr.manager.model.continuity import Gap, Resumed
from wsmgr.manager.model.effects import CloseConnection, Subscribe
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import Merge

FILLS_1, FILLS_2 = atom(FILLS, user="u1"), atom(FILLS, user="u2")
BOOK_A = atom(BOOK, coin="A")
QUIET = attrs.evolve(
    atom(ORDERS, user="u1"),
    type=attrs.evolve(ORDERS, merge=Merge.ITEMS, duplicate_key=("id",), items="orders"),
)
MANY = Quotas(connections=10, subscriptions=1000)


@pytest.mark.parametrize(("wish", "seed"), [(FILLS_1, 1), (FILLS_1, 2), (QUIET, 3), (BOOK_A, 4), (BOOK_A, 5)])
def test_one_side_killed_at_random_a_hundred_times_loses_and_doubles_nothing(wish: object, seed: int) -> None:
    """Frames that were on the way on the dead socket are lost there, and come on the other one."""
    print(f"seed {seed}")  # noqa: T201 - where it fails, this is how to repeat it
    random = Random(seed)
    exchange = Exchange(World(quotas=MANY), random=random)
    entry, reader = exchange.keep(wish, redundancy=2)  # type: ignore[arg-type]  # the atoms above
    exchange.tell(entry.key)
    killed = 0
    while killed < 100:
        for _ in range(random.randint(5, 60)):
            exchange.world.now += 0.25
            exchange.tell(entry.key, random.randint(0, 5) or 1, read=False)
            for socket in exchange.sockets.values():
                while socket.requests and random.random() < 0.8:
                    socket.handle("ack", exchange.world.now, set())
            for connection in random.sample(
                exchange.world.venue.connections, len(exchange.world.venue.connections)
            ):
                exchange.read(connection, random.randint(0, 8))
        if entry.second_joined:
            assert entry.second is not None
            exchange.cut(random.choice([socket_of(entry), entry.second.connection]))
            killed += 1
    exchange.settle()
    items = reader.read()
    assert exchange.streams.told[entry.key] == numbers_of(
        [item for item in items if isinstance(item, Message)]
    )
    assert ([], 0) == ([item for item in items if isinstance(item, Gap | Resumed)], entry.counters.gaps)


def test_both_sides_deliver_and_whichever_is_first_counts() -> None:
    """Which one was is known."""
    exchange = Exchange(World(quotas=MANY))
    entry, reader = exchange.keep(FILLS_1, redundancy=2)
    exchange.tell(entry.key)
    assert entry.second is not None
    assert (Stage.JOINED, Purpose.REDUNDANCY) == (entry.second.stage, entry.second.purpose)
    first, other = socket_of(entry), entry.second.connection
    before = entry.counters.firsts.get(first.id, 0), entry.counters.firsts.get(other.id, 0)
    exchange.tell(entry.key, 1, read=False)
    exchange.read(other)
    exchange.read(first)
    exchange.tell(entry.key, 1, read=False)
    exchange.read(first)
    exchange.read(other)
    assert {first.id: before[0] + 1, other.id: before[1] + 1} == entry.counters.firsts
    assert [1, 2, 3] == told(reader)


def test_the_fact_of_two_sides_is_told_once_they_both_deliver() -> None:
    """Not when the second one is only wanted."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(BOOK_A, redundancy=2)
    exchange.tell(entry.key)
    exchange.settle()
    assert (Stage.ASKED, []) == (entry.second and entry.second.stage, exchange.facts("redundant"))
    exchange.tell(entry.key)
    assert [("v-2", {"primary": "v-1"})] == [
        (fact.connection, fact.detail) for fact in exchange.facts("redundant")
    ]


def test_a_side_that_takes_over_is_asked_about_because_the_venue_may_have_forgotten_it() -> None:
    """Beside the other one nobody missed it; now there is a gap since the last proof, at once."""
    exchange = Exchange(World(quotas=MANY))
    entry, reader = exchange.keep(QUIET, redundancy=2)
    exchange.run(5.0, entry.key)
    assert entry.second is not None
    exchange.sockets[entry.second.connection.id].forget(entry.key)
    exchange.tell(entry.key)
    last_at = exchange.world.wall
    exchange.run(1.0)
    exchange.cut(socket_of(entry))
    exchange.tell(entry.key)
    exchange.run(1.0)
    exchange.tell(entry.key)
    items = reader.read()
    (gap,) = [item for item in items if isinstance(item, Gap)]
    assert gap.started_at == last_at
    assert [1, 2, 3, 4, 5, 6, 8] == numbers_of([item for item in items if isinstance(item, Message)])


def test_a_side_that_was_lost_is_replaced_by_another() -> None:
    """A while after, and on another connection than the one that is left."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(1.0, entry.key)
    exchange.cut(socket_of(entry))
    assert (State.LIVE, None) == (entry.state, entry.second)
    exchange.run(sides.RETRY + 1.0, entry.key)
    assert entry.second is not None
    assert (True, False) == (entry.second_joined, entry.second.connection is socket_of(entry))


@pytest.mark.parametrize(
    ("quotas", "quota"),
    [(Quotas(connections=2), "connections"), (Quotas(connections=10, subscriptions=1), "subscriptions")],
)
def test_where_a_quota_stands_in_the_way_it_goes_on_with_one_side_and_says_so_once(
    quotas: Quotas, quota: str
) -> None:
    """It is tried again every now and then, without a word."""
    exchange = Exchange(World(quotas=quotas))
    entry, reader = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(300.0, entry.key)
    (fact,) = exchange.facts("redundancy_waits")
    assert quota == fact.detail["quota"]
    assert f"has one side only: waits for the quota '{quota}'" in (entry.error or "")
    assert (State.LIVE, None, list(range(1, 301))) == (entry.state, entry.second, told(reader))
    assert 1 == exchange.count(Subscribe)
    assert exchange.settle() >= exchange.world.now + 1.0


def test_once_the_quota_has_room_the_second_side_comes_and_the_words_go() -> None:
    """Nobody has to ask again."""
    exchange = Exchange(World(quotas=Quotas(connections=10, subscriptions=2)))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.world.registry.end(entry, by="test", now=exchange.world.now)
    exchange.run(30.0)
    entry, _ = exchange.keep(atom(FILLS, user="u2"))
    other, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(5.0)
    assert "has one side only" in (other.error or "")
    exchange.world.registry.end(entry, by="test", now=exchange.world.now)
    exchange.run(redundancy.TRY_AGAIN + 5.0)
    assert (True, None) == (other.second_joined, other.error)


def test_a_venue_that_serves_one_socket_only_is_not_tried_for_ever() -> None:
    """One gap shows it; then the subscription goes on with one side, and says so once."""
    exchange = Exchange(World(quotas=MANY), newest_only=True)
    entry, reader = exchange.keep(BOOK_A, redundancy=2)
    exchange.run(60.0, entry.key)
    assert (1, None, State.LIVE) == (entry.counters.gaps, entry.second, entry.state)
    assert 1 == len(exchange.facts("redundancy_waits"))
    assert entry.error == "has one side only: the venue serves one socket at a time"
    numbers = told(reader)
    assert sorted(set(numbers)) == numbers
    assert math.inf == exchange.settle()


def test_a_stream_on_two_sides_keeps_nobody_awake() -> None:
    """Neither the keeper nor the folding of connections."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(200.0, entry.key)
    assert entry.second_joined
    assert math.inf == exchange.settle()


def test_a_connection_of_redundant_streams_is_not_looked_at_for_folding() -> None:
    """Its streams would fit elsewhere, but they are where they should be."""
    exchange = Exchange(World(quotas=MANY))
    one, _ = exchange.keep(atom(BOOK, coin="A"), redundancy=2)
    exchange.tell(one.key)
    exchange.run(1.0, one.key)
    variants = [exchange.keep(atom(BOOK, coin="B", depth=depth))[0] for depth in (5, 10)]
    other, _ = exchange.keep(atom(BOOK, coin="B", depth=20), redundancy=2)
    exchange.run(2.0, one.key, other.key, *(each.key for each in variants))
    for each in variants:
        exchange.world.registry.end(each, by="test", now=exchange.world.now)
    exchange.run(300.0, one.key, other.key)
    assert (True, True, math.inf) == (one.second_joined, other.second_joined, exchange.settle())


def test_a_stale_stream_gets_its_second_side_when_it_delivers_again() -> None:
    """There is nothing that a second side could go on from."""
    exchange = Exchange(World(quotas=MANY))
    steady = attrs.evolve(BOOK_A, type=attrs.evolve(BOOK, cadence=1.0))
    entry, _ = exchange.keep(steady)
    exchange.run(3.0, entry.key)
    exchange.sockets["v-1"].mute.add(entry.key)
    exchange.run(5.0)
    entry.redundancy = 2
    exchange.world.venue.attention[entry.id] = entry
    exchange.run(1.0, entry.key)
    assert (State.STALE, None) == (entry.state, entry.second)
    exchange.run(10.0, entry.key)
    assert (State.LIVE, True) == (entry.state, entry.second_joined)


def test_an_interruption_keeps_the_memory_when_both_sides_are_given_up() -> None:
    """A repair ends them; what comes again afterwards is told from what is new."""
    exchange = Exchange(World(quotas=MANY))
    steady = attrs.evolve(BOOK_A, type=attrs.evolve(BOOK, cadence=1.0))
    entry, _ = exchange.keep(steady)
    exchange.tell(entry.key)
    entry.redundancy = 2
    exchange.world.venue.attention[entry.id] = entry
    exchange.run(5.0, entry.key)
    assert entry.second_joined
    exchange.silenced.add(entry.key)
    exchange.run(100.0, entry.key)
    assert entry.interruption is not None
    assert entry.merger is not None


def test_a_second_side_that_nobody_wants_any_more_is_ended() -> None:
    """The first one goes on without a gap, and the connection that is left over closes."""
    exchange = Exchange(World(quotas=MANY))
    entry, reader = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(5.0, entry.key)
    assert entry.second_joined
    entry.redundancy = 1
    exchange.run(30.0, entry.key)
    assert (None, None, ["v-1"]) == (
        entry.second,
        entry.merger,
        [connection.id for connection in exchange.world.venue.connections],
    )
    assert list(range(1, 36)) == told(reader)


def test_connections_that_carry_second_sides_stay() -> None:
    """They are what they are for."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(600.0, entry.key)
    assert (2, 0) == (len(exchange.world.venue.connections), exchange.count(CloseConnection))


def test_ending_the_subscription_frees_both_connections() -> None:
    """Nothing of it is left, here or at the venue."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(5.0, entry.key)
    exchange.world.registry.end(entry, by="test", now=exchange.world.now)
    exchange.run(30.0)
    assert ([], {}, {}) == (
        exchange.world.venue.connections,
        exchange.sockets,
        exchange.world.venue.attention,
    )


def test_the_memory_of_what_was_delivered_goes_with_the_wish_for_two_sides() -> None:
    """Also where the second side cannot be had any more."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(5.0, entry.key)
    second, merger = entry.second, entry.merger
    assert second is not None
    assert merger is not None
    exchange.world.venue.one_socket_only = True
    exchange.cut(second.connection)
    exchange.run(30.0, entry.key)
    assert (None, None) == (entry.merger, entry.second)


def test_a_second_side_gives_its_place_to_what_has_none() -> None:
    """What is wanted once goes before what is wanted twice; it gets its second side back when there is room."""
    exchange = Exchange(World(quotas=Quotas(connections=10, subscriptions=3)))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.tell(entry.key)
    other, _ = exchange.keep(FILLS_2)
    assert entry.second_joined
    third, _ = exchange.keep(atom(TICKER, coin="A"))
    exchange.run(3.0, entry.key, other.key, third.key)
    assert (State.LIVE, None) == (third.state, entry.second)
    exchange.world.registry.end(third, by="test", now=exchange.world.now)
    exchange.run(120.0, entry.key, other.key)
    assert entry.second_joined


def test_a_side_that_brings_nothing_though_the_other_one_does_is_made_anew() -> None:
    """Nobody would miss it until it is needed; and it is not trusted with the stream."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1, redundancy=2)
    exchange.tell(entry.key)
    assert entry.second is not None
    mute = entry.second.connection
    exchange.sockets[mute.id].mute.add(entry.key)
    assert not sides.watch_second(exchange.world.registry, entry, now=exchange.world.now)
    exchange.run(12.0, entry.key)
    assert sides.watch_second(exchange.world.registry, entry, now=exchange.world.now)
    assert entry.second is None
