"""Captured frames of the venue, out of the command line as they went in."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import start_daemon_in, start_venue_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.terminal import Daemon
    from tests.cli.conftest import Cli

CAPTURE = Path(__file__).parents[1] / "data" / "hyperliquid-testnet-2025-07.jsonl"
RATE = "100"


def captured() -> dict[str, list[bytes]]:
    """Return the bytes of the `frame` members, in order, by the command line's words for their subscription."""
    frames: dict[str, list[bytes]] = {}
    for line in CAPTURE.read_text().splitlines():
        params = dict(json.loads(line)["subscription"])
        words = " ".join([params.pop("type"), *(f"--{name} {value}" for name, value in params.items())])
        begin = line.index('"frame":') + len('"frame":')
        end = json.JSONDecoder().raw_decode(line, begin)[1]
        frames.setdefault(words, []).append(line[begin:end].encode())
    return frames


FRAMES = captured()


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon on trio; the readers without a daemon run on asyncio, so that both transports carry the frames."""
    with ExitStack() as stack:
        yield start_daemon_in(stack, start_venue_in(stack, "--replay", str(CAPTURE), "--rate", RATE), "trio")


def test_the_capture_holds_fourteen_types() -> None:
    """A file that was cut short does not pass for all of it."""
    assert 14 == len({words.split()[0] for words in FRAMES}) == len(FRAMES)


@pytest.mark.parametrize("words", FRAMES)
def test_raw_prints_the_bytes_that_the_venue_sent(words: str, daemon: Daemon, cli: Cli) -> None:
    """Every frame of the type, each with a line feed, with a daemon and without one."""
    wanted = b"".join(frame + b"\n" for frame in FRAMES[words])
    command = ["--url", daemon.url, "subscribe", *words.split(), "--raw", "--count", str(len(FRAMES[words]))]
    alone = cli("--no-attach", *command)
    assert (0, wanted) == (alone.code, alone.out)
    attached = cli("--attach", "--state-dir", str(daemon.state_dir), *command)
    assert (0, wanted) == (attached.code, attached.out)
