"""Records: the form of a raw stream, for the daemon that writes it and the client that reads it.

A record is a length and so many bytes: the length as u32, big endian, then the venue's frame, byte for byte. Where the top bit
of the length is set, the other 31 are the length of a line of the daemon's own: an event, in JSON.
"""

from __future__ import annotations

from typing import Final

FRAMES: Final = "application/vnd.wsmgr.frames"
LENGTH_BYTES: Final = 4
_TOLD: Final = 1 << 31


class Record:
    """One record of a raw stream.

    Attributes:
        told: Whether it is a line of the daemon's own (an event, in JSON) rather than a frame.
        data: The line without its line feed, or the frame.
    """

    __slots__ = ("data", "told")

    def __init__(self, data: bytes, *, told: bool) -> None:
        """Hold a frame, or a line."""
        self.data = data
        self.told = told


def frame_record(frame: bytes) -> bytes:
    """Return the record of a venue's frame."""
    return len(frame).to_bytes(LENGTH_BYTES, "big") + frame


def told_record(line: bytes) -> bytes:
    """Return the record of a line of the daemon's own; the line has its line feed."""
    return (_TOLD | len(line)).to_bytes(LENGTH_BYTES, "big") + line


def split(data: bytes) -> tuple[list[Record], bytes, int]:
    """Return the records that are complete, the bytes after them, and how many of those make the next step possible.

    Args:
        data: What has come since the last complete record.
    """
    records: list[Record] = []
    start, needed = 0, LENGTH_BYTES
    while start + LENGTH_BYTES <= len(data):
        head = int.from_bytes(data[start : start + LENGTH_BYTES], "big")
        end = start + LENGTH_BYTES + (head & ~_TOLD)
        if end > len(data):
            needed = end - start
            break
        body = data[start + LENGTH_BYTES : end]
        records.append(Record(body.rstrip(b"\n"), told=True) if head & _TOLD else Record(body, told=False))
        start = end
    return records, data[start:], needed
