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
        (
            {"venues": {"hyperliquid": {"proxy": "ftp://proxy:1"}}},
            (),
            r"proxy of \[venues.hyperliquid\] cannot be used: proxy must be socks5://host:port or http://host:port",
        ),
        ({"venues": {"hyperliquid": {"proxy": 1080}}}, (), r"proxy of \[venues.hyperliquid\] is 1080"),
        (
            {"venues": {"hyperliquid": {"source_address": "eth0"}}},
            (),
            r"source_address of \[venues.hyperliquid\] cannot be used: .* not 'eth0'",
        ),
        ({"venues": {"hyperliquid": {"ca_file": True}}}, (), r"ca_file of \[venues.hyperliquid\] is True"),
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


def test_the_way_to_a_venue_is_configured_for_each_of_them() -> None:
    """Proxy, source address and certificates; an address is written in one way, however it was given."""
    way = {"proxy": "http://user:secret@proxy:8080", "source_address": "2001:DB8::0:1", "ca_file": "/ca.pem"}
    plain, desk = load({"venues": {"hyperliquid": {}, "desk": {"dialect": "hyperliquid", **way}}}).venues
    assert (None, None, None) == (plain.proxy, plain.source_address, plain.ca_file)
    assert (way["proxy"], "2001:db8::1", "/ca.pem") == (desk.proxy, desk.source_address, desk.ca_file)
    assert "http://proxy:8080" in repr(desk)
    assert "secret" not in repr(desk)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://user:secret@proxy",
        "user:secret@proxy:1080",
        "socks5:/user:secret@proxy:1080",
        "ftp://user:secret@proxy:1080",
        "socks5://user:sec/secret@proxy:1080",
        "socks5://user:secret @proxy:1080",
        "socks5://user:secret@[proxy:1080",
        "socks5://user:secret@proxy:port",
    ],
)
def test_no_password_of_a_proxy_is_shown_however_badly_it_is_written(proxy: str) -> None:
    """Not in the error, nor in one that hangs on it."""
    with pytest.raises(ConfigurationError) as caught:
        load({"venues": {"hyperliquid": {"proxy": proxy}}})
    assert "proxy of [venues.hyperliquid]" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


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


def test_how_long_a_socket_is_used_is_a_time_or_off() -> None:
    """Each use of it costs a dial of the quota, so it cannot be too short."""

    def rotate_after(value: object) -> float | None:
        config = load_config({"venues": {"hyperliquid": {"rotate_after": value}}}, venues=("hyperliquid",))
        return config.venues[0].rotate_after

    assert [86_400.0, 60.0, None] == [rotate_after(86_400), rotate_after(60.0), rotate_after("off")]
    for wrong in (59, 0, -1, True, "soon", float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="rotate_after of"):
            rotate_after(wrong)
