"""Each query beside the one that hl-sdk sends for the same call, and the official SDK where it has it.

To the venue, null is the same as left out; so is `dex = ""`, and `aggregateByTime = false`. We leave them out, the SDKs
each send some of them: they are taken away from what they sent.
"""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from hl.info import Info as HlInfo
from hl.network import MAINNET
from hl.result import Result
from hl.transport import BaseTransport
from hl.universe import Universe as HlUniverse
from hyperliquid.info import Info as OfficialInfo  # type: ignore[import-untyped]
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]
from tests.manager.venues.hyperliquid.universe.answers import META, SPOT_META, ScriptedRequester

from wsmgr.manager.venues.hyperliquid.info import QUERIES, Info, find_query, parse_query
from wsmgr.manager.venues.hyperliquid.universe import UniverseLoader

if TYPE_CHECKING:
    from collections.abc import Mapping

USER = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
OTHER = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
START = datetime(2025, 7, 1, 12, 30, tzinfo=UTC)
END = datetime(2025, 7, 2, 0, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
START_MS, END_MS = 1_751_373_000_000, 1_751_407_200_250
CLOID = "0x000000000000000000000000deadbeef"
TOKEN_ID = "0xc4bf3f870c0e9465323c0b6ed28096c2"

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("all_mids", {}),
    ("all_mids", {"dex": "xyz"}),
    ("user_open_orders", {"address": USER}),
    ("user_frontend_open_orders", {"address": USER}),
    ("user_historical_orders", {"address": USER}),
    ("user_fills", {"address": USER}),
    ("user_fills_by_time", {"address": USER, "start": START}),
    ("user_fills_by_time", {"address": USER, "start": START, "end": END, "aggregate_by_time": True}),
    ("user_fills_by_time", {"address": USER, "start": START_MS, "aggregate_by_time": False}),
    ("user_twap_slice_fills", {"address": USER}),
    ("user_rate_limit", {"address": USER}),
    ("order_status", {"address": USER, "order_id": 123_456_789}),
    ("order_status", {"address": USER, "order_id": CLOID}),
    ("user_sub_accounts", {"address": USER}),
    ("l2_book", {"asset": "BTC"}),
    ("l2_book", {"asset": "kPEPE", "n_sig_figs": 5, "mantissa": 2}),
    ("l2_book", {"asset": 10_107, "n_sig_figs": 3}),
    ("candle_snapshot", {"asset": "@107", "interval": "15m", "start": START}),
    ("candle_snapshot", {"asset": 1, "interval": "1M", "start": START, "end": END}),
    ("max_builder_fee", {"address": USER, "builder": OTHER}),
    ("vault_details", {"vault_address": OTHER}),
    ("user_vault_equities", {"address": USER}),
    ("user_role", {"address": USER}),
    ("user_portfolio", {"address": USER}),
    ("user_referral", {"address": USER}),
    ("user_fees", {"address": USER}),
    ("user_delegations", {"address": USER}),
    ("user_delegator_summary", {"address": USER}),
    ("user_delegator_history", {"address": USER}),
    ("user_delegator_rewards", {"address": USER}),
    ("perpetual_dexs", {}),
    ("perpetual_meta", {}),
    ("perpetual_meta_and_asset_ctxs", {}),
    ("user_state", {"address": USER}),
    ("user_funding", {"address": USER, "start": START}),
    ("user_funding", {"address": USER, "start": START_MS, "end": END_MS}),
    ("user_non_funding_ledger_updates", {"address": USER, "start": START, "end": END}),
    ("funding_history", {"asset": "PURR/USDC", "start": START}),
    ("funding_history", {"asset": "ETH", "start": 0, "end": END_MS}),
    ("predicted_fundings", {}),
    ("perpetuals_at_open_interest_cap", {}),
    ("perpetual_deploy_auction_status", {}),
    ("spot_meta", {}),
    ("spot_meta_and_asset_ctxs", {}),
    ("spot_user_state", {"address": USER}),
    ("spot_deploy_auction_status", {"address": USER}),
    ("token_details", {"token_id": TOKEN_ID}),
]

