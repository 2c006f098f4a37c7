"""Rows without a daemon, and their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.cli.errors import CommandError
from wsmgr.cli.sources import in_order
from wsmgr.manager.store.changes import AddEvent, AddGap, Change, PutMetrics, PutSubscription, apply
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, SubscriptionRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

USER = "0x00112233445566778899aabbccddeeff00112233"


def row(id_: str, type_: str, params: dict[str, Any], **more: Any) -> SubscriptionRow:
    return SubscriptionRow(
        id=id_,
        venue="hyperliquid",
        type=type_,
        key=f"hyperliquid/{type_}",
        params=params,
        connection_class="shared",
        kept=True,
        state="live",
        subscribed_at=1_000.0,
        updated_at=1_001.0,
        **more,
    )


@pytest.fixture
def stopped(state_dir: Path) -> Path:
    """A state directory that a daemon has left, with a gap and an event."""
    directory = StateDirectory(state_dir)
    directory.prepare()
    database = Database.open(directory.database)
    changes: list[Change] = [
        PutSubscription(row("aaa", "trades", {"coin": "BTC"})),
        PutSubscription(row("bbb", "userFills", {"user": USER})),
        PutMetrics((MetricsRow(subscription_id="aaa", message_count=42, gap_count=1),)),
        AddGap(GapRow(id=1, subscription_id="aaa", started_at=1_002.0, reason="reset by the peer")),
        AddEvent(EventRow(at=1_003.0, kind="connected", connection="hyperliquid-1")),
    ]
    with database.transaction():
        apply(database, changes)
    database.close()
    return state_dir


def test_list_shows_what_a_daemon_left_as_stopped_with_its_counters(stopped: Path, cli: Cli) -> None:
    """`list` answers also when no daemon runs, and says that it is not of now."""
    listed = cli("list", "--json", state_dir=stopped)
    assert 0 == listed.code
    assert "no daemon runs" in listed.err
    assert [("aaa", "stopped", 42, 1), ("bbb", "stopped", 0, 0)] == [
        (each["id"], each["state"], each["message_count"], each["gaps"]) for each in listed.document
    ]
    assert all("as_of" in each for each in listed.document)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--user", USER.upper().replace("0X", "0x")], ["bbb"]),
        (["--type", "trades"], ["aaa"]),
        (["--venue", "elsewhere"], []),
        (["--state", "stopped"], ["aaa", "bbb"]),
        (["--state", "live"], []),
    ],
)
def test_filters_hold_without_a_daemon(
    filters: list[str], expected: list[str], stopped: Path, cli: Cli
) -> None:
    """A script gets the same kind of answer, daemon or not."""
    assert expected == [each["id"] for each in cli("list", "--json", *filters, state_dir=stopped).document]


@pytest.mark.parametrize(
    ("option", "words"), [("--user 0x12", "40 hexadecimal digits"), ("--state happy", "stopped")]
)
def test_a_filter_that_cannot_be_meant_is_a_usage_error(
    option: str, words: str, stopped: Path, daemon: Path, cli: Cli
) -> None:
    """A typing error is not an empty list, with a daemon and without one."""
    for directory in (stopped, daemon):
        outcome = cli("list", *option.split(), state_dir=directory)
        assert (2, b"") == (outcome.code, outcome.out)
        assert words in outcome.err


def test_nothing_is_stopped_where_a_daemon_runs(daemon: Path, cli: Cli) -> None:
    """A script asks the same question with a daemon and without one."""
    assert [] == cli("list", "--state", "stopped", "--json", state_dir=daemon).document


def test_who_asks_no_daemon_is_not_told_that_none_runs(daemon: Path, tmp_path: Path, cli: Cli) -> None:
    """`--no-attach` reads the database beside a daemon; a `--config` that the daemon does not read is told."""
    aside = cli("list", "--no-attach", "--json", state_dir=daemon)
    assert 0 == aside.code
    assert aside.err.startswith("no daemon is asked; this is what the database")
    assert "is ignored" in cli("list", "--config", str(tmp_path / "x.toml"), state_dir=daemon).err


def test_metrics_gaps_and_events_are_read_from_the_database(stopped: Path, cli: Cli) -> None:
    """What happened can be looked up after the daemon has ended."""
    metrics = cli("metrics", "aaa", "--json", state_dir=stopped).document
    assert ("aaa", "stopped", 42) == (metrics["id"], metrics["state"], metrics["message_count"])
    (gap,) = cli("gaps", "--json", state_dir=stopped).document
    assert ("aaa", "reset by the peer", None) == (gap["subscription_id"], gap["reason"], gap["ended_at"])
    assert [] == cli("gaps", "bbb", "--json", state_dir=stopped).document
    (event,) = cli("events", "--json", state_dir=stopped).document
    assert ("connected", "1970-01-01T00:16:43Z") == (event["kind"], event["at"])
    assert "stopped" == cli("get", "bbb", "--json", state_dir=stopped).document["state"]


@pytest.mark.parametrize("command", ["get", "metrics", "gaps"])
def test_an_unknown_id_fails_without_a_daemon_too(command: str, stopped: Path, cli: Cli) -> None:
    """The id is in the message, and the exit code is 1."""
    outcome = cli(command, "nope", state_dir=stopped)
    assert (1, b"") == (outcome.code, outcome.out)
    assert "'nope'" in outcome.err


def test_without_a_daemon_and_without_a_database_a_list_is_empty(cli: Cli) -> None:
    """The first `wsmgr list` on a machine is no error, and says why it is empty."""
    outcome = cli("list", "--json")
    assert (0, []) == (outcome.code, outcome.document)
    assert "nothing to show" in outcome.err


def test_numbers_fall_and_text_rises_and_nothing_comes_last() -> None:
    """`--sort message_count` shows the busiest first, `--sort key` is a dictionary."""
    rows: list[dict[str, Any]] = [
        {"key": "b", "count": 1, "at": None},
        {"key": "a", "count": 3, "at": "2026"},
        {"key": "c", "count": 2, "at": "2025"},
    ]
    assert [3, 2, 1] == [each["count"] for each in in_order(rows, "count")]
    assert ["a", "b", "c"] == [each["key"] for each in in_order(rows, "key")]
    assert ["2025", "2026", None] == [each["at"] for each in in_order(rows, "at")]


def test_a_column_that_does_not_exist_is_refused_with_those_that_do() -> None:
    """A typing error is not an unsorted list."""
    with pytest.raises(CommandError, match="there are key, count") as refused:
        in_order([{"key": "a", "count": 1}], "cuont")
    assert 2 == refused.value.code
