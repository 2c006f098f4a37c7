"""Requests: written at most once, inside the quotas, with one of three outcomes; what was not written goes out later."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from tests.manager.model.catalog import BOOK, FILLS, TICKER, atom
from tests.manager.model.world import World

from wsmgr.manager.model import progress, requests
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.effects import CloseConnection, OpenConnection
from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.frame import Answer
from wsmgr.manager.model.outcome import Answered, Refused, Unknown
from wsmgr.manager.model.quota import USER_LINGER, WINDOW, Quotas
from wsmgr.manager.model.reconciliation import EMPTY_LINGER, REQUEST_LINGER
from wsmgr.manager.model.requests import FORGOTTEN_AFTER, Progress, Request

if TYPE_CHECKING:
    from collections.abc import Callable


def frame(number: int) -> bytes:
    """The frame of a request."""
    return b"%d" % number


def make(world: World, on_end: Callable[[], None] = lambda: None, *, urgent: bool = False) -> Request:
    """A new request of the venue."""
    return world.venue.requests.add(frame, urgent=urgent, now=world.now, on_end=on_end)


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
    return [write.request for write in writes if write.request.begin_writing(write.connection.id)]


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
    second.host = "elsewhere"
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
    assert (outcome, [0, 1], 2) == (request.outcome, told, connection.unexplained)
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
    assert not handed.begin_writing("v-1")
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
    theirs = twin.requests.add(frame, urgent=False, now=world.now, on_end=lambda: None)
    connection = open_connection(world)
    world.look(twin)
    world.open_all()
    assert mine[:2] == written(world)
    assert ([], []) == (written(world), requests.due(twin, world.now)[0])
    answer(world, connection, mine[0].number)
    assert [theirs] == [write.request for write in requests.due(twin, world.now)[0]]
    assert "the quota 'requests_in_flight' (2) is used up" in requests.obstacle(world.venue, world.now)


def test_requests_count_as_messages_and_wait_for_that_quota() -> None:
    """The look that follows is planned for the moment when the window moves on."""
    world = World(quotas=Quotas(messages_per_minute=2), now=100.0)
    first, second, third = make(world), make(world), make(world)
    open_connection(world)
    writes, wake_at = requests.due(world.venue, world.now)
    assert ([first, second], 100.0 + WINDOW) == ([write.request for write in writes], wake_at)
    assert "'messages_per_minute' (2)" in requests.obstacle(world.venue, world.now)
    world.now += WINDOW
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
    progress.dialling(connection)
    progress.opened(world.registry, connection, now=world.now, wall=world.wall)
    assert "it was on its way to the socket" == requests.obstacle(world.venue, world.now)


def test_what_was_taken_up_and_never_handed_on_is_taken_back_in_its_order() -> None:
    """Whoever was to carry it to a session may have crashed in between; what did reach one is written once."""
    world = World()
    first, second = make(world), make(world)
    open_connection(world)
    requests.due(world.venue, world.now)
    third = make(world)
    assert first.begin_writing("v-1")
    world.venue.requests.take_back_handed()
    assert [Progress.WRITTEN, Progress.WAITING, Progress.WAITING] == [
        each.progress for each in (first, second, third)
    ]
    assert not second.begin_writing("v-1")
    assert [second, third] == written(world)


def test_a_payload_that_cannot_be_written_is_the_callers_error_and_leaves_nothing() -> None:
    """It is found out before anything waits for it."""
    world = World()

    def refuse(_: int) -> bytes:
        raise UsageError("no JSON")

    with pytest.raises(UsageError):
        world.venue.requests.add(refuse, urgent=False, now=world.now, on_end=lambda: None)
    assert {} == world.venue.requests.waiting


def test_an_answer_counts_only_for_what_was_written_on_the_connection_on_which_it_came() -> None:
    """A number that is guessed, or that another socket answers, ends nothing: the request is still sent."""
    world = World(quotas=Quotas(connections=10))
    request = make(world)
    connection = open_connection(world)
    requests.due(world.venue, world.now)
    answer(world, connection, request.number)
    assert (None, Progress.HANDED) == (request.outcome, request.progress)
    assert request.begin_writing(connection.id)
    other = Connection(id="v-9", venue="v", host="api", url="")
    answer(world, other, request.number)
    assert request.progress is Progress.WRITTEN
    answer(world, connection, request.number)
    assert Answered("data") == request.outcome


def test_the_oldest_ready_connection_is_the_first_and_the_oldest_of_all_where_none_is_ready() -> None:
    """What is being dialled waits for nobody's cancel."""
    world = World(quotas=Quotas(connections=10))
    for depth in (20, 5):
        world.make_live(atom(BOOK, coin="A", depth=depth))
    first, second = world.venue.connections
    assert first is requests.first_connection(world.venue)
    world.cut(first)
    assert second is requests.first_connection(world.venue)
    world.cut(second)
    assert first is requests.first_connection(world.venue)


