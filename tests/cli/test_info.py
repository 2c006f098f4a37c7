"""`wsmgr info`: questions to a simulated venue, through a real daemon and without one."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import NOWHERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn
    from tests.conftest import StartSimulator

USER = "0x00112233445566778899aabbccddeeff00112233"
BOTH = pytest.mark.parametrize("how", [["--attach"], ["--no-attach"], ["--no-attach", "--backend", "trio"]])


@BOTH
@pytest.mark.parametrize("name", ["l2Book", "l2_book"])
def test_a_question_is_answered_in_one_json_document(
    how: list[str], name: str, daemon: Path, url: str, cli: Cli
) -> None:
    """By the venue's name and the method's; stderr says who asks, stdout has the answer and nothing else."""
    outcome = cli("--url", url, "info", name, "--coin", "BTC", "-p", "n_sig_figs=4", *how, state_dir=daemon)
    assert 0 == outcome.code, outcome
    assert 1 == outcome.out.count(b"\n")
    assert "BTC" == outcome.document["coin"]
    prices = [level["px"] for side in outcome.document["levels"] for level in side]
    assert all(len(price.rstrip("0").replace(".", "").rstrip("0")) <= 4 for price in prices)
    first = f"attached to the daemon at {daemon}" if how == ["--attach"] else "no daemon is asked: a manager"
    assert [True] == [line.startswith(first) for line in outcome.err.splitlines()]


def test_without_a_daemon_this_process_asks_and_writes_nothing(url: str, state_dir: Path, cli: Cli) -> None:
    """No state directory comes to be; the interval and the user have options of their own."""
    candles = ["candleSnapshot", "--coin", "ETH", "--interval", "1m", "-p", "startTime=2026-01-01T00:00:00Z"]
    bars = cli("--url", url, "info", *candles, "--json")
    fees = cli("--url", url, "info", "userFees", "--user", USER)
    assert (0, 0) == (bars.code, fees.code), (bars, fees)
    assert {("ETH", "1m")} == {(bar["s"], bar["i"]) for bar in bars.document}
    assert "dailyUserVlm" in fees.document
    assert bars.err.startswith("no daemon runs: a manager of this process asks (on asyncio, state in memory)")
    assert not state_dir.exists()


@BOTH
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["l2Bok", "--coin", "BTC"], "l2Book"),
        (["l2Book"], "coin"),
        (["l2Book", "--coin", "BTC", "-p", "coin=ETH"], "twice"),
        (["l2Book", "--coin", "BTC", "-p", "deep=1"], "deep"),
        (["l2Book", "--coin", "BTC", "-p", "nSigFigs=7"], "nSigFigs"),
        (["userFees", "--user", "0x12"], "user"),
        (["allMids", "-p", "type=meta"], "TYPE"),
        (["allMids", "--venue", "elsewhere"], "elsewhere"),
        (["--coin", "BTC"], "name a TYPE"),
        (["--venue", "hyperliquid"], "name a TYPE"),
    ],
)
def test_a_usage_error_says_what_would_be_right_and_exits_2(
    how: list[str], arguments: list[str], words: str, daemon: Path, cli: Cli
) -> None:
    """Nothing is sent; without a daemon, nobody is told that a manager asks."""
    outcome = cli("info", *arguments, *how, state_dir=daemon)
    assert (2, b"") == (outcome.code, outcome.out), outcome
    assert words in outcome.err.splitlines()[-1]
    if how != ["--attach"]:
        assert 1 == outcome.err.count("\n")


def test_a_name_that_is_not_known_is_not_passed_on_to_the_venue(daemon: Path, url: str, cli: Cli) -> None:
    """The daemon would ask for what it does not know: a person's slip is told here, and that is all."""
    outcome = cli("--url", url, "info", "allMid", state_dir=daemon)
    assert (2, b"", 1) == (outcome.code, outcome.out, outcome.err.count("\n"))
    assert "allMids" in outcome.err


@BOTH
def test_a_refusal_exits_4_with_the_words_of_the_venue(
    how: list[str], daemon: Path, url: str, cli: Cli
) -> None:
    """A dex that there is not."""
    outcome = cli("--url", url, "info", "meta", "-p", "dex=nosuch", *how, state_dir=daemon)
    assert (4, b"") == (outcome.code, outcome.out), outcome
    assert "the venue refused the request: 422 Unprocessable Entity" in outcome.err


def test_what_could_not_be_sent_exits_1_and_says_why(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent, so it may be tried again."""
    monkeypatch.setattr("wsmgr.cli.requesting.TIMEOUT", 0.5)
    outcome = cli("--url", NOWHERE, "info", "allMids")
    assert (1, b"") == (outcome.code, outcome.out)
    assert "was not sent" in outcome.err
    assert "refused" in outcome.err


def test_an_answer_that_does_not_come_exits_1(
    start_simulator: StartSimulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that nothing is known, not that nothing was done."""
    monkeypatch.setattr("wsmgr.cli.requesting.TIMEOUT", 1.0)
    outcome = cli("--url", start_simulator("slow_post=60").address.url, "info", "allMids")
    assert (1, b"") == (outcome.code, outcome.out)
    assert "its outcome is unknown: no answer came within 1 s" in outcome.err


def test_ctrl_c_ends_the_wait(start_simulator: StartSimulator, spawn: Spawn) -> None:
    """Exit code 130, no traceback, nothing on stdout."""
    simulator = start_simulator("slow_post=60")
    process = spawn("--url", simulator.address.url, "info", "allMids")
    assert b"a manager of this process asks" in process.stderr.readline()
    process.signal(signal.SIGINT)
    outcome = process.outcome()
    assert (130, b"", "") == (outcome.code, outcome.out, outcome.err)


def test_alone_it_lists_what_can_be_asked(cli: Cli) -> None:
    """Every query, by both of its names, with its parameters: those that may be left out in brackets."""
    rows = {row["type"]: row for row in cli("info", "--json").document}
    assert {"type", "method", "params", "required", "doc"} == set(rows["l2Book"])
    assert ("l2_book", ["coin"]) == (rows["l2Book"]["method"], rows["l2Book"]["required"])
    text = cli("info").out.decode()
    assert 38 == len(rows) == len(text.splitlines()) - 1
    for name, row in rows.items():
        assert f"\n{name} " in text
        assert f" {row['method']} " in text
    assert "coin [nSigFigs] [mantissa]" in text


def test_json_is_what_a_pipe_gets_anyway(url: str, cli: Cli) -> None:
    """`--json` changes nothing where nobody looks."""
    documents = [cli("--url", url, "info", "meta", *json_).out for json_ in ([], ["--json"])]
    assert documents[0] == documents[1]
    assert json.loads(documents[0])["universe"]
