"""The client's streams on real sockets: each method delivers what it was asked for, to its own queue only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr import (
    FeedNotFoundError,
    Hyperliquid,
    Inbox,
    Message,
    ParameterError,
    RejectedError,
    SubscriptionClosedError,
    UnknownTypeError,
    UsageError,
)
from wsmgr.manager.venues.hyperliquid.subscriptions import METHODS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.conftest import StartSimulator

    from wsmgr.manager.model.subscription_type import SubscriptionType
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
DEADLINE = 20.0
VARIANTS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "l2_book": ({"asset": "BTC"}, {"asset": "BTC", "n_sig_figs": 3}, {"asset": "ETH"}),
    "candle": ({"asset": "BTC", "interval": "1m"}, {"asset": "BTC", "interval": "1h"}),
    "active_asset_data": ({"asset": "BTC", "address": ALICE}, {"asset": "ETH", "address": BOB}),
    "all_mids": ({}, {"dex": "xyz"}),
}
"""What is asked of a method; of the others two coins, two users, or nothing."""


def variants(method: str) -> tuple[dict[str, Any], ...]:
    names = {parameter.name for parameter in METHODS[method].parameters}
    if method in VARIANTS:
        return VARIANTS[method]
    if "coin" in names:
        return {"asset": "BTC"}, {"asset": "TOK3/USDC"}
    return ({"address": ALICE}, {"address": BOB}) if "user" in names else ({},)


def named(message: Message, subscription_type: SubscriptionType) -> dict[str, Any]:
    """Return what a frame says of the parameters that it was asked for with."""
    found = {}
    for parameter, path in subscription_type.identity:
        at = message.data[0] if isinstance(message.data, list) else message.data
        for step in path.split("."):
            at = at.get(step, "") if isinstance(at, dict) else at
        found[parameter] = at
    return found


async def test_each_method_delivers_on_its_own_queue_only(start_simulator: StartSimulator) -> None:
    """All 29, in two variants where they have any: what a frame names is what its queue was asked for."""
    simulator = start_simulator(rate=20)
    client = Hyperliquid(url=simulator.address.url)
    with anyio.fail_after(60):
        async with client.run():
            feeds: dict[int, tuple[SubscriptionType, Any]] = {}
            for method, subscription_type in METHODS.items():
                for given in variants(method):
                    sid, queue = await getattr(client.subscriptions, method)(**given)
                    feeds[sid] = (subscription_type, queue)
            assert list(range(len(feeds))) == list(feeds)
            for sid, (subscription_type, queue) in feeds.items():
                handle = client.subscriptions.handle(sid)
                params = dict(pair.split("=") for pair in handle.key.partition("?")[2].split("&") if pair)
                for _ in range(3):
                    message = await queue.get()
                    assert handle.key == message.key
                    assert message.channel in subscription_type.channel
                    said = named(message, subscription_type)
                    assert {name: params.get(name, "") for name in said} == said, handle.key
    assert 29 == len({subscription_type.name for subscription_type, _ in feeds.values()})


async def test_orders_of_two_users_never_mix(simulator: SimulatorThread) -> None:
    """The venue's frames do not say whose they are; the queues know all the same."""
    client = Hyperliquid(url=simulator.address.url, address=ALICE)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            _, alices = await client.subscriptions.order_updates()
            _, bobs = await client.subscriptions.order_updates(address=BOB.upper().replace("X", "x"))
            for queue, user in ((alices, ALICE), (bobs, BOB)):
                messages: list[Any] = [await queue.get() for _ in range(20)]
                orders = [item["order"] for message in messages for item in message.data]
                assert {user[:26]} == {order["cloid"][:26] for order in orders}


async def test_two_aggregations_of_one_book_never_mix(simulator: SimulatorThread) -> None:
    """Nor do they with the whole one."""
    client = Hyperliquid(url=simulator.address.url)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            _, whole = await client.subscriptions.l2_book(asset="BTC")
            _, rough = await client.subscriptions.l2_book(asset="BTC", n_sig_figs=3)
            wholes: list[Any] = [await whole.get() for _ in range(10)]
            roughs: list[Any] = [await rough.get() for _ in range(10)]
    assert [False] * 10 == ["spread" in message.data for message in wholes]
    assert [True] * 10 == ["spread" in message.data for message in roughs]


