"""Info: which question is answered by what, and the wrappers of an answer over the socket.

Nothing here has data of its own. What moves comes from the sources of the streams and from the exchange, so that an
answer and a stream never tell two stories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.info import accounts, prices, universe
from wsmgr.manager.venues.hyperliquid.simulator.info.request import (
    UNREADABLE,
    Request,
    UnknownCoinError,
    UnreadableRequestError,
)

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.exchange import Exchange
    from wsmgr.manager.venues.hyperliquid.simulator.market_sources import MarketSources

_HTTP_TEXT = "422 Unprocessable Entity: "


class Info:
    """Answers questions and actions."""

    def __init__(self, sources: MarketSources, exchange: Exchange) -> None:
        """Answer from the market's streams and the exchange's accounts."""
        self._exchange = exchange
        self._answers = {
            **universe.answers(sources),
            **prices.answers(sources),
            **accounts.answers(self._exchange, sources.market),
        }

    @property
    def types(self) -> frozenset[str]:
        """Every question that is answered."""
        return frozenset(self._answers)

    def info(self, body: object, now: float) -> object:
        """Answer `POST /info`; the answer is ready for JSON, None where the venue answers `null`.

        Args:
            body: The decoded JSON of the request.
            now: Seconds on the simulator's clock.

        Raises:
            UnreadableRequestError: A request that is none, or of a type that the venue does not have.
        """
        request = Request(body)
        answer = self._answers.get(request.type)
        if answer is None:
            raise UnreadableRequestError
        try:
            return answer(request, now)
        except UnknownCoinError:
            return None

    def exchange(self, body: object, now: float) -> object:
        """Answer `POST /exchange`.

        Args:
            body: The decoded JSON of the request, its members in their order.
            now: Seconds on the simulator's clock.

        Raises:
            UnreadableRequestError: A request that is no signed action.
        """
        kind, answer = self._exchange.act(body, now)
        if kind == "error":
            raise UnreadableRequestError(str(answer))
        return answer

    def post(self, kind: str, payload: object, now: float) -> tuple[str, object]:
        """Answer a post over the socket: the response's type and its payload."""
        try:
            if kind == "info":
                data = self.info(payload, now)
                return "info", {"type": Request(payload).type, "data": data}
            if kind == "action":
                return "action", self.exchange(payload, now)
        except UnreadableRequestError as error:
            return "error", f"{_HTTP_TEXT}{error}"
        return "error", f"{_HTTP_TEXT}{UNREADABLE}"
