"""An action: what would be signed and sent, before it has a nonce.

Its wire form has the key order that the venue hashes. What is known only when it is sent stands in it as a blank: the
nonce, and the network's two names in an action that the account itself signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from wsmgr.manager.venues.hyperliquid.exchange.amounts import total

SIGNATURE_CHAIN: Final = "0x66eee"
"""The chain that a user-signed action names as the one of the wallet. Any will do; the official SDK sends this one."""


class Blank(Enum):
    """What a wire form leaves open until it is sent."""

    NONCE = "nonce"
    """The nonce of the request, repeated inside the action."""
    NETWORK = "network"
    """`Mainnet` or `Testnet`."""
    CHAIN = "chain"
    """The wallet's chain."""


SIGNED_FOR: Final[Mapping[str, Blank]] = MappingProxyType(
    {"signatureChainId": Blank.CHAIN, "hyperliquidChain": Blank.NETWORK}
)
"""The members that every action has that its user signs."""


class VaultRule(Enum):
    """How an action can be done in the name of a vault or a sub-account."""

    BESIDE = "beside"
    """Its address is posted beside the action, and signed with it."""
    WITHIN = "within"
    """Its address is part of the action."""
    NEVER = "never"
    """It cannot: the action is the account's own."""


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


@frozen(kw_only=True)
class Action:
    """One action.

    Attributes:
        type: Its name on the wire.
        wire: Its wire form, with blanks.
        user_signed: Whether the account's own key must sign it; else an agent's key may.
        transfer: Whether it moves funds out of reach of trading, or lets somebody else act or charge.
        vault: How it can be done for a vault or a sub-account.
        notionals: The value of each order in it, price x size.
        unpriced: Whether it is an order of which nobody knows the value.
        assets: The names of the assets and tokens that it is about, each once.
        method: The name under which it was called; empty where it was made directly.
    """

    type: str
    wire: Mapping[str, Any]
    user_signed: bool = False
    transfer: bool = False
    vault: VaultRule = VaultRule.NEVER
    notionals: tuple[Decimal, ...] = ()
    unpriced: bool = False
    assets: tuple[str, ...] = field(default=(), converter=_once)
    method: str = ""

    @property
    def notional(self) -> Decimal | None:
        """The value of all orders in it, or None where it has none that is known."""
        return total(self.notionals) if self.notionals else None

    def filled(self, nonce: int | None, *, mainnet: bool) -> dict[str, Any]:
        """Return the wire form with its blanks filled: what is signed and sent.

        Args:
            nonce: The nonce, or None to show the action without one.
            mainnet: Whether it is meant for the main network.
        """
        known = {
            Blank.NONCE: nonce,
            Blank.NETWORK: "Mainnet" if mainnet else "Testnet",
            Blank.CHAIN: SIGNATURE_CHAIN,
        }
        return {
            name: known[value] if isinstance(value, Blank) else value for name, value in self.wire.items()
        }
