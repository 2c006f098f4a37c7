"""Rotation: a connection is replaced by another, make before break where the venue lets it."""

from __future__ import annotations

import math
from random import Random

import attrs
import pytest
from tests.manager.model.catalog import BOOK, FILLS, TICKER, TRADES, atom
from tests.manager.model.exchange import Exchange, told
from tests.manager.model.world import World, numbers_of, socket_of

from wsmgr.manager.model import rotation
from wsmgr.manager.model.connection import Connection, Purpose
from wsmgr.manager.model.continuity import Gap, Resumed
from wsmgr.manager.model.effects import OpenConnection, Recycle, Unsubscribe
from wsmgr.manager.model.gaps import MERGED_FOR
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import Merge

FILLS_1 = atom(FILLS, user="u1")
BOOK_A = atom(BOOK, coin="A")
MANY = Quotas(connections=10, subscriptions=1000)


def rotate(exchange: Exchange, connection: Connection | None = None) -> None:
    """Want a connection replaced: the one that is given, or the first."""
    found = connection or exchange.world.venue.connections[0]
    rotation.want(exchange.world.registry, found, why="test", now=exchange.world.now)


def rotated(exchange: Exchange) -> list[tuple[str | None, object, bool]]:
    """Which connections were replaced, by which, and whether make came before break."""
    return [
        (fact.connection, fact.detail["to"], fact.detail.get("exact", True))
        for fact in exchange.facts("rotated")
    ]


def ready(exchange: Exchange) -> list[str]:
    """The connections that carry something."""
    return [connection.id for connection in exchange.world.venue.connections if connection.members]


@pytest.mark.parametrize(("wish", "seed"), [(FILLS_1, 1), (FILLS_1, 2), (BOOK_A, 3), (BOOK_A, 4)])
def test_of_ten_thousand_items_none_is_lost_or_doubled_while_the_socket_is_replaced_every_second(
    wish: object, seed: int
) -> None:
    """The frames are cut differently on each socket, and one socket is read later than the other."""
    print(f"seed {seed}")  # noqa: T201 - where it fails, this is how to repeat it
    random = Random(seed)
    exchange = Exchange(World(quotas=MANY), random=random)
    entry, reader = exchange.keep(wish)  # type: ignore[arg-type]  # the atoms above
    exchange.tell(entry.key)
    while len(exchange.streams.told[entry.key]) < 10_000:
        rotate(exchange)
        for _ in range(20):
            exchange.world.now += 0.05
            exchange.tell(entry.key, random.randint(1, 20), read=False)
            for socket in exchange.sockets.values():
                while socket.requests and random.random() < 0.8:
                    socket.handle("ack", exchange.world.now, set())
            for connection in random.sample(
                exchange.world.venue.connections, len(exchange.world.venue.connections)
            ):
                exchange.read(connection, random.randint(0, 25))
            assert 2 >= len(exchange.world.venue.connections)
    exchange.settle()
    items = reader.read()
    numbers = numbers_of([item for item in items if hasattr(item, "raw")])  # type: ignore[misc]
    assert exchange.streams.told[entry.key] == numbers
    assert ([], 0) == ([item for item in items if isinstance(item, Gap | Resumed)], entry.counters.gaps)
    done = rotated(exchange)
    assert len(done) >= 30
    assert {True} == {exact for _, _, exact in done}


def test_every_stream_of_a_connection_goes_over_and_it_says_goodbye() -> None:
    """Also those that have nothing in common to show: each as its type lets it."""
    exchange = Exchange(World(quotas=MANY))
    wishes = [FILLS_1, BOOK_A, atom(TICKER, coin="A"), atom(TRADES, coin="A")]
    pairs = [exchange.keep(wish) for wish in wishes]
    keys = [entry.key for entry, _ in pairs]
    exchange.run(3.0, *keys)
    before = {connection.id for connection in exchange.world.venue.connections}
    for connection in list(exchange.world.venue.connections):
        rotate(exchange, connection)
    exchange.run(20.0, *keys)
    assert not before & {connection.id for connection in exchange.world.venue.connections}
    for entry, reader in pairs:
        numbers = told(reader)
        assert (State.LIVE, list(range(1, 24))) == (entry.state, sorted(set(numbers)))
        assert len(numbers) == 23 or entry.type.merge is Merge.NONE
    assert [0, 0, 0, 1] == [entry.counters.gaps for entry, _ in pairs]
    assert 0 == exchange.count(Recycle)


