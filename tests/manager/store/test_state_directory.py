"""The state directory: where it is, whose it is, who holds it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import state_directory
from wsmgr.manager.store.state_directory import SOCKET_PATH_BYTES, StateDirectory, default_state_directory

HOLD = """
import sys
from wsmgr.manager.store.state_directory import StateDirectory
with StateDirectory(sys.argv[1]).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/u"}, "/home/u/.local/state/wsmgr"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "/var/state"}, "/var/state/wsmgr"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "relative"}, "/home/u/.local/state/wsmgr"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "/var/state", "WSMGR_STATE_DIR": "/srv/w"}, "/srv/w"),
    ],
)
def test_the_default_directory_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    """The documented order: wsmgr's own variable, XDG, home."""
    assert Path(expected) == default_state_directory(environ)


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Also when directories above it are missing."""
    directory = StateDirectory(tmp_path / "deep" / "state")

    directory.prepare()

    assert 0o700 == stat.S_IMODE(directory.path.stat().st_mode)


@pytest.mark.parametrize("content", [None, "state.json", "wsmgr.db"])
def test_an_empty_directory_or_our_own_is_narrowed(tmp_path: Path, content: str | None) -> None:
    """`mkdir state` gives 0755; that is no reason to fail."""
    tmp_path.chmod(0o755)
    if content:
        (tmp_path / content).touch()

    StateDirectory(tmp_path).prepare()

    assert 0o700 == stat.S_IMODE(tmp_path.stat().st_mode)


def test_a_directory_with_other_things_is_neither_used_nor_changed(tmp_path: Path) -> None:
    """`--state-dir /tmp` by mistake must not take /tmp from everybody."""
    (tmp_path / "theirs").touch()
    tmp_path.chmod(0o755)

    with pytest.raises(StateDirectoryError, match="chmod 700"):
        StateDirectory(tmp_path).prepare()

    assert 0o755 == stat.S_IMODE(tmp_path.stat().st_mode)


def test_a_file_in_its_place_is_an_error_with_its_name(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "file").touch()

    with pytest.raises(StateDirectoryError, match="file cannot be used"):
        StateDirectory(tmp_path / "file").prepare()


def test_a_second_manager_is_refused_and_told_who_holds_it(directory: StateDirectory) -> None:
    """Two managers on one directory would both restore its subscriptions."""
    with directory.locked():
        with (
            pytest.raises(StateDirectoryError, match=f"held by the process {os.getpid()}"),
            directory.locked(),
        ):
            pytest.fail("two holders")
        assert os.getpid() == directory.holder()
        assert f"{os.getpid()}\n" == directory.lock_file.read_text()

    assert None is directory.holder()


def test_what_an_earlier_holder_left_is_replaced(directory: StateDirectory) -> None:
    """The first line is the process id, and there is no other."""
    directory.lock_file.write_text("9999999999\nolder\n")

    with directory.locked():
        assert f"{os.getpid()}\n" == directory.lock_file.read_text()
    assert "" == directory.lock_file.read_text()


def test_a_killed_holder_holds_no_more(directory: StateDirectory) -> None:
    """After `kill -9` the next start needs no cleaning up, though the process id still stands in the file."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held_by = directory.holder()
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert process.pid == held_by
    assert f"{process.pid}\n" == directory.lock_file.read_text()
    assert None is directory.holder()
    with directory.locked():
        assert os.getpid() == directory.holder()


def test_a_directory_that_was_never_used_has_no_holder(tmp_path: Path) -> None:
    """Asking makes nothing."""
    directory = StateDirectory(tmp_path / "never")

    assert None is directory.holder()
    assert not directory.path.exists()


def test_the_socket_is_in_the_directory_where_its_path_fits(tmp_path: Path) -> None:
    """To the byte: 107 of them on Linux."""
    length = SOCKET_PATH_BYTES - len("/wsmgr.sock") - len(os.fsencode(tmp_path)) - 1
    fits = StateDirectory(tmp_path / ("d" * length))
    too_long = StateDirectory(tmp_path / ("d" * (length + 1)))

    assert fits.path / "wsmgr.sock" == fits.socket({})
    assert too_long.path not in too_long.socket({}).parents


def test_a_socket_path_that_is_too_long_falls_back_to_the_runtime_directory(tmp_path: Path) -> None:
    """Each directory has its own socket there, the same one for daemon and clients, in a directory of mode 0700."""
    long, other = (StateDirectory(tmp_path / ("d" * 100) / name) for name in ("one", "two"))
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}

    long.prepare(runtime)

    path = long.socket(runtime)
    assert tmp_path / "run" / "wsmgr" == path.parent
    assert (path, False) == (long.socket(runtime), path == other.socket(runtime))
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    assert f"/tmp/wsmgr-{os.getuid()}" == str(long.socket({}).parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give things away")
@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_directory_of_another_user_is_refused_whatever_its_mode(tmp_path: Path, mode: int) -> None:
    """Root can use it, and its owner would own the state of root's daemon."""
    path = tmp_path / "planted"
    path.mkdir()
    path.chmod(mode)
    os.chown(path, 54321, -1)

    with pytest.raises(StateDirectoryError, match="owner 54321"):
        StateDirectory(path).prepare({})
    assert mode == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("whose", ["a link", "another user's"])
def test_a_directory_that_others_could_write_to_is_not_narrowed_over_what_they_left(
    tmp_path: Path, whose: str
) -> None:
    """A database or a link that somebody else has put there is not taken for ours."""
    path = tmp_path / "wide"
    path.mkdir()
    path.chmod(0o777)
    planted = path / "wsmgr.db"
    if whose == "a link":
        planted.symlink_to(tmp_path / "elsewhere")
    else:
        if os.geteuid() != 0:
            pytest.skip("needs root to give a file away")
        planted.touch()
        os.chown(planted, 54321, -1)

    with pytest.raises(StateDirectoryError, match="others' files"):
        StateDirectory(path).prepare({})
    assert 0o777 == stat.S_IMODE(path.stat().st_mode)


def test_a_link_in_the_place_of_the_last_resort_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /tmp anybody can make one; its owner could turn it elsewhere later."""
    last = tmp_path / "last"
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    last.symlink_to(own)
    monkeypatch.setattr(state_directory, "_last_resort", lambda: last)
    long = StateDirectory(tmp_path / ("d" * 100) / "one")

    with pytest.raises(StateDirectoryError, match=str(last)):
        long.prepare({})
    last.unlink()
    long.prepare({})
    assert 0o700 == stat.S_IMODE(last.stat().st_mode)
