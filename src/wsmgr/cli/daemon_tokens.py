"""`wsmgr daemon token`: who may use the API over TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from wsmgr.cli import cells, output, tables
from wsmgr.cli.command import command, group
from wsmgr.cli.errors import say
from wsmgr.cli.options import Json
from wsmgr.cli.settings import Settings

if TYPE_CHECKING:
    from wsmgr.manager.daemon.tokens import TokenFile

COLUMNS: Final = (
    tables.Column("NAME", "name"),
    tables.Column("SCOPE", "scope"),
    tables.Column("CREATED", "created_at", cells.clock),
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="What the token is called: whom, or what, it is for.")
]
ScopeName = Annotated[
    Literal["read", "manage", "trade"],
    typer.Option(
        "--scope",
        metavar="read|manage|trade",
        help="What it allows: to look; also to subscribe and to ask venues; also to act on accounts.",
    ),
]


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    commands = group(app, "token", panel="Daemon", summary="Say who may use the API over TCP:")
    command(commands, "create")(create)
    command(commands, "list")(list_tokens)
    command(commands, "revoke")(revoke)


def create(settings: Settings, name: Name, *, scope: ScopeName, json: Json = False) -> None:
    """Make a token and print it, this once: what is kept of it is a hash. A daemon that runs takes it at once."""
    from wsmgr.manager.daemon.scopes import Scope
    from wsmgr.manager.store.state_directory import StateDirectory

    StateDirectory(settings.state_directory).prepare(settings.environ)
    token = _file(settings).create(name, Scope(scope))
    if json:
        output.write_json({"name": name, "scope": scope, "token": token})
    else:
        output.write_text(token)
        say(f"the token {name} has the scope {scope}; keep it now, it is not shown again")


def list_tokens(settings: Settings, *, json: Json = False) -> None:
    """List the tokens: name, scope, when they were made."""
    rows = [
        {"name": token.name, "scope": token.scope.value, "created_at": token.created_at.isoformat()}
        for token in _file(settings).read()
    ]
    if json:
        output.write_json(rows)
    elif rows:
        tables.show(COLUMNS, rows, everything=True)
    else:
        say("there are no tokens; `wsmgr daemon token create NAME --scope read` makes one")


def revoke(settings: Settings, name: Name) -> None:
    """Take a token back; whoever is connected with it is cut off within a second or two."""
    _file(settings).revoke(name)
    say(f"the token {name} counts no more")


def _file(settings: Settings) -> TokenFile:
    from wsmgr.manager.daemon.tokens import TokenFile

    return TokenFile(settings.state_directory)
