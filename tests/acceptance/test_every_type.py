"""Every subscription type of the catalog, of two users and two coins at once: each to its own consumer, through a loss, and joined late.

The simulator records each frame with the subscription that it was sent for: that is the truth which the consumers are held
against. What happens when is drawn from a seed, which a failure prints.
"""

from __future__ import annotations

import json
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest
from attrs import define, field

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription_type import Join, SubscriptionType
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.conftest import StartSimulator

pytestmark = pytest.mark.anyio

DIALECT = HyperliquidDialect()
CATALOG = DIALECT.catalog
SERVED = [each for each in CATALOG.values() if each.removed is None]
VALUES: dict[str, tuple[object, ...]] = {
    "user": ("0x" + "a1" * 20, "0x" + "b0" * 20),
    "coin": ("BTC", "ETH"),
    "interval": ("1m", "1h"),
    "dex": (None, "xyz"),
}
RATE = 12
FEW = 3
DEADLINE = 15.0

Wish = tuple[str, dict[str, object]]


def wishes() -> list[Wish]:
    """Each type with each combination of the values above that it takes, and the variants that no frame names."""
    found: list[Wish] = []
    for each in SERVED:
        combined: list[dict[str, object]] = [{}]
        for parameter in each.parameters:
            for_it = VALUES.get(parameter.name, (None,))
            combined = [{**params, parameter.name: value} for params in combined for value in for_it]
        found += [
            (each.name, {name: value for name, value in params.items() if value is not None})
            for params in combined
        ]
    user = VALUES["user"][0]
    found += [("l2Book", {"coin": "BTC", "nSigFigs": 3}), ("l2Book", {"coin": "BTC", "fast": True})]
    found += [
        ("userFills", {"user": user, "aggregateByTime": True}),
        ("activeAssetCtx", {"coin": "PURR/USDC"}),
    ]
    return [*found, ("spotState", {"user": user, "ignorePortfolioMargin": True})]


def test_the_table_covers_the_catalog() -> None:
    """Every type is wanted, and each that takes a user or a coin of two of them."""
    wanted = defaultdict[str, list[dict[str, object]]](list)
    for name, params in wishes():
        wanted[name].append(params)
    assert {each.name for each in SERVED} == set(wanted)
    assert 29 == len(wanted)
    for name, all_params in wanted.items():
        for parameter in ("user", "coin"):
            if parameter in CATALOG[name].required:
                assert set(VALUES[parameter]) <= {params[parameter] for params in all_params}


@define(eq=False)
class Consumer:
    """Reads one subscription for as long as the test runs."""

    wish: Wish
    handle: Subscription
    messages: list[Message] = field(factory=list)
    error: Exception | None = None
    _more: anyio.Event = field(factory=anyio.Event)

    async def read(self) -> None:
        try:
            async for item in self.handle:
                assert isinstance(item, Message)
                self.messages.append(item)
                self._tell()
        except Exception as error:  # noqa: BLE001 - the test says which consumer met it
            self.error = error
            self._tell()

    async def until(self, count: int) -> None:
        """Wait until it has read so many messages."""
        while len(self.messages) < count and self.error is None:
            await self._more.wait()
        assert self.error is None, f"{self.handle.key}: {self.error!r}"

    async def until_seq(self, seq: int) -> None:
        """Wait until it has read a message of this number or a newer one, as it came."""
        while self.error is None and not any(each.seq >= seq and not each.replayed for each in self.messages):
            await self.until(len(self.messages) + 1)

    def _tell(self) -> None:
        self._more.set()
        self._more = anyio.Event()


def sent(record: Path) -> Mapping[tuple[str, str], set[bytes]]:
    """The frames that the venue sent, by the type and the canonical parameters of the subscription they were sent for."""
    found = defaultdict[tuple[str, str], set[bytes]](set)
    for line in record.read_bytes().splitlines():
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        params = msgspec.json.decode(members["subscription"], type=dict[str, Any])
        found[params.pop("type"), json.dumps(params, sort_keys=True)].add(bytes(members["frame"]))
    return found


