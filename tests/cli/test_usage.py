"""What is wrong before anything runs: exit codes 2 and 3, the first screen, and what stands in the documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wsmgr.cli.reference import pages

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

USER = "0x00112233445566778899aabbccddeeff00112233"
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("subscribe l2Bok --coin BTC", "l2Book"),
        ("subscribe l2Book", "coin"),
        ("subscribe l2Book --coin BTC -p nSigFig=5", "nSigFigs"),
        ("subscribe l2Book --coin BTC -p nSigFigs=7", "2, 3, 4, 5"),
        ("subscribe candle --coin BTC --interval 2m", "3m"),
        ("subscribe userFills --user 0x12", "40 hexadecimal digits"),
        ("subscribe l2Book --coin BTC --policy newest", "drop_newest"),
        ("subscribe l2Book --coin BTC --venue elsewhere", "elsewhere"),
        ("subscribe l2Book --coin BTC --url http://example.test", "looks like ws://"),
        ("subscribe l2Book --coin BTC --raw --json", "--json"),
        ("subscribe l2Book --coin BTC --raw --events", "--events"),
        ("subscribe l2Book --coin BTC --detach --count 3", "--count"),
        ("subscribe l2Book --coin BTC --count 0", "count"),
        ("subscribe l2Book --coin BTC -p coin=ETH", "twice"),
        ("subscribe l2Book --coin BTC --backend curio", "trio"),
        ("unsubscribe", "--all"),
        ("unsubscribe abc --all", "--all"),
        ("tail abc --no-attach", "--no-attach"),
        ("drain --no-attach", "--no-attach"),
        ("events --follow --all", "--all"),
        ("events --after 3", "--follow"),
        ("events --level loud", "warning"),
        ("subscribe l2Book --coin BTC --redundancy 3", "redundancy"),
        ("subscribe allMids --redundancy 2", "two sockets"),
        ("subscribe bbo --coin BTC --redundancy 2 --policy block", "choose one of them"),
        ("info l2Bok --coin BTC", "l2Book"),
        ("info l2Book", "coin"),
        ("exchange cancl -p asset=BTC", "cancel"),
        ("exchange cancel -p asset=BTC --yes", "order_id"),
        ("exchange cancel -p asset=BTC -p order_id=1", "--yes"),
        ("sim hyperliqid", "hyperliquid"),
        ("sim hyperliquid --rate fast", "--rate"),
        ("sim hyperliquid --fault flop", "flap"),
        ("types hyperliqid", "hyperliquid"),
        ("lst", "list"),
        ("list --sate live", "--state"),
    ],
)
def test_a_usage_error_says_what_would_be_right_and_exits_2(arguments: str, words: str, cli: Cli) -> None:
    """Nothing is sent, nothing is printed on stdout, and no traceback is shown."""
    outcome = cli(*arguments.split())
    assert (2, b"") == (outcome.code, outcome.out)
    assert words in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        "l2Bok --coin BTC",
        "l2Book",
        "l2Book --coin BTC -p nSigFigs=7",
        "l2Book --coin BTC --policy newest",
        "l2Book --coin BTC --venue elsewhere",
        "l2Book --coin BTC --url http://example.test",
        "l2Book --coin BTC --config /nowhere/wsmgr.toml",
    ],
)
def test_a_usage_error_of_a_stream_is_all_that_is_said(arguments: str, cli: Cli) -> None:
    """Nobody is told that a manager streams, and then that it does not."""
    outcome = cli("subscribe", *arguments.split())
    assert (2, b"") == (outcome.code, outcome.out)
    assert [True] == [line.startswith("wsmgr: ") for line in outcome.err.splitlines()]


@pytest.mark.parametrize(
    ("option", "seen", "allowed"),
    [
        ("--count=0", "0 messages", "a whole number from 1 up"),
        ("--count=-3", "-3 messages", "a whole number from 1 up"),
        ("--duration=-1.5", "-1.5 seconds", "seconds from 0 up"),
        ("--duration=nan", "nan seconds", "seconds from 0 up"),
    ],
)
def test_a_number_out_of_range_is_told_with_what_is_allowed(
    option: str, seen: str, allowed: str, cli: Cli
) -> None:
    """The value that was seen, and one that would do."""
    outcome = cli("subscribe", "l2Book", "--coin", "BTC", option)
    words = " ".join(outcome.err.replace("│", " ").split())
    assert (2, b"") == (outcome.code, outcome.out)
    assert option.partition("=")[0] in words
    assert seen in words
    assert allowed in words


@pytest.mark.parametrize(
    ("command", "name"), [("sim", "DIALECT"), ("subscribe", "TYPE"), ("get", "ID"), ("tail", "ID")]
)
def test_a_missing_argument_is_named_as_in_the_usage(command: str, name: str, cli: Cli) -> None:
    """In upper case, as everywhere."""
    outcome = cli(command)
    assert (2, b"") == (outcome.code, outcome.out)
    assert f"Missing argument '{name}'" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        "subscribe l2Book --coin BTC --detach",
        "subscribe l2Book --coin BTC --attach",
        "unsubscribe abc",
        "unsubscribe --all",
        "tail abc",
        "reconnect",
        "reconnect hyperliquid-1",
        "rebalance",
        "drain",
        "events --follow",
        "connections --json",
        "tree",
        "list --attach",
        "daemon status",
    ],
)
def test_a_command_that_needs_the_daemon_exits_3_where_none_runs(
    arguments: str, state_dir: Path, cli: Cli
) -> None:
    """It says where a daemon was looked for and how to start one."""
    outcome = cli(*arguments.split())
    assert (3, b"") == (outcome.code, outcome.out)
    assert str(state_dir) in outcome.err
    assert "wsmgr daemon start" in outcome.err


def test_wsmgr_alone_shows_what_there_is_and_what_to_try_first(cli: Cli) -> None:
    """The first screen helps whoever has just installed it."""
    outcome = cli()
    text = outcome.out.decode()
    assert 0 == outcome.code
    assert "wsmgr demo" in text
    for group, first in (
        ("Subscribe", "subscribe"),
        ("Look", "get"),
        ("Ask and act", "info"),
        ("Daemon", "daemon"),
        ("Try it out", "sim"),
    ):
        assert re.search(rf"^{group}:\n  {first} ", text, re.MULTILINE)
    for name in (
        "subscribe",
        "unsubscribe",
        "tail",
        "list",
        "metrics",
        "info",
        "exchange",
        "daemon",
        "sim",
        "types",
        "demo",
    ):
        assert f"\n  {name} " in text


@pytest.mark.parametrize(("name", "inner"), [("daemon", "restart"), ("db", "init")])
def test_a_group_of_commands_alone_shows_its_help(name: str, inner: str, cli: Cli) -> None:
    """It is a question, not an error."""
    outcome = cli(name)
    assert (0, "") == (outcome.code, outcome.err)
    assert inner in outcome.out.decode()


@pytest.mark.parametrize("arguments", [["--version"], ["list", "--version"]])
def test_the_version_is_told_before_and_after_a_command(arguments: list[str], cli: Cli) -> None:
    """`--version` is a global option like the others."""
    outcome = cli(*arguments)
    assert 0 == outcome.code
    assert outcome.out.startswith(b"wsmgr ")


def test_global_options_stand_before_or_after_the_command(state_dir: Path, tmp_path: Path, cli: Cli) -> None:
    """What stands after the command wins; what stands before it holds."""
    before = cli("--state-dir", str(tmp_path), "daemon", "status")
    after = cli("--state-dir", str(state_dir), "daemon", "status", "--state-dir", str(tmp_path))
    for outcome in (before, after):
        assert 3 == outcome.code
        assert f"for {tmp_path};" in outcome.err


def test_types_lists_the_catalog_with_the_fields_of_the_contract(cli: Cli) -> None:
    """Programs can learn what may be subscribed to."""
    rows = {row["type"]: row for row in cli("types", "hyperliquid", "--json").document}
    names = (
        "dialect type class params required user kind first_proof cadence join merge promise healing numbered"
    )
    assert set(names.split()) == set(rows["l2Book"])
    assert ("dedicated", ["coin"]) == (rows["l2Book"]["class"], rows["l2Book"]["required"])
    assert "user" == rows["userFills"]["user"]
    text = cli("types").out.decode()
    assert all(f"hyperliquid  {name} " in text for name in rows)


def test_the_reference_in_the_documentation_is_what_the_commands_say() -> None:
    """`python -m wsmgr.cli.reference > docs/reference/cli.md` was run after the last change of an option."""
    assert pages() == REFERENCE.read_text()


def test_starting_up_imports_nothing_heavy() -> None:
    """`wsmgr --help` is there at once: loops, transports, tables and the store are imported by the commands."""
    program = (
        "import sys; from wsmgr.cli.main import make_app; make_app();"
        " print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20
    )
    heavy = {"anyio", "trio", "uvloop", "picows", "msgspec", "structlog", "sqlite3", "sqlite_utils", "rich"}
    assert set() == heavy & set(found.stdout.split())
