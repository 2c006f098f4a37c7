"""What a transport promises while it dials and while it receives, as checks."""

# ruff: noqa: D103, S101, SIM300 (a check's name is its promise; checks speak in assertions, expected first)

from __future__ import annotations

from functools import partial

import anyio

from wsmgr.manager.testing.peer_scripts import BAD_ANSWERS, BAD_FRAMES, numbered
from wsmgr.manager.testing.transport_check import (
    CHECK_TIMEOUT,
    Check,
    Peer,
    Sink,
    check_into,
    dial_error,
    ended,
    gone,
    heard,
    send_refused,
)
from wsmgr.manager.transport import Closed, Connect, Dial, FrameError, Socket, SocketClosedError

CHECKS: list[Check] = []
"""The checks, in the order of the life of a connection."""

_check = partial(check_into, CHECKS)


@_check("echo")
async def a_refused_tcp_connection_names_its_phase(connect: Connect, peer: Peer) -> None:  # noqa: ARG001
    error = await dial_error(connect, Dial(url="ws://127.0.0.1:1/?key=secret"))
    assert ("tcp", None, "ws://127.0.0.1:1/") == (error.phase, error.status, error.url)


@_check("refuse")
async def a_refusal_keeps_its_status_headers_and_retry_after(connect: Connect, peer: Peer) -> None:
    for how in ("length", "open"):
        for status, phase, after in (
            (401, "auth", None),
            (403, "auth", 60.0),
            (429, "upgrade", 7.0),
            (503, "upgrade", 120.0),
            (520, "upgrade", None),
        ):
            query = "x-why=limit&key=secret" + (f"&Retry-After={after:g}" if after else "")
            error = await dial_error(
                connect, Dial(url=f"{peer.url}/refuse/{status}/{how}?{query}", timeout=5)
            )
            assert (phase, status, after) == (error.phase, error.status, error.retry_after), (
                f"{how}: {error!r}"
            )
            assert error.headers["x-why"] == "limit", error.headers
            await gone(peer)


@_check("refuse")
async def a_retry_after_date_becomes_seconds(connect: Connect, peer: Peer) -> None:
    query = "Date=Wed,%2021%20Oct%202026%2007:28:00%20GMT&Retry-After=Wed,%2021%20Oct%202026%2007:28:42%20GMT"
    error = await dial_error(connect, Dial(url=f"{peer.url}/refuse/503/length?{query}", timeout=5))
    assert error.retry_after == 42.0, error  # noqa: PLR2004 (the difference of the two dates)


@_check("answer")
async def an_answer_that_is_no_upgrade_is_a_dial_error(connect: Connect, peer: Peer) -> None:
    for name in BAD_ANSWERS:
        error = await dial_error(connect, Dial(url=f"{peer.url}/answer/{name}", timeout=5))
        assert error.phase == "upgrade", f"{name}: {error!r}"
        assert "within" not in str(error), f"{name} ran into the deadline: {error}"


@_check("stall")
async def a_slow_upgrade_ends_at_the_deadline_and_names_its_phase(connect: Connect, peer: Peer) -> None:
    error = await dial_error(connect, Dial(url=f"{peer.url}/stall?key=secret", timeout=0.5))
    assert ("upgrade", None) == (error.phase, error.status)
    assert ["stalled", "gone"] == [await heard(peer), await heard(peer)]


@_check("stall")
async def a_cancelled_dial_leaves_no_socket(connect: Connect, peer: Peer) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(dial_error, connect, Dial(url=f"{peer.url}/stall"))
        assert await heard(peer) == "stalled"
        group.cancel_scope.cancel()
    await gone(peer)


# Receiving


@_check("burst")
async def frames_come_once_in_order_and_in_batches(connect: Connect, peer: Peer) -> None:
    for count, size in ((2000, 20), (300, 1600), (5, 200_000)):
        sink = Sink()
        async with connect(Dial(url=f"{peer.url}/burst/{count}/{size}"), sink):
            assert numbered(count, size) == await sink.wait_for(count)
        assert len(sink.batches) < count or count < 100, f"{count} frames came in {len(sink.batches)} batches"  # noqa: PLR2004
        await gone(peer)


