"""`wsmgr types`: what can be subscribed to, out of the dialects' catalogs, as a configuration adds to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wsmgr.cli import cells, output, tables
from wsmgr.cli.command import command
from wsmgr.cli.errors import say
from wsmgr.cli.options import Json
from wsmgr.cli.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from wsmgr.manager.model.subscription_type import Parameter, SubscriptionType
    from wsmgr.manager.venues.dialect import Dialect

PANEL: Final = "Try it out"
COLUMNS: Final = (
    tables.Column("DIALECT", "dialect", rank=9),
    tables.Column("TYPE", "type"),
    tables.Column("CLASS", "class", rank=1),
    tables.Column("PARAMETERS", "shown_params", folds=True),
    tables.Column("KIND", "kind", rank=8),
    tables.Column("FIRST PROOF", "first_proof", rank=6),
    tables.Column("CADENCE", "cadence", cells.duration, right=True, rank=5),
    tables.Column("JOIN", "join", rank=7),
    tables.Column("NUMBERED", "numbered", rank=3),
    tables.Column("PROMISE", "promise", rank=2),
    tables.Column("HEALING", "healing", rank=4),
)
NO_NUMBERS: Final = (
    "where NUMBERED says no, a single frame that the venue withholds leaves no trace for any client;"
    " a lost connection and a silence that is too long are seen everywhere"
)
PROMISES: Final = {
    "items": "an item that was delivered does not come again, whichever socket brings it",
    "time": "no frame is older than one that was delivered, whichever socket brings it",
    "none": "from one socket to the next, frames may come again or be missing",
}
"""What a promise says, by how sockets are merged."""
DETAILS: Final = (tables.Column("FIELD", "field"), tables.Column("VALUE", "value", folds=True))


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "types", panel=PANEL)(types)


def types(
    settings: Settings,
    dialect: Annotated[
        str | None,
        typer.Argument(metavar="DIALECT", help="Only the types of this dialect.", show_default=False),
    ] = None,
    type: Annotated[
        str | None,
        typer.Argument(
            metavar="TYPE", help="Only this type, with all that is known of it.", show_default=False
        ),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """List the subscription types, their parameters and what is promised of them."""
    found = _dialects(dialect, settings.config)
    if type is not None:
        subscription_type = _named(found[0], type, served=json)
        if json:
            output.write_json(_row(found[0], subscription_type))
        else:
            tables.show(DETAILS, details(found[0].name, subscription_type), everything=True)
        return
    if json:
        output.write_json(catalog_rows(dialect, settings.config))
        return
    rows = [(_row(each, one), one.removed) for each in found for one in each.catalog.values()]
    tables.show(COLUMNS, [_shown(row, removed) for row, removed in rows], everything=True)
    if not all(row["numbered"] for row, _ in rows):
        say(NO_NUMBERS)
    for row, removed in rows:
        if removed is not None:
            say(f"{row['type']}: {removed}")


def catalog_rows(dialect: str | None, config: Path | None = None) -> list[dict[str, Any]]:
    """Return the types of a dialect, or of all of them, as `wsmgr types --json` writes them.

    Types that the venue no longer serves are left out.

    Args:
        dialect: The dialect's name, or None.
        config: The configuration file that may add types, or None.

    Raises:
        ConfigurationError: There is no such dialect, or the configuration cannot be meant.
    """
    return [
        _row(each, subscription_type)
        for each in _dialects(dialect, config)
        for subscription_type in each.catalog.values()
        if subscription_type.removed is None
    ]


def shown_params(row: dict[str, Any]) -> str:
    """Return the parameters of a type in one cell: those that may be left out in brackets."""
    return " ".join(name if name in row["required"] else f"[{name}]" for name in row["params"])


def details(dialect: str, subscription_type: SubscriptionType) -> list[dict[str, str]]:
    """Return all that is known of a type, a field a line; what does not apply is left out."""
    told = subscription_type
    lines = {
        "dialect": dialect,
        "type": told.name,
        "removed": told.removed,
        "class": told.connection_class.value,
        **{f"  {each.name}": _described(each) for each in told.parameters},
        "kind": told.kind.value,
        "host": told.host,
        "first proof": told.first_proof.value,
        "cadence": None if told.cadence is None else cells.duration(told.cadence),
        "join": told.join.value,
        "merge": told.merge.value,
        "promise": f"{told.promise}: {PROMISES[told.merge.value]}",
        "duplicate key": " ".join(told.duplicate_key),
        "healing": told.healing,
        "one missing": _one_missing(told),
        "after a gap": _after_a_gap(told),
        "substitutes": told.substitute_words,
    }
    return [{"field": name, "value": value} for name, value in lines.items() if value]


def _dialects(name: str | None, config: Path | None) -> list[Dialect]:
    from wsmgr.manager.config import load_config
    from wsmgr.manager.venues.dialects import dialect_named, dialect_names

    # An address in the environment that cannot be used is no reason not to list what there is.
    venues = load_config(config, venues=(), environ={}).venues
    added = {venue.dialect: venue.types for venue in venues}
    return [dialect_named(each, added.get(each)) for each in ([name] if name else dialect_names())]


def _named(dialect: Dialect, name: str, *, served: bool) -> SubscriptionType:
    found = dialect.catalog.get(name)
    if found is not None and not (served and found.removed is not None):
        return found
    return dialect.atom(name, {}).type  # raises: with the nearest names, or with what took its place


def _row(dialect: Dialect, subscription_type: SubscriptionType) -> dict[str, Any]:
    import msgspec

    from wsmgr.manager.runtime.type_views import type_view

    row: dict[str, Any] = msgspec.to_builtins(type_view(dialect.name, subscription_type))
    return row


def _shown(row: dict[str, Any], removed: str | None) -> dict[str, Any]:
    shown = {**row, "shown_params": shown_params(row)}
    return shown if removed is None else {**shown, "class": "removed", "promise": None}


def _one_missing(told: SubscriptionType) -> str:
    """Return what shows that the venue withheld a single frame."""
    return (
        "its number shows it"
        if told.numbered
        else "a single withheld frame leaves no trace: there are no numbers"
    )


def _after_a_gap(told: SubscriptionType) -> str:
    """Return how what was missed is made good."""
    if told.healing is not None:
        return f"a snapshot or the query {told.healing} brings what was missed, or proves that nothing was"
    if told.kind.value == "state":
        return "the next frame is the whole state again; those between are kept nowhere"
    return "what was missed stays missing: the gap stays open"


def _described(parameter: Parameter) -> str:
    """Return what a parameter takes, in words."""
    words = [
        parameter.kind.value if not parameter.choices else "one of " + " ".join(map(str, parameter.choices))
    ]
    if parameter.required:
        words.append("required")
    if parameter.default not in {None, ""}:
        words.append(f"default {str(parameter.default).lower()}")
    if parameter.only_with is not None:
        words.append("only with {}={}".format(*parameter.only_with))
    return ", ".join(words)
