"""Feeds: who is meant, what is asked for, and whose number it is. The host is a notebook."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from attrs import frozen
from tests.manager.venues.hyperliquid.universe.answers import ScriptedRequester

from wsmgr.manager.model.errors import (
    LaggedError,
    NotFoundError,
    ParameterError,
    RejectedError,
    SubscriptionClosedError,
    UnknownTypeError,
    UsageError,
)
from wsmgr.manager.venues.hyperliquid.subscriptions import FeedNotFoundError, FeedQueue, Subscriptions
from wsmgr.manager.venues.hyperliquid.universe import UniverseLoader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.venues.hyperliquid.subscriptions import Handle

pytestmark = pytest.mark.anyio

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20


@frozen
class Somebody:
    """Anything with an address is an account."""

    address: str


class Consumer:
    """A consumer that was scripted: items, then an error or the end."""

    def __init__(self, *items: Any, error: Exception | None = None) -> None:
        self.key = "hyperliquid/l2Book?coin=BTC"
        self.items = list(items)
        self.error = error
        self.arrived = anyio.Event()
        self.held = True

    async def __anext__(self) -> Any:
        while not self.items:
            if self.error is not None:
                raise self.error
            if not self.held:
                raise StopAsyncIteration
            self.arrived = anyio.Event()
            await self.arrived.wait()
        return self.items.pop(0)

    def put(self, item: Any) -> None:
        self.items.append(item)
        self.arrived.set()

    async def unsubscribe(self) -> None:
        self.release()

    def release(self) -> None:
        self.held = False
        self.arrived.set()


class Notebook:
    """A host that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.queues: list[object] = []
        self.options: list[dict[str, object]] = []
        self.consumers: list[Consumer] = []
        self.refusal: Exception | None = None

    async def subscribe(
        self,
        type_name: str,
        params: Mapping[str, object],
        *,
        queue: object | None,
        options: Mapping[str, object],
    ) -> Handle:
        await anyio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise self.refusal
        self.asked.append((type_name, dict(params)))
        self.queues.append(queue)
        self.options.append(dict(options))
        self.consumers.append(Consumer())
        return cast("Handle", self.consumers[-1])


class Universe:
    """The venue's universe, and how long it may take."""

    def __init__(self, requester: ScriptedRequester) -> None:
        self._loader = UniverseLoader(requester, path=None, wall=lambda: 1_800_000_000.0)
        self.timeouts: list[float] = []

    async def coin(self, name: str | int, *, timeout: float) -> str:
        self.timeouts.append(timeout)
        await anyio.sleep(0.02)
        return await self._loader.coin(name)


@pytest.fixture
def host() -> Notebook:
    return Notebook()


@pytest.fixture
def asked() -> ScriptedRequester:
    return ScriptedRequester()


@pytest.fixture
def universe(asked: ScriptedRequester) -> Universe:
    return Universe(asked)


@pytest.fixture
def streams(host: Notebook, universe: Universe) -> Subscriptions:
    return Subscriptions(host, universe)


async def test_a_coin_goes_on_the_wire_as_it_is(
    streams: Subscriptions, host: Notebook, asked: ScriptedRequester
) -> None:
    """The universe is not needed for it, so it is not loaded."""
    await streams.trades(coin="@107")
    await streams.bbo(coin="xyz:SP500")
    assert [("trades", {"coin": "@107"}), ("bbo", {"coin": "xyz:SP500"})] == host.asked
    assert [] == asked.asked


@pytest.mark.parametrize(
    ("asset", "coin"),
    [
        ("BTC", "BTC"),
        ("HYPE/USDC", "@107"),
        ("PURR/USDC", "PURR/USDC"),
        ("xyz:SP500", "xyz:SP500"),
        (1, "ETH"),
    ],
)
async def test_an_asset_is_looked_up(
    streams: Subscriptions, host: Notebook, asset: str | int, coin: str
) -> None:
    """A perpetual, a spot pair, one of a builder's dex, or a number."""
    await streams.active_asset_ctx(asset=asset)
    assert [("activeAssetCtx", {"coin": coin})] == host.asked


