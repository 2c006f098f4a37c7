"""The desk: from a call to its outcome. The one place where an action is signed and sent.

In this order, and what fails ends it:

1. The call is read: amounts exact, addresses in lower case.
2. Assets and tokens are looked up, where there are any; the universe is loaded for that and not before.
3. The action is made; too precise a price or size fails here.
4. The policy lets it pass, and the network is known: a signature is good for one of them, and is never made for a guess.
5. A nonce is taken, and the action is signed.
6. That it is being sent is recorded: whoever finds nothing behind such a record knows of which action to ask the venue.
7. It is sent once.

One deadline holds for all of it. An action is never sent twice: where no answer came it may have been carried out. Every
action that got as far as the policy is noted, with who, what and outcome, and so is one that did not because the venue could
not be asked; never a key or a signature. The record waits for the disk, where there is one, for half of the time that is left
at most: a disk that is full or slow keeps nobody from cancelling an order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from anyio import current_time, get_cancelled_exc_class, move_on_after, to_thread
from attrs import asdict, field, frozen

from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    ConfigurationError,
    ManagerClosedError,
    RequestNotSentError,
    UnavailableError,
    WsmgrError,
)
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT, left_until, read_timeout
from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.ticket import AssetSource, Ticket, Wish
from wsmgr.manager.venues.hyperliquid.exchange.told import LEVELS, Told, read_answer, told_of
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

MAX_WORDS: Final = 500
"""How much of the venue's words a note keeps, in characters."""

