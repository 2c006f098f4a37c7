"""The venue's own count: whatever moves and however late it answers, it never holds more than its quotas allow.

A subscription whose end the venue has not acknowledged is one that it still holds. Here unsubscribes are answered slowly, and what counts is
what the scripted venue has on all of its sockets, not what the manager believes.
"""

from __future__ import annotations

from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.model.catalog import BOOK, FILLS, TICKER, atom
from tests.manager.model.exchange import Exchange
from tests.manager.model.world import World, socket_of, state_of

from wsmgr.manager.model import folding, rotation
from wsmgr.manager.model.effects import Recycle
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_type import Atom, Merge

STEP = 0.1


@define(eq=False)
class Slow:
    """An exchange that answers each request after a while, and counts what it holds."""

    exchange: Exchange
    delays: dict[str, float]
    most: int = 0
    most_users: int = 0

    def run(self, seconds: float) -> None:
        """Let time pass in small steps; every stream that is wanted tells something once a second."""
        exchange, world = self.exchange, self.exchange.world
        for step in range(round(seconds / STEP)):
            world.now += STEP
            if step % 10 == 0:
                for entry in list(world.registry.entries.values()):
                    exchange.tell(entry.key, read=False)
                exchange.beat()
            exchange.look()
            self._answer()
            exchange.read()

    def _answer(self) -> None:
        now = self.exchange.world.now
        for socket in self.exchange.sockets.values():
            while socket.requests and socket.requests[0].at + self.delays[socket.requests[0].method] <= now:
                socket.handle("ack", now, set())
                self._count()

    def _count(self) -> None:
        held = [wish for socket in self.exchange.sockets.values() for wish in socket.held.values()]
        self.most = max(self.most, len(held))
        self.most_users = max(self.most_users, len({wish.user for wish in held} - {None}))


def slow_exchange(quotas: Quotas, *, subscribe: float = 0.05, unsubscribe: float = 0.5) -> Slow:
    """An exchange with these delays in seconds."""
    return Slow(Exchange(World(quotas=quotas)), {"subscribe": subscribe, "unsubscribe": unsubscribe})


def keep(slow: Slow, *wishes: Atom) -> list[Entry]:
    """Want some streams for good."""
    return [slow.exchange.world.keep(wish) for wish in wishes]


def users(count: int) -> list[Atom]:
    """The fills of some users."""
    return [atom(FILLS, user=f"u{number}") for number in range(count)]


def test_what_moves_counts_until_its_old_side_is_acknowledged_to_have_ended() -> None:
    """Four streams go to another socket, one at a time, because a fifth is all that the venue allows."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=5))
    entries = keep(slow, *users(4))
    slow.run(3.0)
    old = socket_of(entries[0])
    rotation.want(slow.exchange.world.registry, old, why="test", now=slow.exchange.world.now)
    slow.run(60.0)
    assert 5 == slow.most
    assert [old] * 4 != [entry.connection for entry in entries]
    assert [(State.LIVE, 0)] * 4 == [(state_of(entry), entry.counters.gaps) for entry in entries]
    assert (0, [True]) == (
        slow.exchange.count(Recycle),
        [fact.detail.get("exact", True) for fact in slow.exchange.facts("rotated")],
    )


def test_what_waits_for_the_place_of_what_has_ended_gets_it_when_the_end_is_acknowledged() -> None:
    """Not before, not ever later; and it is told no refusal, because the place is on its way."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=2), unsubscribe=5.0)
    first, second = keep(slow, *users(2))
    slow.run(2.0)
    slow.exchange.world.registry.end(first, by="test", now=slow.exchange.world.now)
    (third,) = keep(slow, atom(TICKER, coin="A"))
    slow.run(4.0)
    assert (None, State.PENDING) == (third.connection, third.state)
    assert [] == slow.exchange.facts("waits_for_quota")
    slow.run(3.0)
    assert (State.LIVE, State.LIVE, 2) == (state_of(third), second.state, slow.most)


def test_of_two_that_wait_for_one_place_on_its_way_the_other_one_is_refused() -> None:
    """Each place is promised once."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=2), unsubscribe=5.0)
    first, _ = keep(slow, *users(2))
    slow.run(2.0)
    slow.exchange.world.registry.end(first, by="test", now=slow.exchange.world.now)
    waiting = keep(slow, atom(TICKER, coin="A"), atom(TICKER, coin="B"))
    slow.run(1.0)
    assert [None, "waits for the quota 'subscriptions' (2)"] == [
        None if entry.error is None else entry.error.split(",")[0] for entry in waiting
    ]


def test_one_second_side_gives_its_place_and_not_another_one_while_its_end_is_on_its_way() -> None:
    """Two streams on two sockets each, and one more that wants a place: one of the four goes."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=4), unsubscribe=5.0)
    entries = keep(slow, *users(2))
    for entry in entries:
        entry.redundancy = 2
    slow.run(5.0)
    assert [True, True] == [entry.second_joined for entry in entries]
    (ticker,) = keep(slow, atom(TICKER, coin="A"))
    slow.run(3.0)
    assert [False, True] == sorted(entry.second_joined for entry in entries)
    slow.run(5.0)
    assert (State.LIVE, 4) == (state_of(ticker), slow.most)


