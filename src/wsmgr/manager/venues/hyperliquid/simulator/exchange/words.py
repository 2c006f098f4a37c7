"""Words: the venue's refusals.

Sources: the venue's documentation ("Error responses", "Signing", "Exchange endpoint") and answers of the live venue
quoted in public issues of its clients; where none is on record, as for most of leverage, staking, names and vaults,
the words are the simulator's own. Refusals of a single order or cancel end with the asset's number, as on the wire.
"""

from __future__ import annotations

EXPIRED = "Action already expired"
NO_SIGNER = "Unable to recover signer."
NETWORK = "Mainnet and testnet require different signature."
NONCE_MISMATCH = "Nonce mismatch."
NO_TRADING_EXTRA = "signing needs more: pip install 'wsmgr[trading]'"

TICK = "Price must be divisible by tick size."
INVALID_PRICE = "Order has invalid price."
INVALID_SIZE = "Order has invalid size."
ZERO_SIZE = "Order has zero size."
MARGIN = "Insufficient margin to place order."
SPOT_BALANCE = "Insufficient spot balance"
REDUCE_ONLY = "Reduce only order would increase position."
NO_MATCH = "Order could not immediately match against any resting orders."
FAR_PRICE = "Order price cannot be more than 95% away from the reference price"
TRIGGER_PRICE = "Invalid TP/SL price."
MISSING_ORDER = "Order was never placed, already canceled, or filled."
MISSING_TWAP = "TWAP was never placed, already canceled, or filled."
NO_MODIFY = "Cannot modify canceled or filled order"
TRIGGERS = "Unexpected number of trigger orders"
EMPTY_BATCH = "Empty batch of orders"
INVALID_ASSET = "Invalid asset"
BUILDER_FEE = "Builder fee has not been approved."

LEVERAGE = "Invalid leverage value"
LEVERAGE_TYPE = "Cannot switch leverage type with open position."
NO_POSITION = "Cannot update margin for empty position."
ZERO_MARGIN = "Update to isolated margin cannot be zero."
NOT_ISOLATED = "Cannot add or remove margin for cross position."
CROSS_MARGIN = (
    "Cross position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, deposit more collateral."
)
ISOLATED_MARGIN = (
    "Isolated position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, add margin to the position."
)
SCHEDULE_TOO_SOON = "Scheduled cancel time too early, must be at least 5 seconds from now."
SCHEDULE_TOO_OFTEN = "Too many scheduled cancels triggered today."

WITHDRAWAL_BALANCE = "Insufficient balance for withdrawal."
TRANSFER_BALANCE = "Insufficient balance for token transfer."
INVALID_AMOUNT = "Invalid decimal number"
INVALID_DEX = "Invalid perp DEX"
STAKING_BALANCE = "Insufficient staking balance."
SELF_TRANSFER = "Cannot self-transfer."
AGENT_USED = "Extra agent already used."
AGENT_NAME = "Extra agent name must be between 1 and 16 characters long"
AGENTS = "Too many extra agents."
FEE_RATE = "Invalid builder fee rate."
REFERRER_SET = "Referrer already set."
NO_REFERRER = "Referral code does not exist."
CODE_TAKEN = "Referral code already taken."
SELF_REFERRAL = "Cannot self-refer."
ACCOUNT_NAME = "Invalid name."
NO_SUB_ACCOUNT = "Sub-account does not exist."
VAULT_DEPOSIT = "Vault deposit too small."
VAULT_EQUITY = "Insufficient vault equity."
NO_DELEGATION = "Insufficient delegation."


def unknown_wallet(signer: str) -> str:
    """An action whose signature is that of nobody the venue knows."""
    return f"User or API Wallet {signer} does not exist."


def must_deposit(signer: str) -> str:
    """A transfer or an approval signed by nobody the venue knows."""
    return f"Must deposit before performing actions. User: {signer}"


def unregistered_vault(address: str) -> str:
    """An action for an address that is no vault or sub-account of the signer."""
    return f"Vault not registered: {address}"


def unknown_token(token: str) -> str:
    """A transfer of a token that is not listed."""
    return f"Unknown token {token}"


def duplicate_nonce(nonce: int) -> str:
    """A nonce that was used."""
    return f"Invalid nonce: duplicate nonce {nonce}"


def low_nonce(nonce: int, oldest: int) -> str:
    """A nonce below those that are taken."""
    return f"Invalid nonce: nonce too low {nonce} < {oldest}"


def high_nonce(nonce: int, newest: int) -> str:
    """A nonce too far in the future."""
    return f"Invalid nonce: nonce too high {nonce} > {newest}"


def for_asset(text: str, asset: int) -> str:
    """A refusal of one order or cancel."""
    return f"{text} asset={asset}"


def minimum_value(quote: str | None) -> str:
    """An order below the minimum: of perps in dollars, of spot in its quote token."""
    return f"Order must have minimum value of {f'10 {quote}' if quote else '$10'}."


def post_only(bid: str, ask: str) -> str:
    """A post-only order that would have matched."""
    return f"Post only order would have immediately matched, bbo was {bid}@{ask}."


def twap_duration(minutes: int) -> str:
    """A TWAP order shorter or longer than the venue runs one."""
    return f"Invalid TWAP duration: {minutes} min(s)"
