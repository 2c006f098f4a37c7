"""Finding: the daemon that a command attaches to, and whether it is the one that was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.cli.errors import USAGE, CommandError, NoDaemonError, say
from wsmgr.cli.settings import Settings

if TYPE_CHECKING:
    from wsmgr.manager.daemon.stream_client import StreamClient
    from wsmgr.manager.daemon.unix_client import DaemonClient


def find(settings: Settings, what: str = "--attach") -> StreamClient | None:
    """Return a client of the running daemon, or None where none runs or none is to be looked for.

    Args:
        settings: Where to look.
        what: What needs the daemon, for the message where `--attach` asks for one and none runs.

    Raises:
        NoDaemonError: `--attach` was given and none runs.
        CommandError: `--url` was given and is not the daemon's.
    """
    if settings.attach is False:
        return None
    from wsmgr.manager.daemon.discovery import find_daemon
    from wsmgr.manager.daemon.stream_client import StreamClient

    socket = find_daemon(settings.state_dir, settings.environ)
    if socket is None:
        if settings.attach:
            raise NoDaemonError(settings.state_directory, what)
        return None
    client = StreamClient(socket)
    check_url(settings.url, client)
    if settings.config is not None:
        say(f"--config {settings.config} is ignored: the running daemon has its own configuration")
    return client


def need(settings: Settings, what: str) -> StreamClient:
    """Return a client of the running daemon.

    Args:
        settings: Where to look.
        what: The command that needs it, for the message.

    Raises:
        NoDaemonError: None runs.
        CommandError: `--url` was given and is not the daemon's, or `--no-attach` was given.
    """
    if settings.attach is False:
        raise CommandError(f"{what} needs the daemon, so --no-attach makes no sense here", USAGE)
    client = find(settings, what)
    if client is None:
        raise NoDaemonError(settings.state_directory, what)
    return client


def check_url(url: str | None, client: DaemonClient) -> None:
    """Refuse a `--url` that is not the address of the daemon's one venue.

    The daemon tells its addresses without credentials and query, so these are neither compared nor shown.

    Raises:
        CommandError: It is another one.
    """
    if url is None:
        return
    from wsmgr.manager.transport.protocol import redact

    wanted = redact(url)
    health: dict[str, Any] = client.get("/v1/health")
    urls = [str(venue["url"]) for venue in health["venues"].values()]
    if urls != [wanted]:
        raise CommandError(
            f"--url is {wanted}, and the running daemon uses {', '.join(urls)};"
            " leave it out, or run without the daemon: --no-attach",
            USAGE,
        )
