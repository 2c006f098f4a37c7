"""What a transport promises about the end of a connection, as checks."""

# ruff: noqa: D103, S101, SIM300 (a check's name is its promise; checks speak in assertions, expected first)

from __future__ import annotations

from functools import partial

import anyio

from wsmgr.manager.testing.transport_check import (
    Check,
    Peer,
    Sink,
    check_into,
    ended,
    gone,
    heard,
    send_refused,
)
from wsmgr.manager.transport import Closed, Connect, Dial

CHECKS: list[Check] = []
"""The checks, from a good end to bad ones."""

_check = partial(check_into, CHECKS)


@_check("close")
async def the_peers_close_code_and_reason_are_kept_and_answered(connect: Connect, peer: Peer) -> None:
    for code in (1000, 1001, 1008, 1012, 3000, 4001):
        sink = Sink()
        async with connect(Dial(url=f"{peer.url}/close/{code}/bye"), sink) as socket:
            closed = await socket.wait_closed()
            assert Closed(code=code, reason="bye", by="peer") == closed
            assert type(closed.code) is int, "an enumeration of a library came through"
            assert [b"last"] == sink.frames
            assert closed == await send_refused(socket) == await socket.wait_closed()
        assert await heard(peer) == f"answered {code}"
        await gone(peer)


@_check("bare-close")
async def a_close_frame_without_a_code_is_1005(connect: Connect, peer: Peer) -> None:
    async with connect(Dial(url=f"{peer.url}/bare-close"), Sink()) as socket:
        ended(await socket.wait_closed(), code=1005, by="peer")


@_check("echo")
async def our_close_code_and_reason_reach_the_peer(connect: Connect, peer: Peer) -> None:
    for code, reason in ((1000, ""), (1001, "restart"), (4000, "ü" * 100)):
        async with connect(Dial(url=f"{peer.url}/echo"), Sink()) as socket:
            await socket.aclose(code, reason)
            await socket.aclose(1011, "a second time changes nothing")
            sent = "ü" * 61 if reason.startswith("ü") else reason
            assert (
                Closed(code=code, reason=sent, by="us")
                == await socket.wait_closed()
                == await send_refused(socket)
            )
            assert await heard(peer) == f"close {code} {sent}".rstrip()
        await gone(peer)


@_check("mute")
async def a_peer_that_never_answers_the_goodbye_is_left_at_the_deadline(connect: Connect, peer: Peer) -> None:
    async with connect(Dial(url=f"{peer.url}/mute"), Sink()) as socket:
        began = anyio.current_time()
        await socket.aclose(timeout=0.1)
        assert anyio.current_time() - began < 2, "the goodbye waited beyond its deadline"  # noqa: PLR2004
        ended(await socket.wait_closed(), code=1000, by="us")


@_check("mute")
async def leaving_the_block_takes_no_longer_than_a_second(connect: Connect, peer: Peer) -> None:
    async with connect(Dial(url=f"{peer.url}/mute"), Sink()) as socket:
        socket.pause_reading()
        began = anyio.current_time()
    assert anyio.current_time() - began < 1.5, "leaving took too long"  # noqa: PLR2004
    ended(await socket.wait_closed(), code=None, by="us")


@_check("vanish")
async def a_connection_that_ends_without_a_close_frame_is_lost(connect: Connect, peer: Peer) -> None:
    for how, error in (("fin", type(None)), ("rst", ConnectionResetError)):
        async with connect(Dial(url=f"{peer.url}/vanish/{how}"), Sink()) as socket:
            await socket.send("go")
            closed = await socket.wait_closed()
            ended(closed, code=1006, by="lost")
            assert isinstance(closed.error, error), f"{how}: {closed!r}"
            assert closed == await send_refused(socket)


@_check("echo")
async def cancelling_a_wait_harms_nothing(connect: Connect, peer: Peer) -> None:
    sink = Sink()
    async with connect(Dial(url=f"{peer.url}/echo"), sink) as socket:
        with anyio.move_on_after(0):
            await socket.wait_closed()
        await socket.send("still here")
        assert [b"still here"] == await sink.wait_for(1)
    await gone(peer)


@_check("echo")
async def cancelling_the_block_ends_the_connection(connect: Connect, peer: Peer) -> None:
    with anyio.CancelScope() as scope:
        async with connect(Dial(url=f"{peer.url}/echo"), Sink()) as socket:
            scope.cancel()
            await socket.wait_closed()
    assert scope.cancelled_caught
    await gone(peer)


@_check("echo")
async def an_exception_of_the_block_comes_out_as_it_is(connect: Connect, peer: Peer) -> None:
    bug = ValueError("of the block")

    async def block() -> None:
        async with connect(Dial(url=f"{peer.url}/echo"), Sink()):
            raise bug

    raised: list[Exception] = []
    try:
        await block()
    except Exception as error:  # noqa: BLE001 (which one it is, is the question)
        raised.append(error)
    assert [bug] == raised
    await gone(peer)
