"""The venue dies and comes back at the same address, and nobody else ends."""

from __future__ import annotations

import signal
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.acceptance.conftest import Open, StartDaemon, StartVenue

WITHIN = 9.0
NEAR = timedelta(seconds=1)
WISHES = (
    ("allMids",),
    ("l2Book", "--coin", "BTC", "-p", "nSigFigs=3"),
    ("userFills", "--user", "0x" + "a1" * 20),
)


def test_a_venue_that_comes_back_is_live_within_nine_seconds_and_its_readers_go_on(
    start_venue: StartVenue, start_daemon: StartDaemon, terminal: Open
) -> None:
    """The reader in the other terminal gets the next number, and is told of the gap before it."""
    venue = start_venue("--rate", "20")
    daemon = start_daemon(venue, "trio")
    for wish in WISHES:
        daemon.keep(*wish)
    reader = terminal(daemon, "subscribe", "bbo", "--coin", "ETH", "--json")
    reader.message()
    daemon.all_live()

    venue.kill()
    reader.err.until(lambda line: b"interrupted" in line)
    lost = {row["state"] for row in daemon.list().values()}
    venue.start()
    back = time.monotonic()
    daemon.all_live(within=WITHIN)
    assert time.monotonic() - back <= WITHIN

    assert "live" not in lost
    last = reader.message()
    while not (message := reader.message())["gap"]:
        assert last["seq"] + 1 == message["seq"]
        last = message
    assert (last["id"], last["epoch"], last["seq"] + 1) == (message["id"], message["epoch"], message["seq"])
    gap = [datetime.fromisoformat(message["gap"][name]) for name in ("started_at", "ended_at")]
    hole = [datetime.fromisoformat(each["received_at"]) for each in (last, message)]
    assert all(abs(told - seen) < NEAR for told, seen in zip(gap, hole, strict=True)), (gap, hole)
    reader.err.until(lambda line: b"gap of " in line)
    reader.message()
    assert 130 == reader.signal(signal.SIGINT)
    rows = daemon.list().values()
    assert {(1, 1)} == {(row["gaps"], row["reconnects"]) for row in rows}
