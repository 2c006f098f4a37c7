"""The simulated network: its sockets keep the promises of real ones, and break as they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest

from wsmgr.manager.testing.simulated import URL, World, in_virtual_time, simulated
from wsmgr.manager.transport.errors import DialError, SocketClosedError
from wsmgr.manager.transport.protocol import Closed, Dial
from wsmgr.manager.venues.hyperliquid.simulator import Limits, SimulatorOptions, parse_faults

if TYPE_CHECKING:
    from wsmgr.manager.testing.simulated import SimulatedSocket

DIAL = Dial(url=URL)
SUBSCRIBE = '{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}'
RATE = 50.0

Script = Callable[[World], Awaitable[None]]


@pytest.fixture(params=["asyncio", "trio"])
def play(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Play a script in a world of its own."""

    def play(script: Script, *faults: str, limits: Limits | None = None) -> None:
        options = SimulatorOptions(rate=RATE, faults=parse_faults(faults), limits=limits or Limits())

        async def run() -> None:
            async with simulated(options) as world:
                await script(world)

        in_virtual_time(run, backend=request.param)

    return play


class Sink:
    """Takes batches, with the time of each."""

    def __init__(self) -> None:
        self.batches: list[tuple[float, list[bytes]]] = []

    def __call__(self, batch: list[bytes]) -> None:
        self.batches.append((anyio.current_time(), list(batch)))

    @property
    def channels(self) -> list[str]:
        return [
            msgspec.json.decode(raw, type=dict[str, object])["channel"]  # type: ignore[misc]
            for _, batch in self.batches
            for raw in batch
        ]

    @property
    def times(self) -> list[int]:
        """The venue's times in the frames of bbo."""
        frames = [msgspec.json.decode(raw) for _, batch in self.batches for raw in batch]
        return [frame["data"]["time"] for frame in frames if frame["channel"] == "bbo"]


async def verdict(world: World, end: Callable[[SimulatedSocket], Awaitable[object]] | None) -> Closed:
    """Dial, subscribe, listen for a second, let `end` happen and return why the socket ended."""
    sink = Sink()
    async with world.machine.connect(DIAL, sink) as socket:
        await socket.send(SUBSCRIBE)
        await anyio.sleep(1.0)
        if end is not None:
            await end(socket)
        closed = await socket.wait_closed()
        before = len(sink.batches)
        with pytest.raises(SocketClosedError) as error:
            await socket.send(SUBSCRIBE)
        assert closed == error.value.closed
        await anyio.sleep(1.0)
        assert before == len(sink.batches), "a frame came after the end"
    assert closed == await socket.wait_closed(), "leaving replaced the verdict"
    assert {} == world.network.connections
    await anyio.sleep(1.0)
    assert {} == world.network.engine.sessions, "the venue still has the socket"
    return closed


def test_frames_come_in_order_and_later_by_the_latency(play: Callable[..., None]) -> None:
    """What is sent takes the latency up, the answer the latency down."""

    async def script(world: World) -> None:
        world.network.latency = 0.1
        sink = Sink()
        async with world.machine.connect(DIAL, sink) as socket:
            sent_at = anyio.current_time()
            await socket.send(SUBSCRIBE)
            await anyio.sleep(2.0)
        assert ["subscriptionResponse", "bbo"] == sink.channels[:2]
        assert 0.1 <= sink.batches[0][0] - sent_at <= 0.3
        assert sorted(sink.times) == sink.times
        assert len(sink.times) > RATE

    play(script)


