"""Commands about one thing that runs: `get`, `unsubscribe` and `tree`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, cast

import typer

from wsmgr.cli import cells, output
from wsmgr.cli.command import command
from wsmgr.cli.errors import DONE, USAGE, CommandError, explained, say
from wsmgr.cli.finding import need
from wsmgr.cli.options import Json, SubscriptionId
from wsmgr.cli.settings import Settings
from wsmgr.cli.sources import source

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
    from wsmgr.manager.daemon.errors import DaemonError
    from wsmgr.manager.daemon.unix_client import path_of

    client = need(settings, "unsubscribe")
    if everything:
        ended = client.delete("/v1/subscriptions")["ended"]
        if ended:
            output.write_text("\n".join(ended))
        else:
            say("there is no subscription to end")
        return DONE
    code = DONE
    for id_ in ids or []:
        try:
            client.delete(path_of(id_))
        except DaemonError as error:  # the others are ended all the same
            message, code = explained(error)
            say(f"wsmgr: {message}")
        else:
            output.write_text(id_)
    return code


def tree(settings: Settings, *, json: Json = False) -> None:
    """Draw the daemon's supervision tree."""
    root: dict[str, Any] = need(settings, "tree").get("/v1/tree")
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
            child,
            first=further + ("└── " if last else "├── "),
            further=further + ("    " if last else "│   "),
        )


def _field(name: str, value: object) -> str:
    if name in TIMES:
        return cells.clock(value)
    return cells.pairs(cast(Mapping[str, object], value)) if isinstance(value, dict) else cells.text(value)
