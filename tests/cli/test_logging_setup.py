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
