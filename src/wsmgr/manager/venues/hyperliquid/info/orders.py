"""Info about an account's orders and fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.info.asking import Asking

if TYPE_CHECKING:
    from datetime import datetime

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.info.shapes import (
        Fill,
        FrontendOrder,
        OpenOrder,
        OrderAnswer,
        OrderState,
        TwapSliceFill,
    )
    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress
    from wsmgr.manager.venues.hyperliquid.order_ids import Cloid


class OrderInfo(Asking):
    """Queries about an account's orders and fills."""

    async def user_open_orders(
        self, *, address: str | None = None, account: HasAddress | None = None, dex: str | None = None
    ) -> Outcome[list[OpenOrder]]:
        """Return an account's open orders on a dex."""
        return await self._ask_of_user("user_open_orders", address, account, dex=dex)

    async def user_frontend_open_orders(
        self, *, address: str | None = None, account: HasAddress | None = None, dex: str | None = None
    ) -> Outcome[list[FrontendOrder]]:
        """Return an account's open orders on a dex, with type, trigger and children."""
        return await self._ask_of_user("user_frontend_open_orders", address, account, dex=dex)

    async def user_historical_orders(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[OrderState]]:
        """Return an account's newest orders, at most 2000, and their state."""
        return await self._ask_of_user("user_historical_orders", address, account)

    async def order_status(
        self, *, order_id: int | str | Cloid, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[OrderAnswer]:
        """Return one order and its state.

        Args:
            order_id: The venue's number, or the client's own id: a `Cloid`, or 0x and 32 hexadecimal digits.
            address: The account's address.
            account: Instead of it, an account.
        """
        return await self._ask_of_user("order_status", address, account, order_id=order_id)

    async def user_fills(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[Fill]]:
        """Return an account's newest fills, at most 2000."""
        return await self._ask_of_user("user_fills", address, account)

    async def user_fills_by_time(
        self,
        *,
        start: datetime | int,
        end: datetime | int | None = None,
        aggregate_by_time: bool | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
    ) -> Outcome[list[Fill]]:
        """Return an account's fills of a period, at most 2000 a time.

        Args:
            start: From when on: an aware datetime, or milliseconds since 1970.
            end: Until when; None is now.
            aggregate_by_time: Make one fill of those of one crossing order.
            address: The account's address.
            account: Instead of it, an account.
        """
        return await self._ask_of_user(
            "user_fills_by_time",
            address,
            account,
            start=start,
            end=end,
            aggregate_by_time=aggregate_by_time,
        )

    async def user_twap_slice_fills(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[TwapSliceFill]]:
        """Return the newest fills of an account's TWAP orders."""
        return await self._ask_of_user("user_twap_slice_fills", address, account)
