"""Lists: `list`, `metrics`, `connections`, `gaps` and `events`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

from wsmgr.cli import cells, output, tables, watching
from wsmgr.cli.command import command
from wsmgr.cli.finding import need
from wsmgr.cli.options import All, Json, OptionalId
from wsmgr.cli.settings import Settings
from wsmgr.cli.sources import Filters, Row, in_order, source
from wsmgr.cli.tables import Column

PANEL: Final = "Look"
SUBSCRIPTIONS: Final = (
    Column("ID", "id"),
    Column("KEY", "key"),
    Column("CLASS", "class"),
    Column("CONN", "connection"),
    Column("STATE", "state"),
    Column("QUIET", "quiet"),
    Column("KEPT", "kept"),
    Column("READERS", "consumers", cells.number, right=True),
    Column("MESSAGES", "message_count", cells.number, right=True),
    Column("PER MIN", "messages_per_minute", cells.number, right=True),
    Column("LAST MESSAGE", "last_message_at", cells.clock),
    Column("GAPS", "gaps", cells.number, right=True),
    Column("DROPPED", "dropped", cells.number, right=True),
    Column("RECONNECTS", "reconnects", cells.number, right=True),
    Column("ERROR", "error", optional=True),
)
METRICS: Final = (
    Column("ID", "id"),
    Column("KEY", "key"),
    Column("STATE", "state"),
    Column("MESSAGES", "message_count", cells.number, right=True),
    Column("BYTES", "byte_count", cells.size, right=True),
    Column("PER MIN", "messages_per_minute", cells.number, right=True),
    Column("UPTIME", "uptime_seconds", cells.duration, right=True),
    Column("LIVE", "live_seconds", cells.duration, right=True),
    Column("AVAILABLE", "availability", cells.share, right=True),
    Column("RECONNECTS", "reconnects", cells.number, right=True),
    Column("GAPS", "gap_count", cells.number, right=True),
    Column("GAP TIME", "gap_seconds", cells.duration, right=True),
    Column("DROPPED", "dropped", cells.number, right=True),
    Column("DUPLICATES", "duplicates", cells.number, right=True),
)
CONNECTIONS: Final = (
    Column("ID", "id"),
    Column("VENUE", "venue"),
    Column("CLASSES", "classes"),
    Column("STATE", "state"),
    Column("SOCKET", "socket", cells.number, right=True),
    Column("SUBSCRIPTIONS", "subscriptions", cells.number, right=True),
    Column("USERS", "users", lambda users: cells.number(len(users or ())), right=True),
    Column("UPTIME", "uptime_seconds", cells.duration, right=True),
    Column("RTT MS", "rtt_ms", cells.number, right=True),
    Column("RECONNECTS", "reconnects", cells.number, right=True),
    Column("NEXT ATTEMPT", "next_attempt_at", cells.clock, optional=True),
    Column("REASON", "reason", optional=True),
    Column("URL", "url"),
)
GAPS: Final = (
    Column("SUBSCRIPTION", "subscription_id"),
    Column("STARTED", "started_at", cells.clock),
    Column("ENDED", "ended_at", cells.clock),
    Column("DURATION", "duration_seconds", cells.duration, right=True),
    Column("CONN", "connection"),
    Column("MISSING", "missing", cells.number, right=True),
    Column("ATTEMPTS", "attempts", cells.number, right=True),
    Column("HEALED BY", "healed_by"),
    Column("REASON", "reason"),
)
EVENTS: Final = (
    Column("AT", "at", cells.clock),
    Column("LEVEL", "level"),
    Column("KIND", "kind"),
    Column("CONN", "connection"),
    Column("SUBSCRIPTION", "subscription_id"),
    Column("DETAIL", "detail", lambda detail: cells.pairs(detail or {})),
)

Sort = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Sort by a field of `--json`; numbers fall.", show_default=False),
]
Watch = Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")]


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    command(app, "list", panel=PANEL)(list_subscriptions)
    command(app, "metrics", panel=PANEL)(metrics)
    command(app, "connections", panel=PANEL)(connections)
    command(app, "gaps", panel=PANEL)(gaps)
    command(app, "events", panel=PANEL)(events)


def list_subscriptions(
    settings: Settings,
    *,
    user: Annotated[
        str | None, typer.Option(metavar="0x..", help="Only those that name this user.", show_default=False)
    ] = None,
    venue: Annotated[str | None, typer.Option(help="Only those of this venue.", show_default=False)] = None,
    type: Annotated[str | None, typer.Option(help="Only those of this type.", show_default=False)] = None,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state: live, lost, stopped ...", show_default=False)
    ] = None,
    sort: Sort = None,
    watch: Watch = False,
    everything: All = False,
    json: Json = False,
) -> None:
    """List the subscriptions: the daemon's, or, where none runs, those in the database, as `stopped`."""
    filters = Filters(user=user, venue=venue, type=type, state=state)
    with source(settings) as asked:
        _present(
            SUBSCRIPTIONS,
            lambda: in_order(asked.subscriptions(filters), sort),
            json=json,
            everything=everything,
            watch=watch,
        )


def metrics(
    settings: Settings,
    id: OptionalId = None,
    *,
    sort: Sort = None,
    watch: Watch = False,
    everything: All = False,
    json: Json = False,
) -> None:
    """Show counters: of one subscription, or of all."""
    with source(settings) as asked:
        if json and id is not None and not watch:
            output.write_json(asked.metrics(id)[0])
            return
        _present(
            METRICS,
            lambda: in_order(asked.metrics(id), sort),
            json=json,
            everything=everything,
            watch=watch,
        )


def connections(settings: Settings, *, watch: Watch = False, json: Json = False) -> None:
    """List the daemon's connections."""
    client = need(settings, "connections")
    _present(
        CONNECTIONS, lambda: list(client.items("/v1/connections")), json=json, everything=True, watch=watch
    )


def gaps(settings: Settings, id: OptionalId = None, *, everything: All = False, json: Json = False) -> None:
    """List the newest 250 gaps (--all: all of them): periods in which messages may have been missed."""
    with source(settings) as asked:
        _present(GAPS, lambda: asked.gaps(id, everything=everything), json=json, everything=everything)


def events(settings: Settings, *, everything: All = False, json: Json = False) -> None:
    """List the newest 250 events (--all: all of them), newest first."""
    with source(settings) as asked:
        _present(EVENTS, lambda: asked.events(everything=everything), json=json, everything=everything)


def _present(
    columns: Sequence[Column],
    rows: Callable[[], list[Row]],
    *,
    json: bool,
    everything: bool,
    watch: bool = False,
) -> None:
    if watch:
        watching.watch(columns, rows, json=json)
    elif json:
        output.write_json(rows())
    else:
        tables.show(columns, rows(), everything=everything)
