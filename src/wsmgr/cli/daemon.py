"""`wsmgr daemon`: running the daemon in the foreground, and controlling the one in the background."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from attrs import evolve

from wsmgr.cli import cells, daemon_tokens, output
from wsmgr.cli.command import command, group
from wsmgr.cli.errors import DONE, NoDaemonError, say
from wsmgr.cli.options import Json
from wsmgr.cli.settings import OWN_COMMAND, Settings

if TYPE_CHECKING:
    from wsmgr.manager.daemon.settings import HttpSettings
    from wsmgr.manager.manager import Manager
    from wsmgr.manager.store.state_directory import StateDirectory

PANEL: Final = "Daemon"
URL_VARIABLE: Final = "WSMGR_URL"
"""What `daemon run` takes for `--url` where that is not given: an address may hold a credential, and everybody can see a command line."""

Http = Annotated[
    str | None,
    typer.Option(
        "--http",
        metavar="HOST:PORT",
        help="Serve the API over TCP too, to who has a token (`wsmgr daemon token create`). Port 0: any that is free.",
        show_default=False,
    ),
]
HttpHost = Annotated[
    list[str] | None,
    typer.Option(
        "--http-host",
        metavar="NAME",
        help="A name that requests may ask for besides this machine's addresses, such as a proxy's. May be repeated.",
        show_default=False,
    ),
]
HttpPublic = Annotated[
    bool,
    typer.Option(
        "--http-public", help="Yes, --http is an address that other machines can reach, in plain HTTP."
    ),
]


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    commands = group(app, "daemon", panel=PANEL, summary="Run the daemon, and control it:")
    command(commands, "run")(run)
    command(commands, "start")(start)
    command(commands, "stop")(stop)
    command(commands, "restart")(restart)
    command(commands, "status")(status)
    daemon_tokens.declare(commands)


def run(
    settings: Settings, *, http: Http = None, http_host: HttpHost = None, http_public: HttpPublic = False
) -> int:
    """Run the daemon in the foreground until SIGTERM (exit code 0) or Ctrl-C (130); logs go to stderr."""
    from wsmgr.cli import logging_setup, loop
    from wsmgr.manager.daemon import process
    from wsmgr.manager.daemon.edge import edge
    from wsmgr.manager.manager import Manager
    from wsmgr.manager.store.state_directory import StateDirectory

    logging_setup.configure(level=logging.INFO, verbose=settings.verbose)
    directory = StateDirectory(settings.state_directory)
    manager = Manager(
        (),
        url=settings.url or settings.environ.get(URL_VARIABLE) or None,
        config=settings.config,
        state_dir=directory.path,
        edge=edge(directory.socket(), http=_http_settings(settings, http, http_host, http_public)),
    )
    os.umask(process.PRIVATE)
    return loop.run(settings.backend, lambda: _run(manager, directory), terminated=DONE)


def start(
    settings: Settings, *, http: Http = None, http_host: HttpHost = None, http_public: HttpPublic = False
) -> None:
    """Start the daemon in the background; returns when it answers. One that runs already is left as it is."""
    _start(settings, http, http_host, http_public)


def stop(settings: Settings) -> None:
    """Stop the daemon; returns when its process is gone."""
    from wsmgr.manager.daemon import process

    pid = process.stop(settings.state_directory)
    if pid is None:
        say(f"no daemon runs for {settings.state_directory}")
    else:
        say(f"the daemon (process {pid}) has stopped")


def restart(
    settings: Settings, *, http: Http = None, http_host: HttpHost = None, http_public: HttpPublic = False
) -> None:
    """Stop the daemon where one runs, and start it."""
    stop(settings)
    _start(settings, http, http_host, http_public)


def status(settings: Settings, *, json: Json = False) -> None:
    """Say how the daemon is; exit code 3 where none runs."""
    from wsmgr.manager.daemon import process

    found = process.status(settings.state_directory)
    if found.pid is None:
        raise NoDaemonError(found.state_dir, "daemon status")
    document = {
        "pid": found.pid,
        "state_dir": str(found.state_dir),
        "socket": str(found.socket),
        **(found.health or {}),
    }
    document.setdefault("status", "not answering")
    if json:
        output.write_json(document)
    else:
        output.write_text(described(document))
    if not found.running:
        raise typer.Exit(1)


def described(document: Mapping[str, Any]) -> str:
    """Return what `daemon status` says, a line for each thing.

    Args:
        document: What `daemon status --json` writes.
    """
    lines = {
        "status": document["status"],
        "process": document["pid"],
        "state": document["state_dir"],
        "socket": document["socket"],
    }
    if document.get("http") is not None:
        lines["http"] = document["http"]
    if "version" in document:
        lines |= {
            "version": f"{document['version']} on {document['backend']}",
            "running for": cells.duration(document["uptime_seconds"]),
            "subscriptions": document["subscriptions"],
            "connections": document["connections"],
            "consumers": document["consumers"],
            "buffered": f"{cells.size(document['buffers']['bytes'])} of {cells.size(document['buffers']['limit'])}",
        }
        store = document["store"]
        if store["trouble"] is not None:
            lines["store"] = f"in memory only since {cells.clock(store['since'])}: {store['trouble']}"
        for name, venue in document["venues"].items():
            lines[name] = venue["url"] + (f", parked: {venue['error']}" if venue["error"] else "")
    return "\n".join(f"{name + ':':<15}{cells.text(value)}" for name, value in lines.items())


async def _run(manager: Manager, directory: StateDirectory) -> int:
    log = logging.getLogger("wsmgr.daemon")
    about = {"process": os.getpid(), "state_dir": str(directory.path), "socket": str(directory.socket())}
    async with manager:
        log.info("the daemon is ready", extra={"kind": "daemon_ready", "fields": about})
        await manager.run_forever()
    return DONE


def _http_settings(
    settings: Settings, http: str | None, hosts: list[str] | None, public: bool
) -> HttpSettings | None:
    from wsmgr.manager.daemon.settings import http_settings, read_table

    return http_settings(
        read_table(settings.config), settings.state_directory, http=http, hosts=hosts or (), public=public
    )


def _start(settings: Settings, http: str | None, hosts: list[str] | None, public: bool) -> None:
    from wsmgr.manager.daemon import process

    _http_settings(settings, http, hosts, public)  # what is wrong with them is said here, not in a log
    given = [] if http is None else ["--http", http]
    given += [part for host in hosts or () for part in ("--http-host", host)]
    given += ["--http-public"] * public
    environ = settings.environ
    if settings.url is not None:
        environ[URL_VARIABLE] = settings.url
    command_line = [*OWN_COMMAND, *evolve(settings, url=None).arguments(), "daemon", "run", *given]
    started = process.start(settings.state_directory, command_line, environ=environ)
    word = "runs already" if started.already else "runs"
    say(
        f"the daemon {word}: process {started.pid}, state in {settings.state_directory}, socket {started.socket}"
    )
