"""Room: what waits for a socket gets one, as long as others can share theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, atom, orders
from tests.manager.model.exchange import Exchange
from tests.manager.model.world import World, socket_of, state_of

from wsmgr.manager.model.claim import Phase
from wsmgr.manager.model.folding import SHARE_AFTER
from wsmgr.manager.model.quota import SHORT_FOR, Quotas, Shortage
from wsmgr.manager.model.redundancy import has_room_to_make
from wsmgr.manager.model.subscription import Entry, State

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import Atom

FILLS_1, TICKER_A, OWN = atom(FILLS, user="u1"), atom(TICKER, coin="A"), atom(TICKER, coin="own")


def crowded(connections: int, *wishes: Atom, twice: tuple[Atom, ...] = ()) -> tuple[Exchange, list[Entry]]:
    """An exchange of so many connections that carries these, some of them on two sockets, and keeps one in reserve."""
    exchange = Exchange(World(quotas=Quotas(connections=connections + 1)))
    entries = [exchange.keep(wish, redundancy=1 + (wish in twice))[0] for wish in wishes]
    exchange.run(3.0, *(entry.key for entry in entries))
    assert connections == len(exchange.world.venue.connections)
    return exchange, entries


def want_own_socket(exchange: Exchange, wish: Atom = OWN) -> Entry:
    """Want something that shares no socket."""
    entry = exchange.world.keep(wish)
    entry.dedicated = True
    return entry


def test_private_streams_and_market_data_share_a_socket_when_something_waits_for_one() -> None:
    """They are apart only while one is free; what waits is told no refusal."""
    exchange, entries = crowded(3, orders("u1"), orders("u2"), TICKER_A)
    own = want_own_socket(exchange)
    exchange.look()
    assert has_room_to_make(exchange.world.origin, "connections", own)
    exchange.run(SHARE_AFTER - 1.0, *(entry.key for entry in entries))
    assert (None, 3) == (own.connection, len({socket_of(entry).id for entry in entries}))
    exchange.run(15.0, own.key, *(entry.key for entry in entries))
    assert [State.LIVE] * 4 == [state_of(entry) for entry in (own, *entries)]
    assert 2 == len({socket_of(entry).id for entry in entries})
    assert [] == exchange.facts("waits_for_quota")


def test_a_second_side_that_waits_for_a_socket_gets_one_too() -> None:
    """Each is live then, and on as many sockets as it is wanted on."""
    exchange, entries = crowded(3, orders("u1"), orders("u2"), TICKER_A)
    exchange.world.origin.quotas = Quotas(connections=5)
    own = want_own_socket(exchange, atom(BOOK, coin="own"))
    own.redundancy = 2
    keys = own.key, *(entry.key for entry in entries)
    exchange.run(SHARE_AFTER - 1.0, *keys)
    assert (State.LIVE, None) == (own.state, own.second)
    exchange.run(20.0, *keys)
    assert (True, None) == (own.second_joined, own.error)
    assert [State.LIVE] * 3 == [state_of(entry) for entry in entries]


def test_streams_on_two_sockets_give_one_up_that_others_have_a_place_for() -> None:
    """No connection carries second sides alone, and each has some: the primary sides move too, and nothing is lost on the way."""
    books = [atom(BOOK, coin="A", depth=depth) for depth in (5, 10)]
    twice = (atom(BOOK, coin="B"), FILLS_1)
    exchange, entries = crowded(
        4, books[0], books[1], twice[0], orders("u1"), orders("u2"), FILLS_1, twice=twice
    )
    doubled = [entry for entry in entries if entry.redundancy > 1]
    assert [True, True] == [entry.second_joined for entry in doubled]
    own = want_own_socket(exchange)
    exchange.run(50.0, own.key, *(entry.key for entry in entries))
    assert [State.LIVE] * 7 == [state_of(entry) for entry in (own, *entries)]
    assert [(True, 0)] * 2 == [(entry.second_joined, entry.counters.gaps) for entry in doubled]
    assert 4 == len(exchange.world.venue.connections)


def test_the_place_of_a_second_side_is_free_as_soon_as_its_connection_is_empty() -> None:
    """It does not linger while something waits; the second side comes back on a socket that is shared."""
    book = atom(BOOK, coin="A")
    exchange, entries = crowded(4, book, FILLS_1, twice=(book, FILLS_1))
    own = want_own_socket(exchange)
    exchange.run(2.0, own.key, *(entry.key for entry in entries))
    assert State.LIVE is own.state
    exchange.run(60.0, own.key, *(entry.key for entry in entries))
    assert [True, True] == [entry.second_joined for entry in entries]


def test_a_second_side_gives_way_to_another_stream_that_only_it_keeps_off_a_socket() -> None:
    """Two streams that nobody can tell apart on two sockets, one of them wanted twice: both go before one of them twice."""
    book = atom(BOOK, coin="A", depth=5)
    exchange, entries = crowded(2, orders("u1"), orders("u2"), book, twice=(book,))
    assert entries[-1].second_joined
    late = exchange.world.keep(atom(BOOK, coin="A", depth=10))
    exchange.look()
    exchange.run(30.0, late.key, *(entry.key for entry in entries))
    assert [State.LIVE] * 4 == [state_of(entry) for entry in (late, *entries)]
    exchange.run(120.0, late.key, *(entry.key for entry in entries))
    assert (State.LIVE, None) == (late.state, entries[-1].second)


@pytest.mark.parametrize("count", [2, 5])
def test_what_has_no_place_whatever_others_share_is_refused(count: int) -> None:
    """Two streams that nobody can tell apart need two sockets: nothing is moved for a third."""
    exchange, entries = crowded(count, *(orders(f"u{number}") for number in range(count)))
    late = exchange.world.keep(orders("late"))
    exchange.look()
    assert not has_room_to_make(exchange.world.origin, "connections", late)
    exchange.run(3 * SHARE_AFTER, *(entry.key for entry in entries))
    assert "waits for the quota 'connections'" in (late.error or "")
    assert count == len({socket_of(entry).id for entry in entries})


def test_a_stream_that_does_not_deliver_is_not_moved_to_make_room() -> None:
    """It goes when it delivers again."""
    exchange, entries = crowded(2, atom(ORDERS, user="u1"), TICKER_A)
    own = want_own_socket(exchange)
    for entry in entries:
        claim = socket_of(entry).claim_of(entry.key)
        assert claim is not None
        assert Phase.HELD is claim.phase
        entry.state = State.STALE
    exchange.run(SHARE_AFTER + 5.0)
    assert None is own.connection
    assert 2 == len({socket_of(entry).id for entry in entries})


def test_what_waits_is_looked_at_again_though_the_place_is_freed_by_another_venue() -> None:
    """Both share one quota, and nobody tells the one of what ends at the other."""
    world = World(quotas=Quotas(connections=10, subscriptions=1))
    world.make_live(TICKER_A)
    other = world.add_venue("w")
    entry = world.keep(FILLS_1, venue="w")
    plan = world.look(other)
    assert "waits for the quota 'subscriptions'" in (entry.error or "")
    assert plan.wake_at <= world.now + 30.0


def test_a_shortage_ends_when_nothing_was_refused_for_a_while() -> None:
    """Or got what it waits for; and one that comes long after is a new one."""
    shortage = Shortage()
    assert not shortage.lasts(0.0)
    shortage.note(0.0)
    shortage.note(SHORT_FOR - 1.0)
    assert shortage.lasts(2 * SHORT_FOR - 2.0, since=SHORT_FOR)
    assert not shortage.lasts(2 * SHORT_FOR - 1.0)
    shortage.note(3 * SHORT_FOR)
    assert (True, False) == (shortage.lasts(3 * SHORT_FOR), shortage.lasts(3 * SHORT_FOR, since=1.0))
    shortage.ease(3 * SHORT_FOR + 2.0)
    assert not shortage.lasts(3 * SHORT_FOR + 2.0)
    shortage.note(3 * SHORT_FOR + 4.0)
    assert shortage.lasts(3 * SHORT_FOR + 4.0, since=4.0)
