"""Nonces: numbers by which the venue knows an action for a new one, in milliseconds of the clock.

The venue takes a nonce once for each signer, and within two days behind and one day ahead of its clock. So a nonce is the
clock's time, or the last nonce and one where that is more. This holds across a crash and a clock that was set back:

1. A mark stands on the disk for each signer, and no nonce above the mark has ever been given out. It is raised by a block
   at a time, before the first nonce of the block is given out: most nonces cost no write.
2. Who starts goes on above the mark. The rest of the block is lost, so a restart costs at most a block: a few seconds.
3. A clock that stands more than a day behind the last nonce is an error: the venue would refuse the nonce.
4. A process remembers once what it has given out, below all that gives out nonces in it: several managers, several venues
   with one key. Of processes only those that share the file know of each other, one after another.
5. A mark that another process left counts for its own file: one that is wrong stops nobody who uses another file.

Dropped: a file that is written at every nonce (a write to the disk for every order), and the clock alone (two nonces in
one millisecond, or after a step back, are one).
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec
from attrs import define, field

from wsmgr.manager.model.errors import UnavailableError
from wsmgr.manager.venues.hyperliquid.replacing import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BLOCK: Final = 10_000
"""How many nonces are reserved at a time; while they follow the clock, ten seconds."""

DAY_MS: Final = 24 * 60 * 60 * 1000
"""How far ahead of its clock the venue takes a nonce, in milliseconds."""


class NonceError(UnavailableError):
    """No nonce can be given out that the venue would take and that is surely new."""


@define(eq=False)
class GivenOut:
    """What a process has given out.

    Attributes:
        last: The last nonce of each signer.
        marks: The marks of each file, as they stand on the disk, by signer.
        found: Of these the ones that another process wrote, which may have given out all up to them.
        lock: Held while a nonce is given out.
    """

    last: dict[str, int] = field(factory=dict[str, int])
    marks: dict[Path, dict[str, int]] = field(factory=dict[Path, dict[str, int]])
    found: dict[Path, dict[str, int]] = field(factory=dict[Path, dict[str, int]])
    lock: Lock = field(factory=Lock)


PROCESS: Final = GivenOut()
"""What this process has given out."""


class Nonces:
    """Gives out nonces that rise, for any number of signers; threads may share one.

    Args:
        path: The file of the marks (JSON: mark by signer, mode 0600), in a directory that stands and that no other process
            uses meanwhile; None keeps them in memory, and then the next process starts from the clock alone.
        now_ms: The wall clock, in milliseconds.
        given_out: What was given out already; all that share it never give out one nonce twice.
    """

    def __init__(self, path: Path | None, now_ms: Callable[[], int], given_out: GivenOut = PROCESS) -> None:
        """Bind the file; it is read for the first nonce, so that a damaged one stops nobody who signs nothing."""
        self._path = path
        self._now_ms = now_ms
        self._given_out = given_out
        self._loaded = False

    def next(self, signer: str) -> int:
        """Return a nonce that was never given out for this signer: at least the clock's time.

        Waits for the disk the first time, and where a new block begins: at most once in `BLOCK` nonces or ten seconds.

        Args:
            signer: The address that signs, in any case.

        Raises:
            NonceError: It would be a day ahead of the clock, or the marks cannot be read or written. None was given out.
        """
        signer, given_out = signer.lower(), self._given_out
        with given_out.lock:
            now = self._now_ms()
            nonce = max(now, given_out.last.get(signer, -1) + 1, self._found(signer) + 1)
            if nonce >= now + DAY_MS:
                raise NonceError(self._too_far(signer, nonce, now))
            if self._path is not None:
                self._reserve(self._path, signer, nonce)
            given_out.last[signer] = nonce
            return nonce

    def _found(self, signer: str) -> int:
        """Return the mark that another process left for a signer in this file, or -1."""
        path, given_out = self._path, self._given_out
        if path is None:
            return -1
        if not self._loaded:
            known, found = given_out.marks.get(path, {}), given_out.found.get(path, {})
            marks = _read(path)
            given_out.found[path] = {
                each: mark
                for each, mark in marks.items()
                if mark != known.get(each) or mark == found.get(each)
            }
            given_out.marks[path] = marks
            self._loaded = True
        return given_out.found[path].get(signer, -1)

    def _reserve(self, path: Path, signer: str, nonce: int) -> None:
        marks = self._given_out.marks[path]
        if nonce > marks.get(signer, -1):
            marks = {**marks, signer: nonce + BLOCK - 1}
            _write(path, marks)
            self._given_out.marks[path] = marks

    def _too_far(self, signer: str, nonce: int, now: int) -> str:
        kept = "in memory" if self._path is None else f"in {self._path}"
        return (
            f"the next nonce of {signer} ({nonce}) is {(nonce - now) / DAY_MS:.1f} days ahead of the clock ({now}), and the"
            f" venue takes less than one: the clock is wrong, or was when the last was given out (it is kept {kept}); set"
            " the clock; if it was wrong then, end the program, drop the signer's entry and start anew"
        )


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NonceError(f"the nonces in {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NonceError(
            f"the nonces in {path} are damaged ({error}); move the file away once the clock is surely right: nonces"
            " then start from the clock"
        ) from error


def _write(path: Path, marks: Mapping[str, int]) -> None:
    """Replace the file whole and wait until it, and its name, are on the disk."""
    try:
        replace_file(path, msgspec.json.encode(marks))
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise NonceError(
            f"the nonces cannot be kept in {path}: {error.strerror}; none was given out"
        ) from error
