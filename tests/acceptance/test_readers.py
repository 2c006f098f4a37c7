"""Several readers of one subscription, each in a terminal of its own."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.acceptance.conftest import Open, StartDaemon, StartVenue

USER = "0x" + "b0" * 20


def fills_of(message: dict[str, Any]) -> set[int]:
    """Return the numbers of the fills in a message."""
    return {fill["tid"] for fill in message["data"]["fills"]}


def test_two_readers_are_one_id_and_one_frame_to_the_venue_and_ctrl_c_ends_one_alone(
    start_venue: StartVenue, start_daemon: StartDaemon, terminal: Open
) -> None:
    """The one that stays misses nothing, is told of nothing, and costs the venue nothing."""
    venue = start_venue("--rate", "50")
    daemon = start_daemon(venue, "asyncio")
    wish = ("subscribe", "l2Book", "--coin", "BTC", "--json")
    first, second = terminal(daemon, *wish), terminal(daemon, *wish)
    ids = {reader.message()["id"] for reader in (first, second)}

    assert 130 == first.signal(signal.SIGINT)
    last = [json.loads(line)["seq"] for line in first.out.rest()][-1:] or [0]
    previous = second.message()
    while previous["seq"] < last[0] + 50:
        message = second.message()
        assert (previous["seq"] + 1, None) == (message["seq"], message["gap"])
        previous = message

    assert {(id_, 1) for id_ in ids} == {(row["id"], row["consumers"]) for row in daemon.list().values()}
    assert [{"type": "l2Book", "coin": "BTC"}] == venue.wire("subscribe")
    assert [] == venue.wire("unsubscribe")


def test_a_second_reader_gets_the_snapshot_that_the_venue_sent_only_once(
    start_venue: StartVenue, start_daemon: StartDaemon, terminal: Open
) -> None:
    """First what the first reader was given, then what follows, without hole or overlap."""
    venue = start_venue("--rate", "20")
    daemon = start_daemon(venue, "trio")
    wish = ("subscribe", "userFills", "--json", "--user")
    first = terminal(daemon, *wish, USER)
    snapshot, *later = [first.message() for _ in range(4)]
    second = terminal(daemon, *wish, USER.replace("b", "B"))
    replayed, following = second.message(), second.message()

    assert [True, True] == [message["data"]["isSnapshot"] for message in (snapshot, replayed)]
    assert (True, False) == (snapshot["snapshot"], snapshot["replayed"])
    assert (True, True) == (replayed["snapshot"], replayed["replayed"])
    assert snapshot["id"] == replayed["id"] == following["id"]
    assert fills_of(snapshot).union(*map(fills_of, later)) <= fills_of(replayed)
    assert replayed["seq"] + 1 == following["seq"]
    assert not fills_of(replayed) & fills_of(following)
    assert [{"type": "userFills", "user": USER}] == venue.wire("subscribe")
