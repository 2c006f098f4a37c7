"""Response heads: found, read, and never a reason to crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.transport.head import MAX_HEAD_BYTES, HeadError, end_of_head, parse_head, retry_after

REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nX-Why: a\r\nx-why:  b \r\n\r\n"


@given(cut=st.integers(min_value=0, max_value=len(REFUSAL) - 1))
def test_head_is_complete_exactly_with_its_empty_line(cut: int) -> None:
    """However the network cuts a head, it is read once and whole."""
    assert end_of_head(REFUSAL[:cut]) is None
    assert end_of_head(REFUSAL + b"body") == len(REFUSAL)


def test_head_keeps_status_phrase_and_headers() -> None:
    """Names are in lower case, repeated ones are joined: what a session looks for it finds."""
    head = parse_head(REFUSAL)
    assert (429, "Too Many Requests") == (head.status, head.phrase)
    assert {"retry-after": "7", "x-why": "a, b"} == head.headers


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 520 Unknown", b"HTTP/1.0 503 Busy", b"HTTP/1.1 403", b"HTTP/2 400 "]
)
def test_status_lines_that_libraries_refuse_are_read(line: bytes) -> None:
    """A proxy's odd status line still says why there was no upgrade."""
    assert int(line.split()[1]) == parse_head(line + b"\r\n\r\n").status


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_head_error(data: bytes) -> None:
    """What a peer sends can fail to be HTTP, and nothing else."""
    try:
        if end_of_head(data) is not None:
            parse_head(data)
    except HeadError:
        pass


@pytest.mark.parametrize(
    "data", [b"SSH-2.0", b"\x16\x03\x01", b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD_BYTES]
)
def test_what_cannot_become_a_head_is_refused_at_once(data: bytes) -> None:
    """Nobody waits for the rest of something that is not HTTP, or that never ends."""
    with pytest.raises(HeadError):
        end_of_head(data)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:30 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:05 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 01:00:30 GMT", "date": "Thu, 01 Jan 1970 01:00:00 GMT"}, 30.0),
        ({"retry-after": "30", "date": "never"}, 30.0),
    ],
)
def test_retry_after_is_seconds_or_nothing(headers: dict[str, str], seconds: float | None) -> None:
    """A date counts from the peer's own clock where it tells it, and is never negative."""
    assert seconds == retry_after(headers, now=10.0)
