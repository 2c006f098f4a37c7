"""Configuration: what is wrong is said with the place and what would be right; what is given later wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.config import Config, load_config
from wsmgr.manager.model.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def load(
    source: Any = None, *, venues: tuple[str, ...] = (), url: str | None = None, **environ: str
) -> Config:
    """Load a configuration in an environment that holds nothing else."""
    return load_config(source, venues=venues, url=url, environ=environ)


def test_hyperliquid_needs_no_configuration() -> None:
    """The first venue is there without a file."""
    (venue,) = load().venues
    assert ("hyperliquid", "hyperliquid", None) == (venue.name, venue.dialect, venue.url)


def test_a_file_is_read(tmp_path: Path) -> None:
    """Addresses, dialects and quotas come from TOML."""
    file = tmp_path / "wsmgr.toml"
    file.write_text(
        '[venues.hyperliquid.quotas]\nusers = 15\nconnections = "off"\n'
        '[venues.testnet]\ndialect = "hyperliquid"\nurl = "wss://testnet.example/ws"\naccount = "desk"\n'
    )
    venues = {venue.name: venue for venue in load(file).venues}
    assert {"users": 15, "connections": "off"} == venues["hyperliquid"].quotas
    assert ("wss://testnet.example/ws", "desk") == (venues["testnet"].url, venues["testnet"].account)


@pytest.mark.parametrize(
    ("url", "variable", "expected"),
    [
        (None, None, "ws://file.example/ws"),
        (None, "ws://environment.example/ws", "ws://environment.example/ws"),
        ("ws://option.example/ws", "ws://environment.example/ws", "ws://option.example/ws"),
    ],
)
def test_an_option_wins_over_the_environment_and_that_over_the_file(
    url: str | None, variable: str | None, expected: str
) -> None:
    """The nearer to the caller, the stronger."""
    environ = {} if variable is None else {"WSMGR_DESK_A_URL": variable}
    source = {"venues": {"desk-a": {"dialect": "hyperliquid", "url": "ws://file.example/ws"}}}
    (venue,) = load(source, venues=("desk-a",), url=url, **environ).venues
    assert expected == venue.url


@pytest.mark.parametrize(
    ("source", "venues", "words"),
    [
        ({"venus": {}}, (), "has no 'venus'; did you mean 'venues'"),
        ({"venues": 3}, (), r"\[venues\] in the configuration is not a table, but 3"),
        (
            {"venues": {"desk": {"dialekt": "x"}}},
            (),
            r"\[venues.desk\] has no 'dialekt'; did you mean 'dialect'",
        ),
        ({"venues": {"desk": {}}}, (), r"\[venues.desk\] names no dialect"),
        ({"venues": {"desk": {"dialect": "hyperliquid", "url": 5}}}, (), r"url of \[venues.desk\] is 5"),
        (
            {"venues": {"desk": {"dialect": "hyperliquid", "url": "http://x"}}},
            (),
            "url of .venues.desk. cannot be used: .*'http://x'",
        ),
        (
            {"venues": {"desk": {"dialect": "hyperliquid", "quotas": []}}},
            (),
            r"\[venues.desk.quotas\].*not a table",
        ),
        ({"venues": {"Desk A": {"dialect": "hyperliquid"}}}, (), "'Desk A' is no venue name"),
        (None, ("hyperliqud",), "no venue 'hyperliqud'; did you mean 'hyperliquid'"),
        (None, ("nowhere",), r"no venue 'nowhere'; write \[venues.nowhere\]"),
        (None, ("hyperliquid", "hyperliquid"), "named twice"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    source: Any, venues: tuple[str, ...], words: str
) -> None:
    """A user finds the mistake by the message alone."""
    with pytest.raises(ConfigurationError, match=words):
        load(source, venues=venues)


def test_one_address_is_for_one_venue() -> None:
    """`--url` with several venues would be a guess."""
    source = {"venues": {"desk": {"dialect": "hyperliquid"}}}
    with pytest.raises(ConfigurationError, match="single venue, and there are 2: desk, hyperliquid"):
        load(source, url="ws://127.0.0.1:9/ws")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing and malformed files alike."""
    with pytest.raises(ConfigurationError, match=r"nofile\.toml cannot be read: No such file"):
        load(tmp_path / "nofile.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("venues = [")
    with pytest.raises(ConfigurationError, match=r"broken\.toml is not TOML"):
        load(broken)