async def test_two_consumers_of_one_stream_are_two(simulator: SimulatorThread) -> None:
    """One id each, one subscription on the wire; ending one leaves the other alone."""
    client = Hyperliquid(url=simulator.address.url)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            one, other = (
                await client.subscriptions.trades(coin="BTC"),
                await client.subscriptions.trades(asset="BTC"),
            )
            assert (0, 1) == (one.id, other.id)
            assert client.subscriptions.handle(0).id == client.subscriptions.handle(1).id
            await one.queue.get()
            await client.subscriptions.unsubscribe(one.id)
            _ = [item async for item in one.queue]  # what had come before
            with pytest.raises(SubscriptionClosedError):
                await one.queue.get()
            seen: list[Any] = [await other.queue.get() for _ in range(10)]
            numbers = [message.seq for message in seen]
            assert list(range(numbers[0], numbers[0] + 10)) == numbers
            with pytest.raises(FeedNotFoundError, match="no feed 0"):
                await client.subscriptions.unsubscribe(0)
            with pytest.raises(FeedNotFoundError, match="no feed 99"):
                await client.subscriptions.unsubscribe(99)
            await other.queue.get()
    assert ['{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}'] == sent(
        simulator, "subscribe"
    )


def sent(simulator: SimulatorThread, method: str) -> list[str]:
    """Return the frames of one method that the venue got."""
    frames = [
        frame["text"] for connection in simulator.log()["connections"] for frame in connection["received"]
    ]
    return [text for text in frames if f'"{method}"' in text]


async def test_several_feeds_share_a_queue(simulator: SimulatorThread) -> None:
    """What comes on it says what it is; ending one of them leaves the others."""
    client = Hyperliquid(url=simulator.address.url, address=ALICE)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            shared = Inbox()
            book, queue = await client.subscriptions.l2_book(asset="BTC", queue=shared)
            assert queue is shared
            await client.subscriptions.user_fills(queue=shared)
            await client.subscriptions.order_updates(queue=shared)
            seen: list[Any] = [await shared.get() for _ in range(60)]
            assert {"l2Book", "userFills", "orderUpdates"} == {message.channel for message in seen}
            assert {"BTC"} == {message.data["coin"] for message in seen if message.channel == "l2Book"}
            await client.subscriptions.unsubscribe(book)
            others: list[str] = []
            while len(others) < 60:  # what had come before is still read
                message: Any = await shared.get()
                others = [] if message.channel == "l2Book" else [*others, message.channel]
            assert {"userFills", "orderUpdates"} == set(others)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_queue_of_asyncio_will_do(simulator: SimulatorThread) -> None:
    """As people have it from hl-sdk."""
    client = Hyperliquid(url=simulator.address.url)
    async with asyncio.timeout(DEADLINE), client.run():
        shared: asyncio.Queue[Any] = asyncio.Queue()
        await client.subscriptions.trades(asset="BTC", queue=shared)
        _, same = await client.subscriptions.trades(asset="ETH", queue=shared)
        assert same is shared
        seen = [await shared.get() for _ in range(20)]
    assert {"BTC", "ETH"} == {message.data[0]["coin"] for message in seen}


async def test_a_refusal_reaches_the_caller_with_the_venues_words(simulator: SimulatorThread) -> None:
    """And it leaves nothing behind."""
    client = Hyperliquid(url=simulator.address.url)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            with pytest.raises(RejectedError, match="Invalid subscription") as refused:
                await client.subscriptions.trades(coin="BTCC")
            assert "BTC" in (refused.value.hint or "")
            with pytest.raises(UsageError, match="no asset 'BTCC'"):
                await client.subscriptions.trades(asset="BTCC")
            with pytest.raises(ParameterError, match="mantissa"):
                await client.subscriptions.l2_book(asset="BTC", mantissa=2)
            with pytest.raises(UnknownTypeError, match="webData3"):
                await client.subscriptions.web_data2(address=ALICE)
            assert 0 == (await client.subscriptions.trades(asset="BTC")).id


async def test_events_come_among_the_messages_for_who_asks(simulator: SimulatorThread) -> None:
    """A lost connection is told, and the feed goes on: no one subscribes again by hand."""
    client = Hyperliquid(url=simulator.address.url)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            _, queue = await client.subscriptions.trades(asset="BTC", events=True)
            await queue.get()
            simulator.kill()
            seen = [type(item).__name__ async for item in until(queue, "Resumed")]
            after: Any = await queue.get()
            while not isinstance(after, Message):
                after = await queue.get()
    assert "Interrupted" in seen
    assert "BTC" == after.data[0]["coin"]


async def until(queue: Any, name: str) -> AsyncIterator[Any]:
    async for item in queue:
        yield item
        if type(item).__name__ == name:
            return


async def test_a_feed_says_how_it_is(simulator: SimulatorThread) -> None:
    """`handle` is the subscription behind the number."""
    client = Hyperliquid(url=simulator.address.url)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            sid, queue = await client.subscriptions.all_mids(wait="live")
            await queue.get()
            handle = client.subscriptions.handle(sid)
            assert ("hyperliquid/allMids", "live") == (handle.key, handle.state)
            assert handle.last is not None
            assert handle.metrics.message_count > 0
    assert {"BTC", "ETH"} < set(handle.last.data["mids"])
