"""The catalog of the exchange, as data: 31 methods, their names on the wire, and their parameters.

The names and the parameters are those of `hl-sdk` 0.1.0, so that its users need not learn new ones.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wsmgr.manager.venues.hyperliquid.exchange.actions import account, trading, transfers
from wsmgr.manager.venues.hyperliquid.exchange.call import CallSpec
from wsmgr.manager.venues.hyperliquid.exchange.parameters import (
    CANCEL,
    CANCEL_BY_ID,
    ORDER,
    REDUCE_ONLY,
    Parameter,
    optional,
)
from wsmgr.manager.venues.hyperliquid.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUILDER: Final = optional("builder", Kind.BUILDER, "who gets a fee for having brought the order")
_ASSET: Final = Parameter(name="asset", kind=Kind.ASSET, doc="the asset")
_USDC: Final = Parameter(name="amount", kind=Kind.AMOUNT, doc="how much USDC")
_HYPE: Final = Parameter(name="amount", kind=Kind.AMOUNT, doc="how much HYPE")
_DESTINATION: Final = Parameter(name="destination", kind=Kind.ADDRESS, doc="who gets it")


def _required(name: str, kind: Kind, doc: str, *choices: str) -> Parameter:
    return Parameter(name=name, kind=kind, doc=doc, choices=choices)


_SPECS: Final = (
    CallSpec(
        name="place_order",
        wire="order",
        doc="Places an order.",
        parameters=(*ORDER, _BUILDER),
        build=trading.place_order,
        needs=("assets",),
    ),
    CallSpec(
        name="place_orders",
        wire="order",
        doc="Places several orders at once.",
        parameters=(
            _required("order_requests", Kind.ORDERS, "the orders"),
            optional(
                "grouping",
                Kind.TEXT,
                "how they hang together",
                default="na",
                choices=("na", "normalTpsl", "positionTpsl"),
            ),
            _BUILDER,
        ),
        build=trading.place_orders,
        needs=("assets",),
    ),
    CallSpec(
        name="cancel_order",
        wire="cancel",
        doc="Cancels an order by the venue's number of it.",
        parameters=CANCEL,
        build=trading.cancel_order,
        needs=("assets",),
    ),
    CallSpec(
        name="cancel_orders",
        wire="cancel",
        doc="Cancels several orders by the venue's numbers of them.",
        parameters=(_required("cancel_requests", Kind.CANCELS, "the orders"),),
        build=trading.cancel_orders,
        needs=("assets",),
    ),
    CallSpec(
        name="cancel_order_by_id",
        wire="cancelByCloid",
        doc="Cancels an order by the caller's id for it.",
        parameters=CANCEL_BY_ID,
        build=trading.cancel_order_by_id,
        needs=("assets",),
    ),
    CallSpec(
        name="cancel_orders_by_id",
        wire="cancelByCloid",
        doc="Cancels several orders by the caller's ids for them.",
        parameters=(_required("cancel_requests", Kind.CANCELS_BY_ID, "the orders"),),
        build=trading.cancel_orders_by_id,
        needs=("assets",),
    ),
    CallSpec(
        name="schedule_cancellation",
        wire="scheduleCancel",
        doc="Cancels all orders at a time, at least 5 s ahead; without a time, takes that back.",
        parameters=(optional("time", Kind.TIME, "when"),),
        build=trading.schedule_cancellation,
    ),
    CallSpec(
        name="modify_order",
        wire="modify",
        doc="Changes an order.",
        parameters=(_required("order_id", Kind.ORDER_ID, "the order to change"), *ORDER),
        build=trading.modify_order,
        needs=("assets",),
    ),
    CallSpec(
        name="modify_orders",
        wire="batchModify",
        doc="Changes several orders at once.",
        parameters=(_required("modify_requests", Kind.MODIFIES, "the orders, and what they become"),),
        build=trading.modify_orders,
        needs=("assets",),
    ),
    CallSpec(
        name="update_leverage",
        wire="updateLeverage",
        doc="Sets the leverage of an asset.",
        parameters=(
            _ASSET,
            _required("leverage", Kind.INTEGER, "the leverage"),
            _required(
                "margin_mode",
                Kind.TEXT,
                "whether the position shares the account's margin",
                "cross",
                "isolated",
            ),
        ),
        build=trading.update_leverage,
        needs=("assets",),
    ),
    CallSpec(
        name="update_margin",
        wire="updateIsolatedMargin",
        doc="Adds USDC to the margin of an isolated position, or takes it out.",
        parameters=(_ASSET, _required("amount", Kind.AMOUNT, "how much USDC; below 0 to take it out")),
        build=trading.update_margin,
        needs=("assets",),
    ),
    CallSpec(
        name="adjust_margin",
        wire="topUpIsolatedOnlyMargin",
        doc="Brings the margin of an isolated position to a leverage.",
        parameters=(_ASSET, _required("leverage", Kind.AMOUNT, "the leverage to reach")),
        build=trading.adjust_margin,
        needs=("assets",),
    ),
    CallSpec(
        name="place_twap",
        wire="twapOrder",
        doc="Trades a size in slices over some minutes.",
        parameters=(
            _ASSET,
            _required("size", Kind.AMOUNT, "how much of the asset"),
            _required("minutes", Kind.INTEGER, "over how many minutes"),
            _required("randomize", Kind.FLAG, "whether the slices vary in time"),
            _required("is_buy", Kind.FLAG, "whether to buy"),
            REDUCE_ONLY,
        ),
        build=trading.place_twap,
        needs=("assets",),
    ),
    CallSpec(
        name="cancel_twap",
        wire="twapCancel",
        doc="Ends a TWAP order.",
        parameters=(_ASSET, _required("twap_id", Kind.ORDER_NUMBER, "the venue's number of it")),
        build=trading.cancel_twap,
        needs=("assets",),
    ),
    CallSpec(
        name="send_usd",
        wire="usdSend",
        doc="Sends USDC to another address.",
        parameters=(_USDC, _DESTINATION),
        build=transfers.send_usd,
        transfer=True,
    ),
    CallSpec(
        name="send_spot",
        wire="spotSend",
        doc="Sends a spot token to another address.",
        parameters=(
            _required("asset", Kind.TOKEN, "the token"),
            _required("amount", Kind.AMOUNT, "how much of it"),
            _DESTINATION,
        ),
        build=transfers.send_spot,
        needs=("tokens",),
        transfer=True,
    ),
    CallSpec(
        name="withdraw_funds",
        wire="withdraw3",
        doc="Withdraws USDC over the bridge.",
        parameters=(_USDC, _DESTINATION),
        build=transfers.withdraw_funds,
        transfer=True,
    ),
    CallSpec(
        name="transfer_usd",
        wire="usdClassTransfer",
        doc="Moves USDC between the spot and the perpetual balance.",
        parameters=(_USDC, _required("to_perp", Kind.FLAG, "whether to the perpetual balance")),
        build=transfers.transfer_usd,
        needs=("vault_address",),
        transfer=True,
    ),
    CallSpec(
        name="transfer_tokens",
        wire="perpDexClassTransfer",
        doc="Moves a token between the spot balance and the balance on a builder's dex.",
        parameters=(
            _required("amount", Kind.AMOUNT, "how much of the token"),
            _required("to_perp", Kind.FLAG, "whether to the dex"),
            _required("dex", Kind.TEXT, "the dex"),
            _required("token", Kind.TOKEN, "the token"),
        ),
        build=transfers.transfer_tokens,
        needs=("tokens",),
        transfer=True,
    ),
    CallSpec(
        name="stake_tokens",
        wire="cDeposit",
        doc="Moves HYPE from the spot balance to staking.",
        parameters=(_HYPE,),
        build=transfers.stake_tokens,
        transfer=True,
    ),
    CallSpec(
        name="unstake_tokens",
        wire="cWithdraw",
        doc="Moves HYPE from staking to the spot balance.",
        parameters=(_HYPE,),
        build=transfers.unstake_tokens,
        transfer=True,
    ),
    CallSpec(
        name="delegate_tokens",
        wire="tokenDelegate",
        doc="Delegates staked HYPE to a validator, or takes it back.",
        parameters=(
            _required("validator", Kind.ADDRESS, "the validator"),
            _HYPE,
            _required("is_undelegate", Kind.FLAG, "whether to take it back"),
        ),
        build=transfers.delegate_tokens,
        transfer=True,
    ),
    CallSpec(
        name="transfer_vault_funds",
        wire="vaultTransfer",
        doc="Moves USDC into a vault, or out of it.",
        parameters=(
            _required("vault", Kind.ADDRESS, "the vault"),
            _USDC,
            _required("is_deposit", Kind.FLAG, "whether into the vault"),
        ),
        build=transfers.transfer_vault_funds,
        transfer=True,
    ),
    CallSpec(
        name="transfer_account_funds",
        wire="subAccountTransfer",
        doc="Moves USDC to a sub-account, or back to the main one.",
        parameters=(
            _USDC,
            _required("address", Kind.ADDRESS, "the sub-account"),
            _required("is_deposit", Kind.FLAG, "whether to the sub-account"),
        ),
        build=transfers.transfer_account_funds,
        transfer=True,
    ),
    CallSpec(
        name="create_vault",
        wire="createVault",
        doc="Makes a vault and puts USDC into it.",
        parameters=(
            _required("name", Kind.TEXT, "its name"),
            _required("description", Kind.TEXT, "its description"),
            _required("initial_usd", Kind.AMOUNT, "how much USDC"),
        ),
        build=transfers.create_vault,
        transfer=True,
    ),
    CallSpec(
        name="create_sub_account",
        wire="createSubAccount",
        doc="Makes a sub-account.",
        parameters=(_required("name", Kind.TEXT, "its name"),),
        build=account.create_sub_account,
    ),
    CallSpec(
        name="approve_agent",
        wire="approveAgent",
        doc="Lets an agent's key trade for the account.",
        parameters=(
            _required("agent", Kind.ADDRESS, "the address of the agent's key"),
            optional("name", Kind.TEXT, "the agent's name; without one it replaces the unnamed agent"),
        ),
        build=account.approve_agent,
        transfer=True,
    ),
    CallSpec(
        name="approve_builder",
        wire="approveBuilderFee",
        doc="Lets a builder charge a fee on the account's orders.",
        parameters=(
            _required("builder", Kind.ADDRESS, "the builder"),
            _required(
                "max_fee_rate", Kind.AMOUNT, "the most that it may charge, as a fraction: 0.001 is 0.1 %"
            ),
        ),
        build=account.approve_builder,
        transfer=True,
    ),
    CallSpec(
        name="set_referrer",
        wire="setReferrer",
        doc="Names who referred the account.",
        parameters=(_required("code", Kind.TEXT, "the referral code"),),
        build=account.set_referrer,
    ),
    CallSpec(
        name="register_referrer",
        wire="registerReferrer",
        doc="Makes a referral code of the account.",
        parameters=(_required("code", Kind.TEXT, "the referral code"),),
        build=account.register_referrer,
    ),
    CallSpec(
        name="reserve_weight",
        wire="reserveRequestWeight",
        doc="Buys further requests, at 0.0005 USDC each.",
        parameters=(_required("weight", Kind.INTEGER, "how many requests"),),
        build=account.reserve_weight,
        transfer=True,
    ),
)

CALLS: Final[Mapping[str, CallSpec]] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""Every method of the exchange, by its name."""

BY_WIRE_NAME: Final[Mapping[str, tuple[CallSpec, ...]]] = MappingProxyType(
    {spec.wire: tuple(each for each in _SPECS if each.wire == spec.wire) for spec in _SPECS}
)
"""The methods by the wire name of their action; where two share one, the method of a single request comes first."""