def test_a_second_side_gets_the_place_of_what_has_ended_soon_after() -> None:
    """What is on its way is not waited for as long as what somebody holds."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=2), unsubscribe=3.0)
    first, second = keep(slow, *users(2))
    slow.run(2.0)
    slow.exchange.world.registry.end(first, by="test", now=slow.exchange.world.now)
    second.redundancy = 2
    slow.exchange.world.venue.attention[second.id] = second
    slow.run(8.0)
    assert (True, 2, []) == (second.second_joined, slow.most, slow.exchange.facts("redundancy_waits"))


def test_a_user_counts_until_the_end_of_its_last_stream_is_acknowledged_and_a_while_longer() -> None:
    """The venue frees the slot some seconds after its last stream has gone."""
    slow = slow_exchange(Quotas(connections=10, users=2), unsubscribe=5.0)
    first, _ = keep(slow, *users(2))
    slow.run(2.0)
    slow.exchange.world.registry.end(first, by="test", now=slow.exchange.world.now)
    (third,) = keep(slow, atom(FILLS, user="u3"))
    slow.run(19.0)
    assert None is third.connection
    slow.run(3.0)
    assert (State.LIVE, 2) == (state_of(third), slow.most_users)


def test_a_connection_that_says_goodbye_counts_with_what_the_venue_has_on_it() -> None:
    """Its socket may go before its ends were answered."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=5), unsubscribe=9.0)
    (entry,) = keep(slow, atom(TICKER, coin="A"))
    slow.run(2.0)
    world, connection = slow.exchange.world, socket_of(entry)
    world.registry.end(entry, by="test", now=world.now)
    world.venue.connections.remove(connection)
    world.venue.closing.append(connection)
    assert 1 == world.origin.usage(world.now).subscriptions


POOL = [
    *(atom(TICKER, coin=coin) for coin in "AB"),
    *(atom(BOOK, coin="A", depth=depth) for depth in (5, 10, 20)),
    *(atom(FILLS, user=f"u{number}") for number in range(3)),
]


@settings(max_examples=40, deadline=None)
@given(
    limit=st.integers(3, 8),
    delay=st.floats(0.0, 8.0),
    first=st.lists(st.integers(0, len(POOL) - 1), unique=True, min_size=3),
    script=st.lists(
        st.tuples(
            st.sampled_from(["keep", "twice", "end", "rotate", "rebalance"]), st.integers(0, len(POOL) - 1)
        ),
        max_size=12,
    ),
)
def test_random_moves_never_exceed_what_the_venue_allows(
    limit: int, delay: float, first: list[int], script: list[tuple[str, int]]
) -> None:
    """Streams come, go and move while ends are answered late; at last everything for which there is a place is live."""
    slow = slow_exchange(Quotas(connections=10, subscriptions=limit, users=2), unsubscribe=delay)
    world = slow.exchange.world
    keep(slow, *(POOL[number] for number in first))
    slow.run(2.0)
    for action, number in script:
        wish = POOL[number]
        if action in {"keep", "twice"}:
            entry = world.keep(wish)
            if action == "twice" and wish.type.merge is not Merge.NONE:
                entry.redundancy = 2
                world.venue.attention[entry.id] = entry
        placed = [each for each in world.registry.entries.values() if each.connection is not None]
        if action == "end" and placed:
            world.registry.end(placed[number % len(placed)], by="test", now=world.now)
        if action == "rotate" and placed:
            connection = socket_of(placed[number % len(placed)])
            rotation.want(world.registry, connection, why="test", now=world.now)
        if action == "rebalance":
            folding.hurry(world.venue, world.now)
        slow.run(0.7)
    slow.run(150.0)
    assert slow.most <= limit
    assert slow.most_users <= 2
    waiting = [each for each in world.registry.entries.values() if each.state is not State.LIVE]
    assert all("waits for the quota" in (each.error or "") for each in waiting), waiting
    live = [each for each in world.registry.entries.values() if each.state is State.LIVE]
    sides = len(live) + sum(each.second is not None for each in live)
    assert sides == sum(len(socket.held) for socket in slow.exchange.sockets.values())
    one_sided = [each for each in live if each.sides_wanted > 1 and each.second is None]
    assert not one_sided or sides == limit, one_sided
