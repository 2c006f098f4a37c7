"""Folding: a connection that is not needed gives its streams away, make before break, and closes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.world import Reader, World, asked, data, end_acknowledged, ended, socket_of, stage_of

from wsmgr.manager.model import progress, sides
from wsmgr.manager.model.claim import ACK_DEADLINE, Phase
from wsmgr.manager.model.connection import Connection, Purpose, Stage
from wsmgr.manager.model.continuity import Gap, Resumed
from wsmgr.manager.model.effects import CloseConnection, Subscribe, Unsubscribe
from wsmgr.manager.model.folding import FOLD_AFTER
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_type import Join

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import Atom

A, B = atom(BOOK, coin="A"), atom(BOOK, coin="A", depth=5)
POOL = [
    *(atom(TICKER, coin=coin) for coin in "ABC"),
    *(atom(TRADES, coin=coin) for coin in "AB"),
    *(atom(BOOK, coin=coin, depth=depth) for coin in "AB" for depth in (5, 10, 20)),
    *(atom(kind, user=user) for kind in (FILLS, ORDERS) for user in ("u1", "u2", "u3", "u4")),
]
WISHES = st.lists(st.sampled_from(POOL), unique_by=lambda wish: (wish.type.name, tuple(wish.params.items())))


def serve(world: World) -> list[object]:
    """Look, and let the venue answer everything at once and send a frame of all that it was asked for, until nothing is to be done."""
    done: list[object] = []
    while effects := world.look().effects:
        done += effects
        world.open_all()
        for effect in effects:
            match effect:
                case Subscribe(connection, wish):
                    take(world, connection, wish)
                case Unsubscribe(connection, wish):
                    end_acknowledged(world, connection, wish)
                case CloseConnection(connection):
                    world.venue.closing.remove(connection)
                case _:
                    pass
    return done


def take(world: World, connection: Connection, wish: Atom) -> None:
    """The venue takes a subscribe and sends its first frame."""
    key = world.key(wish)
    progress.acknowledged(world.registry, connection, key, already=False, now=world.now, wall=world.wall)
    world.dispatcher(connection)([data(wish, key)])


def settle(world: World, seconds: float) -> list[object]:
    """Let time pass, and serve whatever falls due on the way."""
    done = serve(world)
    until = world.now + seconds
    while (at := world.look().wake_at) <= until:
        world.now = max(world.now, at)
        done += serve(world)
    world.now = until
    return done + serve(world)


def largest_clique(wishes: list[Atom]) -> int:
    """How many different subscriptions want one wire key at most: the sockets that they need."""
    return max(Counter(wish.wire_key for wish in wishes).values(), default=0)


def two_books() -> tuple[World, Entry, Connection, Connection]:
    """Two variants of a book on two connections, of which the first has just ended; what is left sits on the second."""
    world = World(quotas=Quotas(connections=10))
    first, second = world.make_live(A), world.make_live(B)
    ticker = world.make_live(atom(TICKER, coin="A"))
    old, other = socket_of(second), socket_of(first)
    assert other is socket_of(ticker)
    world.registry.end(first, by="test", now=world.now)
    return world, second, old, other


@settings(max_examples=60)
@given(wishes=WISHES, keep=st.data())
def test_after_any_removals_as_few_connections_as_the_largest_clique_asks_for(
    wishes: list[Atom], keep: st.DataObject
) -> None:
    """Sixty seconds after the last change the sockets are what the streams that are left need, on each side."""
    world = World(quotas=Quotas(connections=10, subscriptions=1000, messages_per_minute=2000))
    entries = [world.keep(wish) for wish in wishes]
    serve(world)
    assert all(entry.state is State.LIVE for entry in entries if entry.connection is not None)
    left = [entry for entry in entries if keep.draw(st.booleans())]
    for entry in entries:
        if entry not in left:
            world.registry.end(entry, by="test", now=world.now)
    settle(world, FOLD_AFTER)
    private = [entry.atom for entry in left if entry.type.private]
    public = [entry.atom for entry in left if not entry.type.private]
    assert largest_clique(private) + largest_clique(public) == len(world.venue.connections)
    assert all(entry.state is State.LIVE for entry in left)
    assert [] == [each.id for each in world.venue.connections if each.private and each.public]


@settings(max_examples=60)
@given(wishes=WISHES, keep=st.data())
def test_a_tight_quota_is_kept_while_streams_move(wishes: list[Atom], keep: st.DataObject) -> None:
    """Both sides of a move count: neither the sockets nor the subscriptions nor the messages are ever too many."""
    quotas = Quotas(connections=4, subscriptions=12, messages_per_minute=30)
    world = World(quotas=quotas)
    entries = [world.keep(wish) for wish in wishes]
    written: list[float] = []
    for _ in range(3):
        for effect in settle(world, FOLD_AFTER):
            written += [world.now] * isinstance(effect, Subscribe | Unsubscribe)
        usage = world.origin.usage(world.now)
        assert usage.subscriptions <= 12
        assert usage.connections <= 3
        for entry in entries:
            if entry.id in world.registry.entries and keep.draw(st.booleans()):
                world.registry.end(entry, by="test", now=world.now)
    for wire_key, connection in [
        (wire_key, each) for each in world.venue.connections for wire_key in each.members
    ]:
        assert connection.members[wire_key].connection is connection


def test_a_stream_delivers_from_the_old_side_until_the_new_one_goes_on_where_it_is() -> None:
    """Make before break: at no moment is it without a side, and every frame comes once."""
    world, book, old, other = two_books()
    reader = Reader()
    world.registry.hold(book, reader.buffer)
    serve(world)
    world.now += FOLD_AFTER
    assert [B] == asked(world.look())
    world.deliver(book, data(B, book.key, 1))
    progress.acknowledged(world.registry, other, book.key, already=False, now=world.now, wall=world.wall)
    world.deliver(book, data(B, book.key, 2))
    world.dispatcher(other)([data(B, book.key, 3), data(B, book.key, 4)])
    assert (old, State.LIVE, Stage.ON_TRIAL) == (book.connection, book.state, stage_of(book))
    world.deliver(book, data(B, book.key, 3))
    assert (other, State.LIVE, None) == (book.connection, book.state, stage_of(book))
    world.dispatcher(old)([data(B, book.key, 5)])
    assert 1 == old.late
    plan = world.look()
    assert [B] == ended(plan)
    assert CloseConnection(old) in plan.effects
    numbers = [message.raw.decode().rsplit("|", 1)[1] for message in reader.messages()]
    assert ["0", "1", "2", "3", "4"] == numbers


def test_a_silent_stream_moves_by_its_acknowledgement_and_admits_a_gap() -> None:
    """Nothing shows what fell between the two sides of pure events, so nobody is told that nothing did."""
    world = World(quotas=Quotas(connections=10))
    first, second = world.make_live(atom(ORDERS, user="u1")), world.make_live(atom(ORDERS, user="u2"))
    fills = world.make_live(atom(FILLS, user="u1"))
    reader = Reader(events=True)
    world.registry.hold(second, reader.buffer)
    reader.read()
    world.registry.end(first, by="test", now=world.now)
    settle(world, FOLD_AFTER)
    assert socket_of(fills) is socket_of(second)
    gap, resumed = (item for item in reader.read() if isinstance(item, Gap | Resumed))
    assert isinstance(gap, Gap)
    assert "moved from v-2 to v-1" in gap.reason
    assert isinstance(resumed, Resumed)
    assert not resumed.exact
    assert 1 == second.counters.gaps


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_move_is_taken_back_when_a_side_is_lost(side: str) -> None:
    """The subscription stays where it was, and comes back there; the venue is left with no second copy."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    assert [B] == asked(world.look())
    lost = old if side == "old" else other
    world.cut(lost)
    assert (None, old, False) == (book.second, book.connection, old.leaving)
    assert {} == other.seconds
    world.open_all()
    if side == "old":
        progress.acknowledged(world.registry, other, book.key, already=False, now=world.now, wall=world.wall)
    serve(world)
    assert (State.LIVE, old) == (book.state, book.connection)
    assert other.claim_of(book.key) is None or side == "old"


