"""Requests over real sockets: three outcomes, at most once, on a connection that is opened for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr import Manager
from wsmgr.actors import Killed, resume, suspend
from wsmgr.manager.model.errors import (
    ManagerClosedError,
    QuotaError,
    RequestNotSentError,
    UsageError,
)
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.venues.hyperliquid.simulator import Limits

if TYPE_CHECKING:
    from tests.conftest import StartSimulator
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

MIDS = {"type": "allMids"}
PATIENCE = 15.0


def posts(simulator: SimulatorThread) -> list[str]:
    """Every request that the venue received, on whatever socket."""
    return [
        frame["text"]
        for connection in simulator.log()["connections"]
        for frame in connection["received"]
        if '"post"' in frame["text"]
    ]


async def until_received(simulator: SimulatorThread, count: int) -> None:
    """Return when the venue has received so many requests."""
    with anyio.fail_after(PATIENCE):
        while len(posts(simulator)) < count:  # noqa: ASYNC110 - the venue is another thread
            await anyio.sleep(0.01)


async def test_a_connection_is_opened_for_the_first_request_and_shared_with_what_follows(
    start_simulator: StartSimulator,
) -> None:
    """Nothing is dialled before it is needed, and subscriptions use the same socket afterwards."""
    simulator = start_simulator(rate=20)
    async with Manager(url=simulator.address.url) as manager:
        assert [] == manager.connection_info()
        mids = (await manager.request("info", MIDS)).unwrap()
        book = (await manager.request("info", {"type": "l2Book", "coin": "BTC"})).unwrap()
        assert ("BTC", 2) == (book["coin"], len(book["levels"]))
        assert "BTC" in mids
        await manager.subscribe("l2Book", coin="BTC", wait="live")
        (connection,) = manager.connection_info()
        assert 1 == connection.subscriptions
    assert 1 == simulator.log()["dials"]


async def test_the_venues_refusal_and_an_answer_of_nothing_are_told_apart(
    start_simulator: StartSimulator,
) -> None:
    """A coin that is not there has no book; a question that is not known is refused in the venue's words."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        assert Answered(None) == await manager.request("info", {"type": "l2Book", "coin": "NOBODY"})
        refused = await manager.request("info", {"type": "nonsense"})
        assert isinstance(refused, Refused)
        assert refused.words.startswith("422")


async def test_a_socket_that_falls_before_the_answer_leaves_the_outcome_unknown(
    start_simulator: StartSimulator,
) -> None:
    """It was sent once, and is never sent again, though the connection comes back."""
    simulator = start_simulator("slow_post=60")
    outcomes: list[Outcome[Any]] = []

    async def ask(manager: Manager) -> None:
        outcomes.append(await manager.request("info", MIDS))

    async with Manager(url=simulator.address.url) as manager:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, manager)
            await until_received(simulator, 1)
            simulator.kill()
        (unknown,) = outcomes
        assert isinstance(unknown, Unknown)
        assert "the connection was lost" in unknown.why
        simulator.set_faults()
        (await manager.request("info", MIDS)).unwrap()
    assert 2 == len(posts(simulator))


async def test_no_answer_in_time_leaves_the_outcome_unknown_and_a_late_one_is_given_to_nobody(
    start_simulator: StartSimulator,
) -> None:
    """The next request gets its own answer."""
    simulator = start_simulator("slow_post=1")
    async with Manager(url=simulator.address.url) as manager:
        (await manager.request("info", MIDS)).unwrap()
        late = await manager.request("info", MIDS, timeout=0.5)
        assert Unknown("no answer came within 0.5 s") == late
        book = (await manager.request("info", {"type": "l2Book", "coin": "ETH"})).unwrap()
        assert "ETH" == book["coin"]


async def test_a_request_that_could_not_be_written_says_so_and_why() -> None:
    """Nothing was changed, so the caller may try again; the sentence names what it waited for."""
    async with Manager(url="ws://127.0.0.1:9/ws") as manager:
        with pytest.raises(RequestNotSentError, match=r"0\.5 s were over, and hyperliquid-1 is .*refused"):
            await manager.request("info", MIDS, timeout=0.5)


