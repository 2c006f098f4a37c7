"""What changes how the daemon works, and what says why it is as it is: over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.manager.daemon.conftest import RunDaemon, RunningDaemon, eventually
from tests.manager.daemon.test_api import ask_plainly, members_of

from wsmgr.manager.daemon.errors import DaemonError
from wsmgr.manager.model.continuity import Gap, Interruption
from wsmgr.manager.model.fact import Fact, GapClosed, GapOpened
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.type_views import TypeView
from wsmgr.manager.runtime.why import WhyView

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

NOWHERE = "ws://127.0.0.1:9/ws"


async def post(daemon: RunningDaemon, path: str) -> Any:
    return await daemon.ask(daemon.client.post, path, None)


def open_sockets(simulator: SimulatorThread) -> list[int]:
    return [socket["connection"] for socket in simulator.log()["connections"] if socket["closed_at"] is None]


@pytest.mark.parametrize("path", ["/v1/reconnect", "/v1/connections/hyperliquid-1/reconnect"])
async def test_a_connection_gets_a_new_socket_and_nothing_is_missed(
    path: str, simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """Make before break: the stream goes on without a hole, and the old socket is gone."""
    async with run_daemon(simulator.address.url) as daemon:
        book = await daemon.manager.subscribe("bbo", coin="BTC", policy="drop_oldest", wait="live")
        before = open_sockets(simulator)
        assert {"reconnecting": ["hyperliquid-1"]} == await post(daemon, path)
        with anyio.fail_after(20):
            while set(before) & set(open_sockets(simulator)):  # noqa: ASYNC110 - the venue tells nobody
                await anyio.sleep(0.05)
        seqs = [item.seq for item in await book.batch() if isinstance(item, Message)]
        gaps = (await daemon.get("/v1/gaps", subscription=book.id, open=True))["items"]
    assert list(range(seqs[0], seqs[0] + len(seqs))) == seqs
    assert [] == gaps


async def test_a_connection_that_there_is_not_cannot_be_reconnected(run_daemon: RunDaemon) -> None:
    """The id is in the problem."""
    async with run_daemon(NOWHERE) as daemon:
        with pytest.raises(DaemonError, match="no connection with the id 'hyperliquid-9'") as caught:
            await post(daemon, "/v1/connections/hyperliquid-9/reconnect")
        assert {"reconnecting": []} == await post(daemon, "/v1/reconnect")
    assert (404, "hyperliquid-9") == (caught.value.status, caught.value.problem["id"])


async def test_streams_that_fit_on_one_connection_are_brought_together(
    simulator: SimulatorThread, run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rebalance` names what begins to empty; without anything to do it names nothing."""
    monkeypatch.setattr("wsmgr.manager.model.progress.QUARANTINE", 0.0)
    async with run_daemon(simulator.address.url) as daemon:
        plain = await daemon.subscribe("l2Book", params={"coin": "BTC"}, wait="live", keep=True)
        await daemon.subscribe("bbo", params={"coin": "BTC"}, wait="live", keep=True)
        variant = {"coin": "BTC", "nSigFigs": 3}
        await daemon.subscribe("l2Book", params=variant, wait="live", keep=True)
        assert 2 == len(daemon.manager.connection_info())
        assert {"rebalancing": []} == await post(daemon, "/v1/rebalance")
        await daemon.ask(daemon.client.delete, f"/v1/subscriptions/{plain['id']}")
        begun: list[str] = []
        with anyio.fail_after(10):
            while not begun:  # the unsubscribe has to be acknowledged first
                begun = (await post(daemon, "/v1/rebalance"))["rebalancing"]
        await eventually(lambda: len(daemon.manager.connection_info()) == 1)
    assert {"hyperliquid-1", "hyperliquid-2"} >= set(begun)


async def test_a_drain_is_accepted_first_and_then_ends_the_manager(run_daemon: RunDaemon) -> None:
    """The answer names the process; from then on nothing new is taken, and whoever runs the manager leaves it."""
    async with run_daemon(NOWHERE) as daemon:
        answers: list[tuple[int, str | None, bytes]] = []
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(daemon.manager.run_forever)
                answers.append(await daemon.ask(ask_plainly, daemon.path, "POST", "/v1/drain"))
        # The group has been left: `run_forever` has returned.
        with pytest.raises(DaemonError) as caught:
            await daemon.subscribe("bbo", params={"coin": "BTC"}, wait="none")
        health = await daemon.get("/v1/health")
    ((status, _, body),) = answers
    assert (202, ["pid"]) == (status, list(json.loads(body)))
    assert ("manager-closed", "ending") == (caught.value.kind, health["status"])


