"""An action: what would be signed and sent, before it has a nonce.

Its wire form has the key order that the venue hashes. What is known only when it is sent stands in it as a blank: the
nonce, and the network's two names in an action that the account itself signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

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


@frozen(kw_only=True)
class Named:
    """An asset or a token, with all that tells it apart from another of the same name.

    Attributes:
        id: Its number: an asset's in an order, a token's among the tokens.
        name: What people call it. Two may have the same: anybody can make a token of any name.
        coin: What the wire calls it.
    """

    id: int
    name: str
    coin: str

    def __str__(self) -> str:
        """Return its name, and behind it what the wire calls it where that is another: `HYPE/USDC (@107)`."""
        return self.name if self.name == self.coin else f"{self.name} ({self.coin})"


@frozen(kw_only=True)
class Action:
    """One action.

    Attributes:
        type: Its name on the wire.
        wire: Its wire form, with blanks.
        user_signed: Whether the account's own key must sign it; else an agent's key may.
        transfer: Whether a venue must allow transfers for it: what its call says; False where it was made directly.
        vault: How it can be done for a vault or a sub-account.
        notionals: The value of each order in it, price x size.
        unpriced: Whether it is an order of which nobody knows the value.
        about: The assets and tokens that its call has looked up, each number once; empty where it was made directly.
        method: The name under which it was called; empty where it was made directly.
    """

    type: str
    wire: Mapping[str, Any]
    user_signed: bool = False
    transfer: bool = False
    vault: VaultRule = VaultRule.NEVER
    notionals: tuple[Decimal, ...] = ()
    unpriced: bool = False
    about: tuple[Named, ...] = ()
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
