"""The desk: from a call to its outcome. The one place where an action is signed and sent.

In this order, and what fails ends it:

1. The call is read: amounts exact, addresses in lower case.
2. Assets and tokens are looked up, where there are any; the universe is loaded for that and not before.
3. The action is made; too precise a price or size fails here.
4. The policy lets it pass.
5. A nonce is taken, the action is signed, and sent once.

An action is never sent twice: where no answer came it may have been carried out. Every action that got as far as the
policy is noted, with who, what and outcome; never a key or a signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from anyio import to_thread
from attrs import field, frozen

from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    ConfigurationError,
    ManagerClosedError,
    ParameterError,
    RequestNotSentError,
    WsmgrError,
)
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT
from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.actions import Action, VaultRule
from wsmgr.manager.venues.hyperliquid.exchange.calls import parse_call
from wsmgr.manager.venues.hyperliquid.exchange.told import LEVELS, Told, read_answer, told_of
from wsmgr.manager.venues.hyperliquid.exchange.values import read_address, read_time
from wsmgr.manager.venues.hyperliquid.signing import (
    USER_ACTIONS,
    sign_action,
    sign_user_action,
    variable_of,
)

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.dialect import Requester
    from wsmgr.manager.venues.hyperliquid.exchange.account import Account
    from wsmgr.manager.venues.hyperliquid.exchange.policy import TradingPolicy
    from wsmgr.manager.venues.hyperliquid.signing import Nonces
    from wsmgr.manager.venues.hyperliquid.universe import Asset, Token

MAX_WORDS: Final = 500
"""How much of the venue's words a note keeps, in characters."""


class AssetSource(Protocol):
    """What looks names up: the loader of the universe."""

    async def asset(self, name: str | int) -> Asset:
        """Return an asset that an order may name."""
        ...

    async def token(self, name: str) -> Token:
        """Return a token that a transfer may name."""
        ...


@frozen(kw_only=True)
class _Ticket:
    """An action with what goes beside it."""

    action: Action
    vault_address: str | None
    expires_after: int | None

    @property
    def beside(self) -> str | None:
        """The vault address that is posted beside the action, or None."""
        return self.vault_address if self.action.vault is VaultRule.BESIDE else None


@frozen(kw_only=True)
class _Signed:
    """What is sent, and whose it is."""

    payload: Mapping[str, Any] = field(repr=False)
    account: str


