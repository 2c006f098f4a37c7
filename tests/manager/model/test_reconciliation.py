"""Reconciliation: from what is wanted and what is so, to what is done next."""

from __future__ import annotations

import math

from tests.manager.model.catalog import BOOK, BOOK_5, BOOK_A, FILLS, QUIET, TRADES, A, B, atom, orders
from tests.manager.model.world import (
    World,
    asked,
    data,
    end,
    end_acknowledged,
    ended,
    frame,
    numbers_of,
    socket_of,
)

from wsmgr.manager.model import progress
from wsmgr.manager.model.claim import ACK_DEADLINE
from wsmgr.manager.model.effects import OpenConnection, Recycle, Subscribe
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.gaps import MERGED_FOR
from wsmgr.manager.model.quota import WINDOW, Quotas
from wsmgr.manager.model.reconciliation import Plan
from wsmgr.manager.model.subscription import State

FILLS_1 = atom(FILLS, user="u1")


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


def test_two_requests_that_are_both_answered_with_a_snapshot_double_nothing() -> None:
    """The acknowledgement of the first one was late, so it was asked for again: what both answers hold is delivered once."""
    world = World()
    entry, reader = world.hold(FILLS_1)
    world.ask()
    world.now = ACK_DEADLINE
    assert [FILLS_1] == asked(world.ask())
    world.deliver(entry, frame("snapshot", FILLS_1, entry.key, [1, 2]))
    world.deliver(entry, frame("snapshot", FILLS_1, entry.key, [1, 2, 3]))
    assert [1, 2, 3] == numbers_of(reader.messages())
    world.now += ACK_DEADLINE + MERGED_FOR
    world.look()
    assert entry.merger is None


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


def test_requests_beyond_the_quota_of_messages_wait_until_a_minute_has_passed() -> None:
    """Nothing is sent that the venue would punish, and nothing is forgotten for it."""
    world = World(quotas=Quotas(messages_per_minute=2))
    wishes = [atom(TRADES, coin=coin) for coin in "ABC"]
    entries = [world.keep(wish) for wish in wishes]
    assert wishes[:2] == asked(world.ask())
    for entry in entries[:2]:
        world.acknowledge(entry)
    assert Plan((), WINDOW) == world.look()
    world.now = WINDOW
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


def test_a_stream_that_is_asked_for_again_on_its_socket_takes_no_frame_for_a_new_state() -> None:
    """The venue has it already and sends no second snapshot: a log must not shrink to the frame that comes meanwhile."""
    world = World()
    fills = world.make_live(atom(FILLS, user="u1"))
    assert fills.log is not None
    world.deliver(fills, data(fills.atom, fills.key, 1))
    progress.ask_again(world.registry, fills, reason="silent", now=world.now)
    assert [fills.atom] == asked(world.look())
    world.deliver(fills, data(fills.atom, fills.key, 2))
    world.acknowledge(fills, already=True)
    world.deliver(fills, data(fills.atom, fills.key, 3))
    state = fills.log.state()
    assert state is not None
    assert ["0", "1", "2", "3"] == [frame.rsplit("|", 1)[1] for frame in state[0].decode().split("+")]
