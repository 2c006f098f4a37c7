"""Requests: written at most once, inside the quotas, with one of three outcomes; what was not written goes out later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.manager.model.catalog import TICKER, atom
from tests.manager.model.world import World

from wsmgr.manager.model import progress, requests
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.effects import CloseConnection, OpenConnection
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.frame import Answer
from wsmgr.manager.model.outcome import Answered, Refused, Unknown
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.reconciliation import REQUEST_LINGER
from wsmgr.manager.model.requests import FORGOTTEN_AFTER, Progress, Request

if TYPE_CHECKING:
    from collections.abc import Callable


def make(world: World, on_end: Callable[[], None] = lambda: None) -> Request:
    """A new request of the venue."""
    return world.venue.requests.add("info", {"type": "meta"}, now=world.now, on_end=on_end)


def open_connection(world: World) -> Connection:
    """Let the venue open what its requests need."""
    world.look()
    world.open_all()
    found = requests.first_connection(world.venue)
    assert found is not None
    return found


def written(world: World) -> list[Request]:
    """Write what may be written now."""
    writes, _ = requests.due(world.venue, world.now)
    return [write.request for write in writes if write.request.begin_writing()]


def answer(world: World, connection: Connection, number: int, words: str | None = None) -> None:
    """The venue answers a request."""
    outcome = Answered("data") if words is None else Refused(words)
    take_answer(world.registry, connection, Answer(number, outcome), now=world.now, wall=world.wall)


def test_a_connection_is_opened_for_a_request_and_closed_when_none_came_for_a_while() -> None:
    """On demand, and not for ever."""
    world = World()
    assert () == world.look().effects
    request = make(world)
    (opened,) = world.look().effects
    assert isinstance(opened, OpenConnection)
    world.open_all()
    assert [request] == written(world)
    world.now += 2 * REQUEST_LINGER
    assert () == world.look().effects
    answer(world, opened.connection, request.number)
    assert [CloseConnection(opened.connection)] == list(world.look().effects)


def test_requests_go_to_the_oldest_connection_that_takes_them() -> None:
    """Never to one of its own, another host's, or one that takes nothing more."""
    world = World()
    own = world.keep(atom(TICKER, coin="A"))
    own.dedicated = True
    world.make_live(atom(TICKER, coin="B"))
    first, second = world.venue.connections
    assert (True, False) == (first.dedicated, second.dedicated)
    assert second is requests.first_connection(world.venue)
    second.host = "explorer"
    assert requests.first_connection(world.venue) is None
    second.host, second.state = "api", ConnectionState.PARKED
    assert requests.first_connection(world.venue) is None


@pytest.mark.parametrize(("words", "outcome"), [(None, Answered("data")), ("429", Refused("429"))])
def test_an_answer_ends_its_request_once(words: str | None, outcome: object) -> None:
    """A second answer, and one of an unknown number, are counted and change nothing."""
    world, told = World(), [0]
    request = make(world, lambda: told.append(1))
    connection = open_connection(world)
    assert [request] == written(world)
    answer(world, connection, request.number, words)
    assert (outcome, [0, 1]) == (request.outcome, told)
    answer(world, connection, request.number)
    answer(world, connection, 999)
    assert (outcome, [0, 1], 2) == (request.outcome, told, world.venue.requests.late)
    noted = [note for note in world.notes if isinstance(note, Fact) and note.kind == "unexpected_answer"]
    assert [request.number, 999] == [note.detail["number"] for note in noted]


def test_what_was_written_on_a_lost_socket_is_unknown_and_is_never_written_again() -> None:
    """Only the venue knows what became of it."""
    world = World()
    request = make(world)
    connection = open_connection(world)
    written(world)
    world.cut(connection)
    assert Unknown("the connection was lost: reset") == request.outcome
    world.open_all()
    assert [] == written(world)


