"""The policy: everything is off until it is switched on, and each refusal names its switch."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.exchange import generated as some
from tests.manager.venues.hyperliquid.exchange.world import ORDER, PARAMS, UNIVERSE

from wsmgr.manager.model.errors import ActionForbiddenError, ConfigurationError
from wsmgr.manager.venues.hyperliquid.exchange import BY_WIRE_NAME, CALLS, TradingPolicy, parse_call
from wsmgr.manager.venues.hyperliquid.signing import USER_ACTIONS

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.exchange.actions import Action

TRANSFERS = {
    *(
        "send_usd",
        "send_spot",
        "withdraw_funds",
        "transfer_usd",
        "transfer_tokens",
        "stake_tokens",
        "unstake_tokens",
    ),
    *("delegate_tokens", "transfer_vault_funds", "transfer_account_funds", "create_vault", "approve_agent"),
    *("approve_builder", "reserve_weight"),
}
every_method = pytest.mark.parametrize("name", sorted(CALLS))


def made(name: str, params: dict[str, Any] | None = None) -> Action:
    call = parse_call(name, PARAMS[name] if params is None else params)
    return call.build(
        assets={each: UNIVERSE.asset(each) for each in call.assets},
        tokens={each: UNIVERSE.token(each) for each in call.tokens},
    )


@every_method
def test_without_trading_nothing_passes(name: str) -> None:
    """The first switch; the error names it."""
    for policy in (TradingPolicy(), TradingPolicy(transfers=True, allowed_actions=frozenset(CALLS))):
        with pytest.raises(ActionForbiddenError, match=f"^{name}: .*`trading = true`"):
            policy.check(made(name))


@every_method
def test_transfers_have_a_switch_of_their_own(name: str) -> None:
    """What moves funds, approves or pays is off even where orders are on; the error names the switch."""
    policy = TradingPolicy(trading=True)
    if name in TRANSFERS:
        with pytest.raises(ActionForbiddenError, match=f"^{name}: .*`transfers = true`"):
            policy.check(made(name))
    else:
        policy.check(made(name))
    TradingPolicy(trading=True, transfers=True).check(made(name))


@every_method
def test_the_catalog_says_what_needs_transfers(name: str) -> None:
    """In one place: an action is a transfer where its call is."""
    assert (name in TRANSFERS) == CALLS[name].transfer == made(name).transfer


@every_method
def test_every_action_that_its_user_signs_is_a_transfer(name: str) -> None:
    """An agent's key is for trading; what needs the account's own key never counts as that."""
    action = made(name)
    assert action.user_signed == (action.type in USER_ACTIONS)
    assert action.transfer or not action.user_signed


@every_method
def test_an_action_is_of_the_type_that_the_catalog_says(name: str) -> None:
    """`allowed_actions` and the wire speak of the same thing."""
    action = made(name)
    assert (CALLS[name].wire, CALLS[name].wire, name) == (action.type, action.wire["type"], action.method)


@every_method
def test_only_allowed_actions_pass(name: str) -> None:
    """By method or wire name; the error names the setting and what to add."""
    on = {"trading": True, "transfers": True}
    TradingPolicy(**on, allowed_actions=frozenset({name})).check(made(name))
    TradingPolicy(**on, allowed_actions=frozenset({CALLS[name].wire})).check(made(name))
    other = "set_referrer" if name != "set_referrer" else "cancel_order"
    for allowed in (frozenset({other}), frozenset[str]()):
        with pytest.raises(ActionForbiddenError, match=f"add '{CALLS[name].wire}' to `allowed_actions`"):
            TradingPolicy(**on, allowed_actions=allowed).check(made(name))


def test_a_methods_name_allows_only_that_method() -> None:
    """Who allows single orders has not allowed batches; the wire name allows both."""
    single = TradingPolicy(trading=True, allowed_actions=frozenset({"place_order"}))
    single.check(made("place_order"))
    with pytest.raises(ActionForbiddenError, match="allowed_actions"):
        single.check(made("place_orders"))
    TradingPolicy(trading=True, allowed_actions=frozenset({"order"})).check(made("place_orders"))


def test_allowed_actions_do_not_switch_transfers_on() -> None:
    """The two settings are asked one after the other."""
    policy = TradingPolicy(trading=True, allowed_actions=frozenset({"usdSend"}))
    with pytest.raises(ActionForbiddenError, match="transfers = true"):
        policy.check(made("send_usd"))


@pytest.mark.parametrize(("name", "hint"), [("ordr", "order"), ("usdsend", "usdSend"), ("zzz", "'zzz'")])
def test_an_unknown_name_is_an_error_when_the_policy_is_made(name: str, hint: str) -> None:
    """A misspelt setting would forbid in silence what it was to allow."""
    with pytest.raises(ConfigurationError, match=hint):
        TradingPolicy(trading=True, allowed_actions=frozenset({"cancel", name}))


def test_a_text_is_not_a_list_of_names() -> None:
    """Its letters would be the names."""
    with pytest.raises(ConfigurationError, match=r'write \["order"\]'):
        TradingPolicy(allowed_actions="order")


@pytest.mark.parametrize("wrong", [0, -1, "many", 0.5, True])
def test_a_wrong_max_notional_is_an_error_when_the_policy_is_made(wrong: Any) -> None:
    """A float too: a limit is an amount."""
    with pytest.raises(ConfigurationError, match="max_notional"):
        TradingPolicy(max_notional=wrong)


def notional(name: str, size: str = "0.1", price: str = "50000", **more: Any) -> Action:
    order = {**ORDER, "size": size, "limit_price": price, **more}
    return made(
        name,
        {
            "place_order": order,
            "place_orders": {"order_requests": [order]},
            "modify_order": {**order, "order_id": 1},
            "modify_orders": {"modify_requests": [{"order_id": 1, "order": order}]},
        }[name],
    )


@pytest.mark.parametrize("name", ["place_order", "place_orders", "modify_order", "modify_orders"])
def test_no_order_may_be_worth_more_than_max_notional(name: str) -> None:
    """Price x size, to the last digit; changes of orders too."""
    policy = TradingPolicy(trading=True, max_notional=Decimal(5000))
    policy.check(notional(name))
    with pytest.raises(ActionForbiddenError, match=r"worth 5000\.5 .*`max_notional` allows \(5000\)"):
        policy.check(notional(name, size="0.10001"))


@pytest.mark.parametrize("name", ["place_orders", "modify_orders"])
def test_a_batch_may_not_be_worth_more_than_max_notional(name: str) -> None:
    """Ten orders below the limit are not ten times the limit."""
    policy = TradingPolicy(trading=True, max_notional="9999")
    orders = [ORDER, ORDER]
    params = {
        "place_orders": {"order_requests": orders},
        "modify_orders": {"modify_requests": [{"order_id": 1, "order": order} for order in orders]},
    }[name]
    with pytest.raises(ActionForbiddenError, match="together the orders are worth 10000"):
        policy.check(made(name, params))
    TradingPolicy(trading=True, max_notional="10000").check(made(name, params))


def test_a_trigger_orders_value_is_that_of_its_higher_price() -> None:
    """A low limit does not hide a high trigger."""
    policy = TradingPolicy(trading=True, max_notional=5000)
    trigger = {"type": "trigger", "price": "60000", "is_market": True, "trigger": "tp"}
    with pytest.raises(ActionForbiddenError, match="worth 6000"):
        policy.check(notional("place_order", order_type=trigger))


def test_what_has_no_price_is_refused_where_a_limit_is_set() -> None:
    """Nobody knows what a TWAP order is worth."""
    TradingPolicy(trading=True).check(made("place_twap"))
    with pytest.raises(ActionForbiddenError, match=r"place_twap: it has no price.*`max_notional`"):
        TradingPolicy(trading=True, max_notional=10**9).check(made("place_twap"))


@pytest.mark.parametrize(
    "name",
    ["update_leverage", "cancel_order", "cancel_orders", "cancel_twap", "schedule_cancellation", "send_usd"],
)
def test_what_is_no_order_has_no_notional(name: str) -> None:
    """A limit on orders stops no cancel."""
    TradingPolicy(trading=True, transfers=True, max_notional="0.01").check(made(name))


@given(orders=st.lists(some.orders(), min_size=1, max_size=5), limit=some.scaled(2))
def test_a_batch_passes_exactly_where_its_exact_sum_does(
    orders: list[dict[str, Any]], limit: Decimal
) -> None:
    """No rounding decides."""
    action = made("place_orders", {"order_requests": orders})
    worth = sum(
        Decimal(order["size"])
        * max(Decimal(order["limit_price"]), getattr(order["order_type"], "price", Decimal(0)))
        for order in orders
    )
    complaint = TradingPolicy(trading=True, max_notional=limit).complaint(action)
    assert (complaint is None) == (worth <= limit)
    assert worth == action.notional


def test_the_policy_is_asked_about_every_kind_of_action() -> None:
    """No method is missing from these tests."""
    assert set(CALLS) == set(PARAMS)
    assert {spec.wire for spec in CALLS.values()} == set(BY_WIRE_NAME)
