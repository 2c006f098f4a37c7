"""People: what the venue tells of sub-accounts, vaults, delegations, agents, builders and referrals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text, usd_text

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.portrait import Portrait
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry, Vault
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.staking import Vaults
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

_PERIODS = ("day", "week", "month", "allTime")
_DAY_MS = 24 * 3600 * 1000


class People:
    """Answers from the registry. An account that never acted has none of all this."""

    def __init__(
        self, market: Market, registry: Registry, margin: Margin, vaults: Vaults, portrait: Portrait
    ) -> None:
        self._market = market
        self._registry = registry
        self._margin = margin
        self._vaults = vaults
        self._portrait = portrait

    def role(self, user: str, now_ms: int) -> Item:
        """`userRole`."""
        agent = self._registry.agent(user, now_ms)
        if agent is not None:
            return {"role": "agent", "data": {"user": agent.user}}
        if user in self._registry.vaults:
            return {"role": "vault"}
        sub_account = self._registry.sub_accounts.get(user)
        if sub_account is not None:
            return {"role": "subAccount", "data": {"master": sub_account.master}}
        return {"role": "user" if self._registry.exists(user) else "missing"}

    def sub_accounts(self, user: str, now: float) -> list[Item] | None:
        """`subAccounts`."""
        mine = [sub for sub in self._registry.sub_accounts.values() if sub.master == user]
        shown: list[Item] = [
            {
                "name": sub.name,
                "subAccountUser": sub.trader.user,
                "master": sub.master,
                "clearinghouseState": self._portrait.clearinghouse_state(sub.trader.user, now, ""),
                "spotState": self._portrait.spot_state(sub.trader.user, now),
            }
            for sub in mine
        ]
        return shown or None

    def vault_equities(self, user: str) -> list[Item]:
        """`userVaultEquities`."""
        return [
            {"vaultAddress": address, "equity": usd_text(self._vaults.equity(vault, user))}
            for address, vault in self._registry.vaults.items()
            if vault.shares.get(user)
        ]

    def vault_details(self, address: str, user: str | None, now: float) -> Item | None:
        """`vaultDetails`."""
        vault = self._registry.vaults.get(address)
        if vault is None:
            return None
        now_ms = self._market.milliseconds(now)
        value = self._margin.account_value(vault.trader, "")
        followers = [self._follower(vault, one, now_ms) for one in vault.shares]
        history: Item = {
            "accountValueHistory": [[now_ms, usd_text(value)]],
            "pnlHistory": [[now_ms, "0.0"]],
            "vlm": usd_text(vault.trader.volume),
        }
        leaders = self._vaults.equity(vault, vault.leader)
        mine = self._follower(vault, user, now_ms) if user is not None and user in vault.shares else None
        return {
            "name": vault.name,
            "vaultAddress": address,
            "leader": vault.leader,
            "description": vault.description,
            "portfolio": [[period, history] for period in _PERIODS],
            "apr": 0.0,
            "followerState": mine,
            "leaderFraction": float(leaders / value) if value else 0.0,
            "leaderCommission": 0.1,
            "followers": followers,
            "maxDistributable": float(value),
            "maxWithdrawable": float(self._margin.withdrawable(vault.trader, "")),
            "isClosed": False,
            "relationship": {"type": "normal"},
            "allowDeposits": True,
            "alwaysCloseOnWithdraw": False,
        }

    def delegations(self, user: str) -> list[Item]:
        """`delegations`."""
        trader = self._registry.traders.get(user)
        given = trader.delegations if trader is not None else {}
        return [
            {"validator": validator, "amount": amount_text(amount), "lockedUntilTimestamp": locked}
            for validator, (amount, locked) in given.items()
        ]

    def delegator_summary(self, user: str) -> Item:
        """`delegatorSummary`."""
        trader = self._registry.traders.get(user)
        given = trader.delegations.values() if trader is not None else ()
        pending = trader.unstaking if trader is not None else []
        return {
            "delegated": amount_text(sum((amount for amount, _ in given), ZERO)),
            "undelegated": amount_text(trader.staked if trader is not None else ZERO),
            "totalPendingWithdrawal": amount_text(sum((amount for amount, _ in pending), ZERO)),
            "nPendingWithdrawals": len(pending),
        }

    def delegator_history(self, user: str) -> list[Item]:
        """`delegatorHistory`."""
        trader = self._registry.traders.get(user)
        return list(trader.staking_history)[::-1] if trader is not None else []

    def max_builder_fee(self, user: str, builder: str) -> int:
        """`maxBuilderFee`."""
        return self._registry.builder_fees.get((user, builder), 0)

    def referral(self, user: str) -> Item:
        """`referral`."""
        code = self._registry.referred_by.get(user)
        own = [code for code, owner in self._registry.referral_codes.items() if owner == user]
        trader = self._registry.traders.get(user)
        return {
            "referredBy": {"referrer": self._registry.referral_codes[code], "code": code} if code else None,
            "cumVlm": usd_text(trader.volume if trader is not None else ZERO),
            "unclaimedRewards": "0.0",
            "claimedRewards": "0.0",
            "builderRewards": "0.0",
            "referrerState": (
                {"stage": "ready", "data": {"code": own[0], "referralStates": self._referred(own[0])}}
                if own
                else {"stage": "needToCreateCode"}
            ),
            "rewardHistory": [],
        }

    def extra_agents(self, user: str, now_ms: int) -> list[Item]:
        """`extraAgents`."""
        return [
            {"name": agent.name, "address": agent.address, "validUntil": agent.valid_until}
            for agent in self._registry.agents_of(user, now_ms)
            if agent.name
        ]

    def _referred(self, code: str) -> list[Item]:
        users = [user for user, referrer in self._registry.referred_by.items() if referrer == code]
        return [
            {
                "cumVlm": usd_text(self._registry.traders[user].volume),
                "cumRewardedFeesSinceReferred": "0.0",
                "cumFeesRewardedToReferrer": "0.0",
                "timeJoined": self._registry.referred_ms[user],
                "user": user,
            }
            for user in users
        ]

    def _follower(self, vault: Vault, user: str, now_ms: int) -> Item:
        return {
            "user": user,
            "vaultEquity": usd_text(self._vaults.equity(vault, user)),
            "pnl": "0.0",
            "allTimePnl": "0.0",
            "daysFollowing": (now_ms - vault.created_ms) // _DAY_MS,
            "vaultEntryTime": vault.created_ms,
            "lockupUntil": vault.created_ms,
        }
