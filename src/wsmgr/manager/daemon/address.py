"""Address: where the API listens over TCP, and which names a request may have asked for there.

A web page that a user visits can have the name of its own site point to this machine (DNS rebinding): the browser then sends
the page's requests here, as to the same site. What gives them away is the `Host` header, which has that name. So only names are
answered to that mean this machine, or that its user has configured; likewise for the `Origin` of a page.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from attrs import frozen

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import shown

LOCALHOST: Final = "localhost"
LOOPBACK_NAMES: Final = frozenset({LOCALHOST, "127.0.0.1", "::1"})
_HOST_AND_PORT: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?"
)
_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_MAX_PORT: Final = 65535


@frozen
class HttpAddress:
    """Where to listen.

    Attributes:
        host: An address of this machine, or `localhost`.
        port: The port; 0 for any that is free.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HttpAddress:
        """Return the address that a text such as `127.0.0.1:8080` or `[::1]:0` stands for.

        Raises:
            UsageError: It is none.
        """
        found = _HOST_AND_PORT.fullmatch(text)
        if found is None or found["port"] is None or int(found["port"]) > _MAX_PORT:
            raise UsageError(f"http is {shown(text)}; give an address and a port, such as 127.0.0.1:8080")
        host = (found["six"] or found["name"]).lower()
        if host != LOCALHOST and _literal(host) is None:
            raise UsageError(
                f"http is {shown(text)}; give a numeric address of this machine, or localhost, before the port:"
                " a name may point elsewhere tomorrow"
            )
        return cls(host, int(found["port"]))

    @property
    def literal(self) -> str:
        """The numeric address to bind."""
        return "127.0.0.1" if self.host == LOCALHOST else self.host

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        found = _literal(self.literal)
        return found is not None and found.is_loopback

    def __str__(self) -> str:
        """Return it as it is given, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_name(name: str) -> str:
    """Return the name of a host, in small letters.

    Raises:
        UsageError: It is none; a port has no place in it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{shown(name)} is no name of a host; give one such as wsmgr.example.com, without a port"
        )
    return name.lower()


def host_in(header: str) -> str | None:
    """Return the host of a `Host` header in small letters, without its port; None where it is malformed."""
    found = _HOST_AND_PORT.fullmatch(header)
    if found is None:
        return None
    return (found["six"] or found["name"]).lower()


def is_own(header: str, *, local: str, names: Collection[str]) -> bool:
    """Return whether a `Host` header means this machine.

    Args:
        header: Its value.
        local: The numeric address of this machine that the connection came in at.
        names: What else this machine is called, in small letters.
    """
    host = host_in(header)
    return host is not None and (host in LOOPBACK_NAMES or host == local or host in names)


def same_site(origin: str, header: str) -> bool:
    """Return whether a page at an `Origin` was served from the host that it asks now.

    Args:
        origin: The value of the `Origin` header; `null`, of a page that hides where it is from, is another site.
        header: That of the `Host` header.
    """
    scheme, found, rest = origin.partition("://")
    return bool(found) and scheme in {"http", "https"} and rest.lower() == header.lower()


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
