"""Where a venue's secret key comes from: a file, an environment variable or a systemd credential.

A configuration names the file or the variable and never holds the key. Keys that lie on a disk are their owner's alone:
others could read them, or put their own in their place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.showing import forgetful, looks_like_secret_key, shown
from wsmgr.manager.venues.hyperliquid.signing.secret import SecretKey

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODES: Final = (0o600, 0o400)
_MAX_BYTES: Final = 1024


@forgetful  # of the environment, and of a key that was given instead of its place
def load_secret(
    venue: str,
    *,
    file: Path | None = None,
    variable: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> SecretKey | None:
    """Return a venue's secret key, or None where there is none.

    The first that there is: the file, where one is named; the environment variable that is named, else
    `WSMGR_<VENUE>_SECRET_KEY`; the systemd credential `wsmgr.<venue>.secret_key` in `$CREDENTIALS_DIRECTORY`. An empty
    variable is none. White space around the key is left away.

    Args:
        venue: The venue's name, as the configuration spells it.
        file: A regular file of mode 0600 or 0400 that belongs to this process's user (POSIX).
        variable: The environment variable's name.
        environ: The environment.

    Raises:
        ConfigurationError: The file is named and missing, or what was found cannot be read, is open to others or is no
            key. The message names the source and shows nothing of its content.
    """
    for place, given in (("file", file), ("variable", variable)):
        if given is not None and looks_like_secret_key(Path(given).name):
            raise ConfigurationError(
                f"the {place} of the secret key of {venue} is {shown(str(given))}; name where the key is, not the key"
            )
    if file is not None:
        if (text := _read(file, private=True)) is None:
            raise ConfigurationError(f"there is no key file {file}")
        return _parsed(f"the key file {file}", text)
    name = variable or variable_of(venue)
    if text := environ.get(name):
        return _parsed(f"the environment variable {name}", text)
    if not (directory := environ.get("CREDENTIALS_DIRECTORY")):
        return None
    credential = Path(directory) / f"wsmgr.{venue}.secret_key"
    # systemd lets the service's user in through an access list, which shows in the mode as if a group might read it.
    text = _read(credential, private=False)
    return None if text is None else _parsed(f"the credential {credential}", text)


def variable_of(venue: str) -> str:
    """Return the environment variable that is read where none is named."""
    return f"WSMGR_{venue.upper().replace('-', '_')}_SECRET_KEY"


def _parsed(source: str, text: str) -> SecretKey:
    try:
        return SecretKey.parse(text.strip())
    except ConfigurationError as error:
        raise ConfigurationError(f"{source} holds no usable key: {error}") from error


def _read(path: Path, *, private: bool) -> str | None:
    """Read a short file, having looked at the very file that is read; None where there is none."""
    try:
        # Without waiting: a named pipe would be waited for until somebody writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _inspect(path, os.fstat(descriptor), private=private)
            content = os.read(descriptor, _MAX_BYTES)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be read: {error.strerror}") from error
    return content.decode("ascii", errors="replace")


def _inspect(path: Path, found: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"the key file {path} is not a regular file")
    if not private:
        return
    if found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"the key file {path} belongs to the user {found.st_uid}, and this process runs as the user {os.geteuid()};"
            " a key file is its user's own"
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode not in _MODES:
        raise ConfigurationError(
            f"the key file {path} has the mode {mode:04o}; it must be 0600 or 0400, so that nobody else can read it:"
            f" chmod 600 {quote(str(path))}"
        )