async def test_why_says_what_is_so_on_what_evidence_and_what_comes_next(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A live stream is explained, and so is one whose venue cannot be reached."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("trades", params={"coin": "BTC"}, wait="live", keep=True)
        live = await daemon.get(f"/v1/subscriptions/{row['id']}/why")
        with pytest.raises(DaemonError) as caught:
            await daemon.get("/v1/subscriptions/nobody/why")
    assert members_of(WhyView) == list(live)
    assert ("live", "hyperliquid-1", "venue") == (live["state"], live["connection"], live["decided_by"])
    assert "delivers on hyperliquid-1" in live["summary"]
    assert 404 == caught.value.status


async def test_why_shows_the_end_of_the_socket_that_made_the_gap_and_no_other_one(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """Who asks why there was a gap sees what ended its socket, beside what was decided about the stream itself."""
    async with run_daemon(simulator.address.url) as daemon:
        mine = await daemon.subscribe("trades", params={"coin": "BTC"}, wait="live", keep=True)
        other = await daemon.subscribe(
            "bbo", params={"coin": "ETH"}, connection="dedicated", wait="live", keep=True
        )
        context = daemon.manager.engine.context
        for connection, reason in (
            (mine["connection"], "no route to host"),
            (other["connection"], "not mine"),
        ):
            context.note(
                Fact(
                    kind="connection_lost",
                    level="warning",
                    connection=connection,
                    detail={"reason": reason},
                )
            )
        context.note(Fact(kind="stale", level="warning", subscription_id=mine["id"]))
        history = (await daemon.get(f"/v1/subscriptions/{mine['id']}/why"))["history"]
    assert [("stale", None), ("connection_lost", "no route to host"), ("connected", None)] == [
        (event["kind"], event["detail"].get("reason")) for event in history
    ]


async def test_why_of_what_cannot_be_dialled_says_so_and_when_it_is_tried_again(
    run_daemon: RunDaemon,
) -> None:
    """Who decided: the dialer; on what evidence: how often it dialled."""
    async with run_daemon(NOWHERE) as daemon:
        row = await daemon.subscribe("trades", params={"coin": "BTC"}, wait="none", keep=True)
        await eventually(lambda: bool(daemon.entry(row["id"]).connection))
        dials = daemon.entry(row["id"]).connection
        await eventually(lambda: dials is not None and dials.next_attempt_at is not None)
        found = await daemon.get(f"/v1/subscriptions/{row['id']}/why")
    assert ("pending", "dialer") == (found["state"], found["decided_by"])
    assert "refused" in found["summary"]
    assert "the connection dials" == found["next"]["what"]


async def test_gaps_that_are_not_proved_can_be_asked_for_alone(run_daemon: RunDaemon) -> None:
    """What is whole again needs nobody's attention; what still goes on does."""
    async with run_daemon(NOWHERE) as daemon:
        note = daemon.manager.engine.context.note
        proofs: list[Any] = ["empty", None, "filled"]
        for number, proof in enumerate(proofs):
            gap = Gap(started_at=number, ended_at=9.0, duration=1.0, reason=str(proof), proof=proof)
            note(GapClosed(subscription_id="abc", gap=gap))
        going_on = Interruption(since=5.0, since_monotonic=1.0, reason="going on")
        note(GapOpened(subscription_id="abc", interruption=going_on))
        unproved = (await daemon.get("/v1/gaps", open=True))["items"]
        everything = (await daemon.get("/v1/gaps"))["items"]
    assert ["going on", "None"] == [gap["reason"] for gap in unproved]
    assert ["going on", "filled", "None", "empty"] == [gap["reason"] for gap in everything]


async def test_a_subscription_can_be_wanted_on_two_sockets(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """Killing either loses nothing; a type that cannot be merged is refused with the reason."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("trades", params={"coin": "BTC"}, redundancy=2, keep=True, wait="live")
        entry = daemon.entry(row["id"])
        await eventually(lambda: entry.second is not None)
        for wish in ({"type": "allMids", "redundancy": 2}, {"type": "allMids", "redundancy": 3}):
            with pytest.raises(DaemonError, match=r"two sockets|choose 1 or 2") as caught:
                await daemon.ask(daemon.client.subscribe, wish)
            assert 422 == caught.value.status
        assert entry.second is not None
        there = entry.second.connection.id
        listed = await daemon.get(f"/v1/subscriptions/{row['id']}")
        counted = {
            each["id"]: each["subscriptions"] for each in (await daemon.get("/v1/connections"))["items"]
        }
    assert 2 == entry.redundancy == listed["redundancy"]
    assert there == listed["second_connection"] != listed["connection"]
    assert {listed["connection"]: 1, there: 1} == counted


async def test_types_say_whether_their_frames_are_numbered(run_daemon: RunDaemon) -> None:
    """Where they are not, a single withheld frame leaves no trace, and nobody is told otherwise."""
    async with run_daemon(NOWHERE) as daemon:
        types = (await daemon.get("/v1/types"))["items"]
    assert members_of(TypeView) == list(types[0])
    assert {False} == {each["numbered"] for each in types}