_GIVEN_UP: Final = "it was given up before it was sent"
_NETWORKS: Final[Mapping[bool | None, str | None]] = {True: "mainnet", False: "testnet", None: None}


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
        mainnet: Whether the venue is the main network, None where nobody has said it: then nothing is signed.
        note: What keeps the notes.
        record: The same, and returns when the note is on the disk.
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
        mainnet: bool | None,
        note: Callable[[Fact], None],
        record: Callable[[Fact], Awaitable[None]],
        venue: str = "hyperliquid",
    ) -> None:
        self._requester = requester
        self._universe = universe
        self._policy = policy
        self._account = account
        self._nonces = nonces
        self._mainnet = mainnet
        self._note = note
        self._record = record
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
            `expiresAfter` as they would be sent, `signed_as` (`action`, which an agent may sign, or `user`), `network` (None
            where it is not known), `account` (its address, or None where there is no key), `transfer`, `assets` (what it names,
            each once: `id`, `name`, and `coin`, what the wire calls it), `notional` (a text, or None), and `forbidden`: why it
            would not be signed, or None.

        Raises:
            UsageError: The call is wrong: an unknown name, a missing or malformed parameter, too much precision.
            UniverseError: An asset is named and the universe could not be loaded.
        """
        actor = account or self._account
        ticket = await Wish.read(name, params, actor, vault_address, expires_after).ticket(self._universe)
        action = ticket.action
        return {
            "method": action.method,
            "action": ticket.shown(self._mainnet),
            "vaultAddress": ticket.beside,
            "expiresAfter": ticket.expires_after,
            "signed_as": "user" if action.user_signed else "action",
            "account": _address(actor),
            "network": _NETWORKS[self._mainnet],
            "transfer": action.transfer,
            "assets": [asdict(named) for named in action.about],
            "notional": None if action.notional is None else amounts.plain(action.notional),
            "forbidden": self._policy.complaint(action)
            or (_open_network(self._venue) if self._mainnet is None else None),
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

        Cancelling it before it was sent sends nothing; afterwards it gives up the answer, not the action, and it is noted as
        unknown. That nothing was sent stands as a `RequestNotSentError` in the cancellation's cause, as with the requester.

        Args:
            name: A method's name or a wire name.
            params: Its parameters: texts or typed values.
            who: Who wants it, for the notes.
            account: Who acts instead of the venue's own account.
            vault_address: The vault or sub-account that it is for, instead of the account's.
            expires_after: When the venue shall no longer carry it out: unix milliseconds, or ISO 8601.
            timeout: Seconds for all of it: looking names up, recording it, sending it, its answer.

        Returns:
            `Answered` with the venue's `response`, or `Refused`, or `Unknown`: then ask the venue what is so.

        Raises:
            UsageError: The call is wrong: an unknown name, a missing or malformed parameter, too much precision.
            ActionForbiddenError: The policy forbids it; nothing was signed.
            ConfigurationError: There is no key, nothing says which network it is, or the extra `trading` is not installed.
            UniverseError: An asset is named and the universe could not be loaded.
            NonceError: No nonce could be given out.
            RequestNotSentError: It could not be sent in time; nothing was changed.
            ManagerClosedError: The manager is ending.
        """
        seconds = read_timeout(timeout)
        deadline = current_time() + seconds
        actor = account or self._account
        wish = Wish.read(name, params, actor, vault_address, expires_after)
        try:
            ticket = await self._ticket(wish, who, seconds)
            signed = await self._allowed(ticket, who, actor)
        except get_cancelled_exc_class() as error:
            error.__cause__ = RequestNotSentError(_GIVEN_UP)
            raise
        return await self._send(ticket, signed, who, deadline)

    async def _allowed(self, ticket: Ticket, who: str, actor: Account | None) -> _Signed:
        """Sign an action that the policy lets pass; one that it does not is noted."""
        try:
            self._policy.check(ticket.action)
            return await self._signed(ticket, actor)
        except ActionForbiddenError as error:
            self._tell(ticket, who, ("forbidden", str(error)))
            raise
        except WsmgrError as error:
            self._tell(ticket, who, ("not sent", str(error)))
            raise

    async def _send(self, ticket: Ticket, signed: _Signed, who: str, deadline: float) -> Outcome[Any]:
        told: Told = ("not sent", _GIVEN_UP)
        try:
            with move_on_after(left_until(deadline, current_time()) / 2):
                await self._record(self._fact(ticket, who, ("sending", None), signed))
            left = left_until(deadline, current_time())
            told = ("unknown", "it was given up before its answer came")
            outcome = read_answer(await self._requester.request("action", signed.payload, timeout=left))
            told = told_of(outcome)
        except WsmgrError as error:
            # What was written has an outcome.
            told = ("not sent", str(error))
            raise
        except get_cancelled_exc_class() as error:
            if told[0] == "not sent":
                error.__cause__ = RequestNotSentError(_GIVEN_UP)
            elif isinstance(error.__cause__, RequestNotSentError):
                told = ("not sent", _GIVEN_UP)
            raise
        finally:
            self._tell(ticket, who, told, signed)
        return outcome

    async def _ticket(self, wish: Wish, who: str, seconds: float) -> Ticket:
        """Look up what a wish names, in time; that nothing could be looked up is noted."""
        try:
            with move_on_after(seconds):
                return await wish.ticket(self._universe)
            raise RequestNotSentError(
                f"{seconds:g} s were over, and the universe of Hyperliquid was not loaded, in which names are looked up"
            )
        except (UnavailableError, ManagerClosedError) as error:
            self._tell(wish, who, ("not sent", str(error)))
            raise

    async def _signed(self, ticket: Ticket, account: Account | None) -> _Signed:
        if self._mainnet is None:
            raise ConfigurationError(_open_network(self._venue))
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

    def _tell(self, what: Wish | Ticket, who: str, told: Told, signed: _Signed | None = None) -> None:
        self._note(self._fact(what, who, told, signed))

    def _fact(self, what: Wish | Ticket, who: str, told: Told, signed: _Signed | None) -> Fact:
        outcome, words = told
        detail = {
            **what.told(),
            "account": None if signed is None else signed.account,
            "nonce": None if signed is None else signed.payload["nonce"],
            "outcome": outcome,
            "words": None if words is None else words[:MAX_WORDS],
        }
        level = LEVELS[outcome]
        return Fact(kind="action", level=level, venue=self._venue, actor=who, detail=detail)


def _open_network(venue: str) -> str:
    return (
        f"nothing says which network {venue} is, and what is signed is good for one of them: its address is neither the"
        f' mainnet\'s nor the testnet\'s; write network = "testnet" or network = "mainnet" in [venues.{venue}] of the'
        " configuration, or give network= to Hyperliquid()"
    )


def _address(account: Account | None) -> str | None:
    if account is None:
        return None
    try:
        return account.address or account.key.address
    except ConfigurationError:
        # Without the extra a key's address is not known; signing will say what is missing.
        return None
