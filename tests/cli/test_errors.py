"""How errors become messages and exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from wsmgr.cli.errors import CommandError, NoDaemonError, explained, guarded, say
from wsmgr.manager.daemon.errors import DaemonError, DaemonStartError
from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    NotFoundError,
    OutcomeUnknownError,
    ParameterError,
    QuotaError,
    RejectedError,
    RequestNotSentError,
    RequestRefusedError,
    StateDirectoryError,
    SubscribeTimeoutError,
)


def problem(kind: str, status: int) -> DaemonError:
    return DaemonError(
        {"type": f"urn:wsmgr:problem:{kind}", "status": status, "detail": "words of the daemon"}
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterError("coin is missing"), 2),
        (RejectedError("trades?coin=NOSUCH", "Invalid subscription"), 4),
        (QuotaError("users", 10, ["0x1"]), 4),
        (ActionForbiddenError("trading is off"), 4),
        (RequestRefusedError("Invalid nonce"), 4),
        (RequestNotSentError("the dial was refused"), 1),
        (OutcomeUnknownError("no answer came"), 1),
        (NotFoundError("abc"), 1),
        (SubscribeTimeoutError("trades", "pending", "refused"), 1),
        (StateDirectoryError("held by the process 7"), 1),
        (problem("usage", 422), 2),
        (problem("usage", 400), 2),
        (problem("not-found", 404), 1),
        (problem("rejected", 409), 4),
        (problem("quota", 429), 4),
        (problem("action-forbidden", 403), 4),
        (problem("request-refused", 409), 4),
        (problem("request-not-sent", 503), 1),
        (problem("outcome-unknown", 504), 1),
        (problem("subscribe-timeout", 504), 1),
        (problem("store", 503), 1),
        (NoDaemonError("/somewhere", "wsmgr tail"), 3),
        (CommandError("no", 2), 2),
        (OSError("no space left"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_has_the_same_exit_code_with_a_daemon_and_without(error: Exception, code: int) -> None:
    """Scripts act on the codes: they are the contract."""
    assert (str(error), code) == explained(error)


FORGED = "\x1b[2J\x1b]0;pwned\x07no\nwsmgr: sent ok\r\u202e\x00"
SAID = FORGED + "x" * 20_000


@pytest.mark.parametrize(
    "error",
    [
        RequestRefusedError(SAID),
        RejectedError("trades?coin=NOSUCH", SAID),
        OutcomeUnknownError(SAID),
        SubscribeTimeoutError("trades", "pending", SAID),
        DaemonError({"status": 409, "detail": f"the venue refused the request: {SAID}"}),
        OSError(SAID),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_words_of_a_venue_are_one_short_line_without_control_characters(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """They cannot forge a line of ours or steer the terminal; `--json` has them whole."""
    for whole in (False, True):
        guarded(fails(error), verbose=False, whole=whole)
        words = capsys.readouterr().err
        assert words.startswith("wsmgr: ")
        assert words.endswith("\n")
        assert words[:-1].isprintable()
        assert whole == (len(words) > 20_000)
        assert whole or len(words) == len("wsmgr: ") + 500 + 1


@pytest.mark.parametrize("error", [CommandError(SAID), ParameterError(SAID)], ids=["command", "usage"])
def test_what_was_asked_for_wrongly_is_shown_whole_and_printable(error: Exception) -> None:
    """What people have typed, and what to do about it, is never cut."""
    message, _ = explained(error)
    assert message is not None
    assert message.isprintable()
    assert len(message) > 20_000


def test_the_last_lines_of_a_daemons_log_stay_lines() -> None:
    """They can be read, and steer no terminal."""
    assert ("it ended:\nlevel=error\n\\x1b[2J", 1) == explained(
        DaemonStartError("it ended:\nlevel=error\n\x1b[2J")
    )


def test_nothing_that_is_told_holds_a_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is said by whom: lines are all that there is."""
    say("one\n\x1b[2Jtwo\x9b")
    assert "one\n\\x1b[2Jtwo\\x9b\n" == capsys.readouterr().err


def fails(error: BaseException) -> Any:
    def body() -> int:
        raise error

    return body


def test_a_user_error_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Also with -v: there is nothing to debug."""
    assert 1 == guarded(fails(NotFoundError("abc")), verbose=True)
    assert 1 == capsys.readouterr().err.count("\n")


@pytest.mark.parametrize("verbose", [False, True])
def test_a_bug_shows_its_traceback_only_when_asked(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Users are told that it is ours and how to see more."""
    assert 1 == guarded(fails(ZeroDivisionError("division by zero")), verbose=verbose)
    words = capsys.readouterr().err
    assert "bug in wsmgr: ZeroDivisionError" in words
    assert verbose == ("Traceback" in words)
    assert verbose != ("-v" in words)


def test_an_interruption_exits_130_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is no error."""
    assert 130 == guarded(fails(KeyboardInterrupt()), verbose=False)
    assert "" == capsys.readouterr().err


def test_a_command_that_returns_nothing_is_done() -> None:
    """None is 0, and a code is a code."""
    assert 0 == guarded(lambda: None, verbose=False)
    assert 4 == guarded(lambda: 4, verbose=False)
