"""Requesting: what `info` and `exchange` have in common: the request, whom it goes to, and what its outcome means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from attrs import frozen

from wsmgr.cli.errors import say
from wsmgr.cli.settings import Settings

if TYPE_CHECKING:
    from wsmgr.manager.daemon.unix_client import DaemonClient
    from wsmgr.manager.model.outcome import Outcome

PANEL: Final = "Ask and act"
DIALECT: Final = "hyperliquid"
"""The dialect whose questions and actions are known here by name."""
TIMEOUT: Final = 30.0
"""Seconds for sending a request and its answer."""
BESIDE: Final = ("vault_address", "expires_after")
"""Members of an action's payload that are no parameters of the action."""

Venue = Annotated[
    str | None, typer.Option(help="The venue. Default: the only one, or hyperliquid.", show_default=False)
]
Params = Annotated[
    list[str] | None,
    typer.Option("-p", metavar="NAME=VALUE", help="A parameter; several may be given.", show_default=False),
]


@frozen(kw_only=True)
class Request:
    """What a venue is asked.

    Attributes:
        kind: A question, or something that changes an account.
        payload: `type`, and the parameters beside it, as they were written.
        venue: The venue, or None for the only one.
    """

    kind: Literal["info", "action"]
    payload: Mapping[str, str]
    venue: str | None

    @property
    def type(self) -> str:
        """What it is called."""
        return self.payload["type"]

    @property
    def params(self) -> dict[str, str]:
        """Its parameters."""
        return {name: value for name, value in self.payload.items() if name != "type"}

    def document(self, *, preview: bool = False) -> dict[str, Any]:
        """Return it as the daemon's API takes it."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "payload": dict(self.payload),
            "venue": self.venue,
            "timeout": TIMEOUT,
        }
        return {**document, "preview": True} if preview else document


def outcome_of(document: Mapping[str, Any]) -> Outcome[Any]:
    """Return the outcome that the daemon's API tells."""
    from wsmgr.manager.model.outcome import Answered, Refused, Unknown

    match document["outcome"]:
        case "answered":
            return Answered(document["data"])
        case "refused":
            return Refused(document["words"])
        case _:
            return Unknown(document["why"])


def dialect_at(client: DaemonClient, venue: str | None) -> str | None:
    """Return the dialect of one of a daemon's venues; None where it has no such venue, which it says itself.

    Args:
        client: The daemon.
        venue: The venue's name; None for the only one, or `hyperliquid`.
    """
    venues: dict[str, Any] = client.get("/v1/health")["venues"]
    name = venue or (next(iter(venues)) if len(venues) == 1 else DIALECT)
    return str(venues[name]["dialect"]) if name in venues else None


def say_attached(client: DaemonClient) -> None:
    """Say that the daemon does it."""
    say(f"attached to the daemon at {client.socket}")


def say_embedded(settings: Settings) -> None:
    """Say that this process does it."""
    why = "no daemon runs" if settings.attach is None else "no daemon is asked"
    say(f"{why}: a manager of this process asks (on {settings.backend}, state in memory)")
