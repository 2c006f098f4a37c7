"""The manager on real sockets: what is promised of routing, placement, consumers and failures."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import sniffio

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.continuity import Failed, Gap, Interrupted, Live, Resumed
from wsmgr.manager.model.errors import (
    LaggedError,
    ManagerClosedError,
    NotFoundError,
    ParameterError,
    QuotaError,
    RejectedError,
    SubscribeTimeoutError,
    UnknownTypeError,
    UsageError,
)
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.inbox import Inbox
from wsmgr.manager.store import queries
from wsmgr.manager.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.conftest import StartSimulator
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
DEADLINE = 15.0


@asynccontextmanager
async def running(simulator: SimulatorThread, **options: Any) -> AsyncIterator[Manager]:
    """Run a manager against the simulator; no test waits longer than this."""
    with anyio.fail_after(40):
        async with Manager(url=simulator.address.url, **options) as manager:
            yield manager


def account_of(message: Message) -> set[str]:
    """Return whose orders a simulated orderUpdates frame tells of: their cloids begin with the account."""
    return {item["order"]["cloid"][:26] for item in message.data}


async def test_a_subscription_delivers_what_the_venue_sends(simulator: SimulatorThread) -> None:
    """`subscribe` and `async for` are all that a user needs."""
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        messages = [await book.next(timeout=DEADLINE) for _ in range(5)]
    assert [1, 2, 3, 4, 5] == [message.seq for message in messages]
    assert {"hyperliquid/l2Book?coin=BTC"} == {message.key for message in messages}
    assert all(json.loads(message.raw)["data"] == message.data for message in messages)
    assert all(message.gap is None for message in messages)


async def test_two_aggregations_of_one_book_never_mix(simulator: SimulatorThread) -> None:
    """A parameter that the venue does not echo costs a connection, and each consumer sees only its own stream."""
    async with running(simulator) as manager:
        plain = await manager.subscribe("l2Book", coin="BTC")
        rough = await manager.subscribe("l2Book", coin="BTC", nSigFigs=3)
        plain_spreads = ["spread" in (await plain.next(timeout=DEADLINE)).data for _ in range(10)]
        rough_spreads = ["spread" in (await rough.next(timeout=DEADLINE)).data for _ in range(10)]
        connections = [view.connection for view in manager.list_subscriptions()]
    assert [False] * 10 == plain_spreads
    assert [True] * 10 == rough_spreads
    assert 2 == len(set(connections))


async def test_two_hundred_trades_sit_on_one_connection(simulator: SimulatorThread) -> None:
    """Streams whose frames name them share a socket."""
    coins = [*("BTC", "ETH", "SOL"), *(f"C{number:03}" for number in range(200))]
    async with running(simulator) as manager:
        listed = [coin for coin in coins_of(simulator) if not coin.startswith(("@", "xyz:"))][:200] or coins
        results = await manager.subscribe_many([("trades", {"coin": coin}) for coin in listed])
        assert [] == [result for result in results if not isinstance(result, Subscription)]
        assert 200 == len(results)
        assert [200] == [view.subscriptions for view in manager.connection_info()]


def coins_of(simulator: SimulatorThread) -> list[str]:
    """Return the perpetual coins that the simulator lists."""
    import urllib.request

    request = urllib.request.Request(
        simulator.address.http_url + "/info",
        data=b'{"type":"meta"}',
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        return [asset["name"] for asset in json.load(answer)["universe"]]


async def test_two_users_orders_never_mix(start_simulator: StartSimulator) -> None:
    """Not even when one user's are ended and the other's begun at once, while the venue sends the first's for 2 s more."""
    simulator = start_simulator("late=2", rate=100)
    async with running(simulator) as manager:
        first = await manager.subscribe("orderUpdates", user=ALICE)
        assert {"0x" + ALICE[2:26]} == account_of(await first.next(timeout=DEADLINE))
        await manager.unsubscribe(first.id)
        second = await manager.subscribe("orderUpdates", user=BOB)
        accounts = [account_of(await second.next(timeout=DEADLINE)) for _ in range(230)]
        late = sum(
            connection.late
            for venue in manager.engine.context.venues.values()
            for connection in venue.model.connections
        )
    assert [{"0x" + BOB[2:26]}] * 230 == accounts
    assert late > 0


