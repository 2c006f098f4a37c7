"""`wsmgr info`: questions to a venue, over its WebSocket."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from wsmgr.cli import output, tables
from wsmgr.cli.catalog import shown_params
from wsmgr.cli.command import command
from wsmgr.cli.errors import DONE, USAGE, CommandError
from wsmgr.cli.finding import find
from wsmgr.cli.options import Coin, Interval, Json, User
from wsmgr.cli.requesting import (
    DIALECT,
    PANEL,
    Params,
    Request,
    Venue,
    dialect_at,
    outcome_of,
    say_attached,
    say_embedded,
)
from wsmgr.cli.settings import Settings
from wsmgr.cli.wish import params_of

COLUMNS: Final = (
    tables.Column("TYPE", "type"),
    tables.Column("METHOD", "method", rank=2),
    tables.Column("PARAMETERS", "shown_params", folds=True),
    tables.Column("WHAT", "doc", folds=True, rank=1),
)


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "info", panel=PANEL)(info)


def info(
    settings: Settings,
    type: Annotated[
        str | None,
        typer.Argument(
            metavar="TYPE",
            help="The query, as the venue or as the method calls it: l2Book or l2_book. Without one, all are listed.",
            show_default=False,
        ),
    ] = None,
    *,
    coin: Coin = None,
    user: User = None,
    interval: Interval = None,
    param: Params = None,
    venue: Venue = None,
    json: Json = False,
) -> int:
    """Ask a venue, over its WebSocket; prints the answer as JSON. Without TYPE: list what can be asked.

    The running daemon asks, or, where none runs, this process. The parameters may be spelled as the venue or as the
    method spells them (an asset is `coin`, as the venue spells it), times may be milliseconds or RFC 3339, and `user` may be left out where the venue has an account.

    For example: `wsmgr info allMids`; `wsmgr info l2Book --coin BTC -p nSigFigs=4`;
    `wsmgr info candleSnapshot --coin ETH --interval 1h -p startTime=2026-01-01T00:00:00Z`.

    Exit codes: 0 answered; 4 the venue refused, its words are on stderr; 1 it could not be sent, or no answer came.
    """
    params = params_of({"coin": coin, "user": user, "interval": interval}, param or ())
    if type is None:
        if params or venue is not None:
            raise CommandError("name a TYPE to ask for; `wsmgr info` alone lists them", USAGE)
        _list(json=json)
        return DONE
    if "type" in params:
        raise CommandError("what is asked is the argument TYPE, so -p type=... cannot be given", USAGE)
    request = Request(kind="info", payload={"type": type, **params}, venue=venue)
    client = find(settings, "info")
    if client is None:
        from wsmgr.cli import embedded_requests, logging_setup, loop

        embedded_requests.check(settings, request)
        say_embedded(settings)
        logging_setup.configure(verbose=settings.verbose)
        return loop.run(settings.backend, lambda: embedded_requests.info(settings, request))
    if dialect_at(client, venue) == DIALECT:
        from wsmgr.manager.venues.hyperliquid.info import find_query

        find_query(type)  # the daemon would ask the venue for what it does not know
    say_attached(client)
    output.write_json(outcome_of(client.request(request.document())).unwrap())
    return DONE


def query_rows() -> list[dict[str, Any]]:
    """Return the queries, as `wsmgr info --json` writes them."""
    from wsmgr.manager.venues.hyperliquid.info import QUERIES

    return [
        {
            "type": query.type,
            "method": query.method,
            "params": [each.name for each in query.parameters],
            "required": [each.name for each in query.parameters if each.required],
            "doc": query.doc,
        }
        for query in QUERIES.values()
    ]


def _list(*, json: bool) -> None:
    rows = query_rows()
    if json:
        output.write_json(rows)
    else:
        tables.show(COLUMNS, [{**row, "shown_params": shown_params(row)} for row in rows], everything=True)
