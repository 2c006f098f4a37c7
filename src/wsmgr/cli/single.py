"""Commands about one thing that runs: `get`, `unsubscribe` and `tree`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from wsmgr.cli import cells, output
from wsmgr.cli.command import command
from wsmgr.cli.errors import USAGE, CommandError, explained, say
from wsmgr.cli.finding import need
from wsmgr.cli.options import Json, SubscriptionId
from wsmgr.cli.settings import Settings
from wsmgr.cli.sources import path, source

TIMES: Final = ("subscribed_at", "last_message_at", "as_of")


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    command(app, "unsubscribe", panel="Subscribe")(unsubscribe)
    command(app, "get", panel="Look")(get)
    command(app, "tree", panel="Look")(tree)


def get(settings: Settings, id: SubscriptionId, *, json: Json = False) -> None:
    """Show one subscription."""
    with source(settings) as asked:
        row = asked.subscription(id)
    if json:
        output.write_json(row)
    else:
        output.write_text("\n".join(f"{name + ':':<21}{_field(name, value)}" for name, value in row.items()))


def unsubscribe(
    settings: Settings,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Subscriptions' ids.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="End all of them.")] = False,
) -> int:
    """End subscriptions for everybody, for good; prints the id of each that was ended."""
    if bool(ids) == everything:
        raise CommandError("name subscriptions' ids, or give --all, and not both", USAGE)
    with need(settings, "wsmgr unsubscribe") as client:
        wanted = [row["id"] for row in client.items("/v1/subscriptions")] if everything else ids or []
        code = 0
        for id_ in wanted:
            try:
                client.delete(path("/v1/subscriptions", id_))
            except Exception as error:  # the others are ended all the same
                message, code = explained(error)
                if message is None:
                    raise
                say(f"wsmgr: {message}")
            else:
                output.write_text(id_)
        return code


def tree(settings: Settings, *, json: Json = False) -> None:
    """Draw the daemon's supervision tree."""
    with need(settings, "wsmgr tree") as client:
        root: dict[str, Any] = client.get("/v1/tree")
    if json:
        output.write_json(root)
    else:
        output.write_text("\n".join(drawn(root)))


def drawn(node: dict[str, Any], *, first: str = "", further: str = "") -> Iterator[str]:
    """Draw a node and what is under it, a line each.

    Args:
        node: The node, as `wsmgr tree --json` writes it.
        first: What stands before the node's own line.
        further: What stands before the lines under it.
    """
    restarts = f", restarted {node['restarts']} times" if node["restarts"] else ""
    yield f"{first}{cells.text(node['id'])}  ({node['type']}, {node['status']}{restarts})"
    children = node["children"]
    for child in children:
        last = child is children[-1]
        yield from drawn(
            child, first=further + ("└── " if last else "├── "), further=further + ("    " if last else "│   ")
        )


def _field(name: str, value: object) -> str:
    if name in TIMES:
        return cells.clock(value)
    return cells.pairs(value) if isinstance(value, dict) else cells.text(value)