def test_leaving_the_manager_ends_what_waits_and_leaves_nobody_behind() -> None:
    """Each caller is told once: not written, or unknown."""
    world, told = World(), list[int]()
    written_one = make(world, lambda: told.append(1))
    open_connection(world)
    assert [written_one] == written(world)
    handed = make(world, lambda: told.append(2))
    requests.due(world.venue, world.now)
    waiting = make(world, lambda: told.append(3))
    world.venue.requests.refuse_waiting()
    assert ([3], None, Progress.ENDED) == (told, waiting.outcome, waiting.progress)
    world.venue.requests.close()
    assert [3, 2, 1] == told
    assert (Unknown("the manager was left"), None) == (written_one.outcome, handed.outcome)
    assert {} == world.venue.requests.in_flight


def test_a_copy_in_an_old_mailbox_is_not_written_when_another_connection_has_the_request() -> None:
    """It is written where its answer is waited for, and nowhere else."""
    world = World(quotas=Quotas(connections=10))
    for depth in (20, 5):
        world.make_live(atom(BOOK, coin="A", depth=depth))
    first, second = world.venue.connections
    request = make(world)
    requests.due(world.venue, world.now)
    world.venue.requests.take_back_handed()
    first.leaving = True
    (write,), _ = requests.due(world.venue, world.now)
    assert second is write.connection
    assert not request.begin_writing(first.id)
    assert request.begin_writing(second.id)


def test_an_empty_connection_closes_when_what_was_in_flight_on_it_is_answered() -> None:
    """The answer itself makes the keeper look; nothing else would."""
    world = World()
    request = make(world)
    connection = open_connection(world)
    written(world)
    world.now += 2 * REQUEST_LINGER
    assert math.inf == world.look().wake_at
    looks = take_answer(
        world.registry, connection, Answer(request.number, Answered("")), now=world.now, wall=world.wall
    )
    assert looks
    assert [CloseConnection(connection)] == list(world.look().effects)


def test_an_action_goes_before_the_questions_that_wait_into_places_that_are_kept_for_it() -> None:
    """Whoever has to cancel never waits behind whoever is curious, of this venue or of another of the origin."""
    world = World(quotas=Quotas(requests_in_flight=20, messages_per_minute=100))
    twin = world.add_venue("w")
    questions = [make(world) for _ in range(30)]
    open_connection(world)
    assert questions[:18] == written(world)
    action = make(world, urgent=True)
    later = make(world, urgent=True)
    theirs = twin.requests.add(frame, urgent=True, now=world.now, on_end=lambda: None)
    assert [action, later] == written(world)
    world.look(twin)
    world.open_all()
    assert [] == requests.due(twin, world.now)[0]
    world.venue.requests.in_flight.pop(questions[0].number)
    assert [theirs] == [write.request for write in requests.due(twin, world.now)[0]]


def test_an_action_may_use_the_messages_that_are_kept_for_what_cannot_wait() -> None:
    """Questions leave them alone."""
    world = World(quotas=Quotas(messages_per_minute=100), now=100.0)
    for _ in range(98):
        world.origin.messages.record(world.now)
    question, action = make(world), make(world, urgent=True)
    open_connection(world)
    assert [action] == written(world)
    assert Progress.WAITING is question.progress


def test_a_request_that_is_given_up_holds_its_socket_for_no_longer_than_it_counts() -> None:
    """The look that closes the socket is planned for that moment."""
    world = World()
    request = make(world)
    connection = open_connection(world)
    written(world)
    world.now += REQUEST_LINGER
    world.venue.requests.give_up(request, "no answer", world.now)
    assert world.now + FORGOTTEN_AFTER == world.look().wake_at
    world.now += FORGOTTEN_AFTER
    assert [CloseConnection(connection)] == list(world.look().effects)


def test_a_closing_socket_and_its_users_count_until_it_is_gone() -> None:
    """The venue counts them: what waits for a place waits for that."""
    world = World(quotas=Quotas(connections=2, users=1))
    fills = world.make_live(atom(FILLS, user="u1"))
    connection = fills.connection
    assert connection is not None
    world.registry.end(fills, by="test", now=world.now)
    world.look()
    world.now += EMPTY_LINGER
    assert CloseConnection(connection) in world.look().effects
    other = world.keep(atom(FILLS, user="u2"))
    world.look()
    usage = world.origin.usage(world.now)
    assert (1, {"u1"}, None) == (usage.connections, usage.users, other.connection)
    progress.lost(world.registry, connection, reason="closed", now=world.now, wall=world.wall, wanted=True)
    world.venue.closing.clear()
    world.now += USER_LINGER
    world.look()
    assert other.connection is not None


def test_a_question_that_is_taken_back_never_stands_before_an_action() -> None:
    """Its place is among the questions, whatever happened to it: behind a shut gate it would hold up every cancel."""
    world = World(quotas=Quotas(requests_in_flight=10))
    questions = [make(world) for _ in range(12)]
    connection = open_connection(world)
    writes, _ = requests.due(world.venue, world.now)
    assert questions[:9] == [write.request for write in writes]
    assert all(each.begin_writing(connection.id) for each in questions[:8])
    action = make(world, urgent=True)
    world.venue.requests.take_back(questions[8])
    assert [action, *questions[8:]] == list(world.venue.requests.waiting.values())
    assert [action] == written(world)
