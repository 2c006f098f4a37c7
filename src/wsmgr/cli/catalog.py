"""`wsmgr types`: what can be subscribed to, out of the dialects' catalogs."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from wsmgr.cli import cells, output, tables
from wsmgr.cli.command import command
from wsmgr.cli.options import Json
from wsmgr.cli.settings import Settings

PANEL: Final = "Try it out"
COLUMNS: Final = (
    tables.Column("DIALECT", "dialect", rank=9),
    tables.Column("TYPE", "type"),
    tables.Column("CLASS", "class", rank=1),
    tables.Column("PARAMETERS", "shown_params", folds=True),
    tables.Column("KIND", "kind", rank=4),
    tables.Column("FIRST PROOF", "first_proof", rank=7),
    tables.Column("CADENCE", "cadence", cells.duration, right=True, rank=6),
    tables.Column("JOIN", "join", rank=5),
    tables.Column("PROMISE", "promise", rank=3),
    tables.Column("HEALING", "healing", rank=8),
)


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "types", panel=PANEL)(types)


def types(
    _settings: Settings,
    dialect: Annotated[
        str | None,
        typer.Argument(metavar="DIALECT", help="Only the types of this dialect.", show_default=False),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """List the subscription types, their parameters and what is promised of them."""
    rows = catalog_rows(dialect)
    if json:
        output.write_json(rows)
    else:
        tables.show(COLUMNS, [{**row, "shown_params": shown_params(row)} for row in rows], everything=True)


def catalog_rows(dialect: str | None) -> list[dict[str, Any]]:
    """Return the types of a dialect, or of all of them, as `wsmgr types --json` writes them.

    Types that the venue no longer serves are left out.

    Raises:
        ConfigurationError: There is no such dialect.
    """
    import msgspec

    from wsmgr.manager.runtime.views import type_view
    from wsmgr.manager.venues.dialects import dialect_named, dialect_names

    found = [dialect_named(name) for name in (dialect_names() if dialect is None else [dialect])]
    return [
        msgspec.to_builtins(type_view(each.name, subscription_type))
        for each in found
        for subscription_type in each.catalog.values()
        if subscription_type.removed is None
    ]


def shown_params(row: dict[str, Any]) -> str:
    """Return the parameters of a type in one cell: those that may be left out in brackets."""
    return " ".join(name if name in row["required"] else f"[{name}]" for name in row["params"])
