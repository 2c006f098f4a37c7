"""Placement: never a conflict, never over a quota, private apart while a socket is free, then the fewest sockets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.world import World

from wsmgr.manager.model.claim import Claim, Phase
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.placement import Open, Place, Refuse, place, place_second
from wsmgr.manager.model.quota import Quotas

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.model.subscription_type import Atom

COINS, USERS = st.sampled_from(["A", "B", "C"]), st.sampled_from(["u1", "u2", "u3", "u4"])
PUBLIC = st.one_of(
    st.builds(lambda coin: atom(TICKER, coin=coin), COINS),
    st.builds(lambda coin: atom(TRADES, coin=coin), COINS),
    st.builds(lambda coin, depth: atom(BOOK, coin=coin, depth=depth), COINS, st.sampled_from([5, 10, 20])),
)
PRIVATE = st.builds(lambda kind, user: atom(kind, user=user), st.sampled_from([FILLS, ORDERS]), USERS)
WISHES = st.lists(st.one_of(PUBLIC, PRIVATE), max_size=25)


def decide(world: World, entry: Entry) -> Place | Open | Refuse:
    """What placement says of a subscription that is not placed."""
    return place(entry, world.venue.connections, world.quotas, world.origin.usage(world.now), world.now)


def connect(world: World, *members: Atom, dedicated: bool = False, host: str = "api") -> Connection:
    """A ready connection that carries these."""
    world.venue.opened += 1
    connection = Connection(
        id=f"v-{world.venue.opened}",
        venue="v",
        host=host,
        url="",
        dedicated=dedicated,
        state=ConnectionState.READY,
    )
    world.venue.connections.append(connection)
    for member in members:
        connection.add(world.keep(member))
    return connection


def claim(world: World, connection: Connection, wish: Atom, phase: Phase) -> Claim:
    """What the venue was asked for on a connection, though no member of it is left."""
    claimed = Claim(atom=wish, key=world.key(wish), phase=phase)
    connection.put_claim(claimed)
    return claimed


def largest_clique(wishes: list[Atom]) -> int:
    """How many different subscriptions want one wire key at most: the sockets that they need."""
    different = {(wish.wire_key, World().key(wish)) for wish in wishes}
    return max(Counter(wire_key for wire_key, _ in different).values(), default=0)


@given(WISHES)
def test_as_many_connections_as_the_largest_clique_asks_for_on_each_side(wishes: list[Atom]) -> None:
    """Two variants of a book cost two sockets, not one socket each; private streams stand apart."""
    world = World()
    for wish in wishes:
        world.keep(wish)
        world.look()
    private = [wish for wish in wishes if wish.type.private]
    public = [wish for wish in wishes if not wish.type.private]
    assert largest_clique(private) + largest_clique(public) == len(world.venue.connections)
    assert all(entry.connection is not None for entry in world.registry.entries.values())


@given(WISHES)
def test_nothing_private_sits_beside_market_data_while_a_socket_is_free(wishes: list[Atom]) -> None:
    """A busy market never delays somebody's fills."""
    world = World()
    for wish in wishes:
        world.keep(wish)
    world.look()
    assert [] == [each.id for each in world.venue.connections if each.private and each.public]


@given(
    wishes=WISHES,
    quotas=st.builds(
        lambda connections, subscriptions, users: Quotas(
            connections=connections, subscriptions=subscriptions, users=users
        ),
        st.none() | st.integers(1, 5),
        st.none() | st.integers(1, 12),
        st.none() | st.integers(1, 3),
    ),
)
def test_never_a_conflict_and_never_over_a_quota(wishes: list[Atom], quotas: Quotas) -> None:
    """Whatever is asked for: each member is on one connection under its own wire key, and every limit holds."""
    world = World(quotas=quotas)
    for wish in wishes:
        world.keep(wish)
        world.look()
    entries = list(world.registry.entries.values())
    placed = [entry for entry in entries if entry.connection is not None]
    for entry in placed:
        assert entry.connection is not None
        assert entry is entry.connection.members[entry.wire_key]
    assert len(placed) == sum(len(each.members) for each in world.venue.connections)
    assert len(world.venue.connections) <= (
        max(1, quotas.connections - 1) if quotas.connections is not None else len(entries)
    )
    assert quotas.subscriptions is None or len(placed) <= quotas.subscriptions
    users = {entry.user for entry in placed if entry.user is not None}
    assert quotas.users is None or len(users) <= quotas.users
    for entry in entries:
        assert entry.connection is not None or isinstance(decide(world, entry), Refuse)


