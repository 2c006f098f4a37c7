"""The facade: whose account, which asset, and what becomes of the outcome."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen
from tests.manager.venues.hyperliquid.universe.answers import DEX_METAS, META, ScriptedRequester

from wsmgr.manager.model.errors import ParameterError, RequestNotSentError, UsageError
from wsmgr.manager.model.outcome import Answered, Refused, Unknown
from wsmgr.manager.venues.hyperliquid.info import Info
from wsmgr.manager.venues.hyperliquid.universe import UniverseError, UniverseLoader, UnknownAssetError

pytestmark = pytest.mark.anyio

USER = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
OTHER = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"


@frozen
class Account:
    address: str
    vault_address: str | None = None


@pytest.fixture
def requester() -> ScriptedRequester:
    return ScriptedRequester()


def info_of(requester: ScriptedRequester, address: str | None = None) -> Info:
    return Info(requester, UniverseLoader(requester, path=None, wall=lambda: 0.0), address)


@pytest.fixture
def info(requester: ScriptedRequester) -> Info:
    return info_of(requester)


@pytest.mark.parametrize(
    ("default", "arguments", "user"),
    [
        (None, {"address": OTHER}, OTHER),
        (None, {"account": Account(OTHER)}, OTHER),
        (USER, {}, USER),
        (USER, {"address": OTHER}, OTHER),
        (USER, {"account": Account(OTHER)}, OTHER),
        (USER.upper().replace("X", "x"), {}, USER),
        (None, {"address": OTHER.upper().replace("X", "x")}, OTHER),
    ],
)
async def test_a_call_s_own_account_comes_before_the_client_s(
    requester: ScriptedRequester, default: str | None, arguments: dict[str, Any], user: str
) -> None:
    info = info_of(requester, default)
    await info.user_fills(**arguments)
    assert [{"type": "userFills", "user": user}] == requester.payloads


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"address": USER, "account": Account(USER)}, "user_fills: address and account are both given"),
        ({}, "user_fills: no account is named"),
        ({"address": "0x12"}, "user='0x12' is not an address"),
        ({"account": Account("")}, "user is empty"),
    ],
)
async def test_both_or_no_account_is_refused_and_nothing_is_sent(
    requester: ScriptedRequester, info: Info, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        await info.user_fills(**arguments)
    assert [] == requester.payloads


def test_the_client_s_address_is_checked_when_it_is_given(requester: ScriptedRequester) -> None:
    with pytest.raises(ParameterError, match="address='0x12' is not an address"):
        info_of(requester, "0x12")


@pytest.mark.parametrize(
    ("arguments", "vault"),
    [
        ({"vault_address": OTHER.upper().replace("X", "x")}, OTHER),
        ({"account": Account(USER, OTHER)}, OTHER),
    ],
)
async def test_a_vault_is_named_by_its_address_or_by_an_account_s(
    requester: ScriptedRequester, info: Info, arguments: dict[str, Any], vault: str
) -> None:
    await info.vault_details(**arguments)
    assert [{"type": "vaultDetails", "vaultAddress": vault}] == requester.payloads


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "no vault is named"),
        ({"account": Account(USER)}, "no vault is named"),
        ({"vault_address": OTHER, "account": Account(USER, OTHER)}, "both given"),
    ],
)
async def test_both_or_no_vault_is_refused(
    requester: ScriptedRequester, arguments: dict[str, Any], words: str
) -> None:
    """The client's own account is not a vault."""
    with pytest.raises(UsageError, match=words):
        await info_of(requester, USER).vault_details(**arguments)
    assert [] == requester.payloads


@pytest.mark.parametrize(
    ("arguments", "coin"),
    [
        ({"asset": "BTC"}, "BTC"),
        ({"asset": "HYPE/USDC"}, "@107"),
        ({"asset": "hype/usdc"}, "@107"),
        ({"asset": 10_107}, "@107"),
        ({"asset": "XYZ:gold"}, "xyz:GOLD"),
    ],
)
async def test_an_asset_goes_on_the_wire_by_its_coin(
    requester: ScriptedRequester, info: Info, arguments: dict[str, Any], coin: str
) -> None:
    await info.l2_book(**arguments)
    assert {"type": "l2Book", "coin": coin} == requester.payloads[-1]


