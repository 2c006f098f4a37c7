"""Control: `wsmgr reconnect`, `rebalance` and `drain`."""

from __future__ import annotations

import time
from typing import Annotated, Final
from urllib.parse import quote

import typer

from wsmgr.cli import output
from wsmgr.cli.command import command
from wsmgr.cli.errors import CommandError, say
from wsmgr.cli.finding import need
from wsmgr.cli.settings import Settings

PANEL: Final = "Daemon"
END_TIMEOUT: Final = 60.0
"""Seconds within which a daemon that drains must be gone."""
_POLL: Final = 0.02


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    command(app, "reconnect", panel=PANEL)(reconnect)
    command(app, "rebalance", panel=PANEL)(rebalance)
    command(app, "drain", panel=PANEL)(drain)


def reconnect(
    settings: Settings,
    connection: Annotated[
        str | None,
        typer.Argument(
            metavar="CONNECTION", help="Only this one, as `wsmgr connections` names it.", show_default=False
        ),
    ] = None,
) -> None:
    """Give connections new sockets, make before break; one that waits or is parked tries again at once. Prints their ids."""
    client = need(settings, "reconnect")
    path = (
        "/v1/reconnect" if connection is None else f"/v1/connections/{quote(connection, safe='')}/reconnect"
    )
    _print(client.post(path, None)["reconnecting"], "there is no connection")


def rebalance(settings: Settings) -> None:
    """Give up connections whose streams fit on the others, make before break. Prints the ids of those that begin to empty."""
    begun = need(settings, "rebalance").post("/v1/rebalance", None)["rebalancing"]
    _print(begun, "there is nothing to rebalance: no connection's streams fit on the others")


def drain(settings: Settings) -> None:
    """End the daemon: it takes nothing new, gives consumers and the database what they are due, says goodbye to the venues.

    Returns when its process is gone.
    """
    from wsmgr.manager.daemon.process import runs

    pid: int = need(settings, "drain").post("/v1/drain", None)["pid"]
    say(f"the daemon (process {pid}) drains")
    gives_up = time.monotonic() + END_TIMEOUT
    while runs(pid):
        if time.monotonic() >= gives_up:
            raise CommandError(
                f"the daemon (process {pid}) was told to drain and is still there after {END_TIMEOUT:g} s;"
                " its log says what it does; a SIGTERM ends it at once"
            )
        time.sleep(_POLL)
    say(f"the daemon (process {pid}) has ended")


def _print(ids: list[str], nothing: str) -> None:
    if ids:
        output.write_text("\n".join(ids))
    else:
        say(nothing)