class TradingDesk:
    """Makes, checks, signs and sends actions.

    Args:
        requester: What sends them.
        universe: What looks assets and tokens up.
        policy: What is allowed.
        account: Who acts, or None where the venue has no key.
        nonces: What gives out nonces.
        mainnet: Whether the venue is the main network; another one's signatures are of no use there.
        note: What keeps the notes.
        venue: The venue's name, for notes and errors.
    """

    def __init__(
        self,
        requester: Requester,
        universe: AssetSource,
        *,
        policy: TradingPolicy,
        account: Account | None,
        nonces: Nonces,
        mainnet: bool,
        note: Callable[[Fact], None],
        venue: str = "hyperliquid",
    ) -> None:
        self._requester = requester
        self._universe = universe
        self._policy = policy
        self._account = account
        self._nonces = nonces
        self._mainnet = mainnet
        self._note = note
        self._venue = venue

    async def preview(
        self,
        name: str,
        params: Mapping[str, object],
        *,
        account: Account | None = None,
        vault_address: str | None = None,
        expires_after: object = None,
    ) -> dict[str, Any]:
        """Return what would be signed and sent. Nothing is signed or sent, no nonce is taken, and no key is needed.

        Returns:
            Plain values, ready for JSON: `method`, `action` (its wire form; the nonce in it is None), `vaultAddress` and
            `expiresAfter` as they would be sent, `signed_as` (`action`, which an agent may sign, or `user`), `network`,
            `transfer`, `assets`, `notional` (a text, or None), and `forbidden`: why the policy would refuse, or None.

        Raises:
            UsageError: The call is wrong: an unknown name, a missing or malformed parameter, too much precision.
            UniverseError: An asset is named and the universe could not be loaded.
        """
        ticket = await self._ticket(name, params, account or self._account, vault_address, expires_after)
        action = ticket.action
        return {
            "method": action.method,
            "action": action.filled(None, mainnet=self._mainnet),
            "vaultAddress": ticket.beside,
            "expiresAfter": ticket.expires_after,
            "signed_as": "user" if action.user_signed else "action",
            "network": "mainnet" if self._mainnet else "testnet",
            "transfer": action.transfer,
            "assets": list(action.assets),
            "notional": None if action.notional is None else amounts.plain(action.notional),
            "forbidden": self._policy.complaint(action),
        }

    async def act(
        self,
        name: str,
        params: Mapping[str, object],
        *,
        who: str,
        account: Account | None = None,
        vault_address: str | None = None,
        expires_after: object = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> Outcome[Any]:
        """Sign an action and send it, once.

        Cancelling it before it was sent sends nothing; afterwards it gives up the answer, not the action, which is then
        noted as unknown.

        Args:
            name: A method's name or a wire name.
            params: Its parameters: texts or typed values.
            who: Who wants it, for the notes.
            account: Who acts instead of the venue's own account.
            vault_address: The vault or sub-account that it is for, instead of the account's.
            expires_after: When the venue shall no longer carry it out: unix milliseconds, or ISO 8601.
            timeout: Seconds for sending it and its answer.

        Returns:
            `Answered` with the venue's `response`, or `Refused`, or `Unknown`: then ask the venue what is so.

        Raises:
            UsageError: The call is wrong: an unknown name, a missing or malformed parameter, too much precision.
            ActionForbiddenError: The policy forbids it; nothing was signed.
            ConfigurationError: There is no key, or the extra `trading` is not installed.
            UniverseError: An asset is named and the universe could not be loaded.
            NonceError: No nonce could be given out.
            RequestNotSentError: It could not be sent in time; nothing was changed.
            ManagerClosedError: The manager is ending.
        """
        actor = account or self._account
        ticket = await self._ticket(name, params, actor, vault_address, expires_after)
        try:
            self._policy.check(ticket.action)
            signed = await self._signed(ticket, actor)
        except ActionForbiddenError as error:
            self._tell(ticket, who, ("forbidden", str(error)))
            raise
        except WsmgrError as error:
            self._tell(ticket, who, ("not sent", str(error)))
            raise
        told: Told = ("unknown", "it was given up before its answer came")
        try:
            outcome = read_answer(await self._requester.request("action", signed.payload, timeout=timeout))
            told = told_of(outcome)
        except (RequestNotSentError, ManagerClosedError) as error:
            told = ("not sent", str(error))
            raise
        finally:
            self._tell(ticket, who, told, signed)
        return outcome

    async def _ticket(
        self,
        name: str,
        params: Mapping[str, object],
        account: Account | None,
        vault_address: str | None,
        expires_after: object,
    ) -> _Ticket:
        call = parse_call(name, params)
        vault = None if account is None else account.vault_address
        if vault_address is not None:
            vault = read_address("vault_address", vault_address)
        expiry = None if expires_after is None else read_time("expires_after", expires_after)
        action = call.build(
            assets={asset: await self._universe.asset(asset) for asset in call.assets},
            tokens={token: await self._universe.token(token) for token in call.tokens},
            vault_address=vault,
        )
        if vault is not None and action.vault is VaultRule.NEVER:
            raise ParameterError(
                f"{action.method}: this is the account's own to do, and cannot be done for the vault or sub-account"
                f" {vault}; use an account without vault_address"
            )
        if expiry is not None and action.user_signed:
            raise ParameterError(f"{action.method}: what the account itself signs cannot have expires_after")
        return _Ticket(action=action, vault_address=vault, expires_after=expiry)

    async def _signed(self, ticket: _Ticket, account: Account | None) -> _Signed:
        if account is None:
            raise ConfigurationError(
                f"the venue {self._venue} has no key to sign with; give it one: in a file of mode 0600, in the environment"
                f" variable {variable_of(self._venue)}, or as the systemd credential wsmgr.{self._venue}.secret_key"
            )
        signer = account.key.address
        # A nonce may wait for the disk, and the loop may not.
        nonce = await to_thread.run_sync(self._nonces.next, signer)
        action = ticket.action
        form = action.filled(nonce, mainnet=self._mainnet)
        if action.user_signed:
            way = USER_ACTIONS[action.type]
            signature = sign_user_action(account.key, form, primary_type=way.primary_type, fields=way.fields)
        else:
            signature = sign_action(
                account.key,
                form,
                nonce=nonce,
                vault_address=ticket.beside,
                expires_after=ticket.expires_after,
                mainnet=self._mainnet,
            )
        payload = {
            "action": form,
            "nonce": nonce,
            "signature": signature.wire(),
            "vaultAddress": ticket.beside,
            "expiresAfter": ticket.expires_after,
        }
        return _Signed(payload=payload, account=account.address or signer)

    def _tell(self, ticket: _Ticket, who: str, told: Told, signed: _Signed | None = None) -> None:
        outcome, words = told
        action = ticket.action
        detail = {
            "action": action.type,
            "method": action.method,
            "assets": list(action.assets),
            "account": None if signed is None else signed.account,
            "vault": ticket.vault_address,
            "nonce": None if signed is None else signed.payload["nonce"],
            "outcome": outcome,
            "words": None if words is None else words[:MAX_WORDS],
        }
        level = LEVELS[outcome]
        self._note(Fact(kind="action", level=level, venue=self._venue, actor=who, detail=detail))
