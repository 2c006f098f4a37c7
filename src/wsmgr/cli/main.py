"""Main: the command line as a whole, and the function that the `wsmgr` script calls."""

from __future__ import annotations

from typing import NoReturn

import typer

from wsmgr.cli import (
    catalog,
    control,
    daemon,
    database,
    demo,
    exchange,
    info,
    listing,
    simulate,
    single,
    subscribe,
    why,
)
from wsmgr.cli.command import keeping_global_options


def make_app() -> typer.Typer:
    """Return the command line."""
    app = typer.Typer(
        name="wsmgr",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(
        invoke_without_command=True,
        help="Keep WebSocket subscriptions alive, and say honestly when that was not possible.",
    )(keeping_global_options)
    for module in (
        *(subscribe, single, listing, why),
        *(info, exchange),
        *(daemon, control, database),
        *(simulate, catalog, demo),
    ):
        module.declare(app)
    return app


def main() -> NoReturn:
    """Run the command line on the arguments of this process, and end the process with the command's exit code."""
    make_app()(prog_name="wsmgr")
    raise SystemExit(0)
