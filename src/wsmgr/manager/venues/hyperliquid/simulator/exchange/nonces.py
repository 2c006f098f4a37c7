"""Nonces: which a signer may still use.

The venue keeps the 100 highest of each signer; a new one must be higher than the lowest of them and none of them, and
lie within two days before and one day after the venue's time. Source: the venue's documentation, "Nonces and API
wallets".
"""

from __future__ import annotations

from bisect import insort

from wsmgr.manager.venues.hyperliquid.simulator.exchange import words

KEPT = 100
_DAY_MS = 24 * 3600 * 1000


class Nonces:
    """The nonces that were used, by signer."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}

    def refusal(self, signer: str, nonce: int) -> str | None:
        """Why a signer cannot use a nonce, in the venue's words; None when it can."""
        used = self._used.get(signer, [])
        if nonce in used:
            return words.duplicate_nonce(nonce)
        if len(used) == KEPT and nonce < used[0]:
            return words.low_nonce(nonce, used[0])
        return None

    def use(self, signer: str, nonce: int) -> None:
        """Note that a signer has used a nonce."""
        used = self._used.setdefault(signer, [])
        insort(used, nonce)
        del used[:-KEPT]


def refused_by_time(nonce: int, now_ms: int) -> str | None:
    """Why a nonce is too old or too new at a time (Unix milliseconds), in the venue's words; None when it is neither."""
    oldest, newest = now_ms - 2 * _DAY_MS, now_ms + _DAY_MS
    if nonce <= oldest:
        return words.low_nonce(nonce, oldest)
    if nonce >= newest:
        return words.high_nonce(nonce, newest)
    return None