OFFICIAL: list[tuple[str, dict[str, Any], str, tuple[Any, ...]]] = [
    ("user_state", {"address": USER}, "user_state", (USER,)),
    ("user_state", {"address": USER, "dex": "xyz"}, "user_state", (USER, "xyz")),
    ("spot_user_state", {"address": USER}, "spot_user_state", (USER,)),
    ("user_open_orders", {"address": USER}, "open_orders", (USER,)),
    ("user_open_orders", {"address": USER, "dex": "xyz"}, "open_orders", (USER, "xyz")),
    ("user_frontend_open_orders", {"address": USER}, "frontend_open_orders", (USER,)),
    ("user_frontend_open_orders", {"address": USER, "dex": "xyz"}, "frontend_open_orders", (USER, "xyz")),
    ("all_mids", {}, "all_mids", ()),
    ("all_mids", {"dex": "xyz"}, "all_mids", ("xyz",)),
    ("user_fills", {"address": USER}, "user_fills", (USER,)),
    ("user_fills_by_time", {"address": USER, "start": START}, "user_fills_by_time", (USER, START_MS)),
    (
        "user_fills_by_time",
        {"address": USER, "start": START, "end": END, "aggregate_by_time": True},
        "user_fills_by_time",
        (USER, START_MS, END_MS, True),
    ),
    ("perpetual_meta", {}, "meta", ()),
    ("perpetual_meta", {"dex": "xyz"}, "meta", ("xyz",)),
    ("perpetual_meta_and_asset_ctxs", {}, "meta_and_asset_ctxs", ()),
    ("perpetual_dexs", {}, "perp_dexs", ()),
    ("spot_meta", {}, "spot_meta", ()),
    ("spot_meta_and_asset_ctxs", {}, "spot_meta_and_asset_ctxs", ()),
    ("funding_history", {"asset": "BTC", "start": START}, "funding_history", ("BTC", START_MS)),
    (
        "funding_history",
        {"asset": "HYPE/USDC", "start": START, "end": END},
        "funding_history",
        ("HYPE/USDC", START_MS, END_MS),
    ),
    ("user_funding", {"address": USER, "start": START}, "user_funding_history", (USER, START_MS)),
    (
        "user_funding",
        {"address": USER, "start": START, "end": END},
        "user_funding_history",
        (USER, START_MS, END_MS),
    ),
    ("l2_book", {"asset": "HYPE/USDC"}, "l2_snapshot", ("HYPE/USDC",)),
    ("l2_book", {"coin": "BTC"}, "l2_snapshot", ("BTC",)),
    (
        "candle_snapshot",
        {"asset": "HYPE/USDC", "interval": "1h", "start": START, "end": END},
        "candles_snapshot",
        ("HYPE/USDC", "1h", START_MS, END_MS),
    ),
    ("user_fees", {"address": USER}, "user_fees", (USER,)),
    ("user_delegator_summary", {"address": USER}, "user_staking_summary", (USER,)),
    ("user_delegations", {"address": USER}, "user_staking_delegations", (USER,)),
    ("user_delegator_rewards", {"address": USER}, "user_staking_rewards", (USER,)),
    ("user_delegator_history", {"address": USER}, "delegator_history", (USER,)),
    ("order_status", {"address": USER, "order_id": 77}, "query_order_by_oid", (USER, 77)),
    ("order_status", {"address": USER, "order_id": CLOID}, "query_order_by_cloid", (USER, Cloid(CLOID))),
    ("user_referral", {"address": USER}, "query_referral_state", (USER,)),
    ("user_sub_accounts", {"address": USER}, "query_sub_accounts", (USER,)),
    ("perpetual_deploy_auction_status", {}, "query_perp_deploy_auction_status", ()),
    ("user_historical_orders", {"address": USER}, "historical_orders", (USER,)),
    (
        "user_non_funding_ledger_updates",
        {"address": USER, "start": START},
        "user_non_funding_ledger_updates",
        (USER, START_MS),
    ),
    ("user_portfolio", {"address": USER}, "portfolio", (USER,)),
    ("user_twap_slice_fills", {"address": USER}, "user_twap_slice_fills", (USER,)),
    ("user_vault_equities", {"address": USER}, "user_vault_equities", (USER,)),
    ("user_role", {"address": USER}, "user_role", (USER,)),
    ("user_rate_limit", {"address": USER}, "user_rate_limit", (USER,)),
    ("spot_deploy_auction_status", {"address": USER}, "query_spot_deploy_auction_status", (USER,)),
]


class HlTransport(BaseTransport):
    """hl-sdk's transport, that sends nothing."""

    network = MAINNET

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []

    async def invoke(self, payload: Any, validators: Any = None) -> Result[Any, Any]:
        self.payloads.append(dict(payload))
        return Result.ok({})