@pytest.mark.parametrize("coin", ["BTC", "btc", "HYPE/USDC", "#14720", "no such coin"])
async def test_a_coin_goes_on_the_wire_as_it_is_without_the_universe(
    requester: ScriptedRequester, info: Info, coin: str
) -> None:
    await info.l2_book(coin=coin)
    assert [{"type": "l2Book", "coin": coin}] == requester.payloads


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "l2_book: neither asset nor coin"),
        ({"asset": "BTC", "coin": "BTC"}, "l2_book: asset and coin are both"),
    ],
)
async def test_both_or_neither_of_asset_and_coin_is_refused(
    requester: ScriptedRequester, info: Info, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        await info.l2_book(**arguments)
    assert [] == requester.payloads


async def test_an_unknown_asset_is_refused_before_the_query_is_sent(
    requester: ScriptedRequester, info: Info
) -> None:
    with pytest.raises(UnknownAssetError, match=r"did you mean BTC\?"):
        await info.funding_history(asset="BTD", start=0)
    assert "fundingHistory" not in requester.asked


@pytest.mark.parametrize("outcome", [Answered({"BTC": "1"}), Refused("429"), Unknown("the socket was lost")])
async def test_the_outcome_is_the_requester_s(requester: ScriptedRequester, info: Info, outcome: Any) -> None:
    requester.script["allMids"] = outcome
    assert outcome == await info.all_mids()


async def test_what_could_not_be_sent_raises(requester: ScriptedRequester, info: Info) -> None:
    requester.script["allMids"] = RequestNotSentError("no connection")
    with pytest.raises(RequestNotSentError):
        await info.all_mids()


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [
        (Answered(None), Answered([])),
        (Answered([]), Answered([])),
        (Answered([{"name": "one"}]), Answered([{"name": "one"}])),
        (Refused("429"), Refused("429")),
    ],
)
async def test_no_sub_accounts_are_an_empty_list(
    requester: ScriptedRequester, info: Info, answered: Any, outcome: Any
) -> None:
    requester.script["subAccounts"] = answered
    assert outcome == await info.user_sub_accounts(address=USER)


async def test_the_universe_is_loaded_once_for_everyone(requester: ScriptedRequester, info: Info) -> None:
    universe = (await info.get_universe()).unwrap()
    assert 10_107 == universe.asset("HYPE/USDC").id
    await info.l2_book(asset="ETH")
    assert ["meta", "spotMeta", "perpDexs", "l2Book"] == requester.asked


@pytest.mark.parametrize("outcome", [Refused("429"), Unknown("the socket was lost")])
async def test_a_universe_that_did_not_come_is_an_outcome_too(
    requester: ScriptedRequester, info: Info, outcome: Any
) -> None:
    requester.script["spotMeta"] = outcome
    assert outcome == await info.get_universe()


async def test_a_universe_that_cannot_be_read_raises(requester: ScriptedRequester, info: Info) -> None:
    requester.script["spotMeta"] = Answered({})
    with pytest.raises(UniverseError, match="the answer to spotMeta cannot be read"):
        await info.get_universe()


async def test_the_dex_is_named_to_the_venue(requester: ScriptedRequester, info: Info) -> None:
    assert Answered(DEX_METAS["xyz"]) == await info.perpetual_meta(dex="xyz")
    assert Answered(META) == await info.perpetual_meta()
    for method in ("user_state", "user_open_orders", "user_frontend_open_orders"):
        await getattr(info, method)(address=USER, dex="xyz")
    for method in ("all_mids", "perpetual_meta_and_asset_ctxs", "perpetuals_at_open_interest_cap"):
        await getattr(info, method)(dex="xyz")
    assert ["xyz"] * 6 == [payload.get("dex") for payload in requester.payloads[2:]]
