"""What the logs of a daemon look like."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from wsmgr.cli import logging_setup

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("wsmgr.manager.hyperliquid")


class ExpectedError(Exception):
    """A loss that the library marks as expected."""

    expected = True


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """A test's handlers do not outlive it."""
    loggers = [logging.getLogger(), logging.getLogger("wsmgr")]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def fail(error: Exception) -> None:
    credential = str(ExpectedError("a secret key"))
    if credential:
        raise error


def log_failure(error: Exception) -> None:
    try:
        fail(error)
    except Exception:
        LOG.exception("it ended")


def test_a_fact_is_one_line_of_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    """`grep` finds a connection by its id, and the time is UTC."""
    logging_setup.configure(level=logging.INFO)
    fields = {"connection": "hyperliquid-1", "socket": 2}
    LOG.info("connected ...", extra={"kind": "connected", "fields": fields})
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "Z level=info logger=wsmgr.manager.hyperliquid event=connected connection=hyperliquid-1 socket=2"
        in line
    )


def test_a_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """Credentials live in local variables."""
    logging_setup.configure(level=logging.INFO)
    log_failure(ZeroDivisionError("division by zero"))
    logged = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in logged
    assert "in fail" in logged
    assert "'a secret key'" not in logged


@pytest.mark.parametrize(("verbose", "lines"), [(False, 0), (True, 1)])
def test_an_expected_loss_has_no_traceback_and_is_for_the_curious(
    verbose: bool, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A night without a network does not fill the log with tracebacks."""
    logging_setup.configure(level=logging.INFO, verbose=verbose)
    log_failure(ExpectedError("reset by the peer"))
    logged = capsys.readouterr().err
    assert lines == len(logged.splitlines())
    assert "Traceback" not in logged


def test_an_embedded_manager_is_silent_but_for_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """What `wsmgr subscribe` says on stderr is what a reader must know."""
    logging_setup.configure()
    LOG.warning("dialled again")
    LOG.error("a bug")
    (line,) = capsys.readouterr().err.splitlines()
    assert "a bug" in line


@pytest.mark.parametrize("terminal", [True, False])
def test_the_words_of_a_venue_cannot_forge_a_line_or_steer_a_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a field, in a text, and in an error's traceback."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    words = "\x9b2J\x07no\nlevel=info\r\u202e"
    logging_setup.configure(level=logging.INFO)
    LOG.info("refusal ...", extra={"kind": "refusal", "fields": {"words": words}})
    LOG.warning("the venue said: %s", words)
    assert 2 == len(capsys.readouterr().err.splitlines())
    log_failure(ValueError(words))
    LOG.warning("the venue said: %s", words)
    written = capsys.readouterr().err
    assert r"\x9b2J\x07no" in written
    assert not {"\x9b", "\x07", "\r", "\u202e"} & set(written)
