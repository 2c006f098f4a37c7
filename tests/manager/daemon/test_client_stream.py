"""The reading end of a stream: what is cut anywhere on its way comes out whole."""

from __future__ import annotations

import http.client
import itertools
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.daemon.client_stream import LineStream, RecordStream
from wsmgr.manager.daemon.records import frame_record, told_record

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = TypeVar("Kind", LineStream, RecordStream)
LINES = st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" ")), max_size=12)
CUTS = st.lists(st.integers(0, 600), max_size=12)


@contextmanager
def stream_of(kind: type[Kind]) -> Iterator[Kind]:
    """A stream that is fed by hand."""
    ours, theirs = socket.socketpair()
    response = http.client.HTTPResponse(ours)
    stream = kind(http.client.HTTPConnection("x"), ours, response, Path("x"), deadline=None)
    try:
        yield stream
    finally:
        stream.close()
        theirs.close()


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(LINES, CUTS)
def test_lines_come_out_whole(lines: list[bytes], cuts: list[int]) -> None:
    """However a read cuts them, each line comes once, in order, without its line feed."""
    data = b"".join(line + b"\n" for line in lines)
    with stream_of(LineStream) as stream:
        assert lines == [line for piece in pieces(data, cuts) for line in stream._split(piece)]


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans()), max_size=12), CUTS)
def test_records_come_out_whole(records: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    """A frame may hold any bytes, line feeds too; a line of the daemon's own is told apart by its length's top bit."""
    records = [(data.rstrip(b"\n") if told else data, told) for data, told in records]
    data = b"".join(told_record(data + b"\n") if told else frame_record(data) for data, told in records)
    with stream_of(RecordStream) as stream:
        came = [record for piece in pieces(data, cuts) for record in stream._split(piece)]
    assert records == [(record.data, record.told) for record in came]