@given(wishes=WISHES, connections=st.integers(2, 5))
def test_what_is_refused_could_not_have_been_placed(wishes: list[Atom], connections: int) -> None:
    """A refusal for sockets means that each connection holds a rival: nobody is sent away who would fit."""
    world = World(quotas=Quotas(connections=connections))
    for wish in wishes:
        world.keep(wish)
        world.look()
    for entry in world.registry.entries.values():
        if entry.connection is None:
            assert connections - 1 == len(world.venue.connections)
            assert all(
                entry.wire_key in each.members and each.members[entry.wire_key] is not entry
                for each in world.venue.connections
            )


def test_a_users_own_connection_is_preferred_to_an_older_one() -> None:
    """All of a user's streams go where that user already is."""
    world = World()
    connect(world, atom(FILLS, user="u1"))
    own = connect(world, atom(ORDERS, user="u2"))
    assert Place(own) == decide(world, world.keep(atom(FILLS, user="u2")))


def test_a_user_without_a_connection_goes_to_the_oldest_that_fits() -> None:
    """First fit by age uses the fewest sockets."""
    world = World()
    oldest = connect(world, atom(FILLS, user="u1"))
    connect(world, atom(ORDERS, user="u2"))
    assert Place(oldest) == decide(world, world.keep(atom(ORDERS, user="u3")))


def test_one_socket_of_the_quota_stays_free_for_rotation() -> None:
    """Make-before-break needs a socket more than there are."""
    world = World(quotas=Quotas(connections=3))
    connect(world, atom(BOOK, coin="A", depth=5))
    entry = world.keep(atom(BOOK, coin="A", depth=10))
    assert Open() == decide(world, entry)
    connect(world, atom(BOOK, coin="A", depth=20))
    assert isinstance(decide(world, entry), Refuse)


def test_a_quota_of_one_socket_still_gives_one() -> None:
    """A venue that allows one socket is served on one, without a reserve."""
    world = World(quotas=Quotas(connections=1))
    assert Open() == decide(world, world.keep(atom(TICKER, coin="A")))


def test_private_streams_join_market_data_when_no_socket_is_free() -> None:
    """Apart is a preference; delivered is the promise."""
    world = World(quotas=Quotas(connections=2))
    only = connect(world, atom(TICKER, coin="A"))
    assert Place(only) == decide(world, world.keep(atom(ORDERS, user="u1")))


def test_sockets_of_other_venues_of_the_origin_count() -> None:
    """The venue counts by address, not by what we call it."""
    world = World(quotas=Quotas(connections=3))
    other = world.add_venue("w")
    for depth in (5, 10):
        world.keep(atom(BOOK, coin="A", depth=depth), venue="w")
    world.look(other)
    assert 2 == len(other.connections)
    decision = decide(world, world.keep(atom(TICKER, coin="A")))
    assert isinstance(decision, Refuse)
    assert "connections" == decision.quota


def test_a_connection_of_its_own_is_shared_with_nobody() -> None:
    """`connection="dedicated"` is a socket for one subscription, on both sides of the wish."""
    world = World()
    connect(world, atom(TICKER, coin="A"), dedicated=True)
    assert Open() == decide(world, world.keep(atom(TICKER, coin="B")))
    shared = connect(world, atom(TICKER, coin="C"))
    alone = world.keep(atom(TRADES, coin="A"))
    assert Place(shared) == decide(world, alone)
    alone.dedicated = True
    assert Open() == decide(world, alone)


@pytest.mark.parametrize("state", [ConnectionState.PARKED, ConnectionState.DRAINING])
def test_nothing_is_placed_on_a_connection_that_takes_nothing_more(state: ConnectionState) -> None:
    """A parked connection has no socket and one that drains will have none soon."""
    world = World()
    connect(world, atom(TICKER, coin="A")).state = state
    assert Open() == decide(world, world.keep(atom(TICKER, coin="B")))


def test_a_stream_goes_to_a_connection_of_its_own_host() -> None:
    """A venue's explorer is another server."""
    world = World()
    connect(world, atom(TICKER, coin="A"), host="explorer")
    assert Open() == decide(world, world.keep(atom(TICKER, coin="B")))


def test_a_quarantined_wire_key_is_free_for_its_own_key_at_once_and_for_others_later() -> None:
    """Late frames of an ended stream can only reach the same stream."""
    world = World()
    connection = connect(world, atom(FILLS, user="u9"))
    claim(world, connection, atom(ORDERS, user="u1"), Phase.GONE).free_at = 10.0
    same, other = world.keep(atom(ORDERS, user="u1")), world.keep(atom(ORDERS, user="u2"))
    assert (Place(connection), Open()) == (decide(world, same), decide(world, other))
    world.now = 9.9
    assert Open() == decide(world, other)
    world.now = 10.0
    assert Place(connection) == decide(world, other)


