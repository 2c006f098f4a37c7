"""Addresses: where the API may listen, and which hosts and sites it answers to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.daemon.address import HttpAddress, check_name, host_in, is_own, same_site
from wsmgr.manager.model.errors import UsageError

NAMES = frozenset({"wsmgr.example.com"})


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback", "shown"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True, "127.0.0.1:8080"),
        ("localhost:0", "localhost", 0, True, "localhost:0"),
        ("LOCALHOST:1", "localhost", 1, True, "localhost:1"),
        ("127.9.9.9:1", "127.9.9.9", 1, True, "127.9.9.9:1"),
        ("[::1]:8080", "::1", 8080, True, "[::1]:8080"),
        ("0.0.0.0:80", "0.0.0.0", 80, False, "0.0.0.0:80"),
        ("[::]:80", "::", 80, False, "[::]:80"),
        ("192.168.1.2:65535", "192.168.1.2", 65535, False, "192.168.1.2:65535"),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int, loopback: bool, shown: str) -> None:
    """What others can reach is known for what it is."""
    address = HttpAddress.parse(text)
    assert (host, port, loopback, shown) == (address.host, address.port, address.loopback, str(address))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:80",
        "example.com:80",
        "[x]:1",
        "a b:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A name of another machine, or one that DNS may give another meaning, is no place to listen."""
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:8080|numeric address"):
        HttpAddress.parse(text)


@pytest.mark.parametrize("name", ["", "a:80", "http://a", "a b", ".a", "a/b", "[::1]", "*"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    """A port or an address in its place would never match."""
    with pytest.raises(UsageError, match="no name of a host"):
        check_name(name)


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LocalHost:8080",
        "127.0.0.1:1",
        "[::1]:8080",
        "10.0.0.7:80",
        "wsmgr.example.com",
        "WSMGR.example.com:443",
    ],
)
def test_the_names_of_this_machine_are_answered_to(header: str) -> None:
    """Its loopback names, the address that the connection came in at, and what is configured; with any port: a proxy has its own."""
    assert is_own(header, local="10.0.0.7", names=NAMES)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "wsmgr.example.com.evil.example",
        "10.0.0.8",
        "",
        "localhost:x",
        "localhost@evil.example",
        "evil.example#localhost",
        "127.0.0.1:80:80",
        "[::1",
        "localhost ",
    ],
)
def test_another_name_is_not(header: str) -> None:
    """A page whose name was pointed here (DNS rebinding) sends its own name."""
    assert not is_own(header, local="10.0.0.7", names=NAMES)


@given(st.text(alphabet="abc.:[]-0123456789@/#? \t", max_size=30))
def test_no_text_but_a_known_name_with_a_port_is_a_host_of_ours(text: str) -> None:
    """Whatever the form."""
    if is_own(text, local="10.0.0.7", names=NAMES):
        assert host_in(text) in {"localhost", "127.0.0.1", "::1", "10.0.0.7", *NAMES}


@pytest.mark.parametrize(
    ("origin", "header", "same"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("https://wsmgr.example.com", "WSMGR.example.com", True),
        ("http://127.0.0.1:9999", "127.0.0.1:8080", False),
        ("http://evil.example", "127.0.0.1:8080", False),
        ("null", "127.0.0.1:8080", False),
        ("", "127.0.0.1:8080", False),
        ("file://127.0.0.1:8080", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8080.evil.example", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", False),
    ],
)
def test_a_page_of_another_site_is_told_by_its_origin(origin: str, header: str, same: bool) -> None:
    """Another port is another site."""
    assert same == same_site(origin, header)
