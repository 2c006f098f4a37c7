"""The facade: 31 methods by name, each of which is one call at the desk."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import hl.exchange
import pytest
from tests.manager.venues.hyperliquid.exchange.world import DEFAULT, KEY, NONCE, PARAMS, VAULT, Desk

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.outcome import Answered
from wsmgr.manager.venues.hyperliquid.exchange import CALLS, LIMIT_GTC, Account, Exchange

pytestmark = pytest.mark.anyio
OPTIONAL: dict[str, Any] = {
    "reduce_only": True,
    "cloid": "0x000000000000000000000000000000ab",
    "builder": {"b": VAULT, "f": 10},
    "grouping": "normalTpsl",
    "time": NONCE,
    "name": "bot",
}
every_method = pytest.mark.parametrize("name", sorted(CALLS))


@every_method
async def test_a_method_sends_what_the_call_of_its_name_sends(name: str) -> None:
    """The facade adds nothing and loses nothing."""
    here, there = Desk(), Desk()
    left_out = {each.name: OPTIONAL[each.name] for each in CALLS[name].parameters if not each.required}
    params = {**PARAMS[name], **left_out}
    assert Answered(DEFAULT) == await getattr(Exchange(here.desk), name)(**params)
    await there.act(name, params)
    assert there.line.sent == here.line.sent
    assert name == here.notes[0].detail["method"]


@every_method
def test_a_method_takes_what_its_call_takes_by_keyword_only(name: str) -> None:
    """Its parameters, their defaults, `coin` where there is an asset, and the options."""
    spec = CALLS[name]
    parameters = dict(inspect.signature(getattr(Exchange, name)).parameters)
    del parameters["self"]
    assert inspect.Parameter.VAR_KEYWORD is parameters.pop("options").kind
    coin = parameters.pop("coin", None)
    assert (coin is not None) == ("asset" in parameters)
    assert {parameter.name for parameter in spec.parameters} == set(parameters)
    for parameter in spec.parameters:
        found = parameters[parameter.name]
        assert inspect.Parameter.KEYWORD_ONLY is found.kind
        if parameter.name != "asset":
            assert parameter.required == (found.default is inspect.Parameter.empty), parameter.name
        if not parameter.required:
            assert parameter.default == found.default


@every_method
def test_a_method_is_documented(name: str) -> None:
    """In a sentence at least."""
    words = inspect.getdoc(getattr(Exchange, name))
    assert words is not None
    assert "." in words


async def test_asset_and_coin_are_the_same_and_not_both() -> None:
    """Neither and both are errors."""
    desk = Desk()
    exchange = Exchange(desk.desk)
    await exchange.cancel_order(coin="BTC", order_id=1)
    await exchange.cancel_order(asset="BTC", order_id=1)
    first, second = desk.line.sent
    assert first["action"] == second["action"]
    with pytest.raises(ParameterError, match="given twice"):
        await exchange.cancel_order(asset="BTC", coin="BTC", order_id=1)
    with pytest.raises(ParameterError, match="asset is missing"):
        await exchange.cancel_order(order_id=1)


async def test_options_reach_the_desk() -> None:
    """Account, vault, expiry and deadline, per call; and who called."""
    desk = Desk(account=None)
    await Exchange(desk.desk, who="alice").place_order(
        asset="BTC",
        is_buy=True,
        size=Decimal("0.001"),
        limit_price="65000",
        order_type=LIMIT_GTC,
        account=Account.from_key(KEY),
        vault_address=VAULT,
        expires_after=NONCE + 1,
        timeout=3.5,
    )
    (payload,) = desk.line.sent
    assert (VAULT, NONCE + 1) == (payload["vaultAddress"], payload["expiresAfter"])
    assert [pytest.approx(3.5, abs=0.5)] == desk.line.timeouts
    assert "alice" == desk.notes[0].actor


async def test_a_float_is_refused_whatever_the_types_said() -> None:
    """The types forbid it, and so does the desk."""
    order: Any = {
        "asset": "BTC",
        "is_buy": True,
        "size": 0.001,
        "limit_price": "65000",
        "order_type": LIMIT_GTC,
    }
    desk = Desk()
    with pytest.raises(ParameterError, match="float"):
        await Exchange(desk.desk).place_order(**order)
    assert [] == desk.line.sent


def test_the_methods_are_those_of_hl_sdk() -> None:
    """No more and no less."""
    theirs = {name for name in vars(hl.exchange.Exchange) if not name.startswith("_")}
    ours = {name for name, _ in inspect.getmembers(Exchange, inspect.isfunction) if not name.startswith("_")}
    assert theirs == ours
