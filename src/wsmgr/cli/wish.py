"""Wish: what a `subscribe` command asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import frozen

from wsmgr.cli.errors import USAGE, CommandError

ConnectionChoice = Literal["auto", "dedicated"]
Redundancy = Literal[1, 2]


@frozen(kw_only=True)
class Wish:
    """What is to be subscribed to, and how.

    Attributes:
        type: The subscription type.
        params: Its parameters, as they were written.
        venue: The venue, or None for the only one.
        policy: What happens when the consumer is too slow; None for the type's own.
        connection: `dedicated` for a connection of its own.
        redundancy: On how many sockets at once.
        timeout: Seconds that the first acknowledgement has; None for ever.
    """

    type: str
    params: Mapping[str, str]
    venue: str | None = None
    policy: str | None = None
    connection: ConnectionChoice = "auto"
    redundancy: Redundancy = 1
    timeout: float | None = None

    def document(self) -> dict[str, Any]:
        """Return the wish as the daemon's API takes it."""
        return {
            "type": self.type,
            "params": dict(self.params),
            "venue": self.venue,
            "policy": self.policy,
            "connection": self.connection,
            "redundancy": self.redundancy,
            "timeout": self.timeout,
        }


def params_of(named: Mapping[str, str | None], pairs: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a wish.

    Args:
        named: Those that have an option of their own; None where it was not given.
        pairs: The others, `name=value`.

    Raises:
        CommandError: A pair has no `=`, or a parameter is given twice.
    """
    found = {name: value for name, value in named.items() if value is not None}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandError(f"-p {pair!r} is no parameter; write name=value", USAGE)
        if name in found:
            raise CommandError(f"the parameter {name!r} is given twice", USAGE)
        found[name] = value
    return found
