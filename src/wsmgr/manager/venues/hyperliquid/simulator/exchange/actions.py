"""Actions: what may be posted to the exchange, as types. What does not fit one of them is answered with 422.

Sources: the venue's documentation, "Exchange endpoint", and its official Python client.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import (
    Address,
    Builder,
    CancelByCloidWire,
    CancelWire,
    Cloid,
    MaybeAddress,
    ModifyWire,
    Number,
    OrderWire,
    Payload,
    Priority,
    TwapWire,
)

UNREADABLE = "Failed to deserialize the JSON body into the target type"


class UnreadableActionError(ValueError):
    """A payload that is no action."""


class Action(Struct, frozen=True, rename="camel", tag_field="type"):
    """Any action."""


class PlaceOrders(Action, frozen=True, tag="order"):
    """`order`."""

    orders: list[OrderWire]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority
    builder: Builder | None = None


class Cancel(Action, frozen=True, tag="cancel"):
    """`cancel`."""

    cancels: list[CancelWire]


class CancelByCloid(Action, frozen=True, tag="cancelByCloid"):
    """`cancelByCloid`."""

    cancels: list[CancelByCloidWire]


class Modify(Action, frozen=True, tag="modify"):
    """`modify`."""

    oid: Number | Cloid
    order: OrderWire


class BatchModify(Action, frozen=True, tag="batchModify"):
    """`batchModify`."""

    modifies: list[ModifyWire]


class ScheduleCancel(Action, frozen=True, tag="scheduleCancel"):
    """`scheduleCancel`: no time takes the schedule back."""

    time: Number | None = None


class UpdateLeverage(Action, frozen=True, tag="updateLeverage"):
    """`updateLeverage`."""

    asset: int
    is_cross: bool
    leverage: int


class UpdateIsolatedMargin(Action, frozen=True, tag="updateIsolatedMargin"):
    """`updateIsolatedMargin`: millionths of USDC, negative to take margin out."""

    asset: int
    is_buy: bool
    ntli: int


class TopUpIsolatedOnlyMargin(Action, frozen=True, tag="topUpIsolatedOnlyMargin"):
    """`topUpIsolatedOnlyMargin`: margin until the position has this leverage."""

    asset: int
    leverage: str


class TwapOrder(Action, frozen=True, tag="twapOrder"):
    """`twapOrder`."""

    twap: TwapWire


class TwapCancel(Action, frozen=True, tag="twapCancel"):
    """`twapCancel`: asset and id."""

    a: int
    t: Number


class UserSigned(Action, frozen=True):
    """An action that the account itself signs, and no agent."""

    hyperliquid_chain: str
    signature_chain_id: str


class UsdSend(UserSigned, frozen=True, tag="usdSend"):
    """`usdSend`."""

    destination: Address
    amount: str
    time: Number


class SpotSend(UserSigned, frozen=True, tag="spotSend"):
    """`spotSend`."""

    destination: Address
    token: str
    amount: str
    time: Number


class Withdraw(UserSigned, frozen=True, tag="withdraw3"):
    """`withdraw3`."""

    destination: Address
    amount: str
    time: Number


class UsdClassTransfer(UserSigned, frozen=True, tag="usdClassTransfer"):
    """`usdClassTransfer`: the amount may end with ` subaccount:0x...`."""

    amount: str
    to_perp: bool
    nonce: Number


class SendAsset(UserSigned, frozen=True, tag="sendAsset"):
    """`sendAsset`: between dexes (`spot` is one) and accounts."""

    destination: Address
    source_dex: str
    destination_dex: str
    token: str
    amount: str
    from_sub_account: MaybeAddress
    nonce: Number


class PerpDexClassTransfer(UserSigned, frozen=True, tag="perpDexClassTransfer"):
    """`perpDexClassTransfer`: between spot and one dex."""

    dex: str
    token: str
    amount: str
    to_perp: bool
    nonce: Number


class StakingDeposit(UserSigned, frozen=True, tag="cDeposit"):
    """`cDeposit`."""

    wei: Number
    nonce: Number


class StakingWithdrawal(UserSigned, frozen=True, tag="cWithdraw"):
    """`cWithdraw`."""

    wei: Number
    nonce: Number


class TokenDelegate(UserSigned, frozen=True, tag="tokenDelegate"):
    """`tokenDelegate`."""

    validator: Address
    wei: Number
    is_undelegate: bool
    nonce: Number


class ApproveAgent(UserSigned, frozen=True, tag="approveAgent"):
    """`approveAgent`: without a name it takes the place of the agent without a name."""

    agent_address: Address
    nonce: Number
    agent_name: str | None = None


class ApproveBuilderFee(UserSigned, frozen=True, tag="approveBuilderFee"):
    """`approveBuilderFee`: a rate such as `0.001%`."""

    max_fee_rate: str
    builder: Address
    nonce: Number


class VaultTransfer(Action, frozen=True, tag="vaultTransfer"):
    """`vaultTransfer`: millionths of USDC."""

    vault_address: Address
    is_deposit: bool
    usd: Number


class CreateVault(Action, frozen=True, tag="createVault"):
    """`createVault`: millionths of USDC."""

    name: str
    description: str
    initial_usd: Number
    nonce: Number


class CreateSubAccount(Action, frozen=True, tag="createSubAccount"):
    """`createSubAccount`."""

    name: str


class SubAccountTransfer(Action, frozen=True, tag="subAccountTransfer"):
    """`subAccountTransfer`: millionths of USDC."""

    sub_account_user: Address
    is_deposit: bool
    usd: Number


class SubAccountSpotTransfer(Action, frozen=True, tag="subAccountSpotTransfer"):
    """`subAccountSpotTransfer`."""

    sub_account_user: Address
    is_deposit: bool
    token: str
    amount: str


class SetReferrer(Action, frozen=True, tag="setReferrer"):
    """`setReferrer`."""

    code: str


class RegisterReferrer(Action, frozen=True, tag="registerReferrer"):
    """`registerReferrer`."""

    code: str


class ReserveRequestWeight(Action, frozen=True, tag="reserveRequestWeight"):
    """`reserveRequestWeight`."""

    weight: Number


AnyAction = (
    PlaceOrders
    | Cancel
    | CancelByCloid
    | Modify
    | BatchModify
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | TopUpIsolatedOnlyMargin
    | TwapOrder
    | TwapCancel
    | UsdSend
    | SpotSend
    | Withdraw
    | UsdClassTransfer
    | SendAsset
    | PerpDexClassTransfer
    | StakingDeposit
    | StakingWithdrawal
    | TokenDelegate
    | ApproveAgent
    | ApproveBuilderFee
    | VaultTransfer
    | CreateVault
    | CreateSubAccount
    | SubAccountTransfer
    | SubAccountSpotTransfer
    | SetReferrer
    | RegisterReferrer
    | ReserveRequestWeight
)


def read_payload(body: object) -> tuple[Payload, AnyAction]:
    """Read what was posted.

    Raises:
        UnreadableActionError: It is no action, or not one that the simulator executes.
    """
    try:
        payload = msgspec.convert(body, Payload)
        action: AnyAction = msgspec.convert(payload.action, AnyAction)
    except msgspec.ValidationError as error:
        raise UnreadableActionError(UNREADABLE) from error
    if any(order.t.limit is not None and order.t.trigger is not None for order in _orders(action)):
        raise UnreadableActionError(UNREADABLE)
    if any(order.t.limit is None and order.t.trigger is None for order in _orders(action)):
        raise UnreadableActionError(UNREADABLE)
    return payload, action


def _orders(action: AnyAction) -> list[OrderWire]:
    match action:
        case PlaceOrders(orders=orders):
            return orders
        case Modify(order=order):
            return [order]
        case BatchModify(modifies=modifies):
            return [modify.order for modify in modifies]
        case _:
            return []
