"""State machines: states, their timeouts, and messages that wait for another state."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import (
    CallExitError,
    ChildSpec,
    DynamicSupervisor,
    MailboxFullError,
    MailboxPolicy,
    NoReply,
    Reply,
    Shutdown,
    StateMachine,
    StateTimeout,
    Stop,
)
from wsmgr.actors.testing import settle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from wsmgr.actors import ActorRef, ReplyTo

pytestmark = pytest.mark.anyio


class Door(Enum):
    CLOSED = "closed"
    OPEN = "open"


class DoorMachine(StateMachine[Any]):
    """Takes everything but `open` only when it is open."""

    mailbox = MailboxPolicy(capacity=6)

    def __init__(self, log: list[object]) -> None:
        self.log = log

    async def init(self) -> Any:
        self.next_state(Door.CLOSED)

    async def handle_call(self, request: Any, reply_to: ReplyTo) -> Reply | NoReply | Stop:
        if request == "state":
            return Reply(self.state)
        if self.state is Door.CLOSED:
            self.postpone()
            return NoReply()
        return Reply(f"{request} while open")

    async def handle_cast(self, message: Any) -> None:
        match message, self.state:
            case ("to", Door() as state, None | float() as timeout), _:
                self.next_state(state, timeout=timeout)
            case _, Door.CLOSED:
                self.log.append(("postponed", message))
                self.postpone()
            case _:
                self.log.append(message)

    async def handle_info(self, message: object) -> None:
        self.log.append((round(anyio.current_time(), 3), message))


@pytest.fixture
def log() -> list[object]:
    return []


@pytest.fixture
async def door(no_leaks: None, log: list[object]) -> AsyncGenerator[ActorRef[Any], None]:
    async with DynamicSupervisor() as supervisor:
        yield await supervisor.start_child(ChildSpec("door", lambda: DoorMachine(log), restart="temporary"))


async def test_state_timeout_fires_once_for_the_state_it_was_set_for(
    door: ActorRef[Any], log: list[object]
) -> None:
    """`StateTimeout(state)` comes as info."""
    before = anyio.current_time()
    door.cast(("to", Door.OPEN, 2.0))
    await anyio.sleep(10)
    assert [(round(before + 2, 3), StateTimeout(Door.OPEN))] == log


async def test_change_of_state_cancels_the_timeout(door: ActorRef[Any], log: list[object]) -> None:
    """A timeout of a state that was left would be a lie."""
    door.cast(("to", Door.OPEN, 2.0))
    await anyio.sleep(1)
    door.cast(("to", Door.CLOSED, None))
    await anyio.sleep(10)
    assert log == []


async def test_same_state_keeps_the_timeout_and_a_new_one_replaces_it(
    door: ActorRef[Any], log: list[object]
) -> None:
    """Going to the state that it is in is no change."""
    before = anyio.current_time()
    door.cast(("to", Door.OPEN, 2.0))
    await anyio.sleep(1)
    door.cast(("to", Door.OPEN, None))
    await anyio.sleep(0.5)
    door.cast(("to", Door.OPEN, 5.0))
    await anyio.sleep(20)
    assert [(round(before + 6.5, 3), StateTimeout(Door.OPEN))] == log


async def test_postponed_messages_come_again_in_order_before_others(
    door: ActorRef[Any], log: list[object]
) -> None:
    """After a change of state, and only then."""
    door.cast("first")
    door.cast("second")
    await settle(lambda: len(log) == 2)
    log.clear()
    door.cast(("to", Door.OPEN, None))
    door.cast("third")
    assert await door.call("state") is Door.OPEN
    assert ["first", "second", "third"] == log


async def test_postponed_call_is_answered_in_the_state_that_can(door: ActorRef[Any]) -> None:
    """Its caller just waits."""
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await door.call("knock", timeout=math.inf))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.sleep(1)
        assert answers == []
        door.cast(("to", Door.OPEN, None))
    assert ["knock while open"] == answers


async def test_postponed_call_fails_with_the_actor(door: ActorRef[Any]) -> None:
    """Postponed is not forgotten."""
    reasons: list[object] = []

    async def ask() -> None:
        with pytest.raises(CallExitError) as caught:
            await door.call("knock", timeout=math.inf)
        reasons.append(caught.value.reason)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.sleep(1)
        await door.stop(Shutdown("over"))
    assert [Shutdown("over")] == reasons


async def test_postponed_messages_count_against_the_mailbox(door: ActorRef[Any], log: list[object]) -> None:
    """Waiting for a state that never comes must not fill the memory."""
    for number in range(6):
        door.cast(number)
    await settle(lambda: len(log) == 6)
    assert door.cast("one too many") is False
    with pytest.raises(MailboxFullError):
        await door.call("one too many")
