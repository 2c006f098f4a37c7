"""Registry: who may act for whom. Accounts that exist, agents, sub-accounts, vaults, builders' fees, referral codes.

An account exists from the moment that somebody looks at it (a subscription or a query about its address) or that an
action names it, and then has the starting balance. So a signature that is wrong, which gives the address of nobody,
is refused as at the venue, and a client that asks for its account's state before it trades, as the venue's own
clients do, need not be announced.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES
from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError
from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Ids

EXTRA_AGENTS = 3
AGENT_DAYS = 180
_DAY_MS = 24 * 3600 * 1000
_LONGEST_NAME = 16
_VALID_UNTIL = re.compile(r"(?P<name>.*?) ?valid_until (?P<ms>\d+)")
_RATE_UNITS = 1000  # a hundredth of a percent is ten tenths of a basis point


@attrs.frozen
class Agent:
    """An address that may sign for an account.

    Attributes:
        user: The account.
        address: The agent.
        name: What the account calls it; empty for the one without a name.
        valid_until: Unix milliseconds.
    """

    user: str
    address: str
    name: str
    valid_until: int


@attrs.define(eq=False)
class SubAccount:
    """An account that belongs to another."""

    name: str
    trader: Trader
    master: str


@attrs.define(eq=False)
class Vault:
    """An account of several people, led by one.

    Attributes:
        name: Its name.
        description: What it says about itself.
        trader: Its account.
        leader: Who leads it.
        created_ms: When it was made.
        shares: Whom it belongs to, in parts of the whole.
    """

    name: str
    description: str
    trader: Trader
    leader: str
    created_ms: int
    shares: dict[str, Decimal] = attrs.field(factory=dict[str, Decimal])


class Registry:
    """Everybody the exchange knows.

    Attributes:
        traders: The accounts that act, or that an action touched.
        sub_accounts: By address.
        vaults: By address.
        referral_codes: Whose code it is.
        referred_by: The code that an account has set.
        referred_ms: When it did, Unix milliseconds.
        builder_fees: What an account lets a builder take, in tenths of a basis point.
    """

    def __init__(self, ids: Ids, on_first_act: Callable[[Trader], None]) -> None:
        """Make an empty registry.

        Args:
            ids: Gives addresses to sub-accounts and vaults.
            on_first_act: Told of each account when it becomes one that acts, before anything happens to it.
        """
        self.traders: dict[str, Trader] = {}
        self.sub_accounts: dict[str, SubAccount] = {}
        self.vaults: dict[str, Vault] = {}
        self.referral_codes: dict[str, str] = {}
        self.referred_by: dict[str, str] = {}
        self.referred_ms: dict[str, int] = {}
        self.builder_fees: dict[tuple[str, str], int] = {}
        self._ids = ids
        self._on_first_act = on_first_act
        self._seen: set[str] = set()
        self._agents: dict[str, Agent] = {}

    def look_at(self, user: str) -> None:
        """Somebody asked about an account: it exists."""
        self._seen.add(user)

    def exists(self, user: str) -> bool:
        """Whether the venue knows an account."""
        return user in self._seen or user in self.traders

    def trader(self, user: str) -> Trader:
        """An account that acts or is touched; it begins to be one."""
        trader = self.traders.get(user)
        if trader is None:
            trader = Trader(user)
            self._on_first_act(trader)
            self.traders[user] = trader
        return trader

    def agent(self, address: str, now_ms: int) -> Agent | None:
        """The agent of an address whose time has not run out."""
        agent = self._agents.get(address)
        return agent if agent is not None and agent.valid_until > now_ms else None

    def agents_of(self, user: str, now_ms: int) -> list[Agent]:
        """The agents of an account, oldest first."""
        return [agent for agent in self._agents.values() if agent.user == user and agent.valid_until > now_ms]

    def check_signer(self, signer: str, now_ms: int) -> str:
        """The account that a signer is, or is an agent of.

        Raises:
            RefusedActionError: The signer is nobody.
        """
        agent = self.agent(signer, now_ms)
        user = agent.user if agent is not None else signer
        if not self.exists(user):
            raise RefusedActionError(words.unknown_wallet(signer))
        return user

    def acts_for(self, signer: str, vault: str | None, now_ms: int) -> Trader:
        """The account for which an action of a signer is done.

        Args:
            signer: Who signed.
            vault: The vault or sub-account that the action names.
            now_ms: Unix milliseconds.

        Raises:
            RefusedActionError: The signer is nobody, or the vault is not the signer's.
        """
        user = self.check_signer(signer, now_ms)
        if vault is None:
            return self.trader(user)
        sub_account, led = self.sub_accounts.get(vault), self.vaults.get(vault)
        if sub_account is not None and sub_account.master == user:
            return sub_account.trader
        if led is not None and led.leader == user:
            return led.trader
        raise RefusedActionError(words.unregistered_vault(vault))

    def approve_agent(self, user: str, address: str, name: str, now_ms: int) -> None:
        """Let an address sign for an account; one of the same name is replaced.

        Raises:
            RefusedActionError: The address is in use, the name is too long, or there are too many.
        """
        valid_until = now_ms + AGENT_DAYS * _DAY_MS
        limited = _VALID_UNTIL.fullmatch(name)
        if limited is not None:
            name, valid_until = limited["name"], min(valid_until, int(limited["ms"]))
        if len(name) > _LONGEST_NAME:
            raise RefusedActionError(words.AGENT_NAME)
        if self.agent(address, now_ms) is not None or address in self.traders:
            raise RefusedActionError(words.AGENT_USED)
        mine = self.agents_of(user, now_ms)
        others = [agent for agent in mine if agent.name and agent.name != name]
        if name and len(others) >= EXTRA_AGENTS:
            raise RefusedActionError(words.AGENTS)
        for agent in mine:
            if agent.name == name:
                del self._agents[agent.address]
        self._agents[address] = Agent(user, address, name, valid_until)

    def approve_builder_fee(self, user: str, builder: str, rate: str) -> None:
        """Let a builder take a fee of the account's orders, such as `0.001%`; at most a percent.

        Raises:
            RefusedActionError: The rate is none.
        """
        try:
            units = Decimal(rate.removesuffix("%")) * _RATE_UNITS
        except InvalidOperation as error:
            raise RefusedActionError(words.FEE_RATE) from error
        if not rate.endswith("%") or units != units.to_integral_value() or not 0 <= units <= _RATE_UNITS:
            raise RefusedActionError(words.FEE_RATE)
        self.builder_fees[user, builder] = int(units)

    def create_sub_account(self, master: str, name: str) -> str:
        """Make a sub-account, without money; returns its address.

        Raises:
            RefusedActionError: The name is empty, too long or taken.
        """
        taken = any(sub.name == name for sub in self.sub_accounts.values() if sub.master == master)
        if not 0 < len(name) <= _LONGEST_NAME or taken:
            raise RefusedActionError(words.ACCOUNT_NAME)
        trader = self._empty_trader()
        self.sub_accounts[trader.user] = SubAccount(name, trader, master)
        return trader.user

    def create_vault(self, leader: str, name: str, description: str, now_ms: int) -> Vault:
        """Make a vault, without money."""
        trader = self._empty_trader()
        vault = self.vaults[trader.user] = Vault(name, description, trader, leader, now_ms)
        return vault

    def register_referrer(self, user: str, code: str) -> None:
        """Give an account a referral code.

        Raises:
            RefusedActionError: Somebody has the code.
        """
        if self.referral_codes.get(code, user) != user:
            raise RefusedActionError(words.CODE_TAKEN)
        self.referral_codes[code] = user

    def set_referrer(self, user: str, code: str, now_ms: int) -> None:
        """Note whose code brought an account.

        Raises:
            RefusedActionError: Nobody has the code, it is its own, or one is set.
        """
        if user in self.referred_by:
            raise RefusedActionError(words.REFERRER_SET)
        referrer = self.referral_codes.get(code)
        if referrer is None:
            raise RefusedActionError(words.NO_REFERRER)
        if referrer == user:
            raise RefusedActionError(words.SELF_REFERRAL)
        self.referred_by[user], self.referred_ms[user] = code, now_ms

    def _empty_trader(self) -> Trader:
        trader = Trader(self._ids.address(), usd=dict.fromkeys(DEXES, ZERO), spot={})
        self._on_first_act(trader)
        self.traders[trader.user] = trader
        return trader
