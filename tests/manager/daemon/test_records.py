"""Records: the bytes of a raw stream, as the API's documentation has them."""

from __future__ import annotations

from wsmgr.manager.daemon.records import frame_record, split, told_record

FRAME = b"\x00\x00\x00\x06" + b"frame\n"
LINE = b"\x80\x00\x00\x05" + b"line\n"


def test_a_record_is_a_length_and_the_bytes() -> None:
    """Clients in other languages read it: u32, big endian; the top bit says that it is a line of the daemon's own."""
    assert (FRAME, LINE) == (frame_record(b"frame\n"), told_record(b"line\n"))


def test_a_frame_keeps_its_line_feed_and_a_line_loses_it() -> None:
    """A frame is the venue's, byte for byte; a line ends where its line feed stood."""
    records, rest, needed = split(FRAME + LINE)
    assert [(b"frame\n", False), (b"line", True)] == [(record.data, record.told) for record in records]
    assert (b"", 4) == (rest, needed)


def test_what_is_not_complete_waits_and_says_for_how_much() -> None:
    """A large frame comes in many reads: nobody looks at it again before it can be whole."""
    for cut, needed in ((2, 4), (4, 10), (9, 10)):
        records, rest, wanted = split(LINE + FRAME[:cut])
        assert (1, FRAME[:cut], needed) == (len(records), rest, wanted)