@pytest.mark.parametrize("phase", [Phase.ASKED, Phase.HELD, Phase.ENDING])
def test_a_wire_key_that_the_venue_may_still_hold_is_free_for_no_other(phase: Phase) -> None:
    """However long the venue takes to answer, and whoever was asked for and forgotten."""
    world = World(now=1e9)
    connection = connect(world, atom(FILLS, user="u9"))
    claim(world, connection, atom(ORDERS, user="u1"), phase)
    assert Open() == decide(world, world.keep(atom(ORDERS, user="u2")))


def test_a_refusal_for_sockets_names_the_quota_its_limit_and_the_rivals() -> None:
    """Who is refused learns whom to end."""
    world = World(quotas=Quotas(connections=3))
    connect(world, atom(BOOK, coin="A", depth=5), atom(TICKER, coin="A"))
    connect(world, atom(BOOK, coin="A", depth=10))
    decision = decide(world, world.keep(atom(BOOK, coin="A")))
    assert isinstance(decision, Refuse)
    assert ("connections", 3) == (decision.quota, decision.limit)
    assert ("v/book?coin=A&depth=5", "v/book?coin=A&depth=10") == decision.held_by
    assert "v/book?coin=A" in decision.advice


def test_a_refusal_for_a_socket_of_its_own_names_the_connections() -> None:
    """Without a rival, the sockets themselves are what is held."""
    world = World(quotas=Quotas(connections=2))
    connect(world, atom(TICKER, coin="A"))
    entry = world.keep(atom(TRADES, coin="A"))
    entry.dedicated = True
    decision = decide(world, entry)
    assert isinstance(decision, Refuse)
    assert ("connections", 2, ("v-1",)) == (decision.quota, decision.limit, decision.held_by)


def test_a_refusal_for_users_names_the_users_and_lets_a_known_user_in() -> None:
    """The eleventh user is refused; another stream of one of the ten is not."""
    world = World(quotas=Quotas(users=2))
    connect(world, atom(FILLS, user="u2"), atom(FILLS, user="u1"))
    decision = decide(world, world.keep(atom(FILLS, user="u3")))
    assert isinstance(decision, Refuse)
    assert ("users", 2, ("u1", "u2")) == (decision.quota, decision.limit, decision.held_by)
    assert isinstance(decide(world, world.keep(atom(ORDERS, user="u2"))), Place)


def test_a_lingering_slot_of_a_user_counts() -> None:
    """The venue still holds it, so asking would be refused."""
    world = World(quotas=Quotas(users=1))
    world.origin.slots.left("u1", 0.0)
    world.now = 14.9
    decision = decide(world, world.keep(atom(FILLS, user="u2")))
    assert isinstance(decision, Refuse)
    assert ("u1",) == decision.held_by
    world.now = 15.0
    assert Open() == decide(world, world.keep(atom(FILLS, user="u2")))


def test_a_refusal_for_subscriptions_names_the_quota_and_what_to_do() -> None:
    """A thousand holders are no help; the number and the way out are."""
    world = World(quotas=Quotas(subscriptions=2))
    connect(world, atom(TICKER, coin="A"), atom(TICKER, coin="B"))
    decision = decide(world, world.keep(atom(TICKER, coin="C")))
    assert isinstance(decision, Refuse)
    assert ("subscriptions", 2) == (decision.quota, decision.limit)
    assert "wsmgr unsubscribe" in decision.advice


@pytest.mark.parametrize("decide_on", [place, place_second])
def test_no_socket_is_opened_to_keep_streams_apart_while_something_waits_for_one(
    decide_on: Callable[..., Place | Open | Refuse],
) -> None:
    """Of the sockets that are left, none is free; where nothing else would do, one is opened all the same."""
    world = World(quotas=Quotas(connections=5))
    market = connect(world, atom(TICKER, coin="A"))
    usage = world.origin.usage(world.now)
    entry = world.keep(atom(FILLS, user="u1"))
    connections, quotas = world.venue.connections, world.quotas
    assert Open() == decide_on(entry, connections, quotas, usage, world.now)
    short = attrs.evolve(usage, short=True)
    assert Place(market) == decide_on(entry, connections, quotas, short, world.now)
    entry.dedicated = True
    assert Open() == decide_on(entry, connections, quotas, short, world.now)
