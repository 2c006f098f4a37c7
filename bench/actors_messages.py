"""What a message to an actor costs, beside anyio's memory streams and events; for `actors.py`.

Each workload returns the processor seconds that it took and raises when a message is missing.
"""

from __future__ import annotations

from itertools import repeat
from time import process_time
from typing import TYPE_CHECKING

import anyio

from wsmgr.actors import Actor, ChildSpec, MailboxPolicy, Reply, Supervisor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wsmgr.actors import ActorRef, ReplyTo

CHUNK = MailboxPolicy().capacity
"""Messages that are handed over before the producer waits: as many as a mailbox holds by default."""
PACE = 64
"""Messages that an actor handles before it lets others run."""


class MissingMessageError(Exception):
    """A workload did not see what it was sent, so its time means nothing."""


class Counter(Actor[int]):
    """Counts casts and tells the producer when a chunk is done; answers calls."""

    def __init__(self) -> None:
        self.count = 0
        self.goal = 0
        self.reached = anyio.Event()

    async def handle_cast(self, message: int) -> None:
        self.count += 1
        if self.count == self.goal:
            self.reached.set()

    async def handle_call(self, request: int, reply_to: ReplyTo) -> Reply:
        return Reply(request)


async def cast(
    count: int,
    putting: list[tuple[float, float]],
    prepare: Callable[[ActorRef[int]], Awaitable[object]] | None = None,
) -> float:
    """Time `count` casts from outside to an ordinary actor, from the first cast to the last one handled.

    Args:
        count: Messages, a multiple of `CHUNK`.
        putting: Is given all seconds, and those of them that were spent in `cast` itself.
        prepare: Is called with the actor's reference before time is taken.
    """
    counter = Counter()
    seconds = 0.0
    async with Supervisor([ChildSpec("counter", lambda: counter)]) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        if prepare is not None:
            await prepare(ref)
        spent = 0.0
        started = process_time()
        for first in range(0, count, CHUNK):
            counter.reached = anyio.Event()
            counter.goal = first + CHUNK
            begun = process_time()
            for number in range(first, first + CHUNK):
                ref.cast(number)
            spent += process_time() - begun
            await counter.reached.wait()
        seconds = process_time() - started
        _check("cast", counter.count, count, ref.dead_letters)
    putting.append((seconds, spent))
    return seconds


async def stream_awaited(count: int) -> float:
    """Time a memory stream's `await send` and `async for`."""
    send, receive = anyio.create_memory_object_stream[int](CHUNK)
    counted = 0
    started = finished = 0.0

    ready = anyio.Event()

    async def consume() -> None:
        nonlocal counted, finished
        ready.set()
        async with receive:
            async for _number in receive:
                counted += 1
        finished = process_time()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        await ready.wait()
        started = process_time()
        async with send:
            for number in range(count):
                await send.send(number)
    _check("awaited stream", counted, count)
    return finished - started


async def stream_nowait(count: int, putting: list[tuple[float, float]], pace: int | None = None) -> float:
    """Time a memory stream's `send_nowait`, and `receive_nowait` until it would block.

    Args:
        count: Messages, a multiple of `CHUNK`.
        putting: Is given all seconds, and those of them that were spent in `send_nowait` itself.
        pace: After how many messages the consumer lets others run, as an actor does; None for never.
    """
    send, receive = anyio.create_memory_object_stream[int](CHUNK)
    counted = goal = 0
    ready, reached = anyio.Event(), anyio.Event()
    spent = seconds = 0.0

    async def consume() -> None:
        nonlocal counted
        ready.set()
        while True:
            await receive.receive()
            counted += 1
            if counted == goal:
                reached.set()
            try:
                for _ in repeat(None) if pace is None else repeat(None, pace - 1):
                    receive.receive_nowait()
                    counted += 1
                    if counted == goal:
                        reached.set()
            except anyio.WouldBlock:
                pass

    with send, receive:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await ready.wait()
            started = process_time()
            for first in range(0, count, CHUNK):
                reached = anyio.Event()
                goal = first + CHUNK
                begun = process_time()
                for number in range(first, first + CHUNK):
                    send.send_nowait(number)
                spent += process_time() - begun
                await reached.wait()
            seconds = process_time() - started
            tasks.cancel_scope.cancel()
    _check("stream without waiting", counted, count)
    putting.append((seconds, spent))
    return seconds


async def call(count: int) -> float:
    """Time `count` calls, one after the other, with the default timeout."""
    async with Supervisor([ChildSpec("counter", Counter)]) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        started = process_time()
        for number in range(count):
            answer = await ref.call(number)
            if answer != number:
                raise MissingMessageError(f"call {number} was answered with {answer!r}")
        return process_time() - started


class _Pair:
    def __init__(self) -> None:
        self.request = anyio.Event()
        self.reply = anyio.Event()


async def event_round_trip(count: int) -> float:
    """Time `count` times: set an event that another task waits for, wait for the one that it sets."""
    pair = _Pair()
    ready = anyio.Event()
    answered = 0
    seconds = 0.0

    async def answer() -> None:
        nonlocal answered
        ready.set()
        while True:
            await pair.request.wait()
            pair.request = anyio.Event()
            answered += 1
            pair.reply.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        await ready.wait()
        started = process_time()
        for _number in range(count):
            pair.reply = anyio.Event()
            pair.request.set()
            await pair.reply.wait()
        seconds = process_time() - started
        tasks.cancel_scope.cancel()
    _check("event round trip", answered, count)
    return seconds


def _check(what: str, seen: int, sent: int, lost: int = 0) -> None:
    if seen != sent or lost:
        raise MissingMessageError(f"{what}: {sent} were sent, {seen} were handled, {lost} were not accepted")
