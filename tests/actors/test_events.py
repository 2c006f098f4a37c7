"""Reports: data for programs, log lines for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from wsmgr.actors import (
    CallExitError,
    ChildSpec,
    Crash,
    Exited,
    MailboxPolicy,
    Normal,
    Restarting,
    Shutdown,
    Started,
    StartError,
    Stop,
    Supervisor,
)
from wsmgr.actors.testing import EventRecorder, Probe, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    expected = {
        "supervisor": "Supervisor",
        "error_context": "child_terminated",
        "reason": "crash: ValueError: crash of 7",
        "offender": {
            "id": "crashes",
            "pid": str(crashes),
            "restart": "temporary",
            "shutdown": 5.0,
            "type": "worker",
        },
        "last_message": "function",
        "status": None,
    }
    assert expected == {name: getattr(errors[0], name) for name in expected}


class Discreet(Probe):
    """Says what may be seen of it."""

    secret = "hunter2"

    def format_status(self) -> Mapping[str, object]:
        if self.name == "broken":
            raise LookupError("nothing to see")
        return {"secret": "***", "name": self.name}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("d", {"secret": "***", "name": "d"}),
        ("broken", {"format_status": "raised LookupError('nothing to see')"}),
    ],
)
async def test_crash_shows_the_status_that_the_actor_shows_of_itself(
    recorder: EventRecorder, caplog: pytest.LogCaptureFixture, name: str, status: dict[str, str]
) -> None:
    """And what it was handling: as an object to listeners, as the name of its class in the log."""
    spec = ChildSpec("d", lambda: Discreet(name), restart="temporary")
    async with Supervisor([spec], on_event=recorder) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        with pytest.raises(CallExitError):
            await ref.call(crash)
    (exited,) = [event for event in recorder.of(Exited) if event.ref is ref]
    assert status == exited.status
    assert crash is exited.last_message
    (record,) = [record for record in caplog.records if getattr(record, "event", None) == "Exited"]
    assert status == vars(record)["status"]
    assert "function" == vars(record)["last_message"]
    assert "hunter2" not in caplog.text


async def test_start_that_fails_is_logged_as_a_start_error(caplog: pytest.LogCaptureFixture) -> None:
    """OTP's context for it; the end of the child before its acknowledgement."""

    class Stillborn(Probe):
        async def init(self) -> None:
            raise OSError("no such thing")

    with pytest.raises(StartError):
        await Supervisor([ChildSpec("s", Stillborn)], name="top").run()
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    fields = vars(record)
    assert ("top", "start_error") == (fields["supervisor"], fields["error_context"])
    assert "crash: OSError: no such thing" == fields["reason"]


async def test_events_are_counted_with_those_of_the_supervisors_below(recorder: EventRecorder) -> None:
    """Each supervisor counts what happens below it, a root itself too, and a listener that stands twice is told once."""
    inner: list[Supervisor] = []

    def below() -> Supervisor:
        inner.append(Supervisor([ChildSpec("p", Probe)], on_event=recorder))
        return inner[-1]

    async with Supervisor([ChildSpec("below", below, type="supervisor")], on_event=recorder) as top:
        ref = inner[0].which_children()[0].ref
        assert ref is not None
        ref.cast(crash)
        await recorder.wait_for(Started, where=lambda event: event.restarts == 1)
        assert {"Started": 2, "Exited": 1, "Restarting": 1} == inner[0].event_counts()
        assert {"Started": 4, "Exited": 1, "Restarting": 1} == top.event_counts()
        assert len(recorder.of(Exited)) == 1


async def test_mail_that_nobody_read_is_counted_for_the_whole_tree() -> None:
    """After an end, at the end, and over the bound: nothing is lost silently."""

    class Narrow(Probe):
        mailbox = MailboxPolicy(capacity=1, overflow="drop_newest")

    specs = [ChildSpec("gone", Probe), ChildSpec("narrow", Narrow)]
    async with Supervisor(specs) as supervisor:
        assert supervisor.dead_letters == 0
        gone, narrow = (child.ref for child in supervisor.which_children())
        assert gone is not None
        assert narrow is not None
        await supervisor.terminate_child("gone")
        assert gone.cast("after its end") is False
        narrow.cast("taken")
        assert narrow.cast("over the bound") is False
        assert supervisor.dead_letters == 2
        assert (1, 1) == (gone.dead_letters, narrow.dead_letters)