def test_an_end_is_told_as_by_real_transports(play: Callable[..., None]) -> None:
    """A reset, a cut and a close frame of the venue differ, and our own goodbye is ours."""

    async def script(world: World) -> None:
        def venue(how: str, code: int | None = None) -> Callable[[object], Awaitable[None]]:
            async def end(_: object) -> None:
                for session in list(world.network.engine.sessions.values()):
                    session.end(how, "test", code=code)  # type: ignore[arg-type]

            return end

        reset = await verdict(world, venue("reset"))
        assert (1006, "lost") == (reset.code, reset.by)
        assert isinstance(reset.error, ConnectionResetError)
        assert Closed(code=1006, by="lost") == await verdict(world, venue("cut"))
        assert Closed(code=1012, reason="test", by="peer") == await verdict(world, venue("close", 1012))
        ours = await verdict(world, lambda socket: socket.aclose(1000, "bye"))
        assert Closed(code=1000, reason="bye", by="us") == ours

    play(script)


def test_a_connection_that_breaks_on_the_way_is_gone_at_both_ends(play: Callable[..., None]) -> None:
    """A reset by the network, and the death of the client's machine."""

    async def script(world: World) -> None:
        async def reset(_: object) -> None:
            for connection in list(world.network.connections.values()):
                connection.reset()

        async def crash(_: object) -> None:
            world.machine.crash()

        assert (await verdict(world, reset)).by == "lost"
        assert (await verdict(world, crash)).by == "lost"

    play(script)


def test_a_stalled_connection_loses_nothing_and_goes_on(play: Callable[..., None]) -> None:
    """TCP sends again what was lost: it comes at once when the way is free, in order."""

    async def script(world: World) -> None:
        sink = Sink()
        async with world.machine.connect(DIAL, sink) as socket:
            await socket.send(SUBSCRIBE)
            await anyio.sleep(1.0)
            world.network.connections[1].stall(seconds=5.0)
            await anyio.sleep(4.9)
            quiet_since = sink.batches[-1][0]
            await socket.ping()
            assert anyio.current_time() - quiet_since > 4.5
            await anyio.sleep(1.0)
            assert socket.rtt is not None
            assert socket.rtt > 0.1
            steps = {later - earlier for earlier, later in zip(sink.times, sink.times[1:], strict=False)}
            assert {0, 20} == steps | {0}, "a tick is missing"

    play(script)


def test_a_black_hole_says_nothing_and_the_venue_gives_up_after_a_minute(play: Callable[..., None]) -> None:
    """Neither a frame nor a pong, and no end."""

    async def script(world: World) -> None:
        sink = Sink()
        async with world.machine.connect(DIAL, sink) as socket:
            await socket.send(SUBSCRIBE)
            await anyio.sleep(1.0)
            world.network.connections[1].stall()
            heard_at = socket.last_inbound_at
            await socket.ping()
            await anyio.sleep(59.0)
            assert (heard_at, None) == (socket.last_inbound_at, socket.rtt)
            assert [1] == list(world.network.engine.sessions)
            await anyio.sleep(2.0)
            assert [] == list(world.network.engine.sessions)
            closing_at = anyio.current_time()
            await socket.aclose(timeout=2.0)
            assert pytest.approx(2.0) == anyio.current_time() - closing_at

    play(script)


def test_pings_are_measured_and_bytes_are_counted(play: Callable[..., None]) -> None:
    """The probe of the session stands on both."""

    async def script(world: World) -> None:
        async with world.machine.connect(DIAL, Sink()) as socket:
            before = socket.bytes_received
            await socket.ping()
            await anyio.sleep(1.0)
            assert socket.rtt is not None
            assert 0.02 <= socket.rtt <= 0.06
            assert before + 6 == socket.bytes_received

    play(script)


def test_a_silent_venue_answers_no_ping(play: Callable[..., None]) -> None:
    """The fault half_open of the simulator reaches the protocol's own frames."""

    async def script(world: World) -> None:
        async with world.machine.connect(DIAL, Sink()) as socket:
            await socket.ping()
            await anyio.sleep(5.0)
            assert socket.rtt is None

    play(script, "half_open")