def test_quiet_streams_go_over_too() -> None:
    """They are acknowledged on the new socket while the old one still delivers."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    rotate(exchange)
    exchange.run(5.0)
    assert [("v-1", "v-2", True)] == rotated(exchange)
    assert ("v-2", 0) == (socket_of(entry).id, entry.counters.gaps)


def test_one_connection_is_replaced_at_a_time() -> None:
    """One place is kept for it; the others wait, and each gets its time."""
    exchange = Exchange(World(quotas=Quotas(connections=4)))
    entries = [exchange.keep(atom(BOOK, coin="A", depth=depth))[0] for depth in (5, 10, 20)]
    keys = [entry.key for entry in entries]
    exchange.run(2.0, *keys)
    assert 3 == len(exchange.world.venue.connections)
    for connection in list(exchange.world.venue.connections):
        rotate(exchange, connection)
    most = 0
    for _ in range(20):
        exchange.run(1.0, *keys)
        most = max(most, len(exchange.world.venue.connections))
    assert (4, [True] * 3) == (most, [exact for _, _, exact in rotated(exchange)])
    assert ["v-4", "v-5", "v-6"] == sorted(ready(exchange))
    assert {0} == {entry.counters.gaps for entry in entries}


def test_another_venue_of_the_origin_waits_for_the_place() -> None:
    """The venue counts sockets by address, whoever opened them."""
    exchange = Exchange(World(quotas=Quotas(connections=3)))
    world = exchange.world
    entry, _ = exchange.keep(FILLS_1)
    other = world.add_venue("w")
    other_entry = world.keep(BOOK_A, venue="w")
    world.look(other)
    (connection,) = other.connections
    world.open_all()
    rotate(exchange)
    exchange.look()
    rotation.want(world.registry, connection, why="test", now=world.now)
    plan = world.look(other)
    assert ([], 1.0) == ([each for each in plan.effects if isinstance(each, OpenConnection)], plan.wake_at)
    exchange.run(5.0)
    assert any(isinstance(each, OpenConnection) for each in world.look(other).effects)
    assert socket_of(entry).id == "v-2"
    assert other_entry.connection is connection


def test_the_quota_of_subscriptions_is_kept_while_streams_go_over() -> None:
    """Both sides count at the venue: as many go at a time as there is room for."""
    exchange = Exchange(World(quotas=Quotas(connections=10, subscriptions=12)))
    pairs = [exchange.keep(atom(FILLS, user=f"u{number}")) for number in range(10)]
    keys = [entry.key for entry, _ in pairs]
    exchange.run(2.0, *keys)
    rotate(exchange)
    for _ in range(60):
        exchange.world.now += 0.5
        for key in keys:
            exchange.tell(key)
        assert 12 >= exchange.world.origin.usage(exchange.world.now).subscriptions
        exchange.settle()
    assert [("v-1", "v-2", True)] == rotated(exchange)
    for entry, reader in pairs:
        assert (list(range(1, 63)), 0) == (told(reader), entry.counters.gaps)


@pytest.mark.parametrize(
    "quotas",
    [Quotas(connections=10, subscriptions=2), Quotas(connections=1)],
    ids=["subscriptions", "sockets"],
)
def test_without_any_room_the_socket_is_broken_before_another_is_made(quotas: Quotas) -> None:
    """With a gap, because frames may have come in between."""
    exchange = Exchange(World(quotas=quotas))
    entries = [exchange.keep(atom(FILLS, user=user))[0] for user in ("u1", "u2")]
    rotate(exchange)
    exchange.run(2.0)
    assert [("v-1", "v-1", False)] == rotated(exchange)
    assert (1, 1, ["v-1"]) == (exchange.count(Recycle), exchange.count(OpenConnection), ready(exchange))
    assert [(1, State.LIVE)] * 2 == [(entry.counters.gaps, entry.state) for entry in entries]
    assert 2 == exchange.world.venue.connections[0].socket


def test_a_venue_that_serves_the_newest_socket_only_is_broken_before_it_is_made_from_then_on() -> None:
    """The first rotation finds out; the next one does not even try."""
    exchange = Exchange(World(quotas=MANY), newest_only=True)
    entry, reader = exchange.keep(BOOK_A)
    exchange.run(3.0, entry.key)
    rotate(exchange)
    exchange.run(10.0, entry.key)
    assert exchange.world.venue.one_socket_only
    assert [("v-1", "v-2", True)] == rotated(exchange)
    assert 1 == entry.counters.gaps
    rotate(exchange, socket_of(entry))
    exchange.run(5.0, entry.key)
    assert [("v-1", "v-2", True), ("v-2", "v-2", False)] == rotated(exchange)
    assert (2, State.LIVE) == (entry.counters.gaps, entry.state)
    numbers = told(reader)
    assert sorted(set(numbers)) == numbers


def test_a_replacement_that_does_not_get_ready_is_given_up() -> None:
    """After two minutes the socket is broken; what was meant for the other one is not left behind."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    rotate(exchange)
    exchange.offline = True
    exchange.run(rotation.PATIENCE - 1.0)
    assert ([], State.LIVE) == (rotated(exchange), entry.state)
    exchange.run(1.0)
    assert [("v-1", "v-1", False)] == rotated(exchange)
    exchange.offline = False
    exchange.run(15.0)
    assert (["v-1"], State.LIVE) == (
        [connection.id for connection in exchange.world.venue.connections],
        entry.state,
    )