def truth(consumer: Consumer, frames: Mapping[tuple[str, str], set[bytes]]) -> set[bytes]:
    """What the venue sent for a consumer's subscription."""
    atom = DIALECT.atom(*consumer.wish)
    return frames[atom.type.name, json.dumps(dict(atom.params), sort_keys=True)]


async def consume(manager: Manager, wanted: list[Wish], tasks: anyio.abc.TaskGroup) -> list[Consumer]:
    """Subscribe to all, and read each in a task of its own."""
    consumers: list[Consumer] = []
    results = await manager.subscribe_many(wanted, wait="live", timeout=DEADLINE)
    for wish, result in zip(wanted, results, strict=True):
        assert isinstance(result, Subscription), result
        consumers.append(Consumer(wish, result))
        tasks.start_soon(consumers[-1].read)
    return consumers


def histories(consumers: Iterable[Consumer]) -> set[str]:
    """The keys of the streams that the venue keeps whole: their gaps can be proved."""
    keys = {consumer.handle.key for consumer in consumers if CATALOG[consumer.wish[0]].join is Join.LOG}
    return {key for key in keys if "/trades" not in key}


async def test_every_type_streams_to_its_own_consumer_only_and_comes_back(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    """All at once, on as few sockets as their conflicts allow; then all sockets are killed at once."""
    consumers: list[Consumer] = []
    hosts: list[bool] = []
    reconnects: dict[str, int] = {}
    ledger: dict[str, Any] = {}
    record = tmp_path / "sent.jsonl"
    simulator = start_simulator(rate=RATE, record=record)
    with anyio.fail_after(2 * DEADLINE):
        async with Manager(url=simulator.address.url) as manager, anyio.create_task_group() as tasks:
            consumers += await consume(manager, wishes(), tasks)
            for consumer in consumers:
                await consumer.until(FEW)
            hosts += [connection.url.endswith("/explorer/ws") for connection in manager.connection_info()]
            seen = {consumer: len(consumer.messages) for consumer in consumers}
            assert len(hosts) == len(simulator.kill())
            for consumer in consumers:
                await consumer.until(seen[consumer] + 2 * FEW)
            reconnects |= {view.key: view.reconnects for view in manager.list_subscriptions()}
            keys = {consumer.handle.id: consumer.handle.key for consumer in consumers}
            while not histories(consumers) <= {key for key in ledger if ledger[key]}:
                # What a snapshot does not reach back to is asked for.
                await anyio.sleep(0.1)
                ledger |= {keys[gap.subscription_id]: gap.proof for gap in await manager.gaps()}
            tasks.cancel_scope.cancel()
    simulator.stop()
    frames = sent(record)
    assert 1 == hosts.count(True), "both streams of the explorer stand on one socket"
    assert {consumer.handle.key: 1 for consumer in consumers} == reconnects
    strangers = {
        consumer.handle.key: [
            message.raw
            for message in consumer.messages
            if not message.healed and message.raw not in truth(consumer, frames)
        ]
        for consumer in consumers
    }
    assert {} == {key: raws for key, raws in strangers.items() if raws}
    gaps = {
        consumer.handle.key: [message.gap.reason for message in consumer.messages if message.gap is not None]
        for consumer in consumers
    }
    assert set(ledger) == set(gaps)
    told = {key for key, reasons in gaps.items() if len(reasons) == 1}
    assert {key for key, reasons in gaps.items() if len(reasons) > 1} == set()
    # A gap that the first frame proved to be whole is no gap for who reads; one that is proved later is.
    assert set(gaps) - told <= {key for key in ledger if ledger[key]}


def state(kind: SubscriptionType, messages: Iterable[Message]) -> object:
    """What a consumer knows of a stream, after it has read these messages of it."""
    items: list[object] = []
    merged: dict[str, dict[str, object]] = {}
    last: Message | None = None
    for message in messages:
        last = message
        match kind.join:
            case Join.LOG:
                found = message.data[kind.items] if kind.items else message.data
                items = [*([] if message.snapshot else items), *found][-kind.log_limit :]
            case Join.FOLD:
                merged = {} if message.snapshot else merged
                for coin, change in message.data.items():
                    merged[coin] = {**merged.get(coin, {}), **change}
            case Join.LAST | Join.NONE:
                pass
    return {Join.LOG: items, Join.FOLD: merged}.get(kind.join, None if last is None else last.raw)


def up_to(messages: Iterable[Message], seq: int) -> list[Message]:
    """The messages up to a number."""
    return [message for message in messages if message.seq <= seq]


async def test_a_second_consumer_that_joins_at_any_moment_ends_with_the_state_of_the_first(
    start_simulator: StartSimulator,
) -> None:
    """After the next frame the two know the same, for every type; of pure events the second knows what came since."""
    seed = 1 + Random().randrange(2**32)
    random = Random(seed)
    simulator = start_simulator(rate=RATE)
    wrong: dict[str, str] = {}

    async def join(first: Consumer, after: int) -> None:
        await first.until(after)
        name, params = first.wish
        second = Consumer(first.wish, await manager.subscribe(name, params=params))
        tasks.start_soon(second.read)
        await second.until_seq(1)
        seq = next(message.seq for message in second.messages if not message.replayed)
        await first.until_seq(seq)
        wrong.update(compare(first, second, seq))

    with anyio.fail_after(2 * DEADLINE):
        async with Manager(url=simulator.address.url) as manager, anyio.create_task_group() as tasks:
            consumers = await consume(manager, wishes(), tasks)
            async with anyio.create_task_group() as joining:
                for first in consumers:
                    joining.start_soon(join, first, random.randrange(1, 4 * FEW))
            tasks.cancel_scope.cancel()
    assert {} == wrong, f"seed {seed}"


def compare(first: Consumer, second: Consumer, seq: int) -> dict[str, str]:
    """What is wrong with a late consumer, by its key: nothing, where it knows what the first knows."""
    key, kind = first.handle.key, CATALOG[first.wish[0]]
    replayed = [message.replayed for message in up_to(second.messages, seq)]
    if kind.join is Join.NONE:
        ones, others = (
            [each.raw for each in consumer.messages if each.seq == seq] for consumer in (first, second)
        )
        return (
            {}
            if replayed == [False] and ones == others
            else {key: f"replayed {replayed}; {ones} and {others}"}
        )
    if replayed != [True, False] or not second.messages[0].snapshot:
        return {key: f"replayed {replayed}"}
    if second.messages[0].seq + 1 != seq:
        return {key: f"a hole between {second.messages[0].seq} and {seq}"}
    known, late = (state(kind, up_to(consumer.messages, seq)) for consumer in (first, second))
    return {} if known == late else {key: f"{str(known)[:300]} and {str(late)[:300]}"}


async def test_a_user_is_one_in_either_case_and_nonsense_is_refused_before_it_is_sent(
    start_simulator: StartSimulator,
) -> None:
    """Who pastes an address from elsewhere does not pay for a second user, and who mistypes one does not pay at all."""
    simulator = start_simulator(rate=RATE)
    user = "0x" + "ab" * 20
    one_user = {"venues": {"hyperliquid": {"quotas": {"users": 1}}}}
    private = [each.name for each in SERVED if each.required == ("user",)]
    with anyio.fail_after(DEADLINE):
        async with Manager(url=simulator.address.url, config=one_user) as manager:
            lower = await manager.subscribe_many([(name, {"user": user}) for name in private])
            upper = await manager.subscribe_many([(name, {"user": "0x" + "AB" * 20}) for name in private])
            assert [result.id for result in lower if isinstance(result, Subscription)] == [
                result.id for result in upper if isinstance(result, Subscription)
            ]
            assert len(private) == len(manager.list_subscriptions())
            asked = simulator.log()["connections"]
            for name in private:
                with pytest.raises(ValueError, match="0x and 40 hexadecimal digits"):
                    await manager.subscribe(name, user="0xnonsense")
            assert [len(each["received"]) for each in asked] == [
                len(each["received"]) for each in simulator.log()["connections"]
            ]
