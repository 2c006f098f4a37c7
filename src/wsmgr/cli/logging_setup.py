"""Logging: where logs go. The library never configures logging; the command line does, here and nowhere else.

Lines go to stderr: drawn for people on a terminal, as `key=value` pairs (logfmt) else. Tracebacks show no local variables:
they could hold credentials. Texts are escaped where they hold control characters: a venue's words are among them. A loss that is expected, such as that of a socket, has no traceback: the manager's own line about
it says what happened, so the actor's is for `-v` alone.
"""

from __future__ import annotations

import io
import logging
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from wsmgr.cli import cells

LOGGER: Final = "wsmgr"
_PAIRS: Final = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "logger", "event"])


def configure(*, level: int = logging.ERROR, verbose: bool = False) -> None:
    """Let the library's loggers write to stderr.

    Args:
        level: From which level on.
        verbose: From `DEBUG` on, whatever `level` says.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(terminal=sys.stderr.isatty()))
    handler.addFilter(lambda record: _without_expected_losses(record, verbose=verbose))
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose else level)
    # Foreign libraries are heard only when something is wrong with them.
    logging.getLogger().handlers = [handler]
    logging.getLogger().setLevel(logging.WARNING)


def _without_expected_losses(record: logging.LogRecord, *, verbose: bool) -> bool:
    """Take the traceback from an expected loss and make it a debug line."""
    error = record.exc_info[1] if record.exc_info else None
    if not getattr(error, "expected", False):
        return True
    record.exc_info = None
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return verbose


def _formatter(*, terminal: bool) -> logging.Formatter:
    known: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _fields,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    drawn: list[Processor]
    if terminal:
        drawn = [_printable_fields, structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
    else:
        drawn = [structlog.processors.format_exc_info, _logfmt]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=known,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *drawn],
    )


def _fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take the fields of a fact as fields, instead of the text that they make for a formatter that knows none."""
    record = event.get("_record")
    fields: dict[str, object] | None = getattr(record, "fields", None)
    if fields is not None:
        event["event"] = getattr(record, "kind", event["event"])
        event.update({name: value for name, value in fields.items() if name not in event})
    return event


def _printable_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape the texts of a line that is drawn with control characters of our own: its colours."""
    return {
        name: cells.printable(value) if isinstance(value, str) else value for name, value in event.items()
    }


def _logfmt(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """Return a line of `key=value` pairs; logfmt itself escapes no control character but the line feed."""
    return cells.printable(_PAIRS(logger, method, event))


def _traceback(stream: TextIO, error: ExcInfo) -> None:
    """Write a traceback in its lines, without any other control character."""
    drawn = io.StringIO()
    structlog.dev.plain_traceback(drawn, error)
    stream.write(cells.printable_lines(drawn.getvalue()))
