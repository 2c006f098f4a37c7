"""`wsmgr why`: why a subscription is as it is: what happened, who decided, on what evidence, what comes next and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from wsmgr.cli import cells, output, tables
from wsmgr.cli.command import command
from wsmgr.cli.listing import EVENTS, GAPS
from wsmgr.cli.options import Json, SubscriptionId
from wsmgr.cli.settings import Settings
from wsmgr.cli.sources import source

if TYPE_CHECKING:
    import typer

    from wsmgr.cli.sources import Row

NEWEST_GAPS: Final = 5
"""How many gaps are shown; `wsmgr gaps ID` shows all."""
HISTORY: Final = tuple(column for column in EVENTS if column.field != "subscription_id")
HOLES: Final = tuple(column for column in GAPS if column.field != "subscription_id")


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "why", panel="Look")(why)


def why(settings: Settings, id: SubscriptionId, *, json: Json = False) -> None:
    """Say why a subscription is as it is: what happened, who decided, on what evidence, what comes next and when."""
    with source(settings) as asked:
        found = asked.why(id)
        gaps = [] if json else asked.gaps(id, limit=NEWEST_GAPS)
    if json:
        output.write_json(found)
        return
    output.write_text("\n".join(described(found, now=datetime.now(UTC))))
    for columns, rows in ((HOLES, gaps), (HISTORY, found["history"])):
        if rows:
            output.write_text("")
            tables.show(columns, rows, everything=True)


def described(found: Row, *, now: datetime) -> list[str]:
    """Return the answer, a line for each thing.

    Args:
        found: What `wsmgr why --json` writes.
        now: The time, for how long it is until something comes.
    """
    lines: dict[str, Any] = {
        "subscription": found["key"],
        "state": found["state"],
        "connection": found["connection"],
        "because": found["summary"],
        "decided by": found["decided_by"],
        "evidence": cells.pairs(found["evidence"]),
        "next": _coming(found["next"], now),
    }
    if "as_of" in found:
        lines["as of"] = cells.clock(found["as_of"])
    return [f"{name + ':':<15}{cells.text(value)}" for name, value in lines.items()]


def _coming(coming: Row | None, now: datetime) -> str:
    if coming is None:
        return "nothing: it is as it is to be"
    at = cells.moment(coming["at"])
    if at is None:
        return str(coming["what"])
    left = (at - now).total_seconds()
    when = "now" if left <= 0 else f"in {cells.duration(left)}"
    return f"{coming['what']} ({when}, at {cells.clock(coming['at'])})"
