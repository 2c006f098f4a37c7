"""Tokens: what is kept of them, who is let in, and what a file must be to be believed."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.daemon import tokens as module
from wsmgr.manager.daemon.scopes import Scope, needed
from wsmgr.manager.daemon.tokens import MAX_TOKENS, PREFIX, TokenError, TokenFile, Tokens, matching
from wsmgr.manager.model.errors import StateDirectoryError, UsageError, WsmgrError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path)


def known(file: TokenFile) -> tuple[Tokens, list[WsmgrError]]:
    complaints: list[WsmgrError] = []
    tokens = Tokens(file, complaints.append)
    tokens.refresh()
    return tokens, complaints


def test_only_the_hash_of_a_token_is_kept_and_only_for_its_owner(file: TokenFile) -> None:
    """Whoever reads the file, or a copy of it, cannot get in with what it says; 256 bits are not guessed."""
    umask = os.umask(0)
    try:
        token = file.create("desk", Scope.TRADE)
    finally:
        os.umask(umask)
    assert len(PREFIX) + 43 == len(token)
    (kept,) = file.read()
    assert ("desk", Scope.TRADE, hashlib.sha256(token.encode()).hexdigest()) == (
        kept.name,
        kept.scope,
        kept.sha256,
    )
    content = file.path.read_text()
    assert token not in content
    assert token.removeprefix(PREFIX)[:12] not in content
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.path.parent.iterdir()}
    assert {"tokens.json": 0o600, "tokens.lock": 0o600} == modes


def test_two_tokens_are_never_the_same(file: TokenFile) -> None:
    """They are random."""
    assert 20 == len({file.create(f"t{number}", Scope.READ) for number in range(20)})


def test_a_token_is_found_by_itself_and_by_nothing_else(file: TokenFile) -> None:
    """Not by a part of it, its name, its hash or nothing."""
    token = file.create("desk", Scope.READ)
    other = file.create("other", Scope.TRADE)
    tokens = file.read()
    assert ["desk", "other"] == [found.name for each in (token, other) if (found := matching(tokens, each))]
    for wrong in ("", token[:-1], token + "x", token.swapcase(), "desk", tokens[0].sha256, "\xff"):
        assert matching(tokens, wrong) is None


@pytest.mark.parametrize("which", [0, 1, 2, None])
def test_every_token_is_compared_in_constant_time_whichever_it_is(
    file: TokenFile, monkeypatch: pytest.MonkeyPatch, which: int | None
) -> None:
    """How long it takes tells neither whether one matched nor which."""
    given = [file.create(f"t{number}", Scope.READ) for number in range(3)]
    compared: list[object] = []

    def compare(kept: str, digest: str) -> bool:
        compared.append((kept, digest))
        return hmac.compare_digest(kept, digest)

    class Watched:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(module, "hmac", Watched)
    tokens = file.read()
    shown = "wrong" if which is None else given[which]
    found = matching(tokens, shown)
    assert (None if which is None else f"t{which}") == (found and found.name)
    assert [(each.sha256, hashlib.sha256(shown.encode()).hexdigest()) for each in tokens] == compared


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "x" * 65, "é", "a\n"])
def test_a_name_that_would_confuse_is_refused(file: TokenFile, name: str) -> None:
    """It stands in events and on command lines."""
    with pytest.raises(UsageError, match="name of a token"):
        file.create(name, Scope.READ)
    assert not file.path.exists()


def test_a_name_is_taken_once_and_revoked_once(file: TokenFile) -> None:
    """A name means one token."""
    file.create("desk", Scope.READ)
    with pytest.raises(TokenError, match="'desk' already"):
        file.create("desk", Scope.TRADE)
    file.revoke("desk")
    assert () == file.read()
    with pytest.raises(TokenError, match="no token 'desk'"):
        file.revoke("desk")


def test_there_is_a_most_of_tokens(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list that every request is compared with stays short."""
    monkeypatch.setattr(module, "MAX_TOKENS", 2)
    assert MAX_TOKENS > 2
    for name in ("a", "b"):
        file.create(name, Scope.READ)
    with pytest.raises(TokenError, match="which is the most"):
        file.create("c", Scope.READ)


