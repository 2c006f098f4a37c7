"""The client's life: with a manager of its own or with somebody else's, waited for, ended, run again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr import (
    Answered,
    Hyperliquid,
    Manager,
    ManagerClosedError,
    ParameterError,
    StateDirectoryError,
    SubscriptionClosedError,
    UnknownVenueError,
    UsageError,
    WsmgrError,
)
from wsmgr.actors.testing import check_leaks
from wsmgr.manager.hyperliquid.reach import Host, Requester, Trader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartSimulator

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
DEADLINE = 20.0


def client_of(simulator: SimulatorThread, **options: Any) -> Hyperliquid:
    return Hyperliquid(url=simulator.address.url, **options)


async def socket_count(simulator: SimulatorThread) -> int:
    """Return how many sockets are open once the venue has had time to see their ends."""
    count: int = -1
    for _ in range(500):
        count = simulator.log()["open"]
        if count == 0:
            break
        await anyio.sleep(0.01)
    return count


async def test_nothing_is_left_behind(simulator: SimulatorThread) -> None:
    """No task and no socket; a reader that still waits is told."""
    client = client_of(simulator)
    ended: list[type[BaseException]] = []

    async def read(queue: Any) -> None:
        try:
            while True:
                await queue.get()
        except SubscriptionClosedError as error:
            ended.append(type(error))

    with anyio.fail_after(DEADLINE):
        async with check_leaks(), anyio.create_task_group() as tasks, client.run() as same:
            assert same is client
            _, queue = await client.subscriptions.l2_book(asset="BTC")
            await client.subscriptions.explorer_block()
            await client.subscriptions.order_updates(address=ALICE)
            tasks.start_soon(read, queue)
            assert simulator.log()["open"] >= 3
        assert 0 == await socket_count(simulator)
    assert [SubscriptionClosedError] == ended


async def test_a_client_can_be_run_again(simulator: SimulatorThread) -> None:
    """Its numbers go on; what it ran before is over."""
    client = client_of(simulator)
    with pytest.raises(ManagerClosedError, match="does not run"):
        _ = client.manager
    with anyio.fail_after(DEADLINE):
        async with client.run():
            first = client.manager
            assert 0 == (await client.subscriptions.trades(asset="BTC")).id
        async with client.run():
            sid, queue = await client.subscriptions.trades(asset="BTC")
            assert 1 == sid
            assert client.manager is not first
            assert ["trades"] == [view.type for view in client.manager.list_subscriptions()]
            await queue.get()
            with pytest.raises(UsageError, match="runs already"):
                await client.run_forever()
            await queue.get()
        with pytest.raises(ManagerClosedError, match="does not run"):
            _ = client.manager
        with pytest.raises(ManagerClosedError, match="did not run within"):
            await client.subscriptions.trades(asset="BTC", timeout=0.05)
    assert 0 == await socket_count(simulator)


async def test_calls_wait_for_a_client_that_is_being_started(simulator: SimulatorThread) -> None:
    """Streams, questions and names: whoever starts `run_forever` in a task need not wait for it himself."""
    client = client_of(simulator, address=ALICE)
    with anyio.fail_after(DEADLINE):
        async with check_leaks(), anyio.create_task_group() as tasks:
            got: list[str] = []

            async def stream() -> None:
                _, queue = await client.subscriptions.l2_book(asset="BTC")
                await queue.get()
                got.append("stream")

            async def ask() -> None:
                assert isinstance(await client.info.user_state(), Answered)
                got.append("answer")

            async with anyio.create_task_group() as callers:
                callers.start_soon(stream)
                callers.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                assert [] == got
                tasks.start_soon(client.run_forever)
            assert {"stream", "answer"} == set(got)
            tasks.cancel_scope.cancel()
        assert 0 == await socket_count(simulator)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_run_forever_in_a_task_of_asyncio(simulator: SimulatorThread) -> None:
    """As the examples for hl-sdk have it: created, used at once, cancelled, awaited."""
    client = client_of(simulator)
    async with asyncio.timeout(DEADLINE), check_leaks():
        running = asyncio.create_task(client.run_forever())
        _, queue = await client.subscriptions.l2_book(asset="BTC")
        book: Any = await queue.get()
        assert 2 == len(book.data["levels"])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert 0 == await socket_count(simulator)


async def test_a_call_does_not_wait_for_ever(simulator: SimulatorThread) -> None:
    """It says what to do; the wait for the client counts as part of the call's own."""
    client = client_of(simulator)
    with anyio.fail_after(5):
        with pytest.raises(
            ManagerClosedError, match=r"did not run within 0.05 s; use it inside `async with client.run"
        ):
            await client.subscriptions.trades(coin="BTC", timeout=0.05)


async def test_a_universe_that_does_not_come_is_said(start_simulator: StartSimulator) -> None:
    """Within the call's own deadline."""
    simulator = start_simulator("mute=post")
    client = client_of(simulator)
    with anyio.fail_after(10):
        async with client.run():
            with pytest.raises(
                WsmgrError, match=r"was not loaded within 0.3 s, and 'BTC' is looked up in it"
            ):
                await client.subscriptions.trades(asset="BTC", timeout=0.3)
            await client.subscriptions.trades(coin="BTC")


async def test_the_wait_for_the_client_is_part_of_the_deadline() -> None:
    """What is left of it is the manager's."""
    given: list[float] = []

    class Recorder:
        async def subscribe(self, type_name: str, **options: Any) -> None:
            given.append(options["timeout"])

    class Slow:
        venue = None

        async def manager(self, timeout: float) -> Any:
            await anyio.sleep(0.05)
            return Recorder()

    slow: Any = Slow()
    for timeout in (1.0, None, 0.01):
        options: Any = {} if timeout is None else {"timeout": timeout}
        await Host(slow).subscribe("trades", {}, queue=None, options=options)
    assert 0 < given[0] < 0.97  # timers are not exact
    assert 25 < given[1] < 29.97
    assert 0 == given[2]


async def test_the_wait_for_the_client_is_part_of_a_requests_deadline_too() -> None:
    """For questions and for actions; a timeout that is none is refused before anybody waits."""
    given: list[float] = []

    class Recorder:
        async def request(self, kind: str, payload: Any, *, timeout: float) -> None:
            given.append(timeout)

        async def act(self, name: str, params: Any, *, account: Any, timeout: float) -> None:
            given.append(timeout)

    class Slow:
        requester = trading = Recorder()

        async def desk(self, timeout: float) -> Any:
            await anyio.sleep(0.05)
            return self

    slow: Any = Slow()
    for timeout in (1.0, 0.02):
        await Requester(slow).request("info", {}, timeout=timeout)
        await Trader(slow, None).act("cancel", {}, timeout=timeout)
    assert all(0 < each < 0.97 for each in given[:2])  # timers are not exact
    assert [0.01, 0.01] == given[2:]
    nonsense: Any
    for nonsense in (0, -1.0, float("nan"), "5", None):
        with pytest.raises(UsageError, match="give seconds, more than 0"):
            await Trader(slow, None).act("cancel", {}, timeout=nonsense)
        with pytest.raises(UsageError, match="give seconds, more than 0"):
            await Requester(slow).request("info", {}, timeout=nonsense)
    assert 4 == len(given)


async def test_a_client_that_cannot_start_tells_those_who_wait(
    simulator: SimulatorThread, tmp_path: Path
) -> None:
    """At once, and with the reason."""
    with anyio.fail_after(DEADLINE):
        async with Manager(url=simulator.address.url, state_dir=tmp_path):
            client = client_of(simulator, state_dir=tmp_path)
            told: list[str] = []

            async def wait() -> None:
                with pytest.raises(ManagerClosedError, match=r"could not start: .*held"):
                    await client.subscriptions.trades(coin="BTC", timeout=600)
                told.append("told")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(StateDirectoryError):
                    await client.run_forever()
            assert ["told"] == told
        async with client.run():
            await client.subscriptions.trades(coin="BTC")