async def test_two_readers_are_one_subscription(simulator: SimulatorThread) -> None:
    """Equal keys are one id and one subscription on the wire; one reader that leaves does not disturb the other."""
    async with running(simulator) as manager:
        one = await manager.subscribe("l2Book", coin="BTC")
        other = await manager.subscribe("l2Book", params={"coin": "BTC", "nSigFigs": None})
        assert one.id == other.id
        await one.next(timeout=DEADLINE)
        await one.unsubscribe()
        assert [1] == [view.consumers for view in manager.list_subscriptions()]
        seen = [await other.next(timeout=DEADLINE) for _ in range(5)]
        assert [seen[0].seq + step for step in range(5)] == [message.seq for message in seen]
        with anyio.fail_after(DEADLINE):
            # What had come before it left is still there; then it ends, for good.
            _ = [item async for item in one]
        with pytest.raises(StopAsyncIteration):
            await anext(aiter(one))
    received = [
        frame["text"] for connection in simulator.log()["connections"] for frame in connection["received"]
    ]
    assert 1 == sum('"subscribe"' in text for text in received)


async def test_a_second_reader_gets_the_snapshot_that_was_sent_once(simulator: SimulatorThread) -> None:
    """Who joins later gets the state first, then every frame after it, without hole or overlap."""
    async with running(simulator) as manager:
        early = await manager.subscribe("userFills", user=ALICE)
        first = await early.next(timeout=DEADLINE)
        assert first.snapshot
        assert first.data["isSnapshot"]
        later = [await early.next(timeout=DEADLINE) for _ in range(3)]
        joined = await manager.subscribe("userFills", user=ALICE)
        replayed = await joined.next(timeout=DEADLINE)
        following = await joined.next(timeout=DEADLINE)
    assert replayed.replayed
    assert replayed.snapshot
    assert replayed.data["isSnapshot"]
    assert following.seq == replayed.seq + 1
    known = {fill["tid"] for message in [first, *later] for fill in message.data["fills"]}
    assert known <= {fill["tid"] for fill in replayed.data["fills"]}
    assert following.data["fills"][0]["tid"] not in {fill["tid"] for fill in replayed.data["fills"]}


async def test_a_quiet_stream_is_live(start_simulator: StartSimulator) -> None:
    """A stream that may be silent is live by its acknowledgement, and says that it is quiet."""
    simulator = start_simulator("quiet=orderUpdates")
    async with running(simulator) as manager:
        orders = await manager.subscribe("orderUpdates", user=ALICE, wait="live")
        view = manager.get_subscription(orders.id)
    assert ("live", True) == (view.state, view.quiet)


async def test_a_lost_socket_is_told_and_comes_back(simulator: SimulatorThread) -> None:
    """A consumer that asks is told when its view has a hole, where it begins and that it has ended, in order with the data."""
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", events=True)
        while not isinstance(await anext(book), Message):
            pass
        simulator.kill(None)
        story: list[object] = []
        while not any(isinstance(item, Message) and item.gap for item in story):
            story.append(await anext(book))
        told = [type(item) for item in story if not isinstance(item, Message)]
        assert [Interrupted, Live, Gap, Resumed] == told
        resumed = story[-1]
        assert isinstance(resumed, Message)
        gap = next(item for item in story if isinstance(item, Gap))
        assert gap == resumed.gap
        ledger = await manager.gaps(book.id)
        assert [gap.reason] == [row.reason for row in ledger]
        view = manager.get_subscription(book.id)
    numbers = [item.seq for item in story if isinstance(item, Message)]
    assert list(range(numbers[0], numbers[0] + len(numbers))) == numbers
    assert (1, 1) == (view.gaps, view.reconnects)


