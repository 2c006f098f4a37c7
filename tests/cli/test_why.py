"""`wsmgr why`, and what `wsmgr gaps` shows of a gap: with a daemon, and without one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_sources import row
from tests.cli.test_tables import drawn
from wsmgr.cli import tables
from wsmgr.cli.listing import GAPS
from wsmgr.cli.why import described
from wsmgr.manager.store.changes import AddEvent, AddGap, Change, PutMetrics, PutSubscription, apply
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

GAP: dict[str, Any] = {
    "subscription_id": "3ybxjrjj7a",
    "started_at": "2026-11-20T07:00:00Z",
    "ended_at": "2026-11-20T07:00:03Z",
    "duration_seconds": 3.2,
    "proof": None,
    "connection": "hyperliquid-1",
    "missing": None,
    "attempts": 1,
    "healed_by": None,
    "healed_items": 0,
    "reason": "connection lost: reset by the peer",
    "open_because": "the venue gives only the newest 30 trades",
}


@pytest.fixture
def stopped(state_dir: Path) -> Path:
    """A state directory that a daemon has left: a subscription with a proved gap and one that is not."""
    directory = StateDirectory(state_dir)
    directory.prepare()
    database = Database.open(directory.database)
    proved: dict[str, Any] = {"ended_at": 1_004.0, "proof": "filled", "healed_by": "snapshot"}
    changes: list[Change] = [
        PutSubscription(row("aaa", "trades", {"coin": "BTC"})),
        PutMetrics((MetricsRow(subscription_id="aaa", message_count=42, gap_count=2),)),
        AddGap(
            GapRow(
                id=1,
                subscription_id="aaa",
                connection="hyperliquid-1",
                started_at=1_002.0,
                reason="reset",
                **proved,
            )
        ),
        AddGap(
            GapRow(
                id=2, subscription_id="aaa", started_at=1_006.0, reason="timed out", open_because="no history"
            )
        ),
        AddEvent(EventRow(at=1_003.0, kind="stale", level="warning", subscription_id="aaa")),
        AddEvent(EventRow(at=1_005.0, kind="lost", subscription_id="bbb")),
        AddEvent(EventRow(at=1_002.5, kind="connection_lost", level="info", connection="hyperliquid-1")),
        AddEvent(EventRow(at=1_002.5, kind="connection_lost", level="info", connection="hyperliquid-2")),
    ]
    with database.transaction():
        apply(database, changes)
    database.close()
    return state_dir


def test_why_of_what_runs_is_told_in_lines_with_what_happened_to_it(
    daemon: Path, venue: SimulatorThread, cli: Cli
) -> None:
    """The state, why it is so, who decided, on what evidence, what comes next and how soon, and the gaps that it had."""
    id_ = cli("subscribe", "trades", "--coin", "SOL", "--detach", state_dir=daemon).out.decode().strip()
    venue.kill()
    while not cli("gaps", id_, "--json", state_dir=daemon).document:
        pass
    while "delivers on" not in (text := cli("why", id_, state_dir=daemon).out.decode()):
        pass
    document = cli("why", id_, "--json", state_dir=daemon).document
    cli("unsubscribe", id_, state_dir=daemon)
    told = dict(line.split(":", 1) for line in text.splitlines()[:7])
    assert ["subscription", "state", "connection", "because", "decided by", "evidence", "next"] == list(told)
    assert ("hyperliquid/trades?coin=SOL", "live", "venue") == tuple(
        told[name].strip() for name in ("subscription", "state", "decided by")
    )
    assert "gaps=1" in told["evidence"]
    assert "PROOF" in text
    members = "id key state connection summary decided_by evidence next history"
    assert members.split() == list(document)


def test_what_comes_next_is_told_with_how_long_it_takes() -> None:
    """Nobody has to compare clocks; what has no time has none, and what is past is now."""
    found = {
        **dict.fromkeys(("key", "state", "connection", "summary", "decided_by"), "x"),
        "evidence": {},
    }
    now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

    def coming(what: dict[str, Any] | None) -> str:
        return described({**found, "next": what}, now=now)[-1].partition(":")[2].strip()

    assert "the connection dials (in 7.0s, at 2026-03-01T12:00:07Z)" == coming(
        {"what": "the connection dials", "at": "2026-03-01T12:00:07Z"}
    )
    assert "it dials (now, at 2026-03-01T11:59:00Z)" == coming(
        {"what": "it dials", "at": "2026-03-01T11:59:00Z"}
    )
    assert "it waits" == coming({"what": "it waits", "at": None})
    assert coming(None).startswith("nothing")


def test_why_without_a_daemon_says_what_the_last_one_knew(stopped: Path, cli: Cli) -> None:
    """State `stopped`, the newest gaps and events, and of when all that is."""
    told = cli("why", "aaa", state_dir=stopped)
    document = cli("why", "aaa", "--json", state_dir=stopped).document
    text = told.out.decode()
    assert 0 == told.code, told
    assert "no daemon runs; this is what the database" in told.err
    assert "state:         stopped" in text
    assert "no daemon runs, so nothing is received" in text
    assert "message_count=42" in text
    assert "unproved_gaps=1" in text
    assert "it comes back with the next `wsmgr daemon start`" in text
    assert all(words in text for words in ("filled", "no history", "stale"))
    assert [("connection_lost", "hyperliquid-1"), ("stale", None)] == [
        (event["kind"], event["connection"]) for event in document["history"]
    ]
    assert ("stopped", True) == (document["state"], "as_of" in document)


@pytest.mark.parametrize("command", ["why", "events"])
def test_an_id_that_nothing_has_is_an_error_with_a_daemon_and_without(
    command: str, stopped: Path, daemon: Path, cli: Cli
) -> None:
    """Exit code 1, and the id in the message."""
    for directory in (stopped, daemon):
        outcome = cli(command, "nope", state_dir=directory)
        assert (1, b"") == (outcome.code, outcome.out)
        assert "'nope'" in outcome.err


def test_gaps_that_are_proved_can_be_left_out(stopped: Path, cli: Cli) -> None:
    """`--open` shows what somebody may have to do something about."""
    everything = cli("gaps", "--json", state_dir=stopped).document
    unproved = cli("gaps", "--open", "--json", state_dir=stopped).document
    assert [("timed out", None), ("reset", "filled")] == [(gap["reason"], gap["proof"]) for gap in everything]
    assert [("timed out", "no history")] == [(gap["reason"], gap["open_because"]) for gap in unproved]
    assert [] == cli("gaps", "aaa", "--open", "--json", "--no-attach", state_dir=stopped).document[1:]


def test_events_are_filtered_without_a_daemon(stopped: Path, cli: Cli) -> None:
    """By subscription, kind and level, as with one."""

    def kinds(*arguments: str) -> list[str]:
        return [event["kind"] for event in cli("events", *arguments, "--json", state_dir=stopped).document]

    assert ["connection_lost", "connection_lost", "lost", "stale"] == kinds()
    assert ["stale"] == kinds("aaa") == kinds("--kind", "stale") == kinds("--level", "warning")
    assert [] == kinds("--level", "error")


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (80, {"ENDED", "CONN", "MISSING", "ATTEMPTS", "HEALED BY", "ITEMS"}),
        (120, {"ENDED", "CONN", "ATTEMPTS"}),
        (200, set[str]()),
    ],
)
def test_gaps_fit_the_terminal_with_their_proof_and_why_they_are_open(width: int, left_out: set[str]) -> None:
    """At every width people see since when, how long, whether it is proved, and why not."""
    columns = tables.fitting(GAPS, [GAP], width)
    lines = drawn([GAP], width, columns).splitlines()
    assert max(map(len, lines)) <= width
    assert left_out == {column.title for column in GAPS} - {column.title for column in columns}
    assert {"SUBSCRIPTION", "STARTED", "DURATION", "PROOF", "REASON", "OPEN BECAUSE"} <= {
        column.title for column in columns
    }
