"""`wsmgr daemon token`, and a daemon that listens over TCP."""

from __future__ import annotations

import os
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import NOWHERE
from wsmgr.cli.daemon import URL_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli


def test_a_token_is_printed_once_listed_without_itself_and_revoked(state_dir: Path, cli: Cli) -> None:
    """Stdout has the token and nothing else: it goes into a file or a variable as it is."""
    made = cli("daemon", "token", "create", "desk", "--scope", "manage")
    token = made.out.decode().removesuffix("\n")
    assert (0, True, 1) == (made.code, token.startswith("wsmgr_"), len(made.out.split()))
    assert token not in made.err
    other = cli("daemon", "token", "create", "probe", "--scope", "read", "--json").document
    assert ["probe", "read"] == [other["name"], other["scope"]]
    listed = cli("daemon", "token", "list")
    rows = cli("daemon", "token", "list", "--json").document
    assert [("desk", "manage"), ("probe", "read")] == [(row["name"], row["scope"]) for row in rows]
    assert "desk" in listed.out.decode()
    for secret in (token, other["token"]):
        assert secret not in listed.out.decode() + str(rows) + (state_dir / "tokens.json").read_text()
    assert 0 == cli("daemon", "token", "revoke", "desk").code
    assert ["probe"] == [row["name"] for row in cli("daemon", "token", "list", "--json").document]
    assert 0o700 == state_dir.stat().st_mode & 0o777


def test_mistakes_with_tokens_are_said(cli: Cli) -> None:
    """With the exit codes of every command."""
    assert "there are no tokens" in cli("daemon", "token", "list").err
    assert [] == cli("daemon", "token", "list", "--json").document
    assert 2 == cli("daemon", "token", "create", "desk").code
    assert 2 == cli("daemon", "token", "create", "desk", "--scope", "root").code
    assert 2 == cli("daemon", "token", "create", "a b", "--scope", "read").code
    assert 0 == cli("daemon", "token", "create", "desk", "--scope", "read").code
    again = cli("daemon", "token", "create", "desk", "--scope", "read")
    assert (1, True) == (again.code, "'desk' already" in again.err)
    assert b"" == again.out
    gone = cli("daemon", "token", "revoke", "nobody")
    assert (1, True) == (gone.code, "no token 'nobody'" in gone.err)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--http", "example.com:80"], "numeric address"),
        (["--http", "0.0.0.0:0"], "--http-public"),
        (["--http-host", "a.example"], "where is it to listen"),
        (["--http", "127.0.0.1:0", "--http-host", "a:80"], "no name of a host"),
    ],
)
@pytest.mark.parametrize("command", ["start", "run"])
def test_where_a_daemon_may_not_listen_it_does_not_start(
    state_dir: Path, cli: Cli, command: str, options: list[str], words: str
) -> None:
    """A usage error with the reason, said on the terminal."""
    refused = cli("daemon", command, *options)
    assert (2, True) == (refused.code, words in refused.err), refused
    assert not (state_dir / "wsmgr.db").exists()


def test_a_daemon_over_tcp_is_reached_with_a_token(
    state_dir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`daemon status` says where; the address of the venue came to it without standing on its command line."""
    token = cli("daemon", "token", "create", "desk", "--scope", "read").out.decode().strip()
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    assert 0 == cli("--url", f"{NOWHERE}?api_key=x", "daemon", "start", "--http", "127.0.0.1:0").code
    try:
        status = cli("daemon", "status")
        document = cli("daemon", "status", "--json").document
        request = urllib.request.Request(
            f"{document['http']}/v1/health", headers={"authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert b'"status":"ok"' in answer.read()
        again = cli("daemon", "restart", "--http", document["http"].removeprefix("http://"))
        restarted = cli("daemon", "status", "--json").document
    finally:
        assert 0 == cli("daemon", "stop").code
    assert f"http:          {document['http']}" in status.out.decode()
    assert (0, document["http"]) == (again.code, restarted["http"])
    assert NOWHERE == document["venues"]["hyperliquid"]["url"]
    assert document["pid"] != restarted["pid"]
    assert URL_VARIABLE not in os.environ
