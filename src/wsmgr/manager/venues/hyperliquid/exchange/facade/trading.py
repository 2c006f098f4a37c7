"""The facade's orders, cancels, leverage and margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from wsmgr.manager.venues.hyperliquid.exchange.facade.base import Calls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.exchange.actions.trading import MarginMode
    from wsmgr.manager.venues.hyperliquid.exchange.amounts import Amount
    from wsmgr.manager.venues.hyperliquid.exchange.facade.base import CallOptions
    from wsmgr.manager.venues.hyperliquid.exchange.orders import (
        AssetName,
        Builder,
        CancelByIdRequest,
        CancelRequest,
        Grouping,
        ModifyRequest,
        OrderRequest,
        OrderType,
    )
    from wsmgr.manager.venues.hyperliquid.exchange.responses import (
        Cancelled,
        Done,
        Ordered,
        TwapCancelled,
        TwapOrdered,
    )
    from wsmgr.manager.venues.hyperliquid.order_ids import Cloid

    Fields = Mapping[str, object]


class TradingCalls(Calls):
    """What an agent's key may sign: orders and what belongs to them."""

    async def place_order(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        is_buy: bool,
        size: Amount,
        limit_price: Amount,
        order_type: OrderType | Fields | str,
        reduce_only: bool = False,
        cloid: Cloid | str | None = None,
        builder: Builder | Fields | None = None,
        **options: Unpack[CallOptions],
    ) -> Outcome[Ordered]:
        """Place an order.

        Args:
            asset: What to trade; or `coin`.
            coin: The same.
            is_buy: Whether to buy.
            size: How much of the asset.
            limit_price: The worst price to take.
            order_type: `LIMIT_GTC`, `LIMIT_IOC`, `LIMIT_ALO` (the objects or their names), or a `TriggerOrder`.
            reduce_only: Whether it may only make a position smaller.
            cloid: The caller's id for it, by which it can be found where the outcome is unknown.
            builder: Who gets a fee for having brought it.
            options: What every method takes.
        """
        params = {"asset": asset, "coin": coin, "is_buy": is_buy, "size": size, "limit_price": limit_price}
        more = {"order_type": order_type, "reduce_only": reduce_only, "cloid": cloid, "builder": builder}
        return await self._call("place_order", {**params, **more}, options)

    async def place_orders(
        self,
        *,
        order_requests: Sequence[OrderRequest | Fields],
        grouping: Grouping = "na",
        builder: Builder | Fields | None = None,
        **options: Unpack[CallOptions],
    ) -> Outcome[Ordered]:
        """Place several orders at once; each is answered by itself in `statuses`.

        Args:
            order_requests: The orders, or mappings of what `place_order` takes.
            grouping: How they hang together: `na`, `normalTpsl`, `positionTpsl`.
            builder: Who gets a fee for having brought them.
            options: What every method takes.
        """
        params = {"order_requests": order_requests, "grouping": grouping, "builder": builder}
        return await self._call("place_orders", params, options)

    async def modify_order(
        self,
        *,
        order_id: int | Cloid | str,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        is_buy: bool,
        size: Amount,
        limit_price: Amount,
        order_type: OrderType | Fields | str,
        reduce_only: bool = False,
        cloid: Cloid | str | None = None,
        **options: Unpack[CallOptions],
    ) -> Outcome[Done]:
        """Change an order; `order_id` is the venue's number of it or the caller's id, the rest is as for `place_order`."""
        params = {"order_id": order_id, "asset": asset, "coin": coin, "is_buy": is_buy, "size": size}
        more = {
            "limit_price": limit_price,
            "order_type": order_type,
            "reduce_only": reduce_only,
            "cloid": cloid,
        }
        return await self._call("modify_order", {**params, **more}, options)

    async def modify_orders(
        self, *, modify_requests: Sequence[ModifyRequest | Fields], **options: Unpack[CallOptions]
    ) -> Outcome[Ordered]:
        """Change several orders at once; each is answered by itself in `statuses`.

        Args:
            modify_requests: The changes, or mappings with `order_id` and `order`.
            options: What every method takes.
        """
        return await self._call("modify_orders", {"modify_requests": modify_requests}, options)

    async def cancel_order(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        order_id: int,
        **options: Unpack[CallOptions],
    ) -> Outcome[Cancelled]:
        """Cancel an order by the venue's number of it."""
        return await self._call("cancel_order", {"asset": asset, "coin": coin, "order_id": order_id}, options)

    async def cancel_orders(
        self, *, cancel_requests: Sequence[CancelRequest | Fields], **options: Unpack[CallOptions]
    ) -> Outcome[Cancelled]:
        """Cancel several orders by the venue's numbers of them; each is answered by itself in `statuses`.

        Args:
            cancel_requests: The orders, or mappings with `asset` and `order_id`.
            options: What every method takes.
        """
        return await self._call("cancel_orders", {"cancel_requests": cancel_requests}, options)

    async def cancel_order_by_id(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        client_order_id: Cloid | str,
        **options: Unpack[CallOptions],
    ) -> Outcome[Cancelled]:
        """Cancel an order by the caller's id for it."""
        params = {"asset": asset, "coin": coin, "client_order_id": client_order_id}
        return await self._call("cancel_order_by_id", params, options)

    async def cancel_orders_by_id(
        self, *, cancel_requests: Sequence[CancelByIdRequest | Fields], **options: Unpack[CallOptions]
    ) -> Outcome[Cancelled]:
        """Cancel several orders by the caller's ids for them; each is answered by itself in `statuses`.

        Args:
            cancel_requests: The orders, or mappings with `asset` and `client_order_id`.
            options: What every method takes.
        """
        return await self._call("cancel_orders_by_id", {"cancel_requests": cancel_requests}, options)

    async def schedule_cancellation(
        self, *, time: int | str | datetime | None = None, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Cancel all orders at a time, at least 5 s ahead; without a time, take that back.

        Args:
            time: Unix milliseconds, a `datetime` with its offset, or ISO 8601 with it.
            options: What every method takes.
        """
        return await self._call("schedule_cancellation", {"time": time}, options)

    async def update_leverage(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        leverage: int,
        margin_mode: MarginMode,
        **options: Unpack[CallOptions],
    ) -> Outcome[Done]:
        """Set the leverage of an asset; `margin_mode` is `cross` or `isolated`."""
        params = {"asset": asset, "coin": coin, "leverage": leverage, "margin_mode": margin_mode}
        return await self._call("update_leverage", params, options)

    async def update_margin(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        amount: Amount,
        **options: Unpack[CallOptions],
    ) -> Outcome[Done]:
        """Add USDC to the margin of an isolated position, or take it out (an amount below 0)."""
        return await self._call("update_margin", {"asset": asset, "coin": coin, "amount": amount}, options)

    async def adjust_margin(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        leverage: Amount,
        **options: Unpack[CallOptions],
    ) -> Outcome[Done]:
        """Bring the margin of an isolated position to a leverage."""
        return await self._call(
            "adjust_margin", {"asset": asset, "coin": coin, "leverage": leverage}, options
        )

    async def place_twap(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        size: Amount,
        minutes: int,
        randomize: bool,
        is_buy: bool,
        reduce_only: bool = False,
        **options: Unpack[CallOptions],
    ) -> Outcome[TwapOrdered]:
        """Trade a size in slices over some minutes; forbidden where `max_notional` is set, because it has no price."""
        params = {"asset": asset, "coin": coin, "size": size, "minutes": minutes, "randomize": randomize}
        more = {"is_buy": is_buy, "reduce_only": reduce_only}
        return await self._call("place_twap", {**params, **more}, options)

    async def cancel_twap(
        self,
        *,
        asset: AssetName | None = None,
        coin: AssetName | None = None,
        twap_id: int,
        **options: Unpack[CallOptions],
    ) -> Outcome[TwapCancelled]:
        """End a TWAP order."""
        return await self._call("cancel_twap", {"asset": asset, "coin": coin, "twap_id": twap_id}, options)
