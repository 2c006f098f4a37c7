"""Options: what a simulator is started with, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator import (
    Limits,
    SimulatorOptionError,
    SimulatorOptions,
    parse_limits,
)


def test_limits_are_read_as_the_command_line_writes_them() -> None:
    """`real` is where the documented ones begin; a name overrules, wherever it stands."""
    assert Limits() == parse_limits([])
    assert Limits(users=15, users_per="connection", user_linger=12.5) == parse_limits(
        ["users=15", "users_per=connection", "user_linger=12.5"]
    )
    older = parse_limits(["connections=100", "real", "at_connection_limit=close"])
    assert (100, 1000, "close") == (older.connections, older.subscriptions, older.at_connection_limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sockets=3",
            "limit 'sockets=3': give real, or NAME=VALUE; names: at_connection_limit, connections, .*",
        ),
        ("users", "limit 'users': give real, or NAME=VALUE"),
        ("users=many", "limit users is 'many': give a number"),
        ("users=-1", "limit users is '-1': give a number, 0 or more"),
        ("user_linger=nan", "limit user_linger is 'nan': give a number, 0 or more"),
        ("users_per=planet", "limit users_per is 'planet': give address or connection"),
    ],
)
def test_limit_that_cannot_be_meant_is_refused_with_what_would_be_right(text: str, message: str) -> None:
    """The message is what a person sees who mistyped."""
    with pytest.raises(SimulatorOptionError, match=message):
        parse_limits([text])


@pytest.mark.parametrize(
    ("option", "value"),
    [("speed", 0), ("speed", float("inf")), ("idle_timeout", 0), ("port", 70_000), ("rate", -1.0)],
)
def test_option_that_cannot_be_meant_is_refused(option: str, value: Any) -> None:
    """With its name and the value seen."""
    with pytest.raises(SimulatorOptionError, match=f"{option} is {value}"):
        SimulatorOptions(**{option: value})
