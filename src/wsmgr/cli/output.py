"""Output: how data gets onto stdout, and nothing else does.

Data is written as bytes and flushed at once, so that a pipe gets it when it happens. Whether stdout is a terminal decides
between tables for people and plain text for programs; `NO_COLOR` is honoured (by rich, which draws the tables).
"""

from __future__ import annotations

import re
import shutil
import sys
from typing import Any, Final

_CONTROL: Final = re.compile(r"[^\n -~]")
"""What may be no printable character, in JSON that is laid out in lines."""


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def width() -> int:
    """Return the terminal's width in columns."""
    return shutil.get_terminal_size().columns


def write(data: bytes) -> None:
    """Write data to stdout, as one piece where the system takes it as one.

    Raises:
        BrokenPipeError: The reader has closed the pipe.
    """
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_text(text: str) -> None:
    """Write text and a line feed to stdout."""
    write(f"{text}\n".encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


def write_json(value: Any) -> None:  # noqa: ANN401 - whatever msgspec encodes
    """Write one JSON document to stdout: indented on a terminal, one line in a pipe."""
    import msgspec

    encoded = msgspec.json.encode(value)
    write((printable_json(msgspec.json.format(encoded, indent=2)) if on_terminal() else encoded) + b"\n")


def printable_json(document: bytes) -> bytes:
    r"""Return JSON that means the same and holds no control characters but line feeds: they become escapes (`\u009b`).

    JSON itself escapes those below the space; some terminals obey others too.
    """
    return _CONTROL.sub(_escaped, document.decode(errors="replace")).encode()


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