async def test_a_venue_that_comes_back_is_found(start_simulator: StartSimulator) -> None:
    """Every subscription is live again within nine seconds of the venue's return, on whatever connection it was."""
    simulator = start_simulator(rate=50)
    async with running(simulator) as manager:
        handles = [
            await manager.subscribe(name, params=params, events=True)
            for name, params in (
                ("allMids", {}),
                ("l2Book", {"coin": "BTC"}),
                ("l2Book", {"coin": "BTC", "nSigFigs": 3}),
                ("userFills", {"user": ALICE}),
            )
        ]
        await anyio.to_thread.run_sync(simulator.stop)
        for handle in handles:
            while not isinstance(await anext(handle), Interrupted):
                pass
        await anyio.to_thread.run_sync(simulator.start)
        with anyio.fail_after(9):
            for handle in handles:
                await handle.wait_live()


async def test_a_refusal_reaches_the_caller_in_the_venues_words(simulator: SimulatorThread) -> None:
    """What the venue refuses is the caller's to know, and is not asked for again."""
    async with running(simulator) as manager:
        with pytest.raises(RejectedError, match="Invalid subscription"):
            await manager.subscribe("l2Book", coin="NOPE")
        assert [] == manager.list_subscriptions()


async def test_two_callers_who_are_refused_at_once_both_hear_it(simulator: SimulatorThread) -> None:
    """The second does not merely find the subscription gone."""
    async with running(simulator) as manager:
        results = await manager.subscribe_many([("trades", {"coin": "NOPE"})] * 3)
        assert ["Invalid subscription"] * 3 == [
            str(getattr(result, "words", result))[:20] for result in results
        ]
        assert [] == manager.list_subscriptions()


