"""What the tables of `wsmgr events` show, by how much room there is."""

from __future__ import annotations

from typing import Any

import pytest

from wsmgr.cli import tables
from wsmgr.cli.listing import EVENTS

# The longest values that there are.
ACTION: dict[str, Any] = {
    "at": "2026-11-20T07:00:00Z",
    "level": "warning",
    "kind": "database_migrated",
    "actor": "uid:1000",
    "connection": "hyperliquid-12",
    "subscription_id": "3ybxjrjj7a",
    "detail": {"action": "usdSend", "outcome": "forbidden"},
}
LONG: dict[str, Any] = {**ACTION, "actor": "dialer:hyperliquid-testnet"}


def test_an_event_in_a_pipe_says_who_acted() -> None:
    """Who looks up an action finds whose it was; an event without an actor has a dash."""
    titles, action, other = tables.plain(EVENTS, [ACTION, {**ACTION, "actor": None}]).splitlines()
    place = titles.index("ACTOR")
    assert ["uid:1000", "-"] == [line[place:].split()[0] for line in (action, other)]


@pytest.mark.parametrize("row", [ACTION, LONG], ids=["short", "long"])
@pytest.mark.parametrize(("width", "has_room"), [(120, True), (100, False)])
def test_a_terminal_says_who_acted_where_there_is_room(
    row: dict[str, Any], width: int, has_room: bool
) -> None:
    """With 120 columns nothing is left out; with less, the actor is the first."""
    left_out = set(EVENTS) - set(tables.fitting(EVENTS, [row], width))
    assert has_room == (not left_out)
    assert has_room == ("ACTOR" not in {column.title for column in left_out})
