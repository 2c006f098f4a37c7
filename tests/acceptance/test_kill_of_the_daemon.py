"""`kill -9` of the daemon, and a start: what was wanted is live again, and what was missed is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.acceptance.killing import Drill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Open, StartDaemon, StartVenue

SEED, KILLS = 7, 4
RATE = 40
LOST_AT_MOST = 5 * RATE
USER = "0x" + "a1" * 20
QUIET = ("orderUpdates", "--user", USER)
KEPT = (
    ("bbo", "--coin", "BTC"),
    ("l2Book", "--coin", "BTC", "-p", "nSigFigs=3"),
    ("userFills", "--user", USER),
    QUIET,
)


def test_kill_9_loses_no_subscription_and_no_more_than_five_seconds_of_counts(
    start_venue: StartVenue, start_daemon: StartDaemon, terminal: Open
) -> None:
    """The old ids are live again with their counts and a gap in the ledger, and so is a reader; what was unsubscribed stays gone."""
    daemon = start_daemon(start_venue("--rate", str(RATE), "--fault", "quiet=orderUpdates"), "asyncio")
    kept = [daemon.keep(*wish) for wish in KEPT]
    daemon("unsubscribe", daemon.keep("trades", "--coin", "BTC"))
    reader = terminal(daemon, "tail", kept[0], "--json")
    reader.until(lambda message: message["seq"] >= LOST_AT_MOST + RATE)
    before = daemon.all_live()

    daemon.kill()
    stopped = daemon.list()
    daemon.backend = "trio"
    daemon.start()
    after = daemon.all_live()
    first = reader.until(lambda message: message["epoch"] > 0)
    daemon("daemon", "stop")
    ledger = daemon("gaps", "--json").document

    assert 1 == first["epoch"]
    assert first["gap"], "the reader was not told that something is missing"
    assert kept == list(before) == list(stopped) == list(after)
    assert {"stopped"} == {row["state"] for row in stopped.values()}
    assert before[kept[0]]["message_count"] > LOST_AT_MOST
    for id_ in kept:
        assert stopped[id_]["message_count"] >= before[id_]["message_count"] - LOST_AT_MOST
        assert after[id_]["message_count"] >= stopped[id_]["message_count"]
        assert after[id_]["subscribed_at"] == before[id_]["subscribed_at"]
    assert [True, True] == [rows[kept[-1]]["quiet"] for rows in (before, after)]
    gaps = [gap for gap in ledger if gap["reason"] == "the manager was not running"]
    assert sorted(kept) == sorted(gap["subscription_id"] for gap in gaps)
    assert all(gap["ended_at"] for gap in gaps), gaps


def test_kill_9_at_random_moments_neither_loses_nor_revives_anything_and_leaves_its_gaps(
    start_venue: StartVenue, tmp_path: Path
) -> None:
    """While clients subscribe and unsubscribe: what was acknowledged is so, the database is whole, each kill has its gaps."""
    report = Drill(start_venue("--rate", "5").url, SEED, tmp_path).run(KILLS)
    assert [] == report.broken, report.line
    assert KILLS == report.kills
    assert 0 < report.starting < KILLS
    assert report.counts["subscribed"] > report.counts["unsubscribed"] > 0
    assert report.interrupted > 0