async def test_a_request_that_waits_for_the_venue_is_written_when_it_comes_back(
    start_simulator: StartSimulator,
) -> None:
    """What never left is not lost with the socket."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        simulator.stop()
        found: list[Outcome[Any]] = []
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                found.append(await manager.request("info", MIDS))

            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            simulator.start()
        assert isinstance(found[0], Answered)
    assert 1 == len(posts(simulator))


async def test_not_more_than_the_quota_are_in_flight_at_the_venue(start_simulator: StartSimulator) -> None:
    """The venue never has to refuse one for that; all are answered in the end."""
    simulator = start_simulator("slow_post=0.05", "scatter_posts=0.1")
    quotas = {"venues": {"hyperliquid": {"quotas": {"requests_in_flight": 5}}}}
    outcomes: dict[str, Any] = {}

    async with Manager(url=simulator.address.url, config=quotas) as manager:
        coins = [name for name in (await manager.request("info", MIDS)).unwrap() if name.isalpha()][:60]

        async def ask(coin: str) -> None:
            outcomes[coin] = (await manager.request("info", {"type": "l2Book", "coin": coin})).unwrap()[
                "coin"
            ]

        async with anyio.create_task_group() as group:
            for coin in coins:
                group.start_soon(ask, coin)
    assert {coin: coin for coin in coins} == outcomes
    assert 5 == simulator.log()["most_posts"]


async def test_answers_twice_and_answers_to_nobody_change_nothing(start_simulator: StartSimulator) -> None:
    """Each request gets its own answer, once."""
    simulator = start_simulator("double_post", "stray_post")
    async with Manager(url=simulator.address.url) as manager:
        for coin in ("BTC", "ETH", "BTC"):
            book = (await manager.request("info", {"type": "l2Book", "coin": coin})).unwrap()
            assert coin == book["coin"]


async def test_a_cancelled_request_that_was_not_written_is_never_written(
    start_simulator: StartSimulator,
) -> None:
    """Giving up before the socket is open takes the wish back."""
    simulator = start_simulator("slow_upgrade=1")
    async with Manager(url=simulator.address.url) as manager:
        with anyio.move_on_after(0.2):
            await manager.request("info", MIDS)
        (await manager.request("info", {"type": "l2Book", "coin": "BTC"})).unwrap()
    (only,) = posts(simulator)
    assert "l2Book" in only


async def test_requests_and_subscribes_share_the_quota_of_messages(start_simulator: StartSimulator) -> None:
    """A request that has to wait for the quota says so when its time is up."""
    simulator = start_simulator(limits=Limits(messages_per_minute=4))
    quotas = {"venues": {"hyperliquid": {"quotas": {"messages_per_minute": 4}}}}
    async with Manager(url=simulator.address.url, config=quotas) as manager:
        await manager.subscribe("trades", coin="BTC")
        for _ in range(3):
            (await manager.request("info", MIDS)).unwrap()
        with pytest.raises(RequestNotSentError, match="'messages_per_minute' \\(4\\) is used up"):
            await manager.request("info", MIDS, timeout=0.3)


async def test_a_wrong_request_is_refused_before_anything_is_dialled(start_simulator: StartSimulator) -> None:
    """What, which, the value seen, what to do."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        with pytest.raises(UsageError, match="a request names its type"):
            await manager.request("info", {"coin": "BTC"})
        with pytest.raises(UsageError, match="choose info or action"):
            await manager.request("order", MIDS)  # type: ignore[arg-type]  # what a caller may get wrong
        with pytest.raises(UsageError, match="timeout is 0"):
            await manager.request("info", MIDS, timeout=0)
        with pytest.raises(UsageError, match="coin"):
            await manager.request("info", {"type": "l2Book"})
    assert 0 == simulator.log()["dials"]


async def test_a_manager_that_ends_takes_no_request_and_leaves_none_waiting(
    start_simulator: StartSimulator,
) -> None:
    """A caller in flight hears at once that nothing is known."""
    simulator = start_simulator("slow_post=60")
    outcomes: list[Outcome[Any]] = []
    manager = Manager(url=simulator.address.url)

    async def ask() -> None:
        outcomes.append(await manager.request("info", MIDS))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group, manager:
            group.start_soon(ask)
            await until_received(simulator, 1)
    assert isinstance(outcomes[0], Unknown)
    with pytest.raises(ManagerClosedError):
        await manager.request("info", MIDS)


async def test_a_request_that_is_given_up_on_its_way_to_the_socket_is_not_written(
    start_simulator: StartSimulator,
) -> None:
    """Handed over is not written: the session passes over what its caller has given up."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        (await manager.request("info", MIDS)).unwrap()
        (session,) = manager.engine.venue(None).sessions.values()
        await suspend(session)
        with pytest.raises(RequestNotSentError, match="on its way to the socket"):
            await manager.request("info", {"type": "l2Book", "coin": "BTC"}, timeout=0.2)
        await resume(session)
        (await manager.request("info", MIDS)).unwrap()
    assert 2 == len(posts(simulator))


async def test_a_request_whose_session_is_gone_waits_for_the_next(start_simulator: StartSimulator) -> None:
    """Between the loss of a session and the news of it, nothing is lost."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        (await manager.request("info", MIDS)).unwrap()
        venue = manager.engine.venue(None)
        sessions = dict(venue.sessions)
        venue.sessions.clear()
        with pytest.raises(RequestNotSentError):
            await manager.request("info", MIDS, timeout=0.2)
        async with anyio.create_task_group() as group:
            group.start_soon(manager.request, "info", MIDS)
            await anyio.wait_all_tasks_blocked()
            assert 1 == len(venue.model.requests.waiting)
            venue.sessions.update(sessions)
            manager.engine.context.serve(venue)
    assert 2 == len(posts(simulator))


