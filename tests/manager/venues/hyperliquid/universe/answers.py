"""What the venue answers, in its own shapes and with its oddities, and a requester that answers with it.

A delisted perpetual keeps its place; pairs and tokens have numbers of their own, which are not their places; of the
pairs only PURR/USDC bears a readable name; the venue's own dex is null in `perpDexs`, and so is one that was given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.model.outcome import Answered, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio import Event

    from wsmgr.manager.venues.dialect import RequestKind

Json = dict[str, Any]


def perp(name: str, size_decimals: int, **more: Any) -> Json:
    return {"szDecimals": size_decimals, "name": name, "maxLeverage": 20, "marginTableId": 20, **more}


def token(index: int, name: str, size_decimals: int, wei_decimals: int) -> Json:
    return {
        "name": name,
        "szDecimals": size_decimals,
        "weiDecimals": wei_decimals,
        "index": index,
        "tokenId": f"0x{index + 0x6D1E7B:032x}",
        "isCanonical": index < 2,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    }


def pair(index: int, base: int, quote: int, name: str = "") -> Json:
    return {
        "tokens": [base, quote],
        "name": name or f"@{index}",
        "index": index,
        "isCanonical": index == 0,
    }


META: Json = {
    "universe": [
        perp("BTC", 5),
        perp("ETH", 4),
        perp("MATIC", 1, isDelisted=True, onlyIsolated=True, marginMode="strictIsolated"),
        perp("kPEPE", 0),
        perp("HYPE", 2),
        perp("PURR", 0),
    ],
    "marginTables": [[20, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 20}]}]],
    "collateralToken": 0,
}
SPOT_META: Json = {
    "universe": [
        pair(0, 1, 0, "PURR/USDC"),
        pair(107, 150, 0),
        pair(1, 2, 0),
        pair(207, 150, 268),
        pair(142, 197, 0),
    ],
    "tokens": [
        token(0, "USDC", 8, 8),
        token(1, "PURR", 0, 5),
        token(150, "HYPE", 2, 8),
        token(2, "HFUN", 2, 8),
        token(268, "USDT0", 2, 8),
        token(197, "UBTC", 5, 10),
    ],
}
PERP_DEXS: list[Json | None] = [
    None,
    {"name": "xyz", "fullName": "XYZ", "deployer": "0x88806a71d74ad0a510b350545c9ae490912f0888"},
    None,
    {"name": "flx", "fullName": "Felix", "deployer": "0x2fab552502a6d45920d5741a2f3ebf4c35536352"},
]
DEX_METAS: dict[str, Json] = {
    "xyz": {"universe": [perp("xyz:XYZ100", 4), perp("xyz:SP500", 3), perp("xyz:GOLD", 4)]},
    "flx": {"universe": [perp("flx:TSLA", 3), perp("flx:GOLD", 3, isDelisted=True)]},
}


class ScriptedRequester:
    """Answers queries from a script, and remembers what it was asked.

    Attributes:
        asked: Every query, as `meta` or `meta xyz`.
        script: What to do for a query instead of answering: return an outcome, or raise.
        gate: Where set, a query waits for it after it was noted.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.payloads: list[Json] = []
        self.script: dict[str, Outcome[Any] | Exception] = {}
        self.gate: Event | None = None

    async def request(
        self, kind: RequestKind, payload: Mapping[str, Any], *, timeout: float = 30.0
    ) -> Outcome[Any]:
        assert kind == "info"
        name = " ".join(filter(None, (payload["type"], payload.get("dex"))))
        self.asked.append(name)
        self.payloads.append(dict(payload))
        if self.gate is not None:
            await self.gate.wait()
        scripted = self.script.get(name)
        if isinstance(scripted, Exception):
            raise scripted
        return Answered(answers().get(name)) if scripted is None else scripted


def answers() -> Json:
    return {
        "meta": META,
        "spotMeta": SPOT_META,
        "perpDexs": PERP_DEXS,
        **{f"meta {name}": found for name, found in DEX_METAS.items()},
    }