def test_a_rotation_that_waits_for_another_has_its_own_time() -> None:
    """Its two minutes begin when its replacement is opened."""
    exchange = Exchange(World(quotas=MANY))
    entries = [exchange.keep(atom(BOOK, coin="A", depth=depth))[0] for depth in (5, 10)]
    for entry in entries:
        exchange.tell(entry.key)
    for connection in list(exchange.world.venue.connections):
        rotate(exchange, connection)
    exchange.offline = True
    exchange.run(rotation.PATIENCE + 10.0)
    assert [("v-1", "v-1", False)] == rotated(exchange)
    exchange.offline = False
    exchange.run(10.0, *(entry.key for entry in entries))
    assert [("v-1", "v-1", False), ("v-2", "v-4", True)] == rotated(exchange)


def test_a_connection_that_its_consumer_has_stopped_is_replaced_when_it_goes_on() -> None:
    """Another socket would go on beside it."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    socket_of(entry).paused = True
    rotate(exchange)
    exchange.run(8.0)
    assert 1 == len(exchange.world.venue.connections)
    socket_of(entry).paused = False
    exchange.run(8.0)
    assert [("v-1", "v-2", True)] == rotated(exchange)


def test_a_socket_that_is_lost_on_the_way_needs_no_rotation_any_more() -> None:
    """It gets a new one in any case."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    exchange.offline = True
    rotate(exchange)
    exchange.look()
    exchange.cut(exchange.world.venue.connections[0])
    exchange.look()
    exchange.offline = False
    exchange.run(20.0)
    assert [] == rotated(exchange)
    assert ["v-1"] == [connection.id for connection in exchange.world.venue.connections]
    assert (State.LIVE, False) == (entry.state, socket_of(entry).leaving)


def test_a_connection_that_carries_nothing_leaves_no_empty_one_behind() -> None:
    """Its replacement closes like every connection that nobody needs."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    rotate(exchange)
    exchange.look()
    exchange.world.registry.end(entry, by="test", now=exchange.world.now)
    exchange.run(30.0)
    assert [] == exchange.world.venue.connections


def test_a_connection_that_empties_on_the_way_does_not_leave_its_replacement_to_nobody() -> None:
    """It waits for the end of the rotation, however long the other one takes to open."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    exchange.offline = True
    rotate(exchange)
    exchange.look()
    exchange.world.registry.end(entry, by="test", now=exchange.world.now)
    exchange.run(30.0)
    assert 2 == len(exchange.world.venue.connections)
    exchange.offline = False
    exchange.run(30.0)
    assert [] == exchange.world.venue.connections


def test_what_does_not_deliver_is_asked_for_on_the_new_connection() -> None:
    """There is nothing to lose; it waits for neither a proof nor a deadline."""
    exchange = Exchange(World(quotas=MANY))
    live, _ = exchange.keep(FILLS_1)
    silent = exchange.world.keep(BOOK_A)
    exchange.silenced.add(silent.key)
    exchange.settle()
    assert State.ACKNOWLEDGED is silent.state
    rotate(exchange, socket_of(silent))
    exchange.run(3.0)
    assert State.ACKNOWLEDGED is silent.state
    exchange.silenced.clear()
    exchange.tell(silent.key)
    assert (State.LIVE, None) == (silent.state, silent.repair)
    assert ("v-1", "v-3") == (socket_of(live).id, socket_of(silent).id)


def test_a_stale_stream_is_asked_for_on_the_new_connection_and_its_gap_goes_on() -> None:
    """Its silence says nothing about the venue's sockets."""
    exchange = Exchange(World(quotas=MANY))
    steady = attrs.evolve(BOOK_A, type=attrs.evolve(BOOK, cadence=1.0))
    mute, reader = exchange.keep(steady)
    other, _ = exchange.keep(atom(TICKER, coin="B"))
    exchange.run(3.0, mute.key, other.key)
    last_at = exchange.world.wall
    exchange.sockets["v-1"].mute.add(mute.key)
    exchange.run(5.0, other.key)
    assert State.STALE is mute.state
    rotate(exchange)
    exchange.run(5.0, mute.key, other.key)
    (gap,) = [item for item in reader.read() if isinstance(item, Gap)]
    assert (State.LIVE, last_at, "v-2") == (mute.state, gap.started_at, socket_of(mute).id)
    assert {other.id} == {fact.subscription_id for fact in exchange.facts("moved")}
    assert not exchange.world.venue.one_socket_only