def test_a_move_without_a_proof_is_taken_back_and_tried_again_later() -> None:
    """A venue that does not deliver on the new side costs nothing but time."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.look()
    world.now += ACK_DEADLINE
    plan = world.look()
    assert (None, old) == (book.second, book.connection)
    assert [B] == ended(plan)
    end_acknowledged(world, other, B)
    settle(world, 2 * FOLD_AFTER)
    assert other is book.connection


def test_a_refused_move_leaves_the_stream_where_it_is() -> None:
    """A refusal of the second side says nothing about the first."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.look()
    claim = other.claim_of(book.key)
    assert claim is not None
    progress.refused_claim(world.registry, other, claim, "no", now=world.now)
    assert (None, old, State.LIVE) == (book.second, book.connection, book.state)
    assert other.claim_of(book.key) is None


def test_ending_a_stream_that_moves_ends_both_sides() -> None:
    """Nothing of it is left at the venue."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.look()
    progress.acknowledged(world.registry, other, book.key, already=False, now=world.now, wall=world.wall)
    world.registry.end(book, by="test", now=world.now)
    assert {(old, "A"), (other, "A")} == {
        (effect.connection, effect.atom.params["coin"])
        for effect in world.look().effects
        if isinstance(effect, Unsubscribe)
    }


def test_nothing_moves_before_it_has_fitted_for_a_minute() -> None:
    """A new variant in between starts the minute anew."""
    world, book, old, _ = two_books()
    settle(world, FOLD_AFTER - 1.0)
    third = world.make_live(atom(BOOK, coin="A", depth=10))
    settle(world, FOLD_AFTER)
    assert (old, None) == (book.connection, book.second)
    world.registry.end(third, by="test", now=world.now)
    settle(world, FOLD_AFTER + 20.0)
    assert 1 == len([each for each in world.venue.connections if not each.empty])


def test_nothing_moves_where_a_limit_is_nearly_used_up() -> None:
    """Both sides are held for a moment, so a move needs room."""
    world = World(quotas=Quotas(connections=10, subscriptions=2))
    first, second = world.make_live(A), world.make_live(B)
    world.registry.end(first, by="test", now=world.now)
    serve(world)
    ticker = world.make_live(atom(TICKER, coin="A"))
    assert socket_of(ticker) is not socket_of(second)
    settle(world, 5 * FOLD_AFTER)
    assert socket_of(ticker) is not socket_of(second)


def test_a_connection_of_its_own_is_never_folded() -> None:
    """Whoever asked for a socket of its own keeps it."""
    world = World(quotas=Quotas(connections=10))
    own = world.keep(atom(TICKER, coin="A"))
    own.dedicated = True
    world.make_live(atom(TICKER, coin="B"))
    settle(world, 5 * FOLD_AFTER)
    assert 2 == len(world.venue.connections)


def test_nothing_moves_to_a_connection_where_late_frames_may_still_pass_for_its_own() -> None:
    """The end of another variant that the venue has not acknowledged keeps the wire key taken, however long."""
    world, book, old, other = two_books()
    world.look()
    claim = other.claims[B.wire_key]
    assert claim.key != book.key
    world.now += FOLD_AFTER + 20.0
    claim.deadline = world.now + 1.0
    world.look()
    assert (None, old) == (book.second, book.connection)
    progress.end_acknowledged(world.registry, other, claim.key, now=world.now)
    settle(world, FOLD_AFTER)
    assert other is book.connection


def test_a_frame_that_comes_before_its_acknowledgement_is_a_proof_and_the_venue_has_the_stream() -> None:
    """An acknowledgement that is lost costs nothing: what is held at the venue is known to be held."""
    world, book, _, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.look()
    world.dispatcher(other)([data(B, book.key)])
    claim = other.claim_of(book.key)
    assert claim is not None
    assert (other, Phase.HELD) == (book.connection, claim.phase)


def test_what_comes_while_a_connection_empties_goes_elsewhere() -> None:
    """Neither on the one that closes, nor beside the variant that is on its way, though that was not asked for yet."""
    world, book, old, other = two_books()
    serve(world)
    world.make_live(atom(BOOK, coin="C"))
    world.now += FOLD_AFTER
    world.origin.silent_until = world.now + 5.0
    world.look()
    assert (other, {}) == (book.second and book.second.connection, other.unsettled)
    variant = world.keep(atom(BOOK, coin="C", depth=10))
    third = world.keep(atom(BOOK, coin="A", depth=10))
    world.look()
    assert variant.connection not in {old, other, None}
    assert third.connection not in {old, other, None}


def test_both_sides_of_a_move_count_against_the_quota_of_subscriptions() -> None:
    """The venue counts both."""
    world, _, _, _ = two_books()
    serve(world)
    world.now += FOLD_AFTER
    before = world.origin.usage(world.now).subscriptions
    world.look()
    assert before + 1 == world.origin.usage(world.now).subscriptions


def test_a_second_fold_waits_until_no_stream_is_on_its_way() -> None:
    """Though the first was broken off for one of its streams: two variants never meet on their way."""
    world = World(quotas=Quotas(connections=10))
    first = [world.make_live(atom(BOOK, coin=coin)) for coin in "ABC"]
    second = [world.make_live(atom(BOOK, coin=coin, depth=5)) for coin in "ABC"]
    third = [world.make_live(atom(BOOK, coin=coin, depth=10)) for coin in "AB"]
    for coin in "ABCD":
        world.make_live(atom(TICKER, coin=coin))
    for entry in first:
        world.registry.end(entry, by="test", now=world.now)
    serve(world)
    world.now += FOLD_AFTER
    world.origin.silent_until = world.now + 5.0
    world.look()
    assert [True, True] == [entry.second is not None for entry in third]
    world.registry.end(third[1], by="test", now=world.now)
    world.look()
    assert [None] * 3 == [entry.second for entry in second]
    settle(world, 3 * FOLD_AFTER)
    assert {State.LIVE} == {entry.state for entry in (*second, third[0])}
    assert 2 == len(world.venue.connections)


def test_a_frame_that_comes_before_the_stream_was_asked_for_proves_nothing() -> None:
    """A late frame of an ended variant, older than any quarantine, is not the new side's."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.origin.silent_until = world.now + 5.0
    world.look()
    assert book.wire_key in other.seconds
    world.dispatcher(other)([data(A, world.key(A))])
    assert (old, True, 1) == (book.connection, book.second is not None, other.unrouted)
    settle(world, 10.0)
    assert (other, State.LIVE) == (book.connection, book.state)
    assert other.claim_of(book.key) is not None