@pytest.mark.parametrize(
    ("type_name", "params", "error", "words"),
    [
        ("l2Bok", {"coin": "BTC"}, UnknownTypeError, "l2Book"),
        ("l2Book", {}, ParameterError, "coin"),
        ("l2Book", {"coin": "BTC", "depth": 5}, ParameterError, "depth"),
        ("candle", {"coin": "BTC", "interval": "7m"}, ParameterError, "1m"),
        ("userFills", {"user": "0x12"}, ParameterError, "40 hexadecimal"),
        ("webData2", {"user": ALICE}, UnknownTypeError, "webData3"),
    ],
)
async def test_what_is_wrong_is_said_before_anything_is_sent(
    simulator: SimulatorThread, type_name: str, params: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A wrong type or parameter is refused locally, with what would be right."""
    async with running(simulator) as manager:
        with pytest.raises(error, match=words):
            await manager.subscribe(type_name, params=params)
        assert [] == manager.list_subscriptions()
    assert 0 == simulator.log()["dials"]


async def test_a_callback_that_raises_harms_nobody_else(simulator: SimulatorThread) -> None:
    """It is parked alone after ten failures in a row; its subscription and the other consumers go on."""
    calls = 0

    async def broken(_message: object) -> None:
        nonlocal calls
        calls += 1
        raise ValueError("no")

    async with running(simulator) as manager:
        good = await manager.subscribe("l2Book", coin="BTC")
        bad = await manager.subscribe("l2Book", coin="BTC", callback=broken)
        while manager.get_subscription(good.id).consumers > 1:
            await good.next(timeout=DEADLINE)
        seen = [await good.next(timeout=DEADLINE) for _ in range(3)]
        assert [seen[0].seq, seen[0].seq + 1, seen[0].seq + 2] == [message.seq for message in seen]
        kinds = {event.kind for event in await manager.events(bad.id)}
    assert 10 == calls
    assert {"callback_failed", "callback_parked"} <= kinds


async def test_an_inbox_collects_several_subscriptions(simulator: SimulatorThread) -> None:
    """Each stream is in order, none is missing a message, and a full inbox holds nobody up for ever."""
    inbox = Inbox(capacity=4)
    seen: dict[str, list[int]] = {}
    async with running(simulator) as manager:
        for coin in ("BTC", "ETH"):
            await manager.subscribe("l2Book", coin=coin, inbox=inbox)
        async for message in inbox:
            assert isinstance(message, Message)
            seen.setdefault(message.key, []).append(message.seq)
            if len(seen) == 2 and min(map(len, seen.values())) >= 10:
                break
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


async def test_a_handle_knows_the_newest_message_and_its_age(simulator: SimulatorThread) -> None:
    """Who looks now and then needs no iteration."""
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", wait="none")
        assert (None, None) == (book.last, book.age)
        newest = await book.next(timeout=DEADLINE)
        assert book.last is not None
        assert book.last.seq >= newest.seq
        assert book.age is not None
        assert 0 <= book.age < DEADLINE


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_callback_gets_every_message_in_order(simulator: SimulatorThread, kind: str) -> None:
    """Sync and async callbacks alike are called once for each message."""
    seen: list[int] = []
    enough = anyio.Event()

    def take(message: Message) -> None:
        seen.append(message.seq)

    async def take_async(message: Message) -> None:
        take(message)
        if len(seen) >= 10:
            enough.set()

    def take_sync(message: Message) -> None:
        take(message)
        if len(seen) >= 10:
            anyio.from_thread.run_sync(enough.set)

    async with running(simulator) as manager:
        callback: Callable[[Any], Any] = take_sync if kind == "sync" else take_async
        await manager.subscribe("l2Book", coin="BTC", callback=callback)
        await enough.wait()
    assert list(range(1, len(seen) + 1)) == seen


async def test_a_connection_whose_code_raises_is_parked_alone(simulator: SimulatorThread) -> None:
    """The other connections keep their sockets; the suspect fails with the exception's text, the rest of its connection moves on."""
    async with running(simulator) as manager:
        healthy = await manager.subscribe("l2Book", coin="BTC", nSigFigs=3)
        poisoned = await manager.subscribe("l2Book", coin="BTC", events=True, connection="dedicated")
        bystander = manager.get_subscription(healthy.id).connection
        entry = manager.engine.context.registry.entry(poisoned.id)

        class Poison:
            def record(self, _raw: bytes, *, snapshot: bool) -> None:
                raise ZeroDivisionError(f"a bug of ours, snapshot={snapshot}")

        entry.log = Poison()  # type: ignore[assignment]
        item: object = None
        while not isinstance(item, Failed):
            item = await anext(poisoned)
        assert "ZeroDivisionError: a bug of ours" in item.error
        connections = {view.id: view for view in manager.connection_info()}
        assert 1 == connections[bystander or ""].socket
        parked = [view for view in connections.values() if view.state == "parked"]
        assert ["ZeroDivisionError"] == [(view.reason or "").split(":")[0] for view in parked]
        assert "failed" == manager.get_subscription(poisoned.id).state
        await healthy.next(timeout=DEADLINE)
        assert "live" == manager.get_subscription(healthy.id).state


async def test_kept_subscriptions_come_back(simulator: SimulatorThread, tmp_path: Path) -> None:
    """A manager on the same state directory goes on with the ids and the counts; what was ended stays gone."""
    async with running(simulator, state_dir=tmp_path) as manager:
        kept = await manager.subscribe("l2Book", coin="BTC", keep=True)
        ended = await manager.subscribe("trades", coin="ETH", keep=True)
        held = await manager.subscribe("bbo", coin="SOL")
        for _ in range(5):
            await kept.next(timeout=DEADLINE)
        await manager.unsubscribe(ended.id)
        before = manager.get_subscription(kept.id)
        assert held.state == "live"
    async with running(simulator, state_dir=tmp_path) as manager:
        assert [kept.id] == [view.id for view in manager.list_subscriptions()]
        again = manager.engine.join(kept.id)
        message = await again.next(timeout=DEADLINE)
        after = manager.get_subscription(kept.id)
    assert message.epoch == 1
    assert message.gap is not None
    assert "the manager was" in message.gap.reason
    assert after.message_count > before.message_count
    assert before.subscribed_at == after.subscribed_at


async def test_a_timeout_says_what_the_dial_said(simulator: SimulatorThread) -> None:
    """A caller whose deadline passes hears why, and its wish is withdrawn."""
    simulator.set_faults("http_429=60")
    async with running(simulator) as manager:
        with pytest.raises(SubscribeTimeoutError, match="429") as caught:
            await manager.subscribe("l2Book", coin="BTC", timeout=0.5)
        assert [] == manager.list_subscriptions()
    assert caught.value.next_attempt_at is not None


async def test_a_quota_refuses_before_anything_is_sent(simulator: SimulatorThread) -> None:
    """What only an end frees is refused at once, naming the quota and what holds it; with `wait="none"` it waits."""
    config = {"venues": {"hyperliquid": {"quotas": {"users": 1}}}}
    async with running(simulator, config=config) as manager:
        await manager.subscribe("userFills", user=ALICE)
        with pytest.raises(QuotaError, match=f"users.*{ALICE}"):
            await manager.subscribe("userFills", user=BOB)
        waiting = await manager.subscribe("userFills", user=BOB, wait="none")
        assert 2 == len(manager.list_subscriptions())
        assert "pending" == waiting.state


async def test_an_unknown_id_is_named(simulator: SimulatorThread) -> None:
    """Not found is an error that says which id."""
    async with running(simulator) as manager:
        with pytest.raises(NotFoundError, match="nosuchid"):
            manager.get_subscription("nosuchid")
        with pytest.raises(NotFoundError, match="nosuchid"):
            await manager.unsubscribe("nosuchid")


async def test_a_manager_outside_its_block_says_so() -> None:
    """Before it is entered and after it is left, a manager does nothing, with the reason."""
    with pytest.raises(ManagerClosedError, match="async with"):
        await Manager().subscribe("allMids")


async def test_wrong_options_are_refused() -> None:
    """A wrong configuration is refused when the manager is made."""
    with pytest.raises(UsageError, match="no venue 'nowhere'"):
        Manager(venues=["nowhere"])
    with pytest.raises(UsageError, match="cannot be used"):
        Manager(url="http://example.org")
    with pytest.raises(UsageError, match="no quota 'sokets'"):
        async with Manager(config={"venues": {"hyperliquid": {"quotas": {"sokets": 3}}}}):
            pass


async def test_a_consumer_that_blocks_stops_its_own_socket_only(simulator: SimulatorThread) -> None:
    """With `block` nothing is lost while the consumer rests; other connections go on meanwhile."""
    simulator.set_faults()
    async with running(simulator) as manager:
        other = await manager.subscribe("bbo", coin="ETH")
        slow = await manager.subscribe("l2Book", coin="BTC", policy="block")
        slow.buffer.max_messages = 10
        while not slow.buffer.is_full:
            await other.next(timeout=DEADLINE)
        for _ in range(20):
            await other.next(timeout=DEADLINE)
        seen = [(await slow.next(timeout=DEADLINE)).seq for _ in range(60)]
        assert list(range(1, 61)) == seen
        assert 0 == slow.dropped
        with pytest.raises(UsageError, match="shared connection"):
            await manager.subscribe("bbo", coin="ETH", policy="block")


async def read_to_the_end(handle: Subscription) -> None:
    """Read until there is nothing more."""
    async for _item in handle:
        pass


async def test_a_consumer_that_blocks_for_too_long_is_failed(
    simulator: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocked socket is a dead socket at the venue: after a limit reading goes on, and the consumer is failed."""
    monkeypatch.setattr("wsmgr.manager.runtime.session.BLOCK_TICKS", 1)
    async with running(simulator) as manager:
        good = await manager.subscribe("l2Book", coin="BTC", connection="dedicated")
        slow = await manager.subscribe("l2Book", coin="BTC", policy="block")
        slow.buffer.max_messages = 5
        while not slow.buffer.failed:
            await good.next(timeout=DEADLINE)
        with pytest.raises(LaggedError):
            await read_to_the_end(slow)
        assert "ready" == manager.connection_info()[0].state
        await good.next(timeout=DEADLINE)


async def test_a_reader_that_outlives_the_manager_is_told(simulator: SimulatorThread) -> None:
    """Nobody waits for ever on a manager that has been left."""
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        await book.next(timeout=DEADLINE)
    with pytest.raises(ManagerClosedError, match="has been left"):
        await read_to_the_end(book)


async def test_held_subscriptions_end_with_their_manager(simulator: SimulatorThread, tmp_path: Path) -> None:
    """What nobody asked to keep is not among what a later manager, or the database, shows."""
    async with running(simulator, state_dir=tmp_path) as manager:
        await manager.subscribe("l2Book", coin="BTC")
    with closing(Database.read_only(tmp_path / "wsmgr.db")) as database:
        assert [] == queries.list_subscriptions(database)


async def test_nothing_is_left_when_the_manager_is_left(simulator: SimulatorThread, tmp_path: Path) -> None:
    """No thread, no task and no descriptor stays behind."""

    async def once() -> None:
        async with running(simulator, state_dir=tmp_path) as manager:
            book = await manager.subscribe("l2Book", coin="BTC")
            await book.next(timeout=DEADLINE)

    await once()
    with anyio.fail_after(DEADLINE):
        while simulator.log()["open"]:
            await anyio.lowlevel.checkpoint()
    before = descriptors(), tasks()
    await once()
    with anyio.fail_after(DEADLINE):
        # The simulator is a thread of this process: its end of the socket closes in its own time.
        while descriptors() > before[0]:
            await anyio.lowlevel.checkpoint()
    assert before[1] == tasks()


def tasks() -> set[int]:
    """Return the tasks of the loop, where they can be listed (asyncio only)."""
    if sniffio.current_async_library() != "asyncio":
        return set()
    return {task.id for task in anyio.get_running_tasks()}


def descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_two_tasks_may_wait_at_one_inbox_or_one_handle(simulator: SimulatorThread) -> None:
    """Neither hides the other: each item goes to one of them, and nobody is left behind."""
    inbox, found = Inbox(), list[object]()

    async def take(get: Callable[[], Awaitable[object]]) -> None:
        found.append(await get())

    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        with anyio.fail_after(DEADLINE):
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(take, inbox.get)
                    group.start_soon(take, book.next)
                await anyio.wait_all_tasks_blocked()
                inbox.put_nowait(await book.next())
                inbox.put_nowait(await book.next())
    assert 4 == len(found)


async def test_the_clients_names_stand_on_the_managers_own_venue(simulator: SimulatorThread) -> None:
    """One client, whoever asks for it, so that the numbers of its feeds are its own."""
    async with running(simulator) as manager:
        assert manager.hyperliquid is manager.hyperliquid
        sid, queue = await manager.hyperliquid.subscriptions.l2_book(coin="BTC")
        message = await queue.get()
        assert isinstance(message, Message)
        assert "BTC" == message.data["coin"]
        await manager.hyperliquid.subscriptions.unsubscribe(sid)
        assert "BTC" in (await manager.hyperliquid.info.all_mids()).unwrap()


async def test_subscribing_to_many_that_is_given_up_leaves_no_consumer_behind(
    simulator: SimulatorThread,
) -> None:
    """Nobody has the handles, so their holds are given back, those that were complete too."""

    def wishes() -> Iterator[tuple[str, dict[str, object]]]:
        yield "l2Book", {"coin": "BTC"}
        yield "l2Book", {"coin": "ETH"}
        raise ZeroDivisionError

    async with running(simulator) as manager:
        with pytest.raises(BaseExceptionGroup):
            await manager.subscribe_many(wishes(), wait="none")
        assert [0, 0] == [each.consumers for each in manager.list_subscriptions()]