def test_what_was_handed_over_and_not_written_goes_out_on_the_next_socket_first() -> None:
    """A request that never left is not lost with the socket, and keeps its place."""
    world = World()
    first, second = make(world), make(world)
    connection = open_connection(world)
    handed, _ = requests.due(world.venue, world.now)
    assert [first, second] == [write.request for write in handed]
    third = make(world)
    world.cut(connection)
    assert [Progress.WAITING] * 3 == [each.progress for each in (first, second, third)]
    world.open_all()
    assert [first, second, third] == written(world)


def test_giving_up_a_waiting_request_means_that_it_is_never_written() -> None:
    """The caller was told that nothing was sent, so nothing is."""
    world = World()
    waiting = make(world)
    world.venue.requests.give_up(waiting, "time", world.now)
    connection = open_connection(world) if world.look().effects else None
    assert connection is None
    handed = make(world)
    open_connection(world)
    requests.due(world.venue, world.now)
    world.venue.requests.give_up(handed, "time", world.now)
    assert not handed.begin_writing()
    assert (None, None) == (waiting.outcome, handed.outcome)


def test_giving_up_a_written_request_leaves_its_outcome_unknown_and_its_place_taken() -> None:
    """The venue still counts it, so we do, for a while."""
    world = World(quotas=Quotas(requests_in_flight=1))
    request, other = make(world), make(world)
    connection = open_connection(world)
    assert [request] == written(world)
    world.venue.requests.give_up(request, "no answer", world.now)
    assert Unknown("no answer") == request.outcome
    assert [] == written(world)
    world.now += FORGOTTEN_AFTER
    assert [other] == written(world)
    answer(world, connection, request.number)
    assert Unknown("no answer") == request.outcome


def test_the_gate_counts_the_requests_of_all_venues_of_an_origin() -> None:
    """The quota is the address's, not the venue's."""
    world = World(quotas=Quotas(requests_in_flight=2))
    twin = world.add_venue("w")
    mine = [make(world), make(world), make(world)]
    theirs = twin.requests.add("info", {}, now=world.now, on_end=lambda: None)
    connection = open_connection(world)
    world.look(twin)
    world.open_all()
    assert mine[:2] == written(world)
    assert ([], []) == (written(world), requests.due(twin, world.now)[0])
    answer(world, connection, mine[0].number)
    assert [theirs] == [write.request for write in requests.due(twin, world.now)[0]]
    assert "which is the quota 'requests_in_flight'" in requests.obstacle(world.venue, world.now)


def test_requests_count_as_messages_and_wait_for_that_quota() -> None:
    """The look that follows is planned for the moment when the window moves on."""
    world = World(quotas=Quotas(messages_per_minute=2), now=100.0)
    first, second, third = make(world), make(world), make(world)
    open_connection(world)
    writes, wake_at = requests.due(world.venue, world.now)
    assert ([first, second], 160.0) == ([write.request for write in writes], wake_at)
    assert "'messages_per_minute' (2)" in requests.obstacle(world.venue, world.now)
    world.now = 160.0
    assert [third] == written(world)


def test_nothing_is_written_while_the_venue_wants_silence() -> None:
    """As for subscriptions."""
    world = World(now=100.0)
    request = make(world)
    open_connection(world)
    world.origin.silent_until = 130.0
    assert ([], 130.0) == requests.due(world.venue, world.now)
    world.now = 130.0
    assert [request] == written(world)


def test_what_a_request_waits_for_is_said() -> None:
    """No connection, or one that is not ready and why."""
    world = World(quotas=Quotas(connections=10))
    make(world)
    assert "no connection" in requests.obstacle(world.venue, world.now)
    world.look()
    (connection,) = world.venue.connections
    connection.state, connection.reason = ConnectionState.WAITING, "HTTP 503"
    assert "v-1 is waiting (HTTP 503)" == requests.obstacle(world.venue, world.now)
    progress.opened(world.registry, connection, now=world.now, wall=world.wall)
    assert "it was on its way to the socket" == requests.obstacle(world.venue, world.now)
