"""A daemon that listens over TCP too, and clients that say whatever they like to it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from attrs import frozen
from tests.manager.daemon.conftest import PATIENCE, RunningDaemon

from wsmgr.manager.daemon.address import HttpAddress
from wsmgr.manager.daemon.edge import edge
from wsmgr.manager.daemon.listening import url_of
from wsmgr.manager.daemon.scopes import Scope
from wsmgr.manager.daemon.settings import HttpSettings
from wsmgr.manager.daemon.tokens import TokenFile
from wsmgr.manager.manager import Manager

if TYPE_CHECKING:
    from pathlib import Path


@frozen
class Answer:
    """What a server answered: status, headers (names in small letters), body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def kind(self) -> str:
        """Of a problem, its kind."""
        return str(self.document["type"]).removeprefix("urn:wsmgr:problem:")


class HttpDaemon(RunningDaemon):
    """A daemon in this process that listens on its Unix socket and over TCP.

    Attributes:
        tokens: A token of each scope, by the scope's name.
        file: Where the tokens are.
    """

    def __init__(self, manager: Manager, directory: Path, tokens: dict[str, str]) -> None:
        super().__init__(manager, directory / "wsmgr.sock")
        self.tokens = tokens
        self.file = TokenFile(directory)

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens over TCP."""
        url = url_of(self.manager.engine)
        assert url is not None
        host, _, port = url.removeprefix("http://").rpartition(":")
        return host.strip("[]"), int(port)

    def say(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        token: str | None = None,
    ) -> Answer:
        """Ask over TCP with exactly these headers, and `Host` where none is given; `token` is a scope's name."""
        given = list(headers)
        if token is not None:
            given.append(("authorization", f"Bearer {self.tokens[token]}"))
        if not any(name.lower() == "host" for name, _ in given):
            given.append(("host", f"localhost:{self.place[1]}"))
        if body is not None:
            given.append(("content-length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in given)
        data = f"{method} {path} HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode("latin-1") + (
            body or b""
        )
        with socket.create_connection(self.place, PATIENCE) as client:
            return said(client, data)

    async def http(self, method: str, path: str, *args: Any, **options: Any) -> Answer:
        """`say`, in a thread."""
        return await self.ask(lambda: self.say(method, path, *args, **options))


RunHttp = Callable[..., AbstractAsyncContextManager[HttpDaemon]]


def runner(directory: Path) -> RunHttp:
    """Return what runs such a daemon, for `async with`, on a venue at a URL."""

    @asynccontextmanager
    async def run(
        url: str, *, http: str = "127.0.0.1:0", names: Iterable[str] = (), **options: Any
    ) -> AsyncIterator[HttpDaemon]:
        file = TokenFile(directory)
        tokens = {scope.value: file.create(scope.value, scope) for scope in Scope}
        settings = HttpSettings(address=HttpAddress.parse(http), directory=directory, names=frozenset(names))
        served = edge(directory / "wsmgr.sock", http=settings)
        async with Manager(url=url, edge=served, **options) as manager:
            yield HttpDaemon(manager, directory, tokens)

    return run


def said(client: socket.socket, data: bytes) -> Answer:
    """Send bytes, and read one answer; one that is broken off raises what `http.client` raises.

    Whoever is refused by the head of a request may have its answer, and a closed connection, before the rest is sent.
    """
    with suppress(BrokenPipeError):
        client.sendall(data)
    return answered(client)


def answered(client: socket.socket) -> Answer:
    """Read one answer."""
    client.settimeout(PATIENCE)
    with closing(http.client.HTTPResponse(client, method="GET")) as response:
        response.begin()
        body = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


async def until(answers: Callable[[], Awaitable[Answer]], status: int) -> None:
    """Ask until the answer has a status."""
    with anyio.fail_after(PATIENCE):
        while (await answers()).status != status:  # noqa: ASYNC110 - it is another thread's answer
            await anyio.sleep(0.01)


def unix(path: Path) -> socket.socket:
    """Return a connection to a Unix socket."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(str(path))
    return client