def test_a_pause_holds_frames_back_and_loses_none(play: Callable[..., None]) -> None:
    """Nothing is handed over while reading is paused; a batch that pauses again stops the rest."""

    async def script(world: World) -> None:
        sink = Sink()
        async with world.machine.connect(DIAL, sink) as socket:
            await socket.send(SUBSCRIBE)
            await anyio.sleep(1.0)
            socket.pause_reading()
            before = len(sink.batches)
            await anyio.sleep(3.0)
            assert before == len(sink.batches)
            socket.resume_reading()
            await anyio.sleep(1.0)
            steps = {later - earlier for earlier, later in zip(sink.times, sink.times[1:], strict=False)}
            assert {0, 20} == steps | {0}, "a tick is missing"

    play(script)


def test_an_exception_of_the_sink_ends_the_socket_and_is_handed_back(play: Callable[..., None]) -> None:
    """It is a bug of ours, and not of the network."""
    bug = KeyError("a bug of ours")

    async def script(world: World) -> None:
        def sink(_: list[bytes]) -> None:
            raise bug

        async with world.machine.connect(DIAL, sink) as socket:
            await socket.send(SUBSCRIBE)
            assert Closed(code=None, by="us", error=bug) == await socket.wait_closed()

    play(script)


@pytest.mark.parametrize(
    ("faults", "status", "retry_after"),
    [
        (["http_429=30"], 429, 30.0),
        (["http_503=2"], 503, 2.0),
        (["http_403"], 403, None),
        (["reset_upgrade"], None, None),
        (["slow_upgrade=20"], None, None),
    ],
)
def test_a_refused_upgrade_keeps_what_was_said(
    play: Callable[..., None], faults: list[str], status: int | None, retry_after: float | None
) -> None:
    """Status and `Retry-After`; without an answer the phase alone."""

    async def script(world: World) -> None:
        with pytest.raises(DialError) as error:
            async with world.machine.connect(DIAL, Sink()):
                pass
        said = error.value
        assert ("upgrade", status, retry_after) == (said.phase, said.status, said.retry_after)
        assert {} == world.network.engine.sessions

    play(script, *faults)


@pytest.mark.parametrize(
    ("how", "phase", "took"), [("refused", "tcp", 0.1), ("silent", "tcp", 10.0), ("unresolved", "dns", 0.1)]
)
def test_a_dial_that_never_arrives_fails_in_its_phase(
    play: Callable[..., None], how: str, phase: str, took: float
) -> None:
    """At once, or at the deadline; the venue never hears of it."""

    async def script(world: World) -> None:
        world.network.unreachable = how  # type: ignore[assignment]
        began = anyio.current_time()
        with pytest.raises(DialError) as error:
            async with world.machine.connect(DIAL, Sink()):
                pass
        assert phase == error.value.phase
        assert anyio.current_time() - began <= took
        assert world.network.engine.journal.dials == 0

    play(script)


def test_a_cancelled_dial_leaves_no_session(play: Callable[..., None]) -> None:
    """Neither while the upgrade is on its way nor after the venue took it."""

    async def script(world: World) -> None:
        for patience in (0.01, 0.065, 0.07, 0.08):
            with anyio.move_on_after(patience):
                async with world.machine.connect(DIAL, Sink()):
                    await anyio.sleep_forever()
        await anyio.sleep(1.0)
        assert {} == world.network.engine.sessions
        assert {} == world.network.connections

    play(script)


def test_the_venue_counts_dials_of_any_minute(play: Callable[..., None]) -> None:
    """More than thirty within sixty seconds are refused, and the journal knows the most."""

    async def script(world: World) -> None:
        for _ in range(30):
            async with world.machine.connect(DIAL, Sink()):
                pass
        with pytest.raises(DialError):
            async with world.machine.connect(DIAL, Sink()):
                pass
        assert world.network.engine.journal.most_dials_a_minute == 31
        await anyio.sleep(61.0)
        async with world.machine.connect(DIAL, Sink()):
            pass
        assert world.network.engine.journal.most_dials_a_minute == 31

    play(script, limits=Limits.real())
