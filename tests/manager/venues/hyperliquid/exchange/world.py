"""A small venue to make actions for: its markets, and a desk whose requests go nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
from attrs import define, field

from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.outcome import Answered, Outcome
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT, RequestKind
from wsmgr.manager.venues.hyperliquid.exchange import Account, TradingDesk, TradingPolicy
from wsmgr.manager.venues.hyperliquid.signing import Nonces
from wsmgr.manager.venues.hyperliquid.signing.nonces import GivenOut
from wsmgr.manager.venues.hyperliquid.universe import Asset, Token, Universe

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
NONCE = 1_782_000_000_000
DEFAULT = {"type": "default"}
EVERYTHING = TradingPolicy(trading=True, transfers=True)

WHO = "0x" + "ab" * 20
CLOID = "0x000000000000000000000000000000ab"
ORDER: dict[str, Any] = {
    "asset": "BTC",
    "is_buy": True,
    "size": "0.1",
    "limit_price": "50000",
    "order_type": "LIMIT_GTC",
}
PARAMS: dict[str, dict[str, Any]] = {
    "place_order": ORDER,
    "place_orders": {"order_requests": [ORDER]},
    "modify_order": {**ORDER, "order_id": 1},
    "modify_orders": {"modify_requests": [{"order_id": 1, "order": ORDER}]},
    "cancel_order": {"asset": "BTC", "order_id": 1},
    "cancel_orders": {"cancel_requests": [{"asset": "BTC", "order_id": 1}]},
    "cancel_order_by_id": {"asset": "BTC", "client_order_id": CLOID},
    "cancel_orders_by_id": {"cancel_requests": [{"asset": "BTC", "client_order_id": CLOID}]},
    "schedule_cancellation": {},
    "update_leverage": {"asset": "BTC", "leverage": 5, "margin_mode": "cross"},
    "update_margin": {"asset": "BTC", "amount": "1"},
    "adjust_margin": {"asset": "BTC", "leverage": "5"},
    "place_twap": {"asset": "BTC", "size": "1", "minutes": 30, "randomize": False, "is_buy": True},
    "cancel_twap": {"asset": "BTC", "twap_id": 1},
    "send_usd": {"amount": "1", "destination": WHO},
    "send_spot": {"asset": "PURR", "amount": "1", "destination": WHO},
    "withdraw_funds": {"amount": "1", "destination": WHO},
    "transfer_usd": {"amount": "1", "to_perp": True},
    "transfer_tokens": {"amount": "1", "to_perp": True, "dex": "xyz", "token": "USDC"},
    "stake_tokens": {"amount": "1"},
    "unstake_tokens": {"amount": "1"},
    "delegate_tokens": {"validator": WHO, "amount": "1", "is_undelegate": False},
    "transfer_vault_funds": {"vault": WHO, "amount": "1", "is_deposit": True},
    "transfer_account_funds": {"amount": "1", "address": WHO, "is_deposit": True},
    "create_vault": {"name": "a", "description": "b", "initial_usd": "100"},
    "create_sub_account": {"name": "a"},
    "approve_agent": {"agent": WHO},
    "approve_builder": {"builder": WHO, "max_fee_rate": "0.001"},
    "set_referrer": {"code": "A"},
    "register_referrer": {"code": "A"},
    "reserve_weight": {"weight": 10},
}
"""For each method, what it may be given."""

META: Any = {
    "universe": [
        {"name": "BTC", "szDecimals": 5},
        {"name": "ETH", "szDecimals": 4},
        {"name": "kPEPE", "szDecimals": 0},
    ]
}
SPOT_META: Any = {
    "tokens": [
        {
            "name": "USDC",
            "szDecimals": 8,
            "weiDecimals": 8,
            "index": 0,
            "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
        },
        {
            "name": "PURR",
            "szDecimals": 0,
            "weiDecimals": 5,
            "index": 1,
            "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90",
        },
        {
            "name": "HYPE",
            "szDecimals": 2,
            "weiDecimals": 8,
            "index": 2,
            "tokenId": "0x0d01dc56dcaaca66ad901c959b4011ec",
        },
    ],
    "universe": [
        {"name": "PURR/USDC", "tokens": [1, 0], "index": 0, "isCanonical": True},
        {"name": "@107", "tokens": [2, 0], "index": 107, "isCanonical": False},
    ],
}
DEX_META: Any = {"universe": [{"name": "xyz:GOLD", "szDecimals": 3}]}
UNIVERSE = Universe.read(META, SPOT_META, [None, {"name": "xyz"}], {"xyz": DEX_META})


@define
class Names:
    """Looks names up in the small venue, and counts how often."""

    asked: int = 0
    universe: Universe = UNIVERSE

    async def asset(self, name: str | int) -> Asset:
        self.asked += 1
        return self.universe.asset(name)

    async def token(self, name: str) -> Token:
        self.asked += 1
        return self.universe.token(name)


@define
class Line:
    """Keeps what it is given to send, and answers what it was told to, or raises it."""

    answer: Outcome[Any] | BaseException = field(
        factory=lambda: Answered({"status": "ok", "response": DEFAULT})
    )
    sent: list[Mapping[str, Any]] = field(factory=list)
    kinds: list[RequestKind] = field(factory=list)
    timeouts: list[float] = field(factory=list)

    async def request(
        self, kind: RequestKind, payload: Mapping[str, Any], *, timeout: float = REQUEST_TIMEOUT
    ) -> Outcome[Any]:
        self.kinds.append(kind)
        self.sent.append(payload)
        self.timeouts.append(timeout)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@define(kw_only=True)
class Desk:
    """A desk, with all that stands around it."""

    policy: TradingPolicy = EVERYTHING
    account: Account | None = field(factory=lambda: Account.from_key(KEY))
    mainnet: bool | None = True
    line: Line = field(factory=Line)
    names: Names = field(factory=Names)
    notes: list[Fact] = field(factory=list)
    records: list[Fact] = field(factory=list)
    disk: float = 0.0
    nonces: Nonces = field(factory=lambda: Nonces(None, lambda: NONCE, GivenOut()))

    @property
    def desk(self) -> TradingDesk:
        return TradingDesk(
            self.line,
            self.names,
            policy=self.policy,
            account=self.account,
            nonces=self.nonces,
            mainnet=self.mainnet,
            note=self.notes.append,
            record=self.record,
        )

    async def record(self, fact: Fact) -> None:
        self.records.append(fact)
        await anyio.sleep(self.disk)

    async def act(
        self, name: str, params: Mapping[str, object] | None = None, **options: Any
    ) -> Outcome[Any]:
        return await self.desk.act(name, params or {}, who="tester", **options)

    def sends(self, name: str, params: Mapping[str, object], **options: Any) -> Mapping[str, Any]:
        """Return what a call sends."""

        async def run() -> None:
            await self.act(name, params, **options)

        anyio.run(run)
        (payload,) = self.line.sent
        return payload
