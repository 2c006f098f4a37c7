"""From a name to a connected TCP socket: addresses raced (happy eyeballs, RFC 8305), alike on every loop.

The next address is tried when the one before has failed or 0.25 s have passed; the first that connects wins, the others are closed.
uvloop has no such option, trio's own helper resolves and connects in one call so that a deadline could not say which of the two it cut short.

A source address binds every socket, and leaves only the addresses of its family. Cancelled, all that was opened is closed.
"""

from __future__ import annotations

import ipaddress
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.transport.attempt import Attempt
    from wsmgr.manager.transport.protocol import Dial

Address: TypeAlias = Any
"""What a socket of its family connects to: `(host, port)`, or more."""

ConnectSocket: TypeAlias = Callable[[socket.socket, Address], Awaitable[None]]
"""Connects a non-blocking socket to an address; raises OSError."""

MakeSocket: TypeAlias = Callable[[int, int, int], socket.socket]
"""Makes a socket of a family, a type and a protocol."""

_Candidate: TypeAlias = tuple[int, int, int, Address]

STAGGER_DELAY = 0.25
"""Seconds that an address has before the next one is tried beside it (RFC 8305, 5)."""


async def open_tcp(
    attempt: Attempt, connect: ConnectSocket, make: MakeSocket = socket.socket
) -> socket.socket:
    """Return a connected, non-blocking socket to the attempt's host.

    Raises:
        OSError: No address could be resolved or connected to: the error of the one that was tried first. Or this machine
            does not have the source address.
        UnicodeError: The host cannot be a name.
    """
    dial = attempt.dial
    attempt.phase = "dns"
    found = await anyio.getaddrinfo(dial.host, dial.port, family=_family(dial), type=socket.SOCK_STREAM)
    addresses = interleave([(family, kind, proto, address) for family, kind, proto, _, address in found])
    attempt.phase = "tcp"

    def make_bound(family: int, kind: int, proto: int) -> socket.socket:
        return _bound(make(family, kind, proto), local_address(dial))

    return await race(addresses, connect, make_bound)


def local_address(dial: Dial) -> tuple[str, int] | None:
    """Return what a dial's socket is bound to: its source address and any port; None where the system chooses."""
    return None if dial.source_address is None else (dial.source_address, 0)


def interleave(addresses: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the addresses with the families taking turns, the family of the first one first (RFC 8305, 4)."""
    families: dict[int, list[_Candidate]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    turns = itertools.zip_longest(*families.values())
    return [address for turn in turns for address in turn if address is not None]


async def race(addresses: Sequence[_Candidate], connect: ConnectSocket, make: MakeSocket) -> socket.socket:
    """Return the first socket that connects.

    Raises:
        OSError: None did: the error of the first address.
    """
    winners: list[socket.socket] = []
    errors: dict[int, OSError] = {}

    async def run(index: int, ended: anyio.Event) -> None:
        try:
            sock = await _connected(addresses[index], connect, make)
        except OSError as error:
            errors[index] = error
            ended.set()
            return
        if winners:
            sock.close()
            return
        winners.append(sock)
        group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for index in range(len(addresses)):
                ended = anyio.Event()
                group.start_soon(run, index, ended)
                with anyio.move_on_after(STAGGER_DELAY):
                    await ended.wait()
    except BaseException:
        for sock in winners:
            sock.close()
        raise
    if not winners:
        raise errors[min(errors)] if errors else OSError("the name has no address")
    return winners[0]


def _family(dial: Dial) -> socket.AddressFamily:
    """Return the family of the addresses that a dial can go to."""
    if dial.source_address is None:
        return socket.AF_UNSPEC
    return socket.AF_INET if ipaddress.ip_address(dial.source_address).version == 4 else socket.AF_INET6  # noqa: PLR2004


def _bound(sock: socket.socket, local: tuple[str, int] | None) -> socket.socket:
    """Return the socket, bound; where that fails, it is closed."""
    if local is not None:
        try:
            sock.bind(local)
        except OSError as error:
            sock.close()
            raise OSError(error.errno, f"cannot dial from {local[0]}: {error.strerror}") from error
    return sock


async def _connected(candidate: _Candidate, connect: ConnectSocket, make: MakeSocket) -> socket.socket:
    family, kind, proto, address = candidate
    sock = make(family, kind, proto)
    try:
        sock.setblocking(False)
        await connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
