"""Messages a second through the whole pipeline, embedded, beside bare loops in the same run.

    python bench/pipeline.py [FRAMES] [ROUNDS]

For l2Book frames of 1.6 KB: the bare `picows` + `orjson` loop (each frame decoded), a bare `trio-websocket` + `orjson` loop, and
wsmgr on asyncio (uvloop) and trio, once with the consumer reading `raw` only and once reading `.data`. A raw figure against a
loop that decodes everything compares unlike work: it shows what lazy decoding saves a consumer that does not need the
payload. Prints medians and ratios.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import orjson
import picows
import trio
import trio_websocket
import uvloop

from wsmgr.manager.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SUBSCRIBE = b'{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}'
HERE = Path(__file__).parent


class _Bare(picows.WSListener):
    def __init__(self, frames: int) -> None:
        self.left = frames + 1
        self.started = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        transport.send(picows.WSMsgType.TEXT, SUBSCRIBE)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        orjson.loads(frame.get_payload_as_memoryview())
        if not self.started:
            self.started = time.perf_counter()
        self.left -= 1
        if not self.left:
            self.done.set_result(time.perf_counter() - self.started)


async def bare_picows(url: str, frames: int) -> float:
    """Return the seconds that a bare picows loop takes, with every frame decoded by orjson."""
    transport, listener = await picows.ws_connect(lambda: _Bare(frames), url)
    seconds: float = await listener.done  # type: ignore[attr-defined]  # our own listener
    transport.disconnect()
    return seconds


async def bare_trio(url: str, frames: int) -> float:
    """Return the seconds that a bare trio-websocket loop takes, with every frame decoded by orjson."""
    seconds = 0.0
    # The sender has more frames than are counted here, so it never answers the close.
    with contextlib.suppress(trio_websocket.DisconnectionTimeout):
        async with trio_websocket.open_websocket_url(url, disconnect_timeout=0.01) as socket:
            await socket.send_message(SUBSCRIBE.decode())
            orjson.loads(await socket.get_message())
            started = time.perf_counter()
            for _ in range(frames):
                orjson.loads(await socket.get_message())
            seconds = time.perf_counter() - started
    return seconds


async def through_wsmgr(url: str, frames: int, *, data: bool) -> float:
    """Return the seconds that the whole pipeline takes; the consumer reads `raw`, or `data`."""
    async with Manager(url=url) as manager:
        # With `block` nothing is dropped and nothing conflated: every frame that was sent is delivered.
        book = await manager.subscribe("l2Book", coin="BTC", policy="block")
        started = time.perf_counter()
        seen = 0
        async for message in book:
            if data:
                message.data["levels"]  # reading it is what is measured
            seen += 1
            if seen == frames:
                break
        seconds = time.perf_counter() - started
        if message.seq != frames:
            raise RuntimeError(f"frame {message.seq} was the {frames}th to be delivered: some are missing")
        return seconds


def on_asyncio(function: Callable[[], Awaitable[float]]) -> float:
    """Run on asyncio with uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(function())  # type: ignore[arg-type]  # every case is a coroutine function


def main() -> None:
    """Measure and print."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    cores = sorted(os.sched_getaffinity(0))
    sender = subprocess.Popen(
        [sys.executable, str(HERE / "sender.py"), str(frames)], stdout=subprocess.PIPE, text=True
    )
    os.sched_setaffinity(sender.pid, {cores[-1]})
    os.sched_setaffinity(0, {cores[0]})
    assert sender.stdout is not None
    url = f"ws://127.0.0.1:{int(sender.stdout.readline())}/ws"
    cases: dict[str, Callable[[], float]] = {
        "bare picows + orjson (asyncio)": lambda: on_asyncio(lambda: bare_picows(url, frames)),
        "wsmgr raw (asyncio)": lambda: on_asyncio(lambda: through_wsmgr(url, frames, data=False)),
        "wsmgr .data (asyncio)": lambda: on_asyncio(lambda: through_wsmgr(url, frames, data=True)),
        "bare trio-websocket + orjson (trio)": lambda: trio.run(bare_trio, url, frames // 4),
        "wsmgr raw (trio)": lambda: anyio.run(_raw, url, frames // 4, backend="trio"),
        "wsmgr .data (trio)": lambda: anyio.run(_data, url, frames // 4, backend="trio"),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    try:
        for _ in range(rounds):
            for name, case in cases.items():
                count = frames // 4 if "(trio)" in name else frames
                taken[name].append(count / case())
    finally:
        sender.terminate()
        sender.wait()
    _report({name: statistics.median(rates) for name, rates in taken.items()}, frames, rounds)


async def _raw(url: str, frames: int) -> float:
    return await through_wsmgr(url, frames, data=False)


async def _data(url: str, frames: int) -> float:
    return await through_wsmgr(url, frames, data=True)


def _report(rates: dict[str, float], frames: int, rounds: int) -> None:
    floors = {"asyncio": "bare picows + orjson (asyncio)", "trio": "bare trio-websocket + orjson (trio)"}
    print(f"l2Book 1.6 KB, {frames} frames (a quarter on trio), medians of {rounds} rounds")
    for name, rate in rates.items():
        backend = "trio" if "(trio)" in name else "asyncio"
        print(f"{name:40} {rate:12,.0f}/s   {rate / rates[floors[backend]]:.2f} of the bare loop")
    print(json.dumps(rates), file=sys.stderr)


if __name__ == "__main__":
    main()