def test_as_many_tokens_as_there_may_be_fit_into_the_file(file: TokenFile) -> None:
    """What is written can be read again."""
    one = file.create("x" * 64, Scope.MANAGE)
    (token,) = file.read()
    file._write((token,) * MAX_TOKENS)
    assert MAX_TOKENS == len(file.read())
    assert matching(file.read(), one) == token


def test_tokens_that_are_made_at_once_are_all_kept(file: TokenFile) -> None:
    """Two who change the file at the same time do not undo each other's change."""
    ready = threading.Barrier(8)

    def create(number: int) -> None:
        ready.wait()
        file.create(f"t{number}", Scope.READ)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {f"t{number}" for number in range(8)} == {token.name for token in file.read()}


def test_a_running_daemon_takes_changes_at_once(file: TokenFile) -> None:
    """One that was made lets in at the next request; one that was revoked, after the next look, no more."""
    tokens, complaints = known(file)
    assert 0 == len(tokens)
    token = file.create("desk", Scope.READ)
    found = tokens.shown(token)
    assert found is not None
    assert (1, True) == (len(tokens), tokens.holds(found))
    file.revoke("desk")
    tokens.refresh()
    assert not tokens.holds(found)
    assert tokens.shown(token) is None
    assert [] == complaints


SPOILT = {
    "open to others": lambda path: path.chmod(0o644),
    "a link": lambda path: path.rename(path.with_name("x")) and path.symlink_to("x"),
    "no JSON": lambda path: path.write_text("{"),
    "another form": lambda path: path.write_text('{"format":2,"tokens":[]}'),
    "no hash": lambda path: path.write_text(path.read_text().replace('"sha256": "', '"sha256": "é')),
    "a scope that there is not": lambda path: path.write_text(path.read_text().replace("read", "root")),
    "nested": lambda path: path.write_text("[" * 5000),
    "too large": lambda path: path.write_text(path.read_text() + " " * 70_000),
    "a directory": lambda path: path.unlink() or path.mkdir(),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_cannot_be_believed_lets_nobody_in(file: TokenFile, how: str) -> None:
    """Neither who was let in before; why is told once, not at each request; and when it is mended all is well."""
    token = file.create("desk", Scope.READ)
    tokens, complaints = known(file)
    assert tokens.shown(token) is not None
    sound = file.path.read_text()
    SPOILT[how](file.path)
    tokens.refresh()
    assert tokens.shown(token) is None
    assert 1 == len(complaints)
    assert isinstance(complaints[0], StateDirectoryError)
    assert str(file.path) in str(complaints[0])
    assert token not in str(complaints[0])
    with pytest.raises(StateDirectoryError):
        file.create("another", Scope.READ)
    if file.path.is_dir():
        file.path.rmdir()
    file.path.unlink(missing_ok=True)
    file.path.write_text(sound)
    file.path.chmod(0o600)
    assert tokens.shown(token) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_file_of_another_user_lets_nobody_in(file: TokenFile) -> None:
    """Whoever wrote it could have written a token of their own."""
    token = file.create("desk", Scope.READ)
    os.chown(file.path, 54321, -1)
    tokens, complaints = known(file)
    assert tokens.shown(token) is None
    assert "belongs to the user 54321" in str(complaints[0])


def test_the_lock_is_not_taken_through_a_link(file: TokenFile, tmp_path: Path) -> None:
    """What a link points to is nobody's lock, and is not made."""
    (tmp_path / "tokens.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateDirectoryError, match=r"tokens\.lock"):
        file.create("desk", Scope.READ)
    assert not (tmp_path / "elsewhere").exists()


def test_a_scope_has_those_below_it_in_it() -> None:
    """From read over manage to trade."""
    allowed = {scope: [each for each in Scope if scope.allows(each)] for scope in Scope}
    assert {
        Scope.READ: [Scope.READ],
        Scope.MANAGE: [Scope.READ, Scope.MANAGE],
        Scope.TRADE: [Scope.READ, Scope.MANAGE, Scope.TRADE],
    } == allowed


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("GET", "read"),
        ("HEAD", "read"),
        ("POST", "manage"),
        ("DELETE", "manage"),
        ("PUT", "manage"),
        ("X", "manage"),
    ],
)
def test_what_does_not_only_read_needs_more_than_read(method: str, scope: str) -> None:
    """Also a method that nobody thought of."""
    assert scope == needed(method).value
