"""The two other clients, made to give back what they would post."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import hl.exchange
import hl.network
import hl.universe
import hyperliquid.exchange  # type: ignore[import-untyped]
from eth_account import Account
from hl.account import Account as HlAccount
from hl.result import Result
from hyperliquid.utils.constants import MAINNET_API_URL, TESTNET_API_URL  # type: ignore[import-untyped]
from tests.manager.venues.hyperliquid.exchange.world import DEX_META, KEY, META, NONCE, SPOT_META

from wsmgr.manager.venues.hyperliquid.exchange.actions import SIGNATURE_CHAIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEX_OFFSET = 110_000


class Official(hyperliquid.exchange.Exchange):  # type: ignore[misc]
    """The official SDK's exchange; what it would post to the venue it returns."""

    def __init__(self, *, mainnet: bool, vault_address: str | None, expires_after: int | None) -> None:
        url = MAINNET_API_URL if mainnet else TESTNET_API_URL
        super().__init__(Account.from_key(KEY), url, META, vault_address, None, SPOT_META)
        self.info.set_perp_meta(DEX_META, DEX_OFFSET)
        self.set_expires_after(expires_after)

    def post(self, url_path: str, payload: Any = None) -> Any:
        assert "/exchange" == url_path
        return payload


def official(
    call: Callable[[Official], Any],
    *,
    mainnet: bool = True,
    vault_address: str | None = None,
    expires_after: int | None = None,
) -> Any:
    """Return what the official SDK would post."""
    with patch.object(hyperliquid.exchange, "get_timestamp_ms", lambda: NONCE):
        return call(Official(mainnet=mainnet, vault_address=vault_address, expires_after=expires_after))


class _Wire:
    """A transport of hl-sdk that gives back what it is to send."""

    def __init__(self, *, mainnet: bool) -> None:
        network = hl.network.MAINNET if mainnet else hl.network.TESTNET
        # The two clients name different chains for the wallet; any will do, and the signature is of the chain named.
        self.network = {**network, "signature_chain_id": SIGNATURE_CHAIN}

    async def invoke(self, payload: Any, _validators: Any = None) -> Any:
        return Result.ok(payload)


def hl_sdk(
    call: Callable[[hl.exchange.Exchange], Awaitable[Any]],
    *,
    mainnet: bool = True,
    vault_address: str | None = None,
) -> Any:
    """Return what hl-sdk would post."""
    wire: Any = _Wire(mainnet=mainnet)
    universe = hl.universe.Universe.from_perpetual_meta_and_spot_meta(META, SPOT_META)
    account = HlAccount.from_key(KEY, vault_address)
    exchange = hl.exchange.Exchange(transport=wire, universe=universe, account=account)

    async def run() -> Any:
        return (await call(exchange)).unwrap()

    with (
        patch("hl.exchange.get_timestamp_ms", lambda: NONCE),
        patch("hl.signer.get_timestamp_ms", lambda: NONCE),
    ):
        return asyncio.run(run())
