"""`wsmgr db`: what can be done with a state directory while no daemon runs on it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from wsmgr.cli.command import command, group
from wsmgr.cli.errors import USAGE, CommandError, say
from wsmgr.cli.settings import Settings

PANEL: Final = "Daemon"


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    command(group(app, "db", panel=PANEL, summary="Look after the database:"), "init")(init)


def init(
    settings: Settings,
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Yes, give up every kept subscription and all history.")
    ] = False,
) -> None:
    """Give up the state in the state directory, so that the next daemon starts empty; nothing is deleted.

    For a daemon that refuses to start because neither its database nor the copy of what is subscribed can be used. The
    database, `desired.json` and `state.json` are renamed beside themselves; stderr says how. It is refused while a
    daemon runs.
    """
    from wsmgr.manager.store.recovery import start_fresh
    from wsmgr.manager.store.state_directory import StateDirectory

    directory = StateDirectory(settings.state_directory)
    if not fresh:
        raise CommandError(
            f"db init gives up every kept subscription and all history in {directory.path}: it renames wsmgr.db,"
            " desired.json and state.json, and the next daemon starts empty; if that is what you want, say"
            " `wsmgr db init --fresh`",
            USAGE,
        )
    if not directory.path.exists():
        say(f"there is no state directory {directory.path}: nothing to move aside")
        return
    directory.prepare(settings.environ)
    with directory.locked():
        moved = start_fresh(directory)
    for path in moved:
        say(f"moved aside: {path}")
    if not moved:
        say(f"there is no state in {directory.path}: nothing to move aside")
