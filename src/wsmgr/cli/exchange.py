"""`wsmgr exchange`: actions that change an account, shown and asked for before they are signed and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wsmgr.cli import output, tables
from wsmgr.cli.catalog import shown_params
from wsmgr.cli.command import command
from wsmgr.cli.errors import DONE, USAGE, CommandError, say
from wsmgr.cli.finding import find
from wsmgr.cli.options import Json
from wsmgr.cli.requesting import (
    BESIDE,
    DIALECT,
    PANEL,
    Params,
    Request,
    Venue,
    outcome_of,
    say_attached,
    say_embedded,
)
from wsmgr.cli.settings import Settings
from wsmgr.cli.wish import params_of

if TYPE_CHECKING:
    from wsmgr.manager.daemon.unix_client import DaemonClient
    from wsmgr.manager.model.outcome import Outcome

COLUMNS: Final = (
    tables.Column("METHOD", "method"),
    tables.Column("ACTION", "action", rank=2),
    tables.Column("PARAMETERS", "shown_params", folds=True),
    tables.Column("NEEDS", "needs", rank=1),
    tables.Column("WHAT", "doc", folds=True, rank=3),
)


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "exchange", panel=PANEL)(exchange)


def exchange(
    settings: Settings,
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="ACTION",
            help="The action, by its method's name or the wire's: cancel_order or cancel. Without one, all are listed.",
            show_default=False,
        ),
    ] = None,
    *,
    param: Params = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: print what would be sent, as JSON.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send it without asking.")] = False,
    venue: Venue = None,
    vault: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Act for this vault or sub-account instead of the account.",
            show_default=False,
        ),
    ] = None,
    expires_after: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            help="When the venue shall no longer carry it out: unix milliseconds, or ISO 8601 with its offset.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Have a venue do something: orders, cancels, transfers; prints its answer as JSON. Without ACTION: list what there is.

    It shows what it would send and asks on the terminal first; --yes sends without asking, --dry-run sends nothing.
    The running daemon signs and sends, or, where none runs, this process. An action is sent at most once.

    Actions are off until the venue's configuration says `trading = true`, and those that the list marks until it says
    `transfers = true` too; `allowed_actions` and `max_notional` narrow them. The key comes from `secret_key_file`, from
    `WSMGR_HYPERLIQUID_SECRET_KEY` (the venue's name in it) or from a systemd credential: there is no option for it. Amounts are taken exactly as written.

    For example: `wsmgr exchange place_order -p asset=BTC -p is_buy=true -p size=0.001 -p limit_price=50000
    -p order_type=LIMIT_GTC --dry-run`; `wsmgr exchange cancel -p asset=BTC -p order_id=123 --yes`.

    Exit codes: 0 answered, also where a part of a batch was refused (its words are on stderr too); 4 refused, or every part
    of it was, or forbidden by the settings; 1 it was not sent, or its outcome is unknown, or you did not say yes.
    """
    given = {"vault_address": vault, "expires_after": expires_after}
    params = params_of(given, param or ())
    if action is None:
        if params or dry_run or yes or venue is not None:
            raise CommandError("name an ACTION; `wsmgr exchange` alone lists them", USAGE)
        _list(json=json)
        return DONE
    _check_options(params, given, dry_run=dry_run, yes=yes)
    request = Request(kind="action", payload={"type": action, **params}, venue=venue)
    client = find(settings, "exchange")
    if client is None:
        return _act_here(settings, request, dry_run=dry_run, yes=yes)
    _check_terminal(dry_run=dry_run, yes=yes)
    say_attached(client)
    return _attached(client, request, dry_run=dry_run, yes=yes)


def action_rows() -> list[dict[str, Any]]:
    """Return the actions, as `wsmgr exchange --json` writes them."""
    from wsmgr.manager.venues.hyperliquid.exchange import CALLS

    return [
        {
            "action": spec.wire,
            "method": spec.name,
            "params": [each.name for each in spec.parameters],
            "required": [each.name for each in spec.parameters if each.required],
            "transfers": spec.transfer,
            "doc": spec.doc,
        }
        for spec in CALLS.values()
    ]


def _check_options(params: dict[str, str], given: dict[str, str | None], *, dry_run: bool, yes: bool) -> None:
    if dry_run and yes:
        raise CommandError("--dry-run sends nothing and --yes sends without asking: give one of them", USAGE)
    if "type" in params:
        raise CommandError("what is done is the argument ACTION, so -p type=... cannot be given", USAGE)
    for name in BESIDE:
        if name in params and given[name] is None:
            option = {"vault_address": "--vault", "expires_after": "--expires-after"}[name]
            raise CommandError(f"{name} is no parameter of an action; give it as {option}", USAGE)


def _check_terminal(*, dry_run: bool, yes: bool) -> None:
    from wsmgr.cli.confirming import check_terminal

    if not dry_run and not yes:
        check_terminal()


def _act_here(settings: Settings, request: Request, *, dry_run: bool, yes: bool) -> int:
    """Have this process sign and send it."""
    from wsmgr.cli import embedded_requests, logging_setup, loop

    embedded_requests.check(settings, request)
    _check_terminal(dry_run=dry_run, yes=yes)
    say_embedded(settings)
    logging_setup.configure(verbose=settings.verbose)
    if dry_run:
        return loop.run(settings.backend, lambda: embedded_requests.preview(settings, request))
    return loop.run(settings.backend, lambda: embedded_requests.act(settings, request, ask=not yes))


def _attached(client: DaemonClient, request: Request, *, dry_run: bool, yes: bool) -> int:
    from wsmgr.cli.confirming import NOTHING_SENT, conclude, confirm

    if yes:
        return conclude(_sent(client, request).unwrap())
    preview = client.request(request.document(preview=True))["data"]
    if dry_run:
        output.write_json(preview)
        return DONE
    try:
        confirm(preview, request.venue or DIALECT)
    except KeyboardInterrupt:
        say(f"\nwsmgr: {NOTHING_SENT}")
        raise
    return conclude(_sent(client, request).unwrap())


def _sent(client: DaemonClient, request: Request) -> Outcome[Any]:
    """Have the daemon carry an action out, once; what is not known of it is told as that."""
    from wsmgr.cli.confirming import LEFT_OPEN
    from wsmgr.manager.daemon.errors import DaemonUnreachableError
    from wsmgr.manager.model.outcome import Unknown

    try:
        return outcome_of(client.request(request.document()))
    except DaemonUnreachableError as error:
        if not error.sent:
            raise
        return Unknown(error.why)
    except KeyboardInterrupt:
        say(f"\nwsmgr: {LEFT_OPEN}")
        raise


def _list(*, json: bool) -> None:
    rows = action_rows()
    if json:
        output.write_json(rows)
        return
    shown = [
        {**row, "shown_params": shown_params(row), "needs": "transfers" if row["transfers"] else None}
        for row in rows
    ]
    tables.show(COLUMNS, shown, everything=True)
