"""The account: approvals, referrers, sub-accounts and request weight as actions.

Approvals let somebody else act or charge, and reserved weight is paid for: like transfers, they have a switch of their
own in the policy.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.actions.action import SIGNED_FOR, Action, Blank, VaultRule

MAX_FEE_RATE: Final = Decimal("0.01")
"""The most that a builder may charge: 1 %, on spot. Source: the venue's page "Builder codes"."""


def approve_agent(*, agent: str, name: str | None = None) -> Action:
    """Return the action that lets an agent's key trade for the account; without a name it replaces the unnamed one."""
    named = {} if name is None else {"agentName": name}
    wire = {"type": "approveAgent", "agentAddress": agent, **named, "nonce": Blank.NONCE, **SIGNED_FOR}
    return Action(type="approveAgent", wire=wire, user_signed=True)


def approve_builder(*, builder: str, max_fee_rate: Decimal) -> Action:
    """Return the action that lets a builder charge a fee on the account's orders.

    Args:
        builder: The builder's address.
        max_fee_rate: The most that it may charge, as a fraction: 0.001 is 0.1 %.

    Raises:
        ParameterError: The fraction is below 0 or above 0.01.
    """
    if not 0 <= max_fee_rate <= MAX_FEE_RATE:
        raise ParameterError(
            f"max_fee_rate={amounts.plain(max_fee_rate)} is not allowed: it is a fraction from 0 to"
            f" {amounts.plain(MAX_FEE_RATE)} (0.001 is 0.1 %)"
        )
    wire = {
        "maxFeeRate": f"{amounts.plain(amounts.times(max_fee_rate, Decimal(100)))}%",
        "builder": builder,
        "nonce": Blank.NONCE,
        "type": "approveBuilderFee",
        **SIGNED_FOR,
    }
    return Action(type="approveBuilderFee", wire=wire, user_signed=True)


def set_referrer(*, code: str) -> Action:
    """Return the action that names who referred the account."""
    return Action(type="setReferrer", wire={"type": "setReferrer", "code": code})


def register_referrer(*, code: str) -> Action:
    """Return the action that makes a referral code of the account."""
    return Action(type="registerReferrer", wire={"type": "registerReferrer", "code": code})


def create_sub_account(*, name: str) -> Action:
    """Return the action that makes a sub-account."""
    return Action(type="createSubAccount", wire={"type": "createSubAccount", "name": name})


def reserve_weight(*, weight: int) -> Action:
    """Return the action that buys further requests, at 0.0005 USDC each."""
    wire = {"type": "reserveRequestWeight", "weight": weight}
    return Action(type="reserveRequestWeight", wire=wire, vault=VaultRule.BESIDE)
