"""Lists: `list`, `metrics`, `connections`, `gaps` and `events`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

from wsmgr.cli import cells, output, tables, watching
from wsmgr.cli.command import command
from wsmgr.cli.errors import USAGE, CommandError
from wsmgr.cli.finding import need
from wsmgr.cli.options import All, AllOfThem, Json, OptionalId
from wsmgr.cli.settings import Settings
from wsmgr.cli.sources import PAGE, EventFilters, Filters, Level, Row, in_order, source
from wsmgr.cli.tables import Column

PANEL: Final = "Look"
SUBSCRIPTIONS: Final = (
    Column("ID", "id"),
    Column("KEY", "key", folds=True),
    Column("CLASS", "class", rank=5),
    Column("CONN", "connection", rank=1),
    Column("STATE", "state"),
    Column("QUIET", "quiet", rank=8),
    Column("KEPT", "kept", rank=4),
    Column("CONSUMERS", "consumers", cells.number, right=True, rank=3),
    Column("MESSAGES", "message_count", cells.number, right=True),
    Column("PER MIN", "messages_per_minute", cells.number, right=True, rank=2),
    Column("LAST MESSAGE", "last_message_at", cells.clock, rank=9),
    Column("GAPS", "gaps", cells.number, right=True),
    Column("DROPPED", "dropped", cells.number, right=True, rank=6),
    Column("RECONNECTS", "reconnects", cells.number, right=True, rank=7),
    Column("ERROR", "error", optional=True, folds=True),
)
METRICS: Final = (
    Column("ID", "id"),
    Column("KEY", "key", folds=True),
    Column("STATE", "state"),
    Column("MESSAGES", "message_count", cells.number, right=True),
    Column("BYTES", "byte_count", cells.size, right=True, rank=8),
    Column("PER MIN", "messages_per_minute", cells.number, right=True, rank=1),
    Column("UPTIME", "uptime_seconds", cells.duration, right=True, rank=4),
    Column("LIVE", "live_seconds", cells.duration, right=True, rank=7),
    Column("AVAILABLE", "availability", cells.share, right=True, rank=2),
    Column("RECONNECTS", "reconnects", cells.number, right=True, rank=5),
    Column("GAPS", "gap_count", cells.number, right=True),
    Column("GAP TIME", "gap_seconds", cells.duration, right=True, rank=3),
    Column("DROPPED", "dropped", cells.number, right=True, rank=6),
    Column("DUPLICATES", "duplicates", cells.number, right=True, rank=9),
)
CONNECTIONS: Final = (
    Column("ID", "id"),
    Column("VENUE", "venue", rank=9),
    Column("CLASSES", "classes", rank=8, folds=True),
    Column("STATE", "state"),
    Column("SOCKET", "socket", cells.number, right=True, rank=6),
    Column("SUBSCRIPTIONS", "subscriptions", cells.number, right=True),
    Column("USERS", "users", lambda users: cells.number(len(users or ())), right=True, rank=3),
    Column("UPTIME", "uptime_seconds", cells.duration, right=True, rank=4),
    Column("RTT MS", "rtt_ms", cells.number, right=True, rank=5),
    Column("RECONNECTS", "reconnects", cells.number, right=True, rank=2),
    Column("NEXT ATTEMPT", "next_attempt_at", cells.clock, optional=True, rank=1),
    Column("REASON", "reason", optional=True, folds=True),
    Column("URL", "url", rank=7, folds=True),
)
GAPS: Final = (
    Column("SUBSCRIPTION", "subscription_id"),
    Column("STARTED", "started_at", cells.clock),
    Column("ENDED", "ended_at", cells.clock, rank=5),
    Column("DURATION", "duration_seconds", cells.duration, right=True),
    Column("PROOF", "proof"),
    Column("CONN", "connection", rank=7),
    Column("MISSING", "missing", cells.number, right=True, rank=2),
    Column("ATTEMPTS", "attempts", cells.number, right=True, rank=8),
    Column("HEALED BY", "healed_by", folds=True, rank=1),
    Column("ITEMS", "healed_items", cells.number, right=True, rank=4),
    Column("REASON", "reason", folds=True),
    Column("OPEN BECAUSE", "open_because", optional=True, folds=True),
)
EVENTS: Final = (
    Column("AT", "at", cells.clock),
    Column("LEVEL", "level", rank=3),
    Column("KIND", "kind"),
    Column("ACTOR", "actor", folds=True, rank=4),
    Column("CONN", "connection", rank=2),
    Column("SUBSCRIPTION", "subscription_id", rank=1),
    Column("DETAIL", "detail", lambda detail: cells.pairs(detail or {}), folds=True),
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


def gaps(
    settings: Settings,
    id: OptionalId = None,
    *,
    unproved: Annotated[
        bool, typer.Option("--open", help="Only those that are neither proved empty nor filled.")
    ] = False,
    everything: AllOfThem = False,
    json: Json = False,
) -> None:
    """List the newest 250 gaps (--all: all of them): periods in which messages may have been missed, and what is proved of each."""
    limit = None if everything else PAGE
    with source(settings) as asked:
        _present(
            GAPS,
            lambda: asked.gaps(id, unproved=unproved, limit=limit),
            json=json,
            everything=everything,
        )


def events(
    settings: Settings,
    id: OptionalId = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Each as it happens, until Ctrl-C.")] = False,
    after: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="With --follow: begin behind the event of this number.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only those of this kind: lost, stale, healed ...", show_default=False)
    ] = None,
    level: Annotated[
        Level | None,
        typer.Option(
            metavar="info|warning|error", help="Only those that matter at least so much.", show_default=False
        ),
    ] = None,
    everything: AllOfThem = False,
    json: Json = False,
) -> None:
    """List the newest 250 events (--all: all of them), newest first; or follow them."""
    filters = EventFilters(subscription=id, kind=kind, level=level)
    if follow:
        if everything:
            raise CommandError(
                "--follow shows what happens from now on, so --all means nothing with it", USAGE
            )
        from wsmgr.cli import following

        following.follow(need(settings, "events --follow"), filters, EVENTS, after=after, json=json)
        return
    if after is not None:
        raise CommandError("--after is for --follow; without it the newest events are listed", USAGE)
    limit = None if everything else PAGE
    with source(settings) as asked:
        _present(EVENTS, lambda: asked.events(filters, limit=limit), json=json, everything=everything)


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