async def test_looking_an_asset_up_is_part_of_the_deadline(
    streams: Subscriptions, host: Notebook, universe: Universe
) -> None:
    """What is left of it is the subscription's."""
    for timeout in (1.0, 0.01):
        await streams.trades(asset="BTC", timeout=timeout)
    await streams.trades(asset="BTC")
    assert [1.0, 0.01, 30.0] == universe.timeouts
    first, second, third = (cast("float", options["timeout"]) for options in host.options)
    assert 0 < first < 0.99
    assert 0 == second
    assert 25 < third < 29.99


async def test_parameters_go_on_the_wire_by_the_names_of_the_catalog(
    streams: Subscriptions, host: Notebook
) -> None:
    """What is None is left out."""
    await streams.l2_book(coin="BTC", n_sig_figs=5, mantissa=2, fast=True)
    await streams.l2_book(coin="BTC")
    await streams.candle(coin="ETH", interval="1m")
    await streams.user_fills(address=ALICE, aggregate_by_time=True)
    await streams.active_asset_data(address=ALICE, asset="BTC")
    await streams.open_orders(address=ALICE, dex="xyz")
    await streams.best_bid_offer(coin="SOL")
    await streams.explorer_block()
    assert [
        ("l2Book", {"coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True}),
        ("l2Book", {"coin": "BTC", "fast": False}),
        ("candle", {"coin": "ETH", "interval": "1m"}),
        ("userFills", {"user": ALICE, "aggregateByTime": True}),
        ("activeAssetData", {"user": ALICE, "coin": "BTC"}),
        ("openOrders", {"user": ALICE, "dex": "xyz"}),
        ("bbo", {"coin": "SOL"}),
        ("explorerBlock", {}),
    ] == host.asked


async def test_a_coin_and_an_asset_are_not_both_given_and_not_both_left_out(
    streams: Subscriptions, host: Notebook
) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="l2_book: asset and coin are both given"):
        await streams.l2_book(asset="BTC", coin="BTC")
    with pytest.raises(UsageError, match="trades: neither asset nor coin is given"):
        await streams.trades()
    with pytest.raises(UsageError, match="active_asset_data: neither asset nor coin"):
        await streams.active_asset_data(address=ALICE)
    assert [] == host.asked


async def test_an_account_is_named_by_address_by_account_or_by_the_client(
    host: Notebook, universe: Universe
) -> None:
    """In this order; both at once, and none at all, are errors."""
    streams = Subscriptions(host, universe, ALICE.upper().replace("X", "x"))
    await streams.order_updates()
    await streams.order_updates(address=BOB)
    await streams.order_updates(account=Somebody(BOB))
    assert [ALICE, BOB, BOB] == [params["user"] for _, params in host.asked]
    with pytest.raises(UsageError, match="order_updates: address and account are both given"):
        await streams.order_updates(address=BOB, account=Somebody(BOB))
    with pytest.raises(UsageError, match="user_fills: no account is named; give address= or account="):
        await Subscriptions(host, universe).user_fills()
    with pytest.raises(ParameterError, match="address='0x12'"):
        Subscriptions(host, universe, "0x12")


async def test_a_parameter_that_a_method_does_not_take_is_named(
    streams: Subscriptions, host: Notebook
) -> None:
    """With the one that was meant: the wire's spelling is a slip that is easily made."""
    book: Any = streams.l2_book
    with pytest.raises(
        ParameterError, match="l2_book: there is no parameter 'nSigFigs'; did you mean 'n_sig_figs'"
    ):
        await book(coin="BTC", nSigFigs=5)
    mids: Any = streams.all_mids
    with pytest.raises(ParameterError, match="it takes dex, queue, policy"):
        await mids(coin="BTC")
    for option in ("venue", "params", "callback", "inbox"):
        with pytest.raises(ParameterError, match=f"there is no parameter '{option}'"):
            await mids(**{option: None})
    assert [] == host.asked


async def test_options_reach_the_manager(streams: Subscriptions, host: Notebook) -> None:
    """As they were given, and only those."""
    await streams.trades(coin="BTC", policy="fail", wait="live", timeout=3.0)
    await streams.trades(coin="BTC")
    assert [{"policy": "fail", "wait": "live", "timeout": 3.0}, {}] == host.options


async def test_a_queue_is_used_and_returned(streams: Subscriptions, host: Notebook) -> None:
    """Whatever has put_nowait; what has none cannot be shared, and is refused."""
    shared: asyncio.Queue[Any] = asyncio.Queue()
    first = await streams.trades(coin="BTC", queue=shared)
    second = await streams.trades(coin="ETH", queue=shared)
    own = await streams.trades(coin="SOL")
    assert [shared, shared, None] == host.queues
    assert first.queue is second.queue is shared
    assert isinstance(own.queue, FeedQueue)
    with pytest.raises(UsageError, match=r"trades: queue=.* has no put_nowait"):
        await streams.trades(coin="BTC", queue=own.queue)
    assert 3 == len(host.asked)


async def test_ids_are_numbers_of_this_client(
    streams: Subscriptions, host: Notebook, universe: Universe
) -> None:
    """From 0; a refusal uses none up; two consumers of one stream have two; another client begins anew."""
    ids = [(await streams.trades(coin="BTC")).id, (await streams.trades(coin="BTC")).id]
    host.refusal = RejectedError("hyperliquid/trades?coin=NO", "Invalid subscription")
    with pytest.raises(RejectedError, match="Invalid subscription"):
        await streams.trades(coin="NO")
    host.refusal = None
    ids.append((await streams.trades(coin="ETH")).id)
    assert [0, 1, 2] == ids
    assert 0 == (await Subscriptions(host, universe).trades(coin="BTC")).id
    assert host.consumers[1] is cast("object", streams.handle(1))


async def test_ending_one_feed_ends_that_one(streams: Subscriptions, host: Notebook) -> None:
    """Twice is an error that changes nothing."""
    for _ in range(3):
        await streams.trades(coin="BTC")
    await streams.unsubscribe(1)
    assert [True, False, True] == [each.held for each in host.consumers]
    with pytest.raises(FeedNotFoundError, match="no feed 1"):
        await streams.unsubscribe(1)
    with pytest.raises(NotFoundError, match="no feed 77"):
        await streams.unsubscribe(77)
    with pytest.raises(FeedNotFoundError, match="no feed 1"):
        streams.handle(1)
    assert [True, False, True] == [each.held for each in host.consumers]
    streams.unsubscribe_all()
    assert [False, False, False] == [each.held for each in host.consumers]
    with pytest.raises(FeedNotFoundError):
        streams.handle(0)


async def test_web_data2_says_what_to_use_instead(streams: Subscriptions, host: Notebook) -> None:
    """With whatever it is called."""
    with pytest.raises(UnknownTypeError, match="removed it in August 2026; use webData3"):
        await streams.web_data2(address=ALICE)
    assert [] == host.asked


async def test_an_own_queue_tells_of_its_end() -> None:
    """Nobody waits for ever for a feed that is over; what came before is still read."""
    ended = Consumer("a", "b")
    await ended.unsubscribe()
    queue: Any = FeedQueue(cast("Handle", ended))
    assert ["a", "b"] == [await queue.get(), await queue.get()]
    with pytest.raises(SubscriptionClosedError, match="l2Book"):
        await queue.get()
    assert [] == [item async for item in queue]
    lagged: Any = FeedQueue(cast("Handle", Consumer("c", error=LaggedError(3))))
    assert ["c"] == [await anext(aiter(lagged))]
    with pytest.raises(LaggedError, match="3 messages"):
        await lagged.get()


async def test_several_tasks_may_read_one_queue() -> None:
    """Each message goes to one of them, and none waits for ever."""
    consumer = Consumer()
    queue = FeedQueue(cast("Handle", consumer))
    got: list[Any] = []

    async def read() -> None:
        got.append(await queue.get())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            for item in range(3):
                consumer.put(item)
                await anyio.wait_all_tasks_blocked()
    assert [0, 1, 2] == sorted(got)


async def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    """The message is there for the next one."""
    consumer = Consumer()
    queue: Any = FeedQueue(cast("Handle", consumer))
    with anyio.move_on_after(0.01):
        await queue.get()
    consumer.put("later")
    assert "later" == await queue.get()
