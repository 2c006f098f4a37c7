"""The head of an HTTP response, as far as a refused upgrade needs it. Pure: bytes in, facts out.

Both libraries lose something here: trio-websocket waits for a body that may never end before it tells of a refusal, picows calls
a status that it does not know (520, as Cloudflare sends) a malformed message. So the head is read by us, alike on both.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping

from attrs import frozen

MAX_HEAD_BYTES = 16 * 1024
"""A longer head is refused (picows' own limit)."""

SWITCHING_PROTOCOLS = 101
_END = b"\r\n\r\n"
_THREE_DIGITS = 3
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")  # RFC 9110 has whole seconds; some servers send fractions


class HeadError(ValueError):
    """These bytes are not the head of an HTTP response."""


@frozen(kw_only=True)
class Head:
    """Status line and headers.

    Attributes:
        status: The status code.
        phrase: The reason phrase, as it came; may be empty.
        headers: Names in lower case; the values of repeated ones joined with a comma.
    """

    status: int
    phrase: str
    headers: Mapping[str, str]


def end_of_head(data: bytes | bytearray) -> int | None:
    """Return where the body begins, or None while the head is not complete.

    Raises:
        HeadError: This cannot become a head: it does not begin like one, or is longer than `MAX_HEAD_BYTES`.
    """
    begin = bytes(data[:5])
    if not b"HTTP/".startswith(begin) and begin != b"HTTP/":
        raise HeadError(f"not an HTTP response: it begins with {bytes(data[:16])!r}")
    end = data.find(_END)
    if end > MAX_HEAD_BYTES or (end < 0 and len(data) > MAX_HEAD_BYTES):
        raise HeadError(f"the head of the response is longer than {MAX_HEAD_BYTES} bytes")
    return None if end < 0 else end + len(_END)


def parse_head(head: bytes) -> Head:
    """Read a head, with or without its closing empty line.

    Raises:
        HeadError: The status line is not one. Malformed headers are passed over: a refusal matters more than its form.
    """
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    code, _, phrase = rest.partition(" ")
    if not version.startswith("HTTP/") or len(code) != _THREE_DIGITS or not code.isdecimal():
        raise HeadError(f"not an HTTP status line: {status_line[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Head(status=int(code), phrase=phrase.strip(), headers=headers)


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return how many seconds `Retry-After` asks to wait, or None where it is missing or makes no sense.

    Args:
        headers: Names in lower case.
        now: Unix time against which a date is read, where the response has no `Date` of its own. The response's is
            better: the two clocks may differ.
    """
    value = headers.get("retry-after", "")
    if _SECONDS.fullmatch(value):
        return float(value)
    at = _unix_time(value)
    if at is None:
        return None
    sent = _unix_time(headers.get("date", ""))
    reference = sent if sent is not None else (time.time() if now is None else now)
    return max(0.0, at - reference)


def _unix_time(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
