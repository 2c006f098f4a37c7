"""The state directory: where a manager keeps what must outlive it, and the lock that makes it the only one there.

The directory is its owner's alone (mode 0700). The lock is an flock on `wsmgr.pid`, which the system releases when the
process ends, however it ends; the process id on the file's first line is for people and for `wsmgr daemon stop`.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2s
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.model.showing import forgetful
from wsmgr.manager.store.replacing import replace_file

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import ExitStack

DATABASE: Final = "wsmgr.db"
DESIRED: Final = "desired.json"
MARKER: Final = "state.json"
SOCKET: Final = "wsmgr.sock"
LOCK: Final = "wsmgr.pid"
LOG: Final = "wsmgr.log"
SOCKET_PATH_BYTES: Final = 103 if sys.platform == "darwin" else 107
"""How long the path of a Unix socket may be."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ATTEMPTS, _ATTEMPT_DELAY = 10, 0.02


def default_state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory that is used where none is named.

    `$WSMGR_STATE_DIR`, else `$XDG_STATE_HOME/wsmgr`, else `~/.local/state/wsmgr`. An `XDG_STATE_HOME` that is not
    absolute is ignored, as the XDG base directory specification asks.
    """
    if named := environ.get("WSMGR_STATE_DIR"):
        return Path(named)
    base = environ.get("XDG_STATE_HOME", "")
    home = Path(environ.get("HOME") or Path.home())
    return (Path(base) if Path(base).is_absolute() else home / ".local" / "state") / "wsmgr"


def _absolute(path: str | Path) -> Path:
    return Path(path).expanduser().absolute()


@frozen
class StateDirectory:
    """A state directory and the files in it; making the value touches nothing.

    Attributes:
        path: The directory, absolute.
    """

    path: Path = field(converter=_absolute)

    @property
    def database(self) -> Path:
        """The database."""
        return self.path / DATABASE

    @property
    def desired(self) -> Path:
        """The copy of the desired state."""
        return self.path / DESIRED

    @property
    def marker(self) -> Path:
        """The marker: where it stands, this directory held state, and a manager never starts empty over it."""
        return self.path / MARKER

    @property
    def lock_file(self) -> Path:
        """The lock, with the holder's process id on its first line."""
        return self.path / LOCK

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.path / LOG

    def socket(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return where the daemon listens.

        In the directory itself; where that path is too long for a socket, under a name that only the directory
        determines in `$XDG_RUNTIME_DIR/wsmgr`, else in `/tmp/wsmgr-<uid>`. Daemon and clients must see the same
        `XDG_RUNTIME_DIR`.
        """
        direct = self.path / SOCKET
        if _fits(direct):
            return direct
        name = blake2s(os.fsencode(self.path), digest_size=8).hexdigest() + ".sock"
        runtime = environ.get("XDG_RUNTIME_DIR", "")
        beside = Path(runtime) / "wsmgr" / name
        return beside if Path(runtime).is_absolute() and _fits(beside) else _last_resort() / name

    @forgetful  # of the environment
    def prepare(self, environ: Mapping[str, str] = os.environ) -> None:
        """Make the directory, and that of the socket, for their owner alone.

        A directory that stands already is narrowed to mode 0700 when it is empty or holds a manager's state.

        Raises:
            StateDirectoryError: It cannot be made or used, or is open to others and holds other things.
        """
        _own(self.path)
        socket_directory = self.socket(environ).parent
        if socket_directory != self.path:
            _own(socket_directory)

    def write_marker(self, now: float) -> None:
        """Say that this directory holds state, unless that is said already; `now` is the wall time.

        Raises:
            OSError: It could not be written.
        """
        if not self.marker.exists():
            made = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
            replace_file(self.marker, f'{{"created_at":"{made}"}}\n'.encode())

    @contextmanager
    def locked(self) -> Generator[None]:
        """Be the only manager of this directory while inside; the directory must be prepared.

        Raises:
            StateDirectoryError: Another manager holds it; the message says which process.
        """
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateDirectoryError(f"the lock {self.lock_file} cannot be opened: {error}") from error
        try:
            _acquire(self, descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            try:
                yield
            finally:
                # The file stays: removing it could remove the one that the next holder has just locked.
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def lock_again(self, held: ExitStack) -> str | None:
        """Take the lock again where its file was removed or replaced while this process held it.

        Args:
            held: What is to be left when the directory is given up; the new lock goes there.

        Returns:
            What was found and done, in words; None where this process holds the lock as it should.
        """
        if self.holder() == os.getpid():
            return None
        try:
            held.enter_context(self.locked())
        except StateDirectoryError as error:
            return f"{self.lock_file} was removed or replaced, and cannot be taken again: {error}"
        return f"{self.lock_file} was removed or replaced; it was taken again"

    def holder(self) -> int | None:
        """Return the process id of the manager that holds the directory, or None where none does.

        Raises:
            StateDirectoryError: The lock may not be read.
        """
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StateDirectoryError(f"the lock {self.lock_file} cannot be read: {error}") from error
        try:
            return None if _try_lock(descriptor, exclusive=False) else _process_id(descriptor)
        finally:
            os.close(descriptor)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES


def _last_resort() -> Path:
    return Path(f"/tmp/wsmgr-{os.getuid()}")  # noqa: S108 - short on purpose; `_own` refuses another user's


def _own(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In /tmp anybody can make it, or a link of its name; elsewhere a link is as its user wants it.
        found = path.lstat() if path == _last_resort() else path.stat()
        usable = found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode)
        if usable and not found.st_mode & _OTHERS:
            usable = os.access(path, os.R_OK | os.W_OK | os.X_OK)
        elif usable := usable and _narrowable(path):
            path.chmod(0o700)
    except OSError as error:
        raise StateDirectoryError(f"the directory {path} cannot be used: {error}; choose another") from error
    if not usable:
        raise StateDirectoryError(
            f"the directory {path} (mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid}) is not for this user"
            f" ({os.geteuid()}) alone and holds other things than a manager's state, or others' files; choose another, or"
            " `chmod 700` it"
        )


def _narrowable(path: Path) -> bool:
    entries = list(path.iterdir())
    if any(entry.is_symlink() or entry.lstat().st_uid != os.geteuid() for entry in entries):
        # Whoever could write here has put it there for us to find.
        return False
    names = {entry.name for entry in entries}
    return not names or not names.isdisjoint({DATABASE, DESIRED, MARKER, LOCK}) or path == _last_resort()


def _acquire(directory: StateDirectory, descriptor: int) -> None:
    """Take the lock; a holder that is just ending, or a glance of `holder`, is waited out for a moment."""
    for _ in range(_ATTEMPTS):
        if _try_lock(descriptor, exclusive=True):
            return
        holder = _process_id(descriptor)
        if holder is not None and _runs(holder):
            break
        sleep(_ATTEMPT_DELAY)
    else:
        holder = None
    who = f"the process {holder}" if holder else "a process that is just starting or ending"
    raise StateDirectoryError(
        f"the state directory {directory.path} is held by {who}; stop it (`wsmgr daemon stop`),"
        " or choose another directory with --state-dir"
    )


def _try_lock(descriptor: int, *, exclusive: bool) -> bool:
    import fcntl  # noqa: PLC0415 - not on Windows, where everything but a state directory works

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _process_id(descriptor: int) -> int | None:
    first = os.pread(descriptor, 64, 0).partition(b"\n")[0]
    return int(first) if first.isdigit() else None


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
