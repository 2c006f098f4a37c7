"""An actor's timers: on time, in order, cancelled for good, no drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.actors import Actor, ChildSpec, DynamicSupervisor, Stop, Timer
from wsmgr.actors.process.timers import TimerQueue, next_tick
from wsmgr.actors.testing import Probe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from wsmgr.actors import ActorRef


class Clocked(Actor[Any]):
    """Does what it is sent; notes when which timer fired."""

    def __init__(self, fired: list[tuple[float, object]]) -> None:
        self.fired = fired

    async def handle_cast(self, message: Any) -> Stop | None:
        result: Stop | None = await message(self)
        return result

    async def handle_info(self, message: object) -> None:
        assert isinstance(message, Timer)
        self.fired.append((round(anyio.current_time() - self.started, 6), message.message))

    async def init(self) -> Any:
        self.started = anyio.current_time()


@pytest.fixture
def fired() -> list[tuple[float, object]]:
    return []


@pytest.fixture
async def clocked(no_leaks: None, fired: list[tuple[float, object]]) -> AsyncGenerator[ActorRef[Any], None]:
    async with DynamicSupervisor() as supervisor:
        yield await supervisor.start_child(ChildSpec("c", lambda: Clocked(fired), restart="temporary"))


@pytest.mark.anyio
class TestInAnActor:
    async def test_timers_fire_when_due_in_order_of_time(
        self, clocked: ActorRef[Any], fired: list[tuple[float, object]]
    ) -> None:
        """Whatever the order in which they were armed."""

        async def arm(actor: Clocked) -> None:
            for delay in (3, 1, 2, 0):
                actor.send_after(delay, delay)

        clocked.cast(arm)
        await anyio.sleep(10)
        assert [(0, 0), (1, 1), (2, 2), (3, 3)] == fired

    async def test_interval_does_not_drift_and_skips_what_a_busy_actor_missed(
        self, clocked: ActorRef[Any], fired: list[tuple[float, object]]
    ) -> None:
        """No burst of old ticks after a long handler or a suspend."""

        async def arm(actor: Clocked) -> None:
            actor.send_interval(1.0, "tick")

        async def be_busy(actor: Clocked) -> None:
            await anyio.sleep(3.5)

        clocked.cast(arm)
        await anyio.sleep(1.2)
        clocked.cast(be_busy)
        await anyio.sleep(5)
        assert [1.0, 4.7, 5.0, 6.0] == [at for at, _ in fired]

    async def test_cancelled_timer_never_arrives_even_when_it_is_queued_already(
        self, clocked: ActorRef[Any], fired: list[tuple[float, object]]
    ) -> None:
        """`cancel` is a promise, not an attempt."""

        async def arm(actor: Clocked) -> None:
            first = actor.send_after(1, "cancels")
            second = actor.send_after(1, "cancelled")
            record = actor.handle_info

            async def cancel_second(message: object) -> None:
                second.cancel()
                await record(message)

            actor.handle_info = cancel_second  # type: ignore[method-assign]
            assert first.message == "cancels"

        clocked.cast(arm)
        await anyio.sleep(5)
        assert [(1.0, "cancels")] == fired

    async def test_timer_armed_by_a_helper_task_wakes_the_actor(
        self, clocked: ActorRef[Any], fired: list[tuple[float, object]]
    ) -> None:
        """The loop waits for the deadline that is nearest now, not when it fell asleep."""

        async def arm(actor: Clocked) -> None:
            async def later() -> None:
                await anyio.sleep(1)
                actor.send_after(1, "from the helper")

            actor.start_soon(later)

        clocked.cast(arm)
        await anyio.sleep(5)
        assert [(2.0, "from the helper")] == fired

    async def test_timers_end_with_their_actor(
        self, clocked: ActorRef[Any], fired: list[tuple[float, object]]
    ) -> None:
        """No timer outlives its incarnation."""

        async def arm(actor: Clocked) -> Stop:
            actor.send_after(1, "late")
            return Stop()

        clocked.cast(arm)
        await anyio.sleep(5)
        assert fired == []

    @pytest.mark.parametrize("delay", [-1.0, float("nan"), float("inf")])
    async def test_delay_that_is_none_is_refused(self, clocked: ActorRef[Any], delay: float) -> None:
        """A timer that cannot fire is a bug at its caller."""
        seen: list[Exception] = []

        async def arm(actor: Clocked) -> None:
            try:
                actor.send_after(delay, "never")
            except ValueError as error:
                seen.append(error)

        clocked.cast(arm)
        await anyio.sleep(1)
        assert len(seen) == 1


def test_cancelled_timers_do_not_pile_up() -> None:
    """Arming and cancelling at a high rate, as a probe does, keeps the heap small."""
    queue = TimerQueue()
    for number in range(10_000):
        queue.add(number, 1e9).cancel()
    assert len(queue.heap) < 200


@given(due=st.floats(0, 1e6), interval=st.floats(0.001, 1e4), late=st.floats(0, 1e6))
def test_next_tick_is_after_now_and_at_most_one_interval_away(
    due: float, interval: float, late: float
) -> None:
    """Whatever was missed, the next tick is the next one."""
    now = due + late
    tick = next_tick(due, interval, now)
    assert now < tick or tick == pytest.approx(now)
    assert tick <= now + interval * (1 + 1e-9)


def test_probe_is_not_needed_for_a_timer_to_be_readable() -> None:
    """It prints what it is for."""
    assert "tick" in repr(TimerQueue().add("tick", 1.0, interval=2.0))
    assert Probe().name == "probe"