@_check("early")
async def frames_that_come_with_the_upgrade_are_not_lost(connect: Connect, peer: Peer) -> None:
    for count in (1, 1, 1, 1, 1, 1, 2, 100):  # one alone is where a race between upgrade and frame would show
        sink = Sink()
        async with connect(Dial(url=f"{peer.url}/early/{count}"), sink) as socket:
            assert numbered(count, 5) == await sink.wait_for(count)
            await socket.send("later")
            assert [*numbered(count, 5), b"later"] == await sink.wait_for(count + 1)
            assert socket.bytes_received == (count + 1) * (2 + 5), socket.bytes_received
        await gone(peer)


@_check("fragments")
async def a_fragmented_message_is_put_together(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/fragments"), sink):
        assert ["grüße".encode(), b"whole"] == await sink.wait_for(2)


@_check("echo")
async def text_goes_out_and_comes_back_byte_for_byte(connect: Connect, peer: Peer) -> None:
    texts = ["", "a", "grüße ☃ \U0001f40d", "x" * 125, "y" * 126, "z" * 70_000]
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/echo"), sink) as socket:
        for text in texts:
            await socket.send(text)
            await socket.send(text.encode())
        expected = [text.encode() for text in texts for _ in range(2)]
        assert expected == await sink.wait_for(len(expected))


@_check("big")
async def a_frame_as_large_as_allowed_comes_through(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/big/{2**20}", max_frame_bytes=2**20), sink):
        assert [4, 2**20] == [len(frame) for frame in await sink.wait_for(2)]


@_check("big")
async def a_larger_frame_ends_the_connection_with_1009(connect: Connect, peer: Peer) -> None:
    for limit in (1000, 2**20):
        sink = Sink()
        async with connect(Dial(url=f"{peer.url}/big/{limit + 1}", max_frame_bytes=limit), sink) as socket:
            closed = await socket.wait_closed()
            ended(closed, code=1009, by="us")
            assert isinstance(closed.error, FrameError), closed
            assert [b"last"] == sink.frames


@_check("wide")
async def the_limit_counts_bytes_not_characters(connect: Connect, peer: Peer) -> None:
    for count, code in ((500, None), (501, 1009), (1001, 1009)):
        sink = Sink()
        async with connect(Dial(url=f"{peer.url}/wide/{count}", max_frame_bytes=1000), sink) as socket:
            await socket.send("go")
            if code is None:
                assert [4, 1000] == [len(frame) for frame in await sink.wait_for(2)]
            else:
                ended(await socket.wait_closed(), code=code, by="us")
                assert [b"last"] == sink.frames, f"{count} characters: {len(sink.frames)} frames"


@_check("frame")
async def what_breaks_the_protocol_ends_the_connection_with_its_code(connect: Connect, peer: Peer) -> None:
    for name, (code, _) in BAD_FRAMES.items():
        sink = Sink()
        async with connect(Dial(url=f"{peer.url}/frame/{name}"), sink) as socket:
            closed = await socket.wait_closed()
        assert (code, "us") == (closed.code, closed.by), f"{name}: {closed!r}"
        assert isinstance(closed.error, FrameError), f"{name}: {closed!r}"
        assert type(closed.code) is int, f"{name}: an enumeration of a library came through"
        assert [b"last"] == sink.frames, f"{name}: the frame before it was lost, or something came after it"
        said = await heard(peer)
        assert said.startswith(f"close {code}"), f"{name}: the peer said {said!r}"
        await gone(peer)


@_check("half")
async def half_a_frame_counts_as_a_sign_of_life(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/half"), sink) as socket:
        while (asked_at := anyio.current_time()) <= socket.last_inbound_at:  # noqa: ASYNC110 (waits for the clock)
            await anyio.sleep(0.001)
        await socket.send("begin")
        while socket.bytes_received < 500:  # noqa: PLR2004, ASYNC110 (half of the frame; nothing tells of half a frame)
            await anyio.sleep(0.001)
        seen_at, frames = socket.last_inbound_at, len(sink.frames)
        await socket.send("go on")
        assert [b"x" * 1000] == await sink.wait_for(1)
        assert (0, True) == (frames, asked_at <= seen_at <= socket.last_inbound_at <= anyio.current_time())
        assert socket.bytes_received == 1004, socket.bytes_received  # noqa: PLR2004 (the frame with its header)


@_check("echo")
async def a_ping_measures_the_round_trip(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/echo"), sink) as socket:
        echoes = 0
        await socket.ping()
        while (rtt := socket.rtt) is None:
            echoes += 1
            await socket.send("behind the ping")
            await sink.wait_for(echoes)
        assert echoes > 0, "there was a round-trip time before any answer"
        assert 0 < rtt < CHECK_TIMEOUT, rtt
        assert socket.last_inbound_at <= anyio.current_time()


@_check("ping")
async def a_ping_of_the_peer_is_answered(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/ping"), sink):
        assert [b"10 abc"] == await sink.wait_for(1)


@_check("flood")
async def pausing_stops_the_peer_and_resuming_loses_nothing(connect: Connect, peer: Peer) -> None:
    count, size = 4000, 4000
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/flood/{count}/{size}"), sink) as socket:
        await socket.send("go")
        await sink.wait_for(1)
        socket.pause_reading()
        before = len(sink.batches)
        assert await heard(peer) == "blocked"
        assert before == len(sink.batches), "frames were handed over while reading was paused"
        socket.resume_reading()
        assert numbered(count, size) == await sink.wait_for(count)
        said = await heard(peer)
        while said == "blocked":  # a machine under load was slow to read
            said = await heard(peer)
        assert said == "finished"


@_check("tell")
async def a_read_under_way_is_held_back_by_a_pause(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/tell"), sink) as socket:
        await anyio.wait_all_tasks_blocked()
        socket.pause_reading()
        await socket.send("go")
        assert await heard(peer) == "told"
        await anyio.wait_all_tasks_blocked()
        assert [] == sink.frames
        socket.resume_reading()
        assert [b"told"] == await sink.wait_for(1)


@_check("burst")
async def an_exception_of_the_sink_ends_the_socket_and_is_handed_back(connect: Connect, peer: Peer) -> None:
    calls: list[int] = []
    bug = KeyError("a bug of ours")

    def sink(batch: list[bytes]) -> None:
        calls.append(len(batch))
        raise bug

    async with connect(Dial(url=f"{peer.url}/burst/3000/1600"), sink) as socket:
        closed = await socket.wait_closed()
        assert closed.error is bug, closed
        assert closed.by == "us", closed
        assert len(calls) == 1, f"the sink was called {len(calls)} times"
        assert closed == await send_refused(socket)


@_check("mute")
async def a_send_waits_while_the_peer_does_not_read(connect: Connect, peer: Peer) -> None:
    sent = 0
    async with connect(Dial(url=f"{peer.url}/mute"), Sink()) as socket:
        with anyio.move_on_after(0.2) as scope:
            while True:
                await socket.send("x" * 2**20)
                sent += 1
        assert scope.cancelled_caught
        assert sent < 64, f"{sent} MiB were taken for a peer that reads nothing"  # noqa: PLR2004


@_check("mute")
async def closing_ends_a_send_that_waits(connect: Connect, peer: Peer) -> None:
    ended: list[Closed] = []

    async def send_on(socket: Socket) -> None:
        try:
            while True:
                await socket.send("x" * 2**20)
        except SocketClosedError as error:
            ended.append(error.closed)

    async with connect(Dial(url=f"{peer.url}/mute"), Sink()) as socket, anyio.create_task_group() as group:
        group.start_soon(send_on, socket)
        await anyio.wait_all_tasks_blocked()
        await socket.aclose(4000, timeout=0.1)
    assert [Closed(code=4000, by="us")] == ended
