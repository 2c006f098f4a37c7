"""`wsmgr subscribe` and `wsmgr tail`: streams on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from wsmgr.cli import cells, output
from wsmgr.cli.command import command
from wsmgr.cli.errors import USAGE, CommandError, NoDaemonError, say
from wsmgr.cli.finding import find, need
from wsmgr.cli.options import Coin, Count, Interval, Json, SubscriptionId, User, check_duration
from wsmgr.cli.settings import Settings
from wsmgr.cli.wish import ConnectionChoice, Redundancy, Wish, params_of

if TYPE_CHECKING:
    from wsmgr.cli.printing import Printer
    from wsmgr.manager.daemon.unix_client import DaemonClient

PANEL: Final = "Subscribe"
PATIENCE: Final = 15.0
"""Seconds that the first acknowledgement has."""

Duration = Annotated[
    float | None,
    typer.Option(
        callback=check_duration,
        metavar="SECONDS",
        help="End after this time: exit code 1 where --count was not reached before.",
        show_default=False,
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="The venue's frames, byte for byte, each with a line feed.")]
Events = Annotated[
    bool, typer.Option("--events", help="Gaps and other events as lines of JSON among the messages.")
]
Sockets = Annotated[
    int,
    typer.Option(
        "--redundancy",
        min=1,
        max=2,
        metavar="N",
        help="On how many sockets at once. With 2 whichever is first counts, and losing one loses nothing; `wsmgr types` says for"
        " which types that is possible.",
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        metavar="EPOCH:SEQ",
        help="Go on behind this message, the last one that was read: what came since is printed first, or, where that is not held"
        " any more, the gap.",
        show_default=False,
    ),
]


def declare(app: typer.Typer) -> None:
    """Declare the commands."""
    command(app, "subscribe", panel=PANEL)(subscribe)
    command(app, "tail", panel=PANEL)(tail)


def subscribe(
    settings: Settings,
    type: Annotated[
        str, typer.Argument(metavar="TYPE", help="The subscription type; `wsmgr types` lists them.")
    ],
    *,
    coin: Coin = None,
    user: User = None,
    interval: Interval = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="NAME=VALUE", help="Any other parameter.", show_default=False),
    ] = None,
    venue: Annotated[
        str | None, typer.Option(help="The venue. Default: the only one, or hyperliquid.", show_default=False)
    ] = None,
    count: Count = None,
    duration: Duration = None,
    raw: Raw = False,
    json: Json = False,
    events: Events = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Have the daemon keep it, print its id and return.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the first acknowledgement for ever, not for 15 seconds.")
    ] = False,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="What happens when this consumer is too slow: drop_oldest, drop_newest, latest, block or fail."
            " Default: what the type asks for.",
            show_default=False,
        ),
    ] = None,
    connection: Annotated[
        ConnectionChoice, typer.Option(metavar="auto|dedicated", help="`dedicated`: a connection of its own.")
    ] = "auto",
    redundancy: Sockets = 1,
) -> int:
    """Subscribe, and print what comes: through the running daemon, or, where none runs, in this process."""
    params = params_of({"coin": coin, "user": user, "interval": interval}, param or ())
    wish = Wish(
        type=type,
        params=params,
        venue=venue,
        policy=policy,
        connection=connection,
        redundancy=cast(Redundancy, redundancy),
        timeout=None if wait else PATIENCE,
    )
    if detach:
        if raw or json or events or count is not None or duration is not None:
            raise CommandError(
                "--detach returns at once, so --raw, --json, --events, --count and --duration mean nothing with it",
                USAGE,
            )
        return _detach(settings, wish)
    printer = _printer(raw=raw, json=json, events=events, count=count)
    client = find(settings, "subscribe")
    if client is None:
        return _stream_here(settings, wish, printer, duration)
    from wsmgr.cli import attached

    say(f"attached to the daemon at {client.socket}")
    return attached.subscribe(client, wish, printer, duration=duration)


def tail(
    settings: Settings,
    id: SubscriptionId,
    *,
    after: After = None,
    count: Count = None,
    duration: Duration = None,
    raw: Raw = False,
    json: Json = False,
    events: Events = False,
) -> int:
    """Print what comes on a subscription that the daemon holds already.

    A reader whose daemon is restarted, or that loses its connection to it, goes on by itself: without a hole, or with the gap.
    """
    printer = _printer(raw=raw, json=json, events=events, count=count)
    client = need(settings, "tail")
    from wsmgr.cli import attached

    say(f"attached to the daemon at {client.socket}")
    return attached.tail(client, id, printer, after=after, duration=duration)


def _stream_here(settings: Settings, wish: Wish, printer: Printer, duration: float | None) -> int:
    """Stream from a manager of this process."""
    from wsmgr.cli import embedded, logging_setup

    embedded.check(settings, wish)
    why = "no daemon runs" if settings.attach is None else "no daemon is asked"
    say(f"{why}: a manager of this process streams (on {settings.backend}, state in memory)")
    logging_setup.configure(verbose=settings.verbose)
    return embedded.stream(settings, wish, printer, duration=duration)


def _detach(settings: Settings, wish: Wish) -> int:
    client = find(settings, "subscribe --detach")
    if client is None:
        raise NoDaemonError(settings.state_directory, "subscribe --detach")
    say(f"attached to the daemon at {client.socket}")
    from wsmgr.manager.daemon.errors import DaemonError

    try:
        row = client.subscribe({**wish.document(), "keep": True})
    except DaemonError as error:
        if error.kind != "subscribe-timeout":
            raise
        id_ = _kept(client, str(error.problem["key"]))
        if id_ is None:
            raise
        output.write_text(id_)
        raise CommandError(
            f"{cells.words(str(error))}; the daemon keeps it and goes on trying: `wsmgr get {id_}` shows it, `wsmgr unsubscribe {id_}` ends it"
        ) from error
    output.write_text(row["id"])
    return 0


def _kept(client: DaemonClient, key: str) -> str | None:
    """Return the id of the subscription that the daemon keeps under a key; None where somebody has ended it."""
    rows = client.items("/v1/subscriptions")
    return next((str(row["id"]) for row in rows if row["key"] == key and row["kept"]), None)


def _printer(*, raw: bool, json: bool, events: bool, count: int | None) -> Printer:
    from wsmgr.cli.printing import Printer

    if raw and json:
        raise CommandError(
            "--raw prints the venue's frames as they are, so --json cannot be given with it", USAGE
        )
    if events and raw:
        raise CommandError(
            "--raw prints nothing but frames, so --events cannot be given with it; gaps are told on stderr",
            USAGE,
        )
    width = output.width() if output.on_terminal() else None
    return Printer(
        form="raw" if raw else "json" if json else "people", events=events, count=count, width=width
    )