def test_a_redundant_stream_hands_over_to_its_other_side_and_gets_another() -> None:
    """Without a trial: the other side delivers already."""
    exchange = Exchange(World(quotas=MANY))
    entry, reader = exchange.keep(FILLS_1, redundancy=2)
    exchange.run(3.0, entry.key)
    assert entry.second_joined
    assert entry.second is not None
    first, other = socket_of(entry), entry.second.connection
    rotate(exchange, first)
    exchange.run(3.0, entry.key)
    assert (other, True) == (socket_of(entry), entry.second_joined)
    assert first not in exchange.world.venue.connections
    rotate(exchange, entry.second.connection)
    exchange.run(3.0, entry.key)
    assert (entry.second_joined, 0) == (True, entry.counters.gaps)
    assert list(range(1, 10)) == told(reader)


def test_a_stream_that_ended_on_the_new_connection_a_moment_ago_keeps_its_like_off_it() -> None:
    """Late frames of it may come for ten seconds; the other variant goes over after that."""
    exchange = Exchange(World(quotas=MANY))
    five, _ = exchange.keep(atom(BOOK, coin="A", depth=5))
    rotate(exchange)
    exchange.run(5.0, five.key)
    replacement = socket_of(five)
    assert "v-2" == replacement.id
    exchange.world.registry.end(five, by="test", now=exchange.world.now)
    rotate(exchange, replacement)
    exchange.settle()
    exchange.run(5.0)
    ten, reader = exchange.keep(atom(BOOK, coin="A", depth=10))
    exchange.run(20.0, ten.key)
    assert (State.LIVE, list(range(1, 21))) == (ten.state, told(reader))


def test_a_variant_does_not_go_over_while_late_frames_of_its_like_may_come_there() -> None:
    """It stays where it is until the quarantine is over."""
    exchange = Exchange(World(quotas=MANY))
    five, _ = exchange.keep(atom(BOOK, coin="A", depth=5))
    stays, _ = exchange.keep(atom(BOOK, coin="B"))
    exchange.tell(five.key)
    exchange.tell(stays.key)
    stays.second_due = 60.0
    rotate(exchange)
    exchange.run(15.0, five.key)
    old = socket_of(stays)
    assert ("v-1", "v-2") == (old.id, socket_of(five).id)
    exchange.world.registry.end(five, by="test", now=exchange.world.now)
    exchange.settle()
    old.leaving = False
    ten = exchange.world.keep(atom(BOOK, coin="A", depth=10))
    exchange.look()
    assert old is ten.connection
    exchange.run(9.0, ten.key)
    assert (None, old) == (ten.second, ten.connection)
    exchange.run(10.0, ten.key)
    assert "v-2" == socket_of(ten).id


def test_nothing_new_is_placed_on_a_connection_that_is_kept_for_what_moves_there() -> None:
    """Nor on the one that is being left, once the streams move."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    rotate(exchange)
    exchange.look()
    exchange.look()
    assert Purpose.MOVE is (entry.second and entry.second.purpose)
    new, _ = exchange.keep(atom(FILLS, user="u2"))
    assert "v-3" == socket_of(new).id


def test_by_schedule_a_socket_is_replaced_when_it_is_old_enough() -> None:
    """The next one when that one is."""
    exchange = Exchange(World(quotas=MANY))
    exchange.world.venue.rotate_after = 3600.0
    entry, _ = exchange.keep(FILLS_1)
    exchange.run(1.0)
    assert exchange.settle() == 3600.0
    exchange.run(3600.0 + 5.0)
    assert [("v-1", "v-2", True)] == rotated(exchange)
    exchange.run(3600.0 + 5.0)
    assert [("v-1", "v-2", True), ("v-2", "v-3", True)] == rotated(exchange)
    assert {"why": "its socket is 3600 s old"} == exchange.facts("rotating")[0].detail
    assert 0 == entry.counters.gaps


def test_wanting_a_rotation_twice_is_wanting_it_once() -> None:
    """The venue may give notice and somebody may ask for it."""
    exchange = Exchange(World(quotas=MANY))
    exchange.keep(FILLS_1)
    rotate(exchange)
    rotate(exchange)
    exchange.run(5.0)
    assert (1, 1) == (len(exchange.facts("rotating")), len(rotated(exchange)))


def test_nothing_is_left_of_a_rotation() -> None:
    """Neither memory nor a reason to wake up."""
    exchange = Exchange(World(quotas=MANY))
    entry, _ = exchange.keep(FILLS_1)
    exchange.tell(entry.key)
    rotate(exchange)
    exchange.run(MERGED_FOR + 5.0)
    assert (None, None) == (entry.merger, entry.second)
    assert {} == exchange.world.venue.attention
    assert math.inf == exchange.settle()
    assert 1 == exchange.count(Unsubscribe)
