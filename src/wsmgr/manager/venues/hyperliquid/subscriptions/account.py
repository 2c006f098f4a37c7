"""Streams about an account: orders, fills, positions, balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Unpack

from wsmgr.manager.model.errors import UnknownTypeError
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.meaning import user_meant
from wsmgr.manager.venues.hyperliquid.subscriptions.base import Feeds

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress
    from wsmgr.manager.venues.hyperliquid.subscriptions.feed import Feed, Queue
    from wsmgr.manager.venues.hyperliquid.subscriptions.host import FeedOptions


class AccountFeeds(Feeds):
    """Streams about an account, named by `address`, or by `account`, anything with an `address`; else the client's."""

    async def notification(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the notices that the venue shows to an account."""
        return await self._feed_of_user("notification", address, account, queue, options)

    async def order_updates(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream what becomes of an account's orders: a list of orders and their new status."""
        return await self._feed_of_user("order_updates", address, account, queue, options)

    async def user_events(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's events: in each message one of fills, funding, liquidation, cancels by the venue or TWAPs."""
        return await self._feed_of_user("user_events", address, account, queue, options)

    async def user_fills(
        self,
        *,
        aggregate_by_time: bool = False,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's fills: the newest ones first (`isSnapshot`), then each as it happens.

        Args:
            aggregate_by_time: Make one fill of those of one crossing order.
            address: The account's address.
            account: Instead of it, an account.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_user(
            "user_fills", address, account, queue, options, aggregate_by_time=aggregate_by_time
        )

    async def user_fundings(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the funding that an account pays and gets: its past first, then each payment."""
        return await self._feed_of_user("user_fundings", address, account, queue, options)

    async def user_non_funding_ledger_updates(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's deposits, transfers, withdrawals and liquidations: its past first."""
        return await self._feed_of_user("user_non_funding_ledger_updates", address, account, queue, options)

    async def user_historical_orders(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's orders and their status: its past first, then each change."""
        return await self._feed_of_user("user_historical_orders", address, account, queue, options)

    async def user_twap_history(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream what becomes of an account's TWAP orders: its past first; times in seconds."""
        return await self._feed_of_user("user_twap_history", address, account, queue, options)

    async def user_twap_slice_fills(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the fills of an account's TWAP orders: its past first."""
        return await self._feed_of_user("user_twap_slice_fills", address, account, queue, options)

    async def active_asset_data(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's leverage, largest sizes and funds for one perpetual."""
        return await self._feed_of_coin(
            "active_asset_data",
            asset,
            coin,
            queue,
            options,
            user=user_meant("active_asset_data", address, account, self._address),
        )

    async def clearinghouse_state(
        self,
        *,
        dex: str | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's positions and margin on a dex.

        Args:
            dex: A builder's dex; None for the venue's own.
            address: The account's address.
            account: Instead of it, an account.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_user("clearinghouse_state", address, account, queue, options, dex=dex)

    async def all_dexs_clearinghouse_state(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's positions and margin on every dex: pairs of a dex's name and its state."""
        return await self._feed_of_user("all_dexs_clearinghouse_state", address, account, queue, options)

    async def open_orders(
        self,
        *,
        dex: str | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the whole list of an account's open orders on a dex.

        Args:
            dex: A builder's dex; None for the venue's own.
            address: The account's address.
            account: Instead of it, an account.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_user("open_orders", address, account, queue, options, dex=dex)

    async def twap_states(
        self,
        *,
        dex: str | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's running TWAP orders on a dex.

        Args:
            dex: A builder's dex; None for the venue's own.
            address: The account's address.
            account: Instead of it, an account.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_user("twap_states", address, account, queue, options, dex=dex)

    async def spot_state(
        self,
        *,
        ignore_portfolio_margin: bool = False,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an account's token balances.

        Args:
            ignore_portfolio_margin: Leave portfolio margin out of account.
            address: The account's address.
            account: Instead of it, an account.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_user(
            "spot_state", address, account, queue, options, ignore_portfolio_margin=ignore_portfolio_margin
        )

    async def web_data3(
        self,
        *,
        address: str | None = None,
        account: HasAddress | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream what the venue's own page shows of an account: agents, vaults, leverage, each dex's state."""
        return await self._feed_of_user("web_data3", address, account, queue, options)

    async def web_data2(self, **_: object) -> NoReturn:
        """Raise that the venue serves it no longer, and what to use.

        Raises:
            UnknownTypeError: Always.
        """
        raise UnknownTypeError(f"webData2: {CATALOG['webData2'].removed}")
