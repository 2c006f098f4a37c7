"""Tokens: who may use the API over TCP, and for what.

A token is 256 random bits. It is shown once, when it is made; `tokens.json` in the state directory (mode 0600) has its SHA-256 and
no more: 256 bits cannot be guessed, so the hash needs neither salt nor stretching. Whoever is to be let in is compared with
every token in constant time, whether one has matched already or not.

A daemon that runs reads the file again when it has changed: a token that is made, or revoked, counts at once. A file that cannot be
read lets nobody in.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec

from wsmgr.manager.daemon.private_file import read_private
from wsmgr.manager.daemon.scopes import Scope
from wsmgr.manager.model.errors import StateDirectoryError, UsageError, WsmgrError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.store.replacing import replace_file

FILE: Final = "tokens.json"
LOCK: Final = "tokens.lock"
FORMAT: Final = 1
PREFIX: Final = "wsmgr_"
"""What every token begins with: programs that look for secrets in texts know it by that."""
MAX_TOKENS: Final = 100
MAX_FILE_BYTES: Final = 64 * 1024
MAX_TOKEN_CHARACTERS: Final = 256
"""How long what a client shows may be; a token has 49 characters."""
_RANDOM_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class TokenError(WsmgrError):
    """A token cannot be made, or there is none of this name."""


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a token.

    Attributes:
        name: What people call it.
        scope: What it allows.
        sha256: The SHA-256 of the token, in hexadecimal digits.
        created_at: When it was made.
    """

    name: Annotated[str, msgspec.Meta(pattern=f"^{_NAME.pattern}$")]
    scope: Scope
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    created_at: datetime


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    tokens: tuple[Token, ...]


def digest_of(token: str) -> str:
    """Return the SHA-256 of a token: all that is kept of it."""
    return sha256(token.encode()).hexdigest()


def matching(tokens: Sequence[Token], given: str) -> Token | None:
    """Return the token that somebody shows, or None.

    Args:
        tokens: All that there are; each is compared, in constant time.
        given: What they show.
    """
    digest = digest_of(given)
    found: Token | None = None
    for token in tokens:
        if hmac.compare_digest(token.sha256, digest):
            found = token
    return found


class TokenFile:
    """The tokens of a state directory.

    Args:
        directory: The directory; it must exist to make a token in it.
    """

    def __init__(self, directory: Path) -> None:
        """Remember the place; nothing is read yet."""
        self.path = directory / FILE
        self._lock = directory / LOCK

    def read(self) -> tuple[Token, ...]:
        """Return the tokens, in the order in which they were made.

        Raises:
            StateDirectoryError: The file cannot be read, is not only this user's, or is not such a file.
        """
        content = read_private(self.path, max_bytes=MAX_FILE_BYTES)
        if content is None:
            return ()
        try:
            found = msgspec.json.decode(content, type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StateDirectoryError(f"{self.path} is not a list of tokens: {error}") from error
        if found.format != FORMAT:
            raise StateDirectoryError(
                f"{self.path} has format {found.format}, this wsmgr knows {FORMAT}; use the wsmgr that wrote it"
            )
        return found.tokens

    def create(self, name: str, scope: Scope) -> str:
        """Make a token and return it: this is the only time that it can be had.

        Raises:
            UsageError: The name cannot be one.
            TokenError: There is one of this name, or there are too many.
            StateDirectoryError: The file cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{shown(name)} is no name of a token; use at most 64 letters, digits, dots, hyphens and underscores"
            )
        token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        with self._held():
            tokens = self.read()
            if any(each.name == name for each in tokens):
                raise TokenError(f"there is a token {name!r} already; revoke it, or take another name")
            if len(tokens) == MAX_TOKENS:
                raise TokenError(f"there are {MAX_TOKENS} tokens, which is the most; revoke one")
            made = Token(name=name, scope=scope, sha256=digest_of(token), created_at=datetime.now(UTC))
            self._write((*tokens, made))
        return token

    def revoke(self, name: str) -> None:
        """Take a token back.

        Raises:
            TokenError: There is none of this name.
            StateDirectoryError: The file cannot be used.
        """
        with self._held():
            tokens = self.read()
            left = tuple(each for each in tokens if each.name != name)
            if len(left) == len(tokens):
                raise TokenError(f"there is no token {shown(name)}; `wsmgr daemon token list` has them all")
            self._write(left)

    def _write(self, tokens: tuple[Token, ...]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_File(format=FORMAT, tokens=tokens)), indent=1)
        try:
            replace_file(self.path, content + b"\n")
        except OSError as error:
            raise StateDirectoryError(f"{self.path} cannot be written: {error.strerror}") from error

    @contextmanager
    def _held(self) -> Generator[None]:
        """Let nobody else change the file meanwhile."""
        import fcntl  # noqa: PLC0415 - not on Windows, where there is no daemon

        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._lock, flags, 0o600)
        except OSError as error:
            raise StateDirectoryError(f"{self._lock} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Tokens:
    """The tokens as a running daemon knows them.

    Args:
        file: Where they are kept.
        complain: Told, once for each state of the file, why it cannot be used.
    """

    def __init__(self, file: TokenFile, complain: Callable[[WsmgrError], None]) -> None:
        """Know none yet; `refresh` reads the file."""
        self._file = file
        self._complain = complain
        self._tokens: tuple[Token, ...] = ()
        self._seen: object = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._tokens)

    def refresh(self) -> None:
        """Read the file again where it has changed; one that cannot be used lets nobody in."""
        seen = _state(self._file.path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._tokens = self._file.read()
        except WsmgrError as error:
            self._tokens = ()
            self._complain(error)

    def shown(self, given: str) -> Token | None:
        """Return the token that somebody shows; one that was made just now counts too."""
        found = matching(self._tokens, given)
        if found is None:
            self.refresh()
            found = matching(self._tokens, given)
        return found

    def holds(self, token: Token) -> bool:
        """Return whether a token still counts."""
        return token in self._tokens


def _state(path: Path) -> object:
    try:
        found = path.lstat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid
