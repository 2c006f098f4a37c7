"""Addresses are raced: a dead one costs a quarter of a second, not the deadline."""

from __future__ import annotations

import socket
from typing import Any

import anyio
import pytest

from wsmgr.manager.transport import racing
from wsmgr.manager.transport.attempt import Attempt
from wsmgr.manager.transport.protocol import Dial

pytestmark = pytest.mark.anyio


class Net:
    """Connects as told per address: an error, an event to wait for, or at once; keeps the sockets that it saw."""

    def __init__(self, **outcomes: Any) -> None:
        self.outcomes = outcomes
        self.tried: list[str] = []
        self.all_tried = anyio.Event()
        self.sockets: dict[str, socket.socket] = {}

    async def connect(self, sock: socket.socket, address: str) -> None:
        self.tried.append(address)
        if len(self.tried) == len(self.outcomes):
            self.all_tried.set()
        self.sockets[address] = sock
        match self.outcomes[address]:
            case OSError() as error:
                raise error
            case anyio.Event() as event:
                await event.wait()
            case _:
                await anyio.lowlevel.checkpoint()

    async def race(self) -> socket.socket:
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, address) for address in self.outcomes]
        return await racing.race(addresses, self.connect, socket.socket)

    def open(self) -> list[str]:
        return [address for address, sock in self.sockets.items() if sock.fileno() >= 0]


async def test_silent_address_does_not_hold_up_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Happy eyeballs: the second address is tried beside the first, and the loser is closed."""
    monkeypatch.setattr(racing, "STAGGER_DELAY", 0.01)
    net = Net(silent=anyio.Event(), good=None)
    with anyio.fail_after(5):
        winner = await net.race()
    assert winner is net.sockets["good"]
    assert ["good"] == net.open()
    winner.close()


async def test_when_two_addresses_connect_at_once_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photo finish: one socket is returned, and the other does not leak."""
    monkeypatch.setattr(racing, "STAGGER_DELAY", 0.01)
    start = anyio.Event()
    net = Net(one=start, two=start)
    winners: list[socket.socket] = []

    async def run() -> None:
        winners.append(await net.race())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await net.all_tried.wait()
            start.set()
    assert [address for address in net.sockets if net.sockets[address] is winners[0]] == net.open()
    winners[0].close()


async def test_refused_address_makes_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure does not wait for the stagger."""
    monkeypatch.setattr(racing, "STAGGER_DELAY", 60.0)
    net = Net(refused=ConnectionRefusedError("no"), good=None)
    with anyio.fail_after(10):
        (await net.race()).close()
    assert ["refused", "good"] == net.tried


async def test_when_none_connects_the_first_address_says_why() -> None:
    """The error is that of the address which the system would have chosen."""
    net = Net(first=ConnectionRefusedError("first"), second=OSError("second"))
    with pytest.raises(ConnectionRefusedError, match="first"):
        await net.race()
    assert [] == net.open()


async def test_cancelled_race_closes_every_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dial that is given up leaves nothing open."""
    monkeypatch.setattr(racing, "STAGGER_DELAY", 0.01)
    net = Net(one=anyio.Event(), two=anyio.Event())
    with anyio.move_on_after(5) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(net.race)
            await net.all_tried.wait()
            scope.cancel()
    assert [] == net.open()


def test_families_take_turns() -> None:
    """When IPv6 is broken, the second try is IPv4 (RFC 8305)."""
    addresses = [(family, 1, 6, number) for number, family in enumerate((10, 10, 10, 2))]
    assert [0, 3, 1, 2] == [address[3] for address in racing.interleave(addresses)]


async def test_name_that_cannot_be_found_fails_in_the_dns_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """The phase tells a wrong name from a dead server."""

    async def not_found(*_args: Any, **_options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(anyio, "getaddrinfo", not_found)
    attempt = Attempt(Dial(url="ws://nowhere.example/"))
    with pytest.raises(socket.gaierror) as caught:
        await racing.open_tcp(attempt, Net().connect)
    error = attempt.failed_with(caught.value)
    assert ("dns", True) == (error.phase, "the name was not found" in str(error))
