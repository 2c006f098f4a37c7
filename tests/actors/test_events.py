"""Reports: data for programs, log lines for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from wsmgr.actors import (
    ChildSpec,
    Crash,
    Exited,
    Normal,
    Restarting,
    Shutdown,
    Started,
    Stop,
    Supervisor,
)
from wsmgr.actors.testing import EventRecorder, Probe, settle

if TYPE_CHECKING:
    from wsmgr.actors import Event

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


async def crash(probe: Probe) -> None:
    secret = "hunter2"
    raise ValueError(f"crash of {len(secret)}")


async def test_life_is_reported_in_order(recorder: EventRecorder) -> None:
    """Started, Exited, Restarting, Started, Exited."""
    async with Supervisor([ChildSpec("a", Probe)], on_event=recorder, name="top") as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        ref.cast(crash)
        await recorder.wait_for(Started, where=lambda event: event.restarts == 1)
    kinds = [(type(event), getattr(event, "child_id", None)) for event in recorder.events]
    assert [
        (Started, "a"),
        (Started, "top"),
        (Exited, "a"),
        (Restarting, "a"),
        (Started, "a"),
        (Exited, "a"),
        (Exited, "top"),
    ] == kinds
    reasons = [event.reason for event in recorder.of(Exited)]
    assert isinstance(reasons[0], Crash)
    assert [Shutdown(), Shutdown()] == reasons[1:]


async def test_nested_supervisors_inherit_the_listener(recorder: EventRecorder) -> None:
    """One listener at the root sees the whole tree; a nested one of its own sees only below."""
    own = EventRecorder()
    inner = ChildSpec(
        "inner", lambda: Supervisor([ChildSpec("leaf", Probe)], on_event=own), type="supervisor"
    )
    async with Supervisor([inner, ChildSpec("b", Probe)], on_event=recorder):
        pass
    assert {"leaf", "inner", "b"} <= {event.child_id for event in recorder.of(Started)}
    assert {"leaf"} == {event.child_id for event in own.of(Started)}


async def test_listener_that_raises_harms_nobody(
    recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the supervisor goes on."""

    def broken(event: Event) -> None:
        raise RuntimeError("listener")

    async with Supervisor([ChildSpec("a", Probe)], on_event=broken) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        assert await ref.call("fine") == "fine"
    assert any(record.exc_info for record in caplog.records)


async def test_crash_whose_error_says_that_it_is_expected_is_no_alarm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A lost connection is part of the work: one line, no traceback. It is a crash all the same: it is restarted."""
    caplog.set_level(logging.DEBUG, logger="wsmgr.actors")

    class LostError(Exception):
        expected = True

    async def lose(_probe: Probe) -> None:
        raise LostError("the line went dead")

    async with Supervisor([ChildSpec("line", Probe)]) as supervisor:
        first = supervisor.which_children()[0].ref
        assert first is not None
        first.cast(lose)
        await settle(lambda: supervisor.which_children()[0].ref is not first)
    ends = [record for record in caplog.records if "the line went dead" in record.getMessage()]
    assert [logging.INFO] == [record.levelno for record in ends if record.getMessage().startswith(str(first))]
    assert not any(record.exc_info for record in caplog.records)


async def test_crash_is_an_error_in_the_log_and_an_expected_end_is_not(
    recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """No false alarms; structured fields; no local variables."""
    caplog.set_level(logging.DEBUG, logger="wsmgr.actors")

    async def stop(probe: Probe) -> Stop:
        return Stop(Normal())

    specs = [ChildSpec(name, Probe, restart="temporary") for name in ("crashes", "stops")]
    async with Supervisor(specs, on_event=recorder) as supervisor:
        crashes, stops = (child.ref for child in supervisor.which_children())
        assert crashes is not None
        assert stops is not None
        crashes.cast(crash)
        stops.cast(stop)
        await settle(lambda: supervisor.which_children() == [])
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert ["Exited"] == [getattr(record, "event", None) for record in errors]
    assert "hunter2" not in caplog.text
    assert errors[0].exc_info is not None
    assert getattr(errors[0], "detail", {})["child_id"] == "crashes"