def test_a_stream_that_keeps_the_sides_apart_is_never_folded_onto_one_that_mixes_them() -> None:
    """Sockets are saved, but not at the price of what they were spent on."""
    world = World(quotas=Quotas(connections=4))
    orders = [world.make_live(atom(ORDERS, user=user)) for user in ("u1", "u2")]
    market = world.make_live(atom(TICKER, coin="A"))
    third = world.make_live(atom(ORDERS, user="u3"))
    mixed = socket_of(third)
    assert mixed is socket_of(market)
    world.registry.end(orders[0], by="test", now=world.now)
    settle(world, 5 * FOLD_AFTER)
    assert socket_of(orders[1]) is not socket_of(market)


@pytest.mark.parametrize(("limit", "folded"), [(10, True), (9, False)])
def test_a_fold_leaves_a_fifth_of_every_limit_free(limit: int, folded: bool) -> None:
    """Both sides of the moves count: seven streams and one on its way are 80 % of ten and more of nine."""
    world = World(quotas=Quotas(connections=10, subscriptions=limit))
    first, second = world.make_live(A), world.make_live(B)
    for coin in "ABCDEF":
        world.make_live(atom(TICKER, coin=coin))
    world.registry.end(first, by="test", now=world.now)
    settle(world, 2 * FOLD_AFTER)
    assert folded == (1 == len(world.venue.connections))
    assert State.LIVE is second.state


