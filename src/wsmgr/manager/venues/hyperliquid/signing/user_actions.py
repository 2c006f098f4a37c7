"""The actions that a user signs in full, as data: what moves funds or gives rights. All others an agent may sign.

From the official Python SDK 0.24.0 (`hyperliquid.utils.signing`); `cDeposit` and `cWithdraw` from hl-sdk 0.1.0
(`hl.signer`), and the transfer between dexes that `sendAsset` has replaced from nktkas/hyperliquid, whose spelling of its
type is `PerpDexClassTransfer`. hl-sdk spells it `perpDexClassTransfer` and signs it as an agent would, untested by its own
comment; here both spellings are the user's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from attrs import frozen

from wsmgr.manager.venues.hyperliquid.signing.typed_data import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class UserAction:
    """How an action is signed.

    Attributes:
        primary_type: The name of its structure.
        fields: The structure's fields, in their order.
    """

    primary_type: str
    fields: Fields


EMPTY_WHERE_ABSENT: Final = frozenset({"agentName"})
"""Fields that are signed as an empty text where the action has none: an agent without a name."""


def _signed(name: str, *fields: tuple[str, str]) -> UserAction:
    return UserAction(f"HyperliquidTransaction:{name}", (("hyperliquidChain", "string"), *fields))


_NONCE: Final = ("nonce", "uint64")
_TIME: Final = ("time", "uint64")
_AMOUNT: Final = ("amount", "string")
_DESTINATION: Final = ("destination", "string")
_TOKEN: Final = ("token", "string")
_USER: Final = ("user", "address")
_WEI: Final = ("wei", "uint64")
_TO_PERP: Final = ("toPerp", "bool")

_PERP_DEX_CLASS_TRANSFER: Final = _signed(
    "PerpDexClassTransfer", ("dex", "string"), _TOKEN, _AMOUNT, _TO_PERP, _NONCE
)

USER_ACTIONS: Final[Mapping[str, UserAction]] = MappingProxyType(
    {
        "usdSend": _signed("UsdSend", _DESTINATION, _AMOUNT, _TIME),
        "spotSend": _signed("SpotSend", _DESTINATION, _TOKEN, _AMOUNT, _TIME),
        "withdraw3": _signed("Withdraw", _DESTINATION, _AMOUNT, _TIME),
        "usdClassTransfer": _signed("UsdClassTransfer", _AMOUNT, _TO_PERP, _NONCE),
        "sendAsset": _signed(
            "SendAsset",
            _DESTINATION,
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            _TOKEN,
            _AMOUNT,
            ("fromSubAccount", "string"),
            _NONCE,
        ),
        "perpDexClassTransfer": _PERP_DEX_CLASS_TRANSFER,
        "PerpDexClassTransfer": _PERP_DEX_CLASS_TRANSFER,
        "approveAgent": _signed("ApproveAgent", ("agentAddress", "address"), ("agentName", "string"), _NONCE),
        "approveBuilderFee": _signed(
            "ApproveBuilderFee", ("maxFeeRate", "string"), ("builder", "address"), _NONCE
        ),
        "tokenDelegate": _signed(
            "TokenDelegate", ("validator", "address"), _WEI, ("isUndelegate", "bool"), _NONCE
        ),
        "cDeposit": _signed("CDeposit", _WEI, _NONCE),
        "cWithdraw": _signed("CWithdraw", _WEI, _NONCE),
        "userDexAbstraction": _signed("UserDexAbstraction", _USER, ("enabled", "bool"), _NONCE),
        "userSetAbstraction": _signed("UserSetAbstraction", _USER, ("abstraction", "string"), _NONCE),
        "convertToMultiSigUser": _signed("ConvertToMultiSigUser", ("signers", "string"), _NONCE),
    }
)
"""How each action is signed that its user signs in full, by its type. Every other type is signed by `sign_action`."""