async def test_a_client_works_on_a_running_manager(simulator: SimulatorThread) -> None:
    """It takes the account of the venue's configuration, ends its own feeds only, and leaves the manager running."""
    config = {"venues": {"hyperliquid": {"account": ALICE}}}
    with anyio.fail_after(DEADLINE):
        async with Manager(url=simulator.address.url, config=config) as manager:
            client = Hyperliquid(manager)
            assert client.manager is manager
            book = await manager.subscribe("l2Book", coin="BTC")
            async with client.run():
                feed = await client.subscriptions.l2_book(asset="BTC")
                assert book.id == client.subscriptions.handle(feed.id).id
                await client.subscriptions.user_fills()
                assert {ALICE} == {view.params.get("user", ALICE) for view in manager.list_subscriptions()}
                assert [1] == [len(manager.list_user_subscriptions(ALICE))]
                assert isinstance(await client.info.user_state(), Answered)
            _ = [item async for item in feed.queue]  # what had come before
            with pytest.raises(SubscriptionClosedError):
                await feed.queue.get()
            assert (await book.next(timeout=DEADLINE)).key == book.key
            await client.subscriptions.l2_book(asset="ETH")
        with pytest.raises(ManagerClosedError):
            await client.subscriptions.trades(coin="BTC")
        with pytest.raises(ManagerClosedError):
            await client.info.all_mids()
        with pytest.raises(ManagerClosedError):
            await client.run_forever()


async def test_what_is_the_managers_is_not_the_clients_to_choose(simulator: SimulatorThread) -> None:
    """An option that would change nothing is refused."""
    with pytest.raises(ManagerClosedError):
        Hyperliquid(Manager())
    async with Manager(url=simulator.address.url) as manager:
        options: list[dict[str, Any]] = [
            {"network": "testnet"},
            {"url": "ws://127.0.0.1:1/ws"},
            {"trading": True},
            {"state_dir": "x"},
        ]
        for option in options:
            with pytest.raises(
                UsageError, match=f"{next(iter(option))}: the manager that is given has its own"
            ):
                Hyperliquid(manager, **option)
        with pytest.raises(UnknownVenueError):
            Hyperliquid(manager, venue="virtuoso")
        venue: Any = manager.engine.venue(None)
        venue.make_desk = object  # as a venue of another dialect has it
        with pytest.raises(UsageError, match="the venue hyperliquid speaks hyperliquid, not hyperliquid"):
            Hyperliquid(manager)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"address": "0x12"}, ParameterError, "0x12"),
        ({"network": "mainnnet"}, UsageError, "network='mainnnet' is not known; choose mainnet or testnet"),
        ({"url": "http://example.com"}, UsageError, "http://example.com"),
        ({"config": {}}, UsageError, "config is a manager's"),
        ({"venues": ["hyperliquid"]}, UsageError, "venues is a manager's"),
        ({"nonsense": 1}, TypeError, "nonsense"),
    ],
)
async def test_what_is_wrong_with_the_options_is_said_when_the_client_is_made(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Not when it is run, in a task that nobody looks at."""
    with pytest.raises(error, match=words):
        Hyperliquid(**options)


@pytest.mark.parametrize(
    ("options", "url", "mainnet"),
    [
        ({}, "wss://api.hyperliquid.xyz/ws", True),
        ({"network": "mainnet"}, "wss://api.hyperliquid.xyz/ws", True),
        ({"network": "testnet"}, "wss://api.hyperliquid-testnet.xyz/ws", False),
        ({"network": "testnet", "url": "ws://127.0.0.1:9/ws"}, "ws://127.0.0.1:9/ws", False),
        ({"url": "ws://127.0.0.1:9/ws"}, "ws://127.0.0.1:9/ws", None),
        ({"venue": "desk-a", "network": "testnet"}, "wss://api.hyperliquid-testnet.xyz/ws", False),
    ],
)
async def test_a_network_chooses_the_address_and_the_signatures(
    options: dict[str, Any], url: str, mainnet: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another address, such as a simulator's, says no network. Nothing is dialled for it."""
    monkeypatch.delenv("WSMGR_HYPERLIQUID_URL", raising=False)
    client = Hyperliquid(**options)
    async with client.run():
        venue = client.manager.engine.venue(options.get("venue"))
        desk: Any = venue.desk
        assert (url, mainnet) == (venue.url, desk.trading._mainnet)
        assert [] == client.manager.connection_info()


async def test_settings_that_contradict_each_other_are_heard_at_the_start() -> None:
    """Not at the first order."""
    client = Hyperliquid(url="wss://api.hyperliquid.xyz/ws", network="testnet")
    with pytest.raises(UsageError, match=r"api\.hyperliquid\.xyz is the mainnet"):
        await client.run_forever()