class Official(OfficialInfo):  # type: ignore[misc]
    """The official SDK's Info, that sends nothing."""

    def __init__(self) -> None:
        super().__init__(skip_ws=True, meta=cast(Any, META), spot_meta=cast(Any, SPOT_META))
        self.payloads: list[dict[str, Any]] = []

    def post(self, url_path: str, payload: Any = None) -> Any:
        self.payloads.append(payload)


def without_defaults(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: without_defaults(value) if isinstance(value, dict) else value
        for name, value in payload.items()
        if value is not None and (name, value) not in [("dex", ""), ("aggregateByTime", False)]
    }


def ours(method: str, **arguments: Any) -> dict[str, Any]:
    """What we send for a call, behind what the universe asks for."""
    requester = ScriptedRequester()
    info = Info(requester, UniverseLoader(requester, path=None, wall=lambda: 0.0))

    async def call() -> None:
        await getattr(info, method)(**arguments)

    anyio.run(call)
    return requester.payloads[-1]


@pytest.mark.parametrize(("method", "arguments"), CALLS)
def test_a_query_is_hl_sdk_s(method: str, arguments: dict[str, Any]) -> None:
    transport = HlTransport()
    spot_meta = {**SPOT_META, "universe": []}
    universe = HlUniverse.from_perpetual_meta_and_spot_meta(cast(Any, META), cast(Any, spot_meta))
    universe.id_to_name[10_107] = "@107"
    theirs = HlInfo(transport=transport, universe=universe)

    async def call() -> None:
        await getattr(theirs, method)(**arguments)

    anyio.run(call)
    assert [without_defaults(payload) for payload in transport.payloads] == [ours(method, **arguments)]


@pytest.mark.parametrize(("method", "arguments", "their_method", "their_arguments"), OFFICIAL)
def test_a_query_is_the_official_sdk_s(
    method: str, arguments: dict[str, Any], their_method: str, their_arguments: tuple[Any, ...]
) -> None:
    theirs = Official()
    getattr(theirs, their_method)(*their_arguments)
    assert [without_defaults(payload) for payload in theirs.payloads] == [ours(method, **arguments)]


def test_the_facade_has_hl_sdk_s_methods_and_no_other() -> None:
    theirs, mine = (
        {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")}
        for cls in (HlInfo, Info)
    )
    assert theirs == mine
    assert 39 == len(mine)
    assert mine == {*QUERIES, "get_universe"}
    assert {*QUERIES} == {method for method, _ in CALLS}


@pytest.mark.parametrize("method", sorted(QUERIES))
def test_a_method_takes_hl_sdk_s_keywords(method: str) -> None:
    """All of them, required or not as there; what we take besides may be left out."""
    theirs = inspect.signature(getattr(HlInfo, method)).parameters
    mine = inspect.signature(getattr(Info, method)).parameters
    assert {*theirs} <= {*mine}
    assert {*mine} - {*theirs} <= {"coin", "dex"}
    for name, parameter in mine.items():
        if name == "self":
            continue
        assert inspect.Parameter.KEYWORD_ONLY == parameter.kind
        required = name in theirs and theirs[name].default is inspect.Parameter.empty and name != "asset"
        assert required == (parameter.default is inspect.Parameter.empty), name


@pytest.mark.parametrize(("method", "arguments"), CALLS)
def test_the_command_line_s_query_is_the_method_s(method: str, arguments: dict[str, Any]) -> None:
    """By the venue's name or the method's, the parameters by the venue's names or the method's, all as text."""
    given = {"coin" if name == "asset" else name: value for name, value in arguments.items()}
    if isinstance(given.get("coin"), int):
        given["coin"] = {1: "ETH", 10_107: "@107"}[given["coin"]]
    texts = {
        name: value.isoformat() if isinstance(value, datetime) else str(value).removesuffix(".0")
        for name, value in given.items()
    }
    query = QUERIES[method]
    names = {parameter.keyword: parameter.name for parameter in query.parameters}
    expected = ours(method, **arguments)
    assert expected == parse_query(method, texts)
    assert expected == parse_query(query.type, {names[name]: value for name, value in texts.items()})


def test_every_query_is_found_by_both_names_and_has_a_line_on_it() -> None:
    for query in QUERIES.values():
        assert query is find_query(query.method) is find_query(query.type)
        assert query.doc.endswith(".")
        assert all(parameter.doc for parameter in query.parameters)
    assert len(QUERIES) == len({query.type for query in QUERIES.values()})