@pytest.mark.parametrize("payload", [{"x": "\ud800"}, {"x": object()}, {("a", "b"): 1}])
async def test_a_payload_that_cannot_be_written_is_refused_and_harms_nobody(
    start_simulator: StartSimulator, payload: dict[Any, object]
) -> None:
    """What one caller gets wrong never costs another's stream."""
    simulator = start_simulator(rate=20)
    async with Manager(url=simulator.address.url) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", wait="live")
        for _ in range(5):
            with pytest.raises(UsageError, match="cannot be written as JSON"):
                await manager.request("info", {"type": "somethingNew", **payload})
        (await manager.request("info", MIDS)).unwrap()
        assert "live" == book.state


async def test_requests_go_on_after_their_actor_was_killed(start_simulator: StartSimulator) -> None:
    """What it had handed over and nobody had written is handed over again, and written once."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        (await manager.request("info", MIDS)).unwrap()
        venue = manager.engine.venue(None)
        (session,) = venue.sessions.values()
        await suspend(session)
        async with anyio.create_task_group() as group:
            group.start_soon(manager.request, "info", MIDS)
            with anyio.fail_after(PATIENCE):
                while not venue.model.requests.in_flight:  # noqa: ASYNC110 - a plain object tells nobody
                    await anyio.sleep(0.01)
            assert venue.requests is not None
            venue.requests.exit(Killed())
            await anyio.wait_all_tasks_blocked()
            await resume(session)
    assert 2 == len(posts(simulator))


async def test_a_request_that_waits_when_the_manager_is_left_hears_so_at_once() -> None:
    """It was never written, so nothing was changed; nobody waits for a manager that is gone."""
    manager = Manager(url="ws://127.0.0.1:9/ws")
    heard: list[str] = []

    async def ask() -> None:
        with pytest.raises(ManagerClosedError) as closed:
            await manager.request("info", MIDS, timeout=60.0)
        heard.append(str(closed.value))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group, manager:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
    assert ["the manager was left before the request was written"] == heard


async def test_a_place_at_the_gate_that_is_given_up_goes_to_who_waits(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens on the socket that could wake the one that waits."""
    monkeypatch.setattr("wsmgr.manager.model.requests.FORGOTTEN_AFTER", 0.3)
    simulator = start_simulator("slow_post=60")
    quotas = {"venues": {"hyperliquid": {"quotas": {"requests_in_flight": 1}}}}
    async with (
        Manager(url=simulator.address.url, config=quotas) as manager,
        anyio.create_task_group() as group,
    ):
        group.start_soon(partial(manager.request, "info", MIDS, timeout=0.3))
        await until_received(simulator, 1)
        group.start_soon(partial(manager.request, "info", {"type": "meta"}, timeout=5.0))
        await until_received(simulator, 2)
        group.cancel_scope.cancel()


async def test_a_request_takes_the_connection_that_is_ready(start_simulator: StartSimulator) -> None:
    """A first connection that cannot be dialled holds up no cancel while another one stands."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        await manager.subscribe("l2Book", coin="BTC")
        await manager.subscribe("l2Book", coin="BTC", nSigFigs=5)
        simulator.set_faults("http_503=30")
        simulator.kill(1)
        with anyio.fail_after(PATIENCE):
            while "ready" == manager.connection_info()[0].state:  # noqa: ASYNC110 - nothing tells of it
                await anyio.sleep(0.01)
        (await manager.request("info", MIDS, timeout=5.0)).unwrap()


async def test_a_request_that_no_socket_can_ever_take_is_refused_at_once(
    start_simulator: StartSimulator,
) -> None:
    """The reserve is not for it, and waiting would free nothing."""
    simulator = start_simulator()
    quotas = {"venues": {"hyperliquid": {"quotas": {"connections": 2}}}}
    async with Manager(url=simulator.address.url, config=quotas) as manager:
        await manager.subscribe("explorerBlock")
        with pytest.raises(QuotaError) as refused:
            await manager.request("info", MIDS)
        assert ("connections", 2, ("hyperliquid-1",)) == (
            refused.value.quota,
            refused.value.limit,
            refused.value.held_by,
        )


async def test_a_connection_of_its_own_takes_requests_where_no_other_may_be_opened(
    start_simulator: StartSimulator,
) -> None:
    """A venue on which every socket has an owner can still be told to cancel."""
    simulator = start_simulator()
    quotas = {"venues": {"hyperliquid": {"quotas": {"connections": 2}}}}
    async with Manager(url=simulator.address.url, config=quotas) as manager:
        await manager.subscribe("l2Book", coin="BTC", connection="dedicated")
        (await manager.request("info", MIDS)).unwrap()


async def test_a_request_that_waits_for_the_quota_of_messages_goes_out_when_it_refills(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens meanwhile that could wake it."""
    monkeypatch.setattr("wsmgr.manager.model.quota.WINDOW", 3.0)
    simulator = start_simulator()
    quotas = {"venues": {"hyperliquid": {"quotas": {"messages_per_minute": 2}}}}
    async with Manager(url=simulator.address.url, config=quotas) as manager:
        for _ in range(2):
            (await manager.request("info", MIDS)).unwrap()
        assert manager.engine.venue(None).model.origin.messages.free(anyio.current_time()) == 0
        (await manager.request("info", MIDS, timeout=PATIENCE)).unwrap()