def test_a_connection_to_which_streams_are_moving_is_not_emptied() -> None:
    """It would have to move them again."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.look()
    assert book.wire_key in other.seconds
    world.now += FOLD_AFTER
    assert book.second is not None
    book.second.deadline = world.now + 1.0
    world.look()
    assert not other.leaving
    assert old.leaving


def test_candles_admit_what_may_be_missing_between_the_sides_and_stay_open_to_who_joins() -> None:
    """Their newest frame is no proof of the ones before it; a late reader still gets it."""
    world = World(quotas=Quotas(connections=10))
    quiet = attrs.evolve(TRADES, name="quiet", channel=("quiet",), join=Join.LAST)
    atoms = [attrs.evolve(atom(TRADES, coin="A"), type=quiet, wire_key="quiet:A"), A, B]
    bars, _, variant = (world.make_live(each) for each in atoms[:1] + atoms[1:])
    assert bars.connection is not None
    world.deliver(bars, b"data|quiet:A|" + bars.key.encode() + b"|1")
    reader = Reader()
    world.registry.hold(bars, reader.buffer)
    reader.read()
    _ = variant
    old = bars.connection
    to = next(each for each in world.venue.connections if each is not old)
    sides.begin(world.registry, bars, to, Purpose.MOVE, why="test")
    world.look()
    progress.acknowledged(world.registry, to, bars.key, already=False, now=world.now, wall=world.wall)
    assert (to, 1, False) == (bars.connection, bars.counters.gaps, bars.first)
    late = Reader()
    world.registry.hold(bars, late.buffer)
    assert [True] == [message.replayed for message in late.messages()]


def test_a_stream_is_never_folded_onto_another_host() -> None:
    """Its frames come from where it was asked for."""
    world, book, old, _ = two_books()
    old.host = "elsewhere"
    settle(world, 5 * FOLD_AFTER)
    assert (old, None) == (book.connection, book.second)


@pytest.mark.parametrize(("limit", "folded"), [(3, True), (2, False)])
def test_a_fold_leaves_a_fifth_of_the_messages_free(limit: int, folded: bool) -> None:
    """Each move writes two: more than 80 % of two, less of three."""
    world, book, old, other = two_books()
    serve(world)
    world.now += FOLD_AFTER
    world.origin.messages.limit = limit
    settle(world, FOLD_AFTER)
    assert (other if folded else old) is book.connection
