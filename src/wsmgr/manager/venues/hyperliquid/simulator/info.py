"""Info: the venue's answers to requests, the same over HTTP and over the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.coins import BUILDER_DEX, DEXES, coins_of, universe
from wsmgr.manager.venues.hyperliquid.simulator.order_books import book_text
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import (
    UnreadableSubscriptionError,
    is_valid,
    read_subscription,
)
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.market_sources import MarketSources

UNREADABLE = "Failed to deserialize the JSON body into the target type"
NO_ACTIONS = "This simulator does not execute actions."

Body = dict[str, object]


class UnreadableRequestError(ValueError):
    """A request that the venue answers with 422."""


class Info:
    """Answers requests from the market's state."""

    def __init__(self, sources: MarketSources) -> None:
        self._sources = sources
        self._answers: dict[str, Callable[[Body, float], object]] = {
            "meta": self._meta,
            "spotMeta": self._spot_meta,
            "perpDexs": self._perp_dexs,
            "allMids": self._all_mids,
            "l2Book": self._l2_book,
        }

    def info(self, body: object, now: float) -> object:
        """Answer `POST /info`; the answer is ready for JSON, None where the venue answers `null`.

        Args:
            body: The decoded JSON of the request.
            now: Seconds on the simulator's clock.

        Raises:
            UnreadableRequestError: A request that is none, or of a type that the simulator does not have.
        """
        fields = _as_body(body)
        answer = self._answers.get(str(fields.get("type")))
        if answer is None:
            raise UnreadableRequestError(UNREADABLE)
        return answer(fields, now)

    def exchange(self, body: object) -> object:
        """Answer `POST /exchange`: every action is refused, in the venue's shape.

        Raises:
            UnreadableRequestError: A request without action, nonce and signature.
        """
        if not _as_body(body).keys() >= {"action", "nonce", "signature"}:
            raise UnreadableRequestError(UNREADABLE)
        return {"status": "err", "response": NO_ACTIONS}

    def post(self, kind: str, payload: object, now: float) -> tuple[str, object]:
        """Answer a post over the socket: the response's type and its payload."""
        try:
            if kind == "info":
                fields = _as_body(payload)
                return "info", {"type": fields.get("type"), "data": self.info(fields, now)}
            if kind == "action":
                return "action", self.exchange(payload)
        except UnreadableRequestError as error:
            return "error", f"422 Unprocessable Entity: {error}"
        return "error", f"422 Unprocessable Entity: {UNREADABLE}"

    def _meta(self, body: Body, _: float) -> object:
        coins = coins_of(_dex(body))
        leverages = sorted({coin.max_leverage for coin in coins})
        tiers = [
            [leverage, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": leverage}]}]
            for leverage in leverages
        ]
        perps = [
            {
                "szDecimals": coin.size_decimals,
                "name": coin.name,
                "maxLeverage": coin.max_leverage,
                "marginTableId": coin.max_leverage,
            }
            for coin in coins
        ]
        return {"universe": perps, "marginTables": tiers, "collateralToken": 0}

    def _spot_meta(self, _: Body, __: float) -> object:
        spots = coins_of("", "spot")
        names = [
            ("USDC", 8),
            *(("PURR" if n == 0 else f"TOK{n}", coin.size_decimals) for n, coin in enumerate(spots)),
        ]
        tokens = [
            {
                "name": name,
                "szDecimals": decimals,
                "weiDecimals": decimals + 3,
                "index": index,
                "tokenId": f"0x{Dice(f'token {name}').digest[:32]}",
                "isCanonical": index <= 1,
                "evmContract": None,
                "fullName": None,
                "deployerTradingFeeShare": "0.0",
            }
            for index, (name, decimals) in enumerate(names)
        ]
        pairs = [
            {
                "tokens": [coin.index + 1, 0],
                "name": coin.name,
                "index": coin.index,
                "isCanonical": coin.index == 0,
            }
            for coin in spots
        ]
        return {"universe": pairs, "tokens": tokens}

    def _perp_dexs(self, _: Body, __: float) -> object:
        return [None, {"name": BUILDER_DEX, "fullName": "Builder dex of the simulator", "deployer": None}]

    def _all_mids(self, body: Body, now: float) -> object:
        return self._sources.mids(now, _dex(body))

    def _l2_book(self, body: Body, now: float) -> object:
        try:
            subscription = read_subscription(body)
        except UnreadableSubscriptionError as error:
            raise UnreadableRequestError(UNREADABLE) from error
        if subscription.text("coin") not in universe():
            return None
        if not is_valid(subscription):
            raise UnreadableRequestError(UNREADABLE)
        market = self._sources.market
        figures, mantissa = subscription.values["nSigFigs"], subscription.values["mantissa"]
        text = book_text(
            market.at(subscription.text("coin"), now),
            market.milliseconds(now),
            figures=figures if isinstance(figures, int) else None,
            mantissa=mantissa if isinstance(mantissa, int) else None,
        )
        return msgspec.Raw(text.encode())


def _as_body(body: object) -> Body:
    if not isinstance(body, dict):
        raise UnreadableRequestError(UNREADABLE)
    return {str(name): value for name, value in body.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _dex(body: Body) -> str:
    dex = body.get("dex") or ""
    if not isinstance(dex, str) or dex not in DEXES:
        raise UnreadableRequestError(UNREADABLE)
    return dex
