"""`wsmgr db`: looking after the database, with and without a daemon."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from wsmgr.cli import cells, output
from wsmgr.cli.command import command, group
from wsmgr.cli.errors import DONE, FAILED, USAGE, CommandError, say
from wsmgr.cli.options import Json
from wsmgr.cli.settings import Settings

PANEL: Final = "Daemon"


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    commands = group(app, "db", panel=PANEL, summary="Look after the database:")
    command(commands, "check")(check)
    command(commands, "snapshot")(snapshot)
    command(commands, "migrate")(migrate)
    command(commands, "init")(init)


def check(settings: Settings, *, json: Json = False) -> int:
    """Say whether the state directory is whole: the database, its version, and whether `desired.json` agrees with it.

    It changes nothing, and may run beside a daemon. Exit code 1 where there is a problem.
    """
    import msgspec

    from wsmgr.manager.store.checking import check as check_directory
    from wsmgr.manager.store.state_directory import StateDirectory

    report = check_directory(StateDirectory(settings.state_directory))
    document = msgspec.to_builtins(report)
    if json:
        output.write_json(document)
    else:
        output.write_text(described(document))
    return DONE if report.ok else FAILED


def snapshot(
    settings: Settings,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to be made.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE where it is there already.")] = False,
) -> None:
    """Copy the database into one file, as it is at this moment; a daemon that runs goes on.

    To go back to it: stop the daemon, and put the file in the place of `wsmgr.db`, without a `wsmgr.db-wal` beside it.
    """
    from wsmgr.manager.store.snapshots import take_snapshot
    from wsmgr.manager.store.state_directory import StateDirectory

    directory = StateDirectory(settings.state_directory)
    size = take_snapshot(directory.database, file, overwrite=force)
    say(f"{file} holds the database of {directory.path}, {size} bytes")


def migrate(settings: Settings) -> None:
    """Bring an older database to the version of this wsmgr, after a copy; a start of the daemon does the same.

    It is refused while a daemon runs.
    """
    from wsmgr.manager.store import schema
    from wsmgr.manager.store.database import Database, examine
    from wsmgr.manager.store.errors import MissingDatabaseError
    from wsmgr.manager.store.state_directory import StateDirectory

    directory = StateDirectory(settings.state_directory)
    if not directory.database.exists():
        raise MissingDatabaseError(directory.database)
    directory.prepare(settings.environ)
    with directory.locked():
        found = examine(directory.database)
        if found == 0:
            raise MissingDatabaseError(directory.database)
        if found == schema.VERSION:
            say(f"{directory.database} has version {found} already: nothing to do")
            return
        database = Database.open(directory.database)
        database.close()
    say(f"{directory.database} was migrated from version {found} to {schema.VERSION}")
    say(f"as it was before: {database.copied_to}")


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


def described(document: Mapping[str, Any]) -> str:
    """Return what `db check` says, a line for each thing.

    Args:
        document: What `db check --json` writes.
    """
    held = "none" if document["daemon"] is None else f"process {document['daemon']}"
    lines = [
        ("state", document["state_dir"]),
        ("daemon", held),
        ("database", document["database"]),
        ("version", f"{cells.text(document['version'])} of {document['known_version']}"),
        ("as of", document["as_of"]),
        ("kept", document["kept"]),
        ("desired.json", document["copy"]),
        ("next start", document["next_start"]),
        *(("note", note) for note in document["notes"]),
        *(("problem", problem) for problem in document["problems"]),
        ("result", "whole" if document["ok"] else "not whole"),
    ]
    return "\n".join(f"{name + ':':<15}{cells.text(value)}" for name, value in lines)
