"""Private files: what is believed, and what is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.daemon.private_file import read_private
from wsmgr.manager.model.errors import StateDirectoryError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


def test_a_private_file_is_read(path: Path) -> None:
    """Up to its limit, to the byte; one that is not there is None."""
    assert b"content" == read_private(path, max_bytes=7)
    assert read_private(path.with_name("none"), max_bytes=7) is None
    with pytest.raises(StateDirectoryError, match="larger than 6 bytes"):
        read_private(path, max_bytes=6)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    """Whichever right it is."""
    path.chmod(mode)
    with pytest.raises(StateDirectoryError, match=f"mode {mode:04o}"):
        read_private(path, max_bytes=7)


def test_a_link_a_pipe_and_a_directory_are_refused(path: Path) -> None:
    """A link could lead anywhere; a pipe is not waited for."""
    link, pipe, directory = (path.with_name(name) for name in ("link", "pipe", "directory"))
    link.symlink_to(path)
    os.mkfifo(pipe, 0o600)
    directory.mkdir(mode=0o700)
    for each, words in ((link, "symbolic links"), (pipe, "no regular file"), (directory, "no regular file")):
        with pytest.raises(StateDirectoryError, match=words):
            read_private(each, max_bytes=7)
    assert b"content" == read_private(path, max_bytes=7)


def test_nothing_stays_open(path: Path) -> None:
    """Whether it was read or refused."""
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - only how many
    for _ in range(5):
        read_private(path, max_bytes=7)
        with pytest.raises(StateDirectoryError):
            read_private(path.parent, max_bytes=7)
    assert before == len(os.listdir("/dev/fd"))  # noqa: PTH208 - only how many
