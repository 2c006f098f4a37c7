"""Settings: what `[daemon]` and the options say, and what is refused with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsmgr.manager.daemon.address import HttpAddress
from wsmgr.manager.daemon.settings import MAX_CONFIGURATION_BYTES, http_settings, read_table
from wsmgr.manager.model.errors import ConfigurationError, UsageError

HERE = Path("/state")


def written(directory: Path, text: str) -> Path:
    path = directory / "wsmgr.toml"
    path.write_text(text)
    return path


def test_without_being_asked_for_nothing_listens_over_tcp(tmp_path: Path) -> None:
    """No file, no table, no option."""
    assert http_settings(read_table(None), HERE) is None
    assert http_settings(read_table(tmp_path / "none"), HERE) is None
    assert http_settings(read_table(written(tmp_path, "[venues.hyperliquid]\n")), HERE) is None


def test_the_table_says_where_and_the_option_goes_over_it(tmp_path: Path) -> None:
    """As everywhere: options over the file."""
    table = read_table(written(tmp_path, '[daemon]\nhttp = "127.0.0.1:8080"\nhttp_hosts = ["A.example"]\n'))
    configured = http_settings(table, HERE)
    given = http_settings(table, HERE, http="[::1]:0", hosts=["b.example"])
    assert configured is not None
    assert given is not None
    assert (HttpAddress("127.0.0.1", 8080), HERE, {"a.example"}) == (
        configured.address,
        configured.directory,
        set(configured.names),
    )
    assert (HttpAddress("::1", 0), {"a.example", "b.example"}) == (given.address, set(given.names))


@pytest.mark.parametrize("http", ["0.0.0.0:80", "[::]:80", "192.168.1.2:80"])
def test_an_address_that_others_can_reach_needs_a_yes(http: str) -> None:
    """Plain HTTP shows the tokens to whoever listens on the way; the refusal says what to do instead."""
    with pytest.raises(UsageError, match=r"plain\s+HTTP.*proxy with TLS.*--http-public"):
        http_settings({"http": http}, HERE)
    for table, public in (({"http": http, "http_public": True}, False), ({"http": http}, True)):
        settings = http_settings(table, HERE, public=public)
        assert settings is not None
        assert http == str(settings.address)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"htp": "x"}, "did you mean 'http'"),
        ({"port": 1}, "there are http, http_hosts, http_public"),
        ({"http": 8080}, "http of .* is not a text"),
        ({"http": "127.0.0.1:1", "http_public": "yes"}, "is not true or false"),
        ({"http": "127.0.0.1:1", "http_hosts": "a"}, "is not a list of texts"),
        ({"http": "127.0.0.1:1", "http_hosts": [1]}, "is no list of texts"),
        ({"http": "127.0.0.1:1", "http_hosts": ["a:1"]}, "no name of a host"),
        ({"http_hosts": ["a"]}, "where is it to listen"),
        ({"http_public": True}, "where is it to listen"),
        ({"http": "nowhere"}, "give an address and a port"),
    ],
)
def test_what_is_wrong_is_said(table: dict[str, Any], words: str) -> None:
    """Nothing is passed over: a setting of security that is misspelt would not be there."""
    with pytest.raises((ConfigurationError, UsageError), match=words):
        http_settings(table, HERE)


def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Which file, and why; one that is too large is not read to its end."""
    for text, words in (
        ("[daemon", "is not TOML"),
        ("daemon = 1", "is not a table"),
        ("#" * (MAX_CONFIGURATION_BYTES + 1), f"larger than {MAX_CONFIGURATION_BYTES} bytes"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            read_table(written(tmp_path, text))
