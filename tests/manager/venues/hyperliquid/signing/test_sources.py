"""Where a key comes from: a file of one's own, an environment variable, a systemd credential."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import traceback
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.venues.hyperliquid.signing import SecretKey, load_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST, SECOND, THIRD = ("11" * 32, "22" * 32, "33" * 32)
BROKEN = "c0ffee" * 10 + "bee"


def address(digits: str) -> str:
    return SecretKey.parse(digits).address


def loaded(venue: str = "hyperliquid", **options: object) -> str | None:
    """The address of the key that is found."""
    options.setdefault("environ", {})
    found = load_secret(venue, **options)  # type: ignore[arg-type]  # as given
    return None if found is None else found.address


def key_file(directory: Path, content: str = FIRST, mode: int = 0o600, name: str = "key") -> Path:
    path = directory / name
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
@pytest.mark.parametrize("content", [FIRST, f"0x{FIRST}\n", f"  {FIRST}\r\n"])
def test_file_of_ones_own_holds_the_key(tmp_path: Path, mode: int, content: str) -> None:
    """With the white space that an editor leaves."""
    assert address(FIRST) == loaded(file=key_file(tmp_path, content, mode))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o700, 0o660, 0o777, 0o4600])
def test_file_that_is_open_to_others_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, mode: int
) -> None:
    """The message names the file and its mode; the command, run as it stands, mends it."""
    directory = tmp_path / "a directory's"
    directory.mkdir()
    path = key_file(directory, mode=mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}") as raised:
        loaded(file=path)
    assert str(path) in str(raised.value)
    command = re.search(r"chmod 600 .*$", str(raised.value))
    assert command
    subprocess.run(shlex.split(command[0]), check=True)
    assert address(FIRST) == loaded(file=path)


def test_file_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    """Whoever names a file means that file, whatever the environment has."""
    environ = {"WSMGR_HYPERLIQUID_SECRET_KEY": SECOND}
    with pytest.raises(ConfigurationError, match=f"no key file {tmp_path}/key"):
        loaded(file=tmp_path / "key", environ=environ)


def test_directory_and_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    """A named pipe would keep the reader waiting for a writer."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(0o600)
    for name in ("pipe", "directory"):
        with pytest.raises(ConfigurationError, match=f"{name} is not a regular file"):
            loaded(file=tmp_path / name)


def test_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user could put his own key in its place."""
    path = key_file(tmp_path)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(
        ConfigurationError, match=f"belongs to the user {owner}.* runs as the user {owner + 1}"
    ):
        loaded(file=path)


def test_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Not the same as none."""
    path = key_file(tmp_path) / "inside"
    with pytest.raises(ConfigurationError, match=f"{path} cannot be read: Not a directory"):
        loaded(file=path)


def test_symbolic_link_is_judged_by_the_file_that_it_names(tmp_path: Path) -> None:
    """Secrets that are mounted are often links."""
    link = tmp_path / "link"
    link.symlink_to(key_file(tmp_path))
    assert address(FIRST) == loaded(file=link)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="mode 0644"):
        loaded(file=link)


def test_file_comes_before_the_variable_and_the_variable_before_the_credential(tmp_path: Path) -> None:
    """And where there is none of them there is no key."""
    key_file(tmp_path, THIRD, name="wsmgr.hyperliquid.secret_key")
    both = {"WSMGR_HYPERLIQUID_SECRET_KEY": SECOND, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert address(FIRST) == loaded(file=key_file(tmp_path), environ=both)
    assert address(SECOND) == loaded(environ=both)
    assert address(THIRD) == loaded(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert address(THIRD) == loaded(environ={**both, "WSMGR_HYPERLIQUID_SECRET_KEY": ""})
    assert loaded() is None
    assert loaded("other", environ=both) is None


def test_variable_is_the_one_that_is_named_else_the_venues() -> None:
    """A venue's name in large letters, with underscores for its hyphens."""
    environ = {"WSMGR_DESK_A_SECRET_KEY": FIRST, "MINE": SECOND}
    assert address(FIRST) == loaded("desk-a", environ=environ)
    assert address(SECOND) == loaded("desk-a", variable="MINE", environ=environ)
    assert loaded("desk-a", variable="NOBODYS", environ=environ) is None


def test_environment_is_that_of_the_process_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere."""
    monkeypatch.setenv("WSMGR_TEST_VENUE_SECRET_KEY", FIRST)
    found = load_secret("test-venue")
    assert found is not None
    assert address(FIRST) == found.address


def test_credential_may_show_an_access_list_as_a_group_that_reads(tmp_path: Path) -> None:
    """Systemd gives the service's user access by such a list: mode 0440."""
    key_file(tmp_path, FIRST, 0o440, "wsmgr.desk-a.secret_key")
    assert address(FIRST) == loaded("desk-a", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize("source", ["file", "variable", "credential"])
def test_broken_key_is_refused_by_the_name_of_its_source_and_shown_nowhere(
    tmp_path: Path, source: str
) -> None:
    """Not in the message, not in a cause, not in a traceback with the variables of every frame."""
    key_file(tmp_path, BROKEN, name="wsmgr.desk-a.secret_key")
    sources: dict[str, tuple[str, Callable[[], object]]] = {
        "file": (
            f"{tmp_path}/wsmgr",
            lambda: load_secret("desk-a", file=tmp_path / "wsmgr.desk-a.secret_key"),
        ),
        "variable": (
            "variable MINE",
            lambda: load_secret("desk-a", variable="MINE", environ={"MINE": BROKEN}),
        ),
        "credential": (
            f"credential {tmp_path}",
            lambda: load_secret("desk-a", environ={"CREDENTIALS_DIRECTORY": str(tmp_path), "OTHER": BROKEN}),
        ),
    }
    name, run = sources[source]
    with pytest.raises(ConfigurationError, match=name) as raised:
        run()
    own = raised.value.__traceback__
    assert own is not None
    shown = traceback.TracebackException(type(raised.value), raised.value, own.tb_next, capture_locals=True)
    found = "".join(shown.format())
    assert "load_secret" in found
    assert "c0ffee" not in found
    assert raised.value.__context__ is None


def test_file_of_other_bytes_is_refused_without_showing_them(tmp_path: Path) -> None:
    """A key in another form (binary, or too long) is no key, and its bytes stay where they are."""
    path = tmp_path / "key"
    for content in (bytes.fromhex("c0ffee" * 10 + "beef"), b"\xc3\xa9" * 32, b"a" * 100_000, b""):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(
            ConfigurationError, match=r"key holds no usable key: a secret key has 64"
        ) as raised:
            loaded(file=path)
        assert not re.search(r"xc0|xc3|aaaa|\ufffd", str(raised.value))
