"""Mutated frames: what a broken peer, a proxy or a changed protocol may send, from real frames and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_STILL_JSON: Final = 0.5
_DEEPER: Final = 0.75
_SPLICES: Final = (
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"-0",
    b"1e999",
    b"123456789012345678901234567890",
    b'"\\ud800"',
    b"[[[[[[[[",
    b'{"a":',
    b"\xff\xfe",
    b"\x00",
    b'"channel":"trades",',
)


_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    2**63,
    1e300,
    "",
    "x",
    "BTC",
    "0x" + "00" * 20,
    [],
    {},
    [[]],
    {"a": None},
    [None],
)


def mutated(frame: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Return a frame that is nearly another one.

    Half of them are JSON still, with one value replaced, left out or doubled. Of the others bytes are flipped, cut out, doubled, spliced in,
    or taken from another frame.

    Args:
        frame: The frame to begin with.
        others: Frames to take pieces from.
        random: Where the choices come from.
    """
    if random.random() < _STILL_JSON:
        document = msgspec.json.decode(frame)
        _replace(document, random)
        return msgspec.json.encode(document)
    raw = bytearray(frame)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(raw) + 1)
        match random.randrange(6):
            case 0 if raw:
                raw[at % len(raw)] = random.randrange(256)
            case 1:
                del raw[at : at + random.randrange(1, 40)]
            case 2:
                raw[at:at] = raw[at : at + random.randrange(1, 40)]
            case 3:
                raw[at : at + random.randrange(0, 12)] = random.choice(_SPLICES)
            case 4:
                other = random.choice(others)
                begin = random.randrange(len(other))
                raw[at:at] = other[begin : begin + random.randrange(1, 60)]
            case _:
                raw = raw[:at]
    return bytes(raw)


def _replace(document: Any, random: Random) -> None:  # noqa: ANN401 - any JSON
    """Change one value somewhere in a document, in place."""
    places: list[Any] = list(document) if isinstance(document, dict) else list(range(len(document)))  # pyright: ignore[reportUnknownArgumentType]
    if not places:
        return
    place = random.choice(places)
    if isinstance(document[place], dict | list) and document[place] and random.random() < _DEEPER:
        _replace(document[place], random)
    elif random.randrange(3):
        document[place] = random.choice(_VALUES)
    elif isinstance(document, dict):
        del document[place]
    else:
        document.insert(place, document[place])
