"""Every method against the official Python SDK, byte for byte; against hl-sdk, for what only it has."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast
from unittest.mock import patch

import hl.cloid
import hl.types
import msgpack  # type: ignore[import-untyped]
import msgspec
import pytest
from attrs import frozen
from hyperliquid.utils.types import Cloid as SdkCloid  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.exchange import generated as some
from tests.manager.venues.hyperliquid.exchange.twins import hl_sdk, official
from tests.manager.venues.hyperliquid.exchange.world import ADDRESS, NONCE, UNIVERSE, Desk

from wsmgr.manager.venues.hyperliquid.exchange import (
    CALLS,
    CancelByIdRequest,
    CancelRequest,
    Cloid,
    LimitOrder,
    ModifyRequest,
    OrderRequest,
    TriggerOrder,
)
from wsmgr.manager.venues.hyperliquid.exchange.amounts import plain
from wsmgr.manager.venues.hyperliquid.signing import USER_ACTIONS, Signature, recover_user_action_signer

Params = dict[str, Any]
EXAMPLES = settings(max_examples=25, deadline=None)


@frozen(kw_only=True)
class Twin:
    """A method, what it may be given, and the same call on another client.

    Attributes:
        name: The method's name.
        params: What it may be given.
        call: The same on the other client.
        vault: Whether it may be done for a vault.
        expires: Whether it may expire.
    """

    name: str
    params: st.SearchStrategy[Params]
    call: Callable[[Any, Params], Any]
    vault: bool = False
    expires: bool = True


def given_as(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Params]:
    return st.fixed_dictionaries(fields)


def number(value: Any) -> Any:
    """Return a number as the official SDK can be given it, so that it sends the same text: a float where one is exact."""
    exact = Decimal(value)
    if exact == int(exact):
        return int(exact)
    return float(exact) if str(float(exact)) == plain(exact) else plain(exact)


def sdk_order_type(order_type: LimitOrder | TriggerOrder) -> Params:
    if isinstance(order_type, LimitOrder):
        return {"limit": {"tif": order_type.tif}}
    trigger = {
        "triggerPx": float(order_type.price),
        "isMarket": order_type.is_market,
        "tpsl": order_type.trigger,
    }
    return {"trigger": trigger}


def sdk_builder(builder: Params | None) -> Params | None:
    return None if builder is None else {"b": builder["b"], "f": builder["f"]}


def sdk_cloid(cloid: Cloid | None) -> Any:
    return None if cloid is None else SdkCloid.from_str(cloid.raw)


def sdk_order(order: Params) -> Params:
    return {
        "coin": UNIVERSE.asset(order["asset"]).coin,
        "is_buy": order["is_buy"],
        "sz": float(order["size"]),
        "limit_px": float(order["limit_price"]),
        "order_type": sdk_order_type(order["order_type"]),
        "reduce_only": order["reduce_only"],
        "cloid": sdk_cloid(order["cloid"]),
    }


def sdk_oid(order_id: int | Cloid) -> Any:
    return sdk_cloid(order_id) if isinstance(order_id, Cloid) else order_id


def sdk_coin(params: Params) -> str:
    return UNIVERSE.asset(params["asset"]).coin


def sdk_agent(sdk: Any, params: Params) -> Any:
    """Approve an agent whose secret the SDK is told instead of making one; the address is in `agent`."""
    with patch("hyperliquid.exchange.secrets.token_hex", lambda _: AGENT_KEY):
        payload, _ = sdk.approve_agent(params["name"])
    payload["action"]["agentAddress"] = payload["action"]["agentAddress"].lower()
    return payload


AGENT_KEY = "01" * 32
AGENT = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
builders = st.none() | given_as(b=some.addresses, f=st.integers(0, 1000))
groupings = st.sampled_from(["na", "normalTpsl", "positionTpsl"])
asset_names = some.assets.flatmap(lambda asset: st.sampled_from([asset.name, asset.coin, asset.id]))
destinations = some.addresses
signed_usdc = st.builds(lambda value, out: -value if out else value, some.usdc, some.flags)


def merged(*parts: st.SearchStrategy[Params]) -> st.SearchStrategy[Params]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=1, max_size=4)


OFFICIAL = [
    Twin(
        name="place_order",
        params=merged(some.orders(), given_as(builder=builders)),
        call=lambda sdk, p: sdk.bulk_orders([sdk_order(p)], sdk_builder(p["builder"])),
        vault=True,
    ),
    Twin(
        name="place_orders",
        params=given_as(order_requests=lists(some.orders()), grouping=groupings, builder=builders),
        call=lambda sdk, p: sdk.bulk_orders(
            [sdk_order(order) for order in p["order_requests"]],
            sdk_builder(p["builder"]),
            p["grouping"],
        ),
        vault=True,
    ),
    Twin(
        name="modify_orders",
        params=given_as(
            modify_requests=lists(given_as(order_id=some.order_ids | some.cloids, order=some.orders()))
        ),
        call=lambda sdk, p: sdk.bulk_modify_orders_new(
            [
                {"oid": sdk_oid(each["order_id"]), "order": sdk_order(each["order"])}
                for each in p["modify_requests"]
            ]
        ),
        vault=True,
    ),
    Twin(
        name="cancel_order",
        params=given_as(asset=asset_names, order_id=some.order_ids),
        call=lambda sdk, p: sdk.cancel(sdk_coin(p), p["order_id"]),
        vault=True,
    ),
    Twin(
        name="cancel_orders",
        params=given_as(cancel_requests=lists(given_as(asset=asset_names, order_id=some.order_ids))),
        call=lambda sdk, p: sdk.bulk_cancel(
            [{"coin": sdk_coin(each), "oid": each["order_id"]} for each in p["cancel_requests"]]
        ),
        vault=True,
    ),
    Twin(
        name="cancel_order_by_id",
        params=given_as(asset=asset_names, client_order_id=some.cloids),
        call=lambda sdk, p: sdk.cancel_by_cloid(sdk_coin(p), sdk_cloid(p["client_order_id"])),
        vault=True,
    ),
    Twin(
        name="cancel_orders_by_id",
        params=given_as(cancel_requests=lists(given_as(asset=asset_names, client_order_id=some.cloids))),
        call=lambda sdk, p: sdk.bulk_cancel_by_cloid(
            [
                {"coin": sdk_coin(each), "cloid": sdk_cloid(each["client_order_id"])}
                for each in p["cancel_requests"]
            ]
        ),
        vault=True,
    ),
    Twin(
        name="schedule_cancellation",
        params=given_as(time=st.none() | some.times),
        call=lambda sdk, p: sdk.schedule_cancel(p["time"]),
        vault=True,
    ),
    Twin(
        name="update_leverage",
        params=given_as(
            asset=asset_names, leverage=some.counts, margin_mode=st.sampled_from(["cross", "isolated"])
        ),
        call=lambda sdk, p: sdk.update_leverage(p["leverage"], sdk_coin(p), p["margin_mode"] == "cross"),
        vault=True,
    ),
    Twin(
        name="update_margin",
        params=given_as(asset=asset_names, amount=some.written(signed_usdc)),
        call=lambda sdk, p: sdk.update_isolated_margin(float(p["amount"]), sdk_coin(p)),
        vault=True,
    ),
    Twin(
        name="send_usd",
        params=given_as(amount=some.written(some.usdc), destination=destinations),
        call=lambda sdk, p: sdk.usd_transfer(number(p["amount"]), p["destination"]),
        expires=False,
    ),
    Twin(
        name="send_spot",
        params=some.tokens.flatmap(
            lambda token: given_as(
                asset=st.just(f"{token.name}:{token.token_id}"),
                amount=some.written(some.scaled(token.wei_decimals)),
                destination=destinations,
            )
        ),
        call=lambda sdk, p: sdk.spot_transfer(number(p["amount"]), p["destination"], p["asset"]),
        expires=False,
    ),
    Twin(
        name="withdraw_funds",
        params=given_as(amount=some.written(some.usdc), destination=destinations),
        call=lambda sdk, p: sdk.withdraw_from_bridge(number(p["amount"]), p["destination"]),
        expires=False,
    ),
    Twin(
        name="transfer_usd",
        params=given_as(amount=some.written(some.usdc), to_perp=some.flags),
        call=lambda sdk, p: sdk.usd_class_transfer(number(p["amount"]), p["to_perp"]),
        vault=True,
        expires=False,
    ),
    Twin(
        name="delegate_tokens",
        params=given_as(validator=some.addresses, amount=some.written(some.hype), is_undelegate=some.flags),
        call=lambda sdk, p: sdk.token_delegate(
            p["validator"], int(Decimal(p["amount"]) * 10**8), p["is_undelegate"]
        ),
        expires=False,
    ),
    Twin(
        name="transfer_vault_funds",
        params=given_as(vault=some.addresses, amount=some.written(some.usdc), is_deposit=some.flags),
        call=lambda sdk, p: sdk.vault_usd_transfer(
            p["vault"], p["is_deposit"], int(Decimal(p["amount"]) * 10**6)
        ),
    ),
    Twin(
        name="transfer_account_funds",
        params=given_as(amount=some.written(some.usdc), address=some.addresses, is_deposit=some.flags),
        call=lambda sdk, p: sdk.sub_account_transfer(
            p["address"], p["is_deposit"], int(Decimal(p["amount"]) * 10**6)
        ),
    ),
    Twin(
        name="approve_agent",
        params=given_as(agent=st.just(AGENT), name=st.none() | some.names),
        call=sdk_agent,
        expires=False,
    ),
    Twin(
        name="approve_builder",
        params=given_as(builder=some.addresses, max_fee_rate=some.written(some.scaled(5, 1000))),
        call=lambda sdk, p: sdk.approve_builder_fee(
            p["builder"], f"{plain(Decimal(p['max_fee_rate']) * 100)}%"
        ),
        expires=False,
    ),
    Twin(
        name="set_referrer",
        params=given_as(code=some.names),
        call=lambda sdk, p: sdk.set_referrer(p["code"]),
    ),
    Twin(
        name="create_sub_account",
        params=given_as(name=some.names),
        call=lambda sdk, p: sdk.create_sub_account(p["name"]),
    ),
]


def hl_order_type(order_type: LimitOrder | TriggerOrder) -> Any:
    if isinstance(order_type, LimitOrder):
        return {"type": "limit", "tif": order_type.tif}
    return {
        "type": "trigger",
        "price": order_type.price,
        "is_market": order_type.is_market,
        "trigger": order_type.trigger,
    }


def hl_asset(params: Params) -> int:
    return UNIVERSE.asset(params["asset"]).id


def hl_modify(sdk: Any, p: Params) -> Any:
    order_id = p["order_id"]
    return sdk.modify_order(
        order_id=hl.cloid.Cloid(order_id.raw) if isinstance(order_id, Cloid) else order_id,
        asset=hl_asset(p),
        is_buy=p["is_buy"],
        size=Decimal(p["size"]),
        limit_price=Decimal(p["limit_price"]),
        order_type=hl_order_type(p["order_type"]),
        reduce_only=p["reduce_only"],
    )


def canonical(value: Any) -> Decimal:
    return Decimal(plain(Decimal(value)))


HL_SDK = [
    Twin(
        name="modify_order",
        params=merged(
            some.orders().map(lambda order: {**order, "cloid": None}),
            given_as(order_id=some.order_ids | some.cloids),
        ),
        call=hl_modify,
        vault=True,
    ),
    Twin(
        name="adjust_margin",
        params=given_as(asset=asset_names, leverage=some.written(some.scaled(2, 10_000))),
        call=lambda sdk, p: sdk.adjust_margin(asset=hl_asset(p), leverage=canonical(p["leverage"])),
        vault=True,
    ),
    Twin(
        name="place_twap",
        params=some.assets.flatmap(
            lambda asset: given_as(
                asset=st.just(asset.name),
                size=some.written(some.sizes(asset)),
                minutes=some.counts,
                randomize=some.flags,
                is_buy=some.flags,
                reduce_only=some.flags,
            )
        ),
        call=lambda sdk, p: sdk.place_twap(**{**p, "asset": hl_asset(p), "size": canonical(p["size"])}),
        vault=True,
    ),
    Twin(
        name="cancel_twap",
        params=given_as(asset=asset_names, twap_id=some.order_ids),
        call=lambda sdk, p: sdk.cancel_twap(asset=hl_asset(p), twap_id=p["twap_id"]),
        vault=True,
    ),
    Twin(
        name="stake_tokens",
        params=given_as(amount=some.written(some.hype)),
        call=lambda sdk, p: sdk.stake_tokens(amount=Decimal(p["amount"])),
    ),
    Twin(
        name="unstake_tokens",
        params=given_as(amount=some.written(some.hype)),
        call=lambda sdk, p: sdk.unstake_tokens(amount=Decimal(p["amount"])),
    ),
    Twin(
        name="create_vault",
        params=given_as(name=some.names, description=some.names, initial_usd=some.written(some.usdc)),
        call=lambda sdk, p: sdk.create_vault(p["name"], p["description"], Decimal(p["initial_usd"])),
    ),
    Twin(
        name="register_referrer",
        params=given_as(code=some.names),
        call=lambda sdk, p: sdk.register_referrer(code=p["code"]),
    ),
    Twin(
        name="reserve_weight",
        params=given_as(weight=some.counts),
        call=lambda sdk, p: sdk.reserve_weight(weight=p["weight"]),
        vault=True,
    ),
]

# hl-sdk writes numbers below 0.000001 with an exponent, which the venue does not take: none of those.
token_transfers = some.tokens.flatmap(
    lambda token: given_as(
        amount=some.written(some.scaled(min(token.wei_decimals, 6))),
        to_perp=some.flags,
        dex=some.names,
        token=st.just(f"{token.name}:{token.token_id}"),
    )
)


def each_twin(twins: list[Twin]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("twin", twins, ids=[twin.name for twin in twins])


def packed(action: Any) -> bytes:
    """Return the bytes that are hashed; the order of the members is part of them."""
    return cast(bytes, msgpack.packb(action))


def test_every_method_has_a_twin() -> None:
    """No method goes out unproven."""
    proven = [twin.name for twin in [*OFFICIAL, *HL_SDK]]
    assert sorted([*proven, "transfer_tokens"]) == sorted(CALLS)


@each_twin(OFFICIAL)
@EXAMPLES
@given(data=st.data())
def test_what_is_posted_is_what_the_official_sdk_posts(twin: Twin, data: st.DataObject) -> None:
    """Action, nonce, signature, vault and expiry are the same, to the byte."""
    params = data.draw(twin.params)
    mainnet = data.draw(some.flags)
    vault = data.draw(st.none() | some.addresses) if twin.vault else None
    expires = data.draw(st.none() | some.times) if twin.expires else None
    posted = official(
        lambda sdk: twin.call(sdk, params), mainnet=mainnet, vault_address=vault, expires_after=expires
    )
    sent = Desk(mainnet=mainnet).sends(twin.name, params, vault_address=vault, expires_after=expires)
    assert packed(posted["action"]) == packed(sent["action"])
    assert msgspec.json.encode(posted) == msgspec.json.encode(sent)


@each_twin(HL_SDK)
@EXAMPLES
@given(data=st.data())
def test_what_is_posted_is_what_hl_sdk_posts(twin: Twin, data: st.DataObject) -> None:
    """Action, nonce, signature and vault are the same, to the byte; hl-sdk knows no expiry."""
    params = data.draw(twin.params)
    mainnet = data.draw(some.flags)
    vault = data.draw(st.none() | some.addresses) if twin.vault else None
    posted = hl_sdk(lambda sdk: twin.call(sdk, params), mainnet=mainnet, vault_address=vault)
    sent = Desk(mainnet=mainnet).sends(twin.name, params, vault_address=vault)
    assert packed(posted["action"]) == packed(sent["action"])
    assert msgspec.json.encode({**posted, "expiresAfter": None}) == msgspec.json.encode(sent)


@EXAMPLES
@given(params=token_transfers, mainnet=some.flags)
def test_a_transfer_between_dexes_is_what_hl_sdk_posts_signed_by_the_account(
    params: Params, mainnet: bool
) -> None:
    """The action is hl-sdk's; hl-sdk signs it as an agent would, and the venue wants the account's own signature."""
    posted = hl_sdk(
        lambda sdk: sdk.transfer_tokens(**{**params, "amount": canonical(params["amount"])}), mainnet=mainnet
    )
    sent = Desk(mainnet=mainnet).sends("transfer_tokens", params)
    assert packed(posted["action"]) == packed(sent["action"])
    way = USER_ACTIONS["perpDexClassTransfer"]
    signature = Signature.parse(sent["signature"])
    signer = recover_user_action_signer(
        sent["action"], signature, primary_type=way.primary_type, fields=way.fields
    )
    assert ADDRESS == signer
    assert NONCE == sent["nonce"] == sent["action"]["nonce"]


@EXAMPLES
@given(orders=st.lists(some.orders(), min_size=1, max_size=3))
def test_typed_requests_and_mappings_are_the_same(orders: list[Params]) -> None:
    """An order is the same whether it was built before or given as a mapping."""
    typed = [OrderRequest(**order) for order in orders]
    assert Desk().sends("place_orders", {"order_requests": orders}) == Desk().sends(
        "place_orders", {"order_requests": typed}
    )
    changes = [ModifyRequest(order_id=place, order=order) for place, order in enumerate(typed)]
    mappings = [{"order_id": place, "order": order} for place, order in enumerate(orders)]
    assert Desk().sends("modify_orders", {"modify_requests": mappings}) == Desk().sends(
        "modify_orders", {"modify_requests": changes}
    )


@EXAMPLES
@given(asset=asset_names, order_id=some.order_ids, cloid=some.cloids)
def test_typed_cancels_and_mappings_are_the_same(asset: str | int, order_id: int, cloid: Cloid) -> None:
    """A cancel is the same whether it was built before or given as a mapping."""
    by_number = {"asset": asset, "order_id": order_id}
    assert Desk().sends("cancel_orders", {"cancel_requests": [by_number]}) == Desk().sends(
        "cancel_orders", {"cancel_requests": [CancelRequest(asset=asset, order_id=order_id)]}
    )
    by_id = {"asset": asset, "client_order_id": cloid.raw}
    assert Desk().sends("cancel_orders_by_id", {"cancel_requests": [by_id]}) == Desk().sends(
        "cancel_orders_by_id", {"cancel_requests": [CancelByIdRequest(asset=asset, client_order_id=cloid)]}
    )
