"""Info about spot: pairs, tokens, balances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.info.asking import Asking

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.info.shapes import (
        SpotDeployState,
        SpotMeta,
        SpotMetaAndAssetCtxs,
        SpotState,
        TokenDetails,
    )
    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress


class SpotInfo(Asking):
    """Queries about spot."""

    async def spot_meta(self) -> Outcome[SpotMeta]:
        """Return the spot pairs and the tokens."""
        return await self._ask("spot_meta")

    async def spot_meta_and_asset_ctxs(self) -> Outcome[SpotMetaAndAssetCtxs]:
        """Return the spot pairs and the tokens, and for each pair its prices and volume."""
        return await self._ask("spot_meta_and_asset_ctxs")

    async def spot_user_state(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[SpotState]:
        """Return an account's token balances."""
        return await self._ask_of_user("spot_user_state", address, account)

    async def spot_deploy_auction_status(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[SpotDeployState]:
        """Return an account's token deployments, and the auction for the next one."""
        return await self._ask_of_user("spot_deploy_auction_status", address, account)

    async def token_details(self, *, token_id: str) -> Outcome[TokenDetails]:
        """Return a token: supply, prices, how it was deployed.

        Args:
            token_id: 0x and 32 hexadecimal digits; `Token.token_id` of the universe.
        """
        return await self._ask("token_details", token_id=token_id)
