"""What all methods of the facade share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.exchange.account import Account
    from wsmgr.manager.venues.hyperliquid.exchange.desk import TradingDesk


class CallOptions(TypedDict, total=False):
    """What every method takes beside its own parameters.

    Attributes:
        account: Who acts, instead of the venue's own account.
        vault_address: The vault or sub-account that it is for, instead of the account's.
        expires_after: When the venue shall no longer carry it out: unix milliseconds, a `datetime` with its offset, or
            ISO 8601. Not for what the account itself must sign.
        timeout: Seconds for sending it and its answer, 30 unless given.
    """

    account: Account | None
    vault_address: str | None
    expires_after: int | str | datetime | None
    timeout: float


class Calls:
    """A part of the facade."""

    def __init__(self, desk: TradingDesk, who: str = "embedded") -> None:
        """Send nothing yet."""
        self._desk = desk
        self._who = who

    async def _call(self, name: str, params: Mapping[str, object], options: CallOptions) -> Outcome[Any]:
        return await self._desk.act(name, params, who=self._who, **options)
