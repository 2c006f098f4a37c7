"""What all methods of the facade share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.exchange.account import Account


class CallOptions(TypedDict, total=False):
    """What every method takes beside its own parameters.

    Attributes:
        account: Who acts, instead of the venue's own account.
        vault_address: The vault or sub-account that it is for, instead of the account's.
        expires_after: When the venue shall no longer carry it out: unix milliseconds, a `datetime` with its offset, or
            ISO 8601. Not for what the account itself must sign.
        timeout: Seconds for all of it (looking names up, sending it, its answer), 30 unless given.
    """

    account: Account | None
    vault_address: str | None
    expires_after: int | str | datetime | None
    timeout: float


class Actor(Protocol):
    """What carries actions out: a trading desk."""

    async def act(
        self,
        name: str,
        params: Mapping[str, object],
        *,
        who: str,
        account: Account | None = None,
        vault_address: str | None = None,
        expires_after: int | str | datetime | None = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> Outcome[Any]:
        """Carry an action out, once. What goes beside it is described by `CallOptions`.

        Args:
            name: The method's name.
            params: Its parameters, as the caller gave them.
            who: Who wants it, for the notes.
            account: See `CallOptions`, as the others.
            vault_address: See there.
            expires_after: See there.
            timeout: See there.

        Raises:
            WsmgrError: It was not sent.
        """
        ...


class Calls:
    """A part of the facade."""

    def __init__(self, desk: Actor, who: str = "embedded") -> None:
        """Send nothing yet."""
        self._desk = desk
        self._who = who

    async def _call(self, name: str, params: Mapping[str, object], options: CallOptions) -> Outcome[Any]:
        return await self._desk.act(name, params, who=self._who, **options)
