"""Money: transfers, withdrawals, staking, vaults, sub-accounts, referrals; each moves what it says, and is in the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hyperliquid.utils import signing  # type: ignore[import-untyped]  # it has no types

from .conftest import Book, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Player

DAY = 24 * 3600
TARGET = "0x" + "5A" * 20


def staking(name: str) -> Callable[..., Any]:
    """How `cDeposit` and `cWithdraw` are signed; the official client has no function for them."""
    fields = [
        {"name": "hyperliquidChain", "type": "string"},
        {"name": "wei", "type": "uint64"},
        {"name": "nonce", "type": "uint64"},
    ]
    return lambda wallet, action, mainnet: signing.sign_user_signed_action(
        wallet, action, fields, f"HyperliquidTransaction:{name}", mainnet
    )


def class_transfer(wallet: Any, action: Any, mainnet: bool) -> Any:
    """How `perpDexClassTransfer` is signed; the official client no longer has it."""
    fields = [("hyperliquidChain", "string"), ("dex", "string"), ("token", "string"), ("amount", "string")]
    fields += [("toPerp", "bool"), ("nonce", "uint64")]
    types = [{"name": name, "type": type_} for name, type_ in fields]
    return signing.sign_user_signed_action(
        wallet, action, types, "HyperliquidTransaction:PerpDexClassTransfer", mainnet
    )


def usd(player: Player, dex: str = "") -> Decimal:
    return Decimal(player.state(dex)["marginSummary"]["accountValue"])


def delta(player: Player) -> Any:
    """The newest entry of the ledger."""
    return player.exchange.ledger_updates(player.user, player.venue.now, 0)[-1]["delta"]


@pytest.fixture
def player(player: Player) -> Player:
    """Somebody who acts already: the balances are the starting ones."""
    player.done({"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 20})
    return player


def ok(answer: Any) -> None:
    assert {"status": "ok", "response": {"type": "default"}} == answer


def test_dollars_are_sent(player: Player, make_player: Callable[[Any, int], Player]) -> None:
    """From one's perps to another's; the other exists from then on, and both ledgers say the same."""
    action = {"type": "usdSend", "destination": TARGET, "amount": "12.5"}
    ok(player.send(player.user_signed(signing.sign_usd_transfer_action, action, clock="time")))
    assert Decimal("99987.5") == usd(player)
    target = player.exchange.clearinghouse_state(TARGET, 0)
    assert "100012.5" == target["marginSummary"]["accountValue"]
    expected = {
        "type": "internalTransfer",
        "usdc": "12.5",
        "user": player.user,
        "destination": TARGET.lower(),
        "fee": "0.0",
    }
    assert expected == delta(player)
    [entry] = player.exchange.ledger_updates(TARGET, 0, 0)
    assert (expected, 66) == (entry["delta"], len(entry["hash"]))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("100000.01", "Insufficient balance for withdrawal."),
        ("0", "Invalid decimal number"),
        ("-1", "Invalid decimal number"),
        ("1e3", "Invalid decimal number"),
        ("NaN", "Invalid decimal number"),
    ],
)
def test_what_one_does_not_have_is_not_sent(player: Player, amount: str, text: str) -> None:
    """Nothing moves, and nobody begins to exist."""
    action = {"type": "usdSend", "destination": TARGET, "amount": amount}
    answer = player.send(player.user_signed(signing.sign_usd_transfer_action, action, clock="time"))
    assert {"status": "err", "response": text} == answer
    assert Decimal(100_000) == usd(player)
    assert {"role": "missing"} == player.exchange.role(TARGET)


def test_money_behind_a_position_stays(player: Player) -> None:
    """Only what is withdrawable can be sent."""
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="1", tif="Ioc"))
    free = Decimal(player.state()["withdrawable"])
    assert free < Decimal(96_000)
    for amount, status in ((free + 1, "err"), (free, "ok")):
        action = {"type": "usdSend", "destination": TARGET, "amount": str(amount)}
        answer = player.send(player.user_signed(signing.sign_usd_transfer_action, action, clock="time"))
        assert status == answer["status"]


def test_tokens_are_sent(player: Player) -> None:
    """By the token's name, with or without its id; an unknown one is refused by name."""
    for token in ("PURR", "PURR:0xc4bf3f870c0e9465323c0b6ed28096c2"):
        action = {"type": "spotSend", "destination": TARGET, "token": token, "amount": "10"}
        ok(player.send(player.user_signed(signing.sign_spot_transfer_action, action, clock="time")))
    assert Decimal(980) == player.balance("PURR")
    assert ("spotTransfer", "PURR", "10.0") == tuple(
        delta(player)[name] for name in ("type", "token", "amount")
    )
    action = {"type": "spotSend", "destination": TARGET, "token": "NONE", "amount": "10"}
    answer = player.send(player.user_signed(signing.sign_spot_transfer_action, action, clock="time"))
    assert "Unknown token NONE" == answer["response"]


def test_withdrawal_leaves_the_venue_and_costs_a_dollar(player: Player) -> None:
    """The ledger shows what arrives, and the fee."""
    action = {"type": "withdraw3", "destination": TARGET, "amount": "100"}
    payload = player.user_signed(signing.sign_withdraw_from_bridge_action, action, clock="time")
    ok(player.send(payload))
    assert Decimal(99_900) == usd(player)
    assert {"type": "withdraw", "usdc": "99.0", "nonce": payload["nonce"], "fee": "1.0"} == delta(player)


def test_money_moves_between_perps_and_spot(player: Player) -> None:
    """There and back; for a sub-account too, by the suffix of the official client."""
    for to_perp, perps, spot in ((False, 99_900, 100_100), (True, 100_000, 100_000)):
        action = {"type": "usdClassTransfer", "amount": "100", "toPerp": to_perp}
        ok(player.send(player.user_signed(signing.sign_usd_class_transfer_action, action)))
        assert (Decimal(perps), Decimal(spot)) == (usd(player), player.balance("USDC"))
        assert {"type": "accountClassTransfer", "usdc": "100.0", "toPerp": to_perp} == delta(player)
    sub = player.done({"type": "createSubAccount", "name": "second"})["data"]
    player.done({"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 50_000_000})
    action = {"type": "usdClassTransfer", "amount": f"20 subaccount:{sub}", "toPerp": False}
    ok(player.send(player.user_signed(signing.sign_usd_class_transfer_action, action)))
    assert "30.0" == player.exchange.clearinghouse_state(sub, 0)["withdrawable"]
    assert [("USDC", "20.0")] == [
        (one["coin"], one["total"]) for one in player.exchange.spot_state(sub, 0)["balances"]
    ]


def test_assets_move_between_dexes_and_people(player: Player) -> None:
    """`sendAsset` and the older `perpDexClassTransfer`; a dex that does not exist is refused."""

    def send(source: str, target: str, token: str = "USDC", to: str = "") -> Any:
        action = {
            "type": "sendAsset",
            "destination": to or player.user,
            "sourceDex": source,
            "destinationDex": target,
            "token": token,
            "amount": "5",
            "fromSubAccount": "",
        }
        return player.send(player.user_signed(signing.sign_send_asset_action, action))

    ok(send("", "xyz"))
    assert (Decimal(99_995), Decimal(100_005)) == (usd(player), usd(player, "xyz"))
    ok(send("xyz", "spot"))
    assert (Decimal(100_000), Decimal(100_005)) == (usd(player, "xyz"), player.balance("USDC"))
    ok(send("spot", "spot", "PURR", TARGET))
    assert ("send", "PURR", TARGET.lower()) == tuple(
        delta(player)[n] for n in ("type", "token", "destination")
    )
    assert "Invalid perp DEX" == send("", "nowhere")["response"]
    assert "Unknown token PURR" == send("", "xyz", "PURR")["response"]
    assert "Cannot self-transfer." == send("", "")["response"]
    action = {"type": "perpDexClassTransfer", "dex": "xyz", "token": "USDC", "amount": "5", "toPerp": True}
    ok(player.send(player.user_signed(class_transfer, action)))
    assert (Decimal(100_005), Decimal(100_000)) == (usd(player, "xyz"), player.balance("USDC"))


def test_staking_there_and_back(player: Player) -> None:
    """Delegated for a day at least; withdrawn, it arrives in spot after seven days."""
    validator = "0x" + "9" * 40

    def stake(type_: str, name: str, amount: int) -> Any:
        action = {"type": type_, "wei": amount * 10**8}
        return player.send(player.user_signed(staking(name), action))

    def delegate(amount: int, *, back: bool) -> Any:
        action = {
            "type": "tokenDelegate",
            "validator": validator,
            "wei": amount * 10**8,
            "isUndelegate": back,
        }
        return player.send(player.user_signed(signing.sign_token_delegate_action, action))

    ok(stake("cDeposit", "CDeposit", 100))
    assert Decimal(900) == player.balance("HYPE")
    assert {"type": "cStakingTransfer", "token": "HYPE", "amount": "100.0", "isDeposit": True} == delta(
        player
    )
    ok(delegate(60, back=False))
    [delegation] = player.exchange.delegations(player.user)
    locked = player.venue.engine.market.milliseconds(DAY)
    assert {"validator": validator, "amount": "60.0", "lockedUntilTimestamp": locked} == delegation
    assert "err" == delegate(60, back=True)["status"]
    assert "err" == stake("cWithdraw", "CWithdraw", 41)["status"]
    player.venue.advance(DAY)
    ok(delegate(60, back=True))
    ok(stake("cWithdraw", "CWithdraw", 100))
    summary = player.exchange.delegator_summary(player.user)
    assert ("0.0", "0.0", "100.0", 1) == tuple(summary.values())
    player.venue.advance(7 * DAY - 1)
    assert Decimal(900) == player.balance("HYPE")
    player.venue.advance(1)
    assert Decimal(1000) == player.balance("HYPE")
    kinds = [next(iter(entry["delta"])) for entry in player.exchange.delegator_history(player.user)]
    assert ["withdrawal", "delegate", "delegate", "cDeposit"] == kinds


def test_sub_account_gets_money_and_gives_it_back(player: Player, other: Player) -> None:
    """By its master only; it is listed with its state."""
    assert player.exchange.sub_accounts(player.user, 0) is None
    sub = player.done({"type": "createSubAccount", "name": "second"})["data"]
    assert "err" == player.act({"type": "createSubAccount", "name": "second"})["status"]

    def move(who: Player, amount: int, *, deposit: bool) -> Any:
        action = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": deposit, "usd": amount}
        return who.act(action)

    ok(move(player, 7_000_000, deposit=True))
    assert ("subAccountTransfer", sub) == (delta(player)["type"], delta(player)["destination"])
    ok(move(player, 2_000_000, deposit=False))
    assert "err" == move(player, 6_000_000, deposit=False)["status"]
    assert "Sub-account does not exist." == move(other, 1, deposit=False)["response"]
    spot = {"type": "subAccountSpotTransfer", "subAccountUser": sub, "isDeposit": True}
    ok(player.act({**spot, "token": "PURR", "amount": "3"}))
    [shown] = player.exchange.sub_accounts(player.user, 0)
    assert ("second", sub, player.user) == (shown["name"], shown["subAccountUser"], shown["master"])
    assert "5.0" == shown["clearinghouseState"]["withdrawable"]
    assert "3.0" == shown["spotState"]["balances"][0]["total"]


def test_vault_belongs_to_those_who_paid_in(player: Player, other: Player) -> None:
    """Its profit is shared; its leader acts for it; it is described."""
    other.done({"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 20})
    create = {"type": "createVault", "name": "Boat", "description": "It floats", "initialUsd": 200_000_000}
    vault = player.done({**create, "nonce": player.nonce()})["data"]
    assert Decimal(100_000 - 200 - 100) == usd(player)

    def move(who: Player, amount: int, *, deposit: bool) -> Any:
        return who.act({"type": "vaultTransfer", "vaultAddress": vault, "isDeposit": deposit, "usd": amount})

    ok(move(other, 600_000_000, deposit=True))
    book = Book(player.venue)
    assert "filled" in player.one(wire(px=book.ask, sz="0.001", tif="Ioc"), vault=vault)
    value = Decimal(player.exchange.clearinghouse_state(vault, 0)["marginSummary"]["accountValue"])
    assert value < 800
    [mine] = player.exchange.vault_equities(player.user, 0)
    [theirs] = player.exchange.vault_equities(other.user, 0)
    shares = [Decimal(one["equity"]) / value for one in (mine, theirs)]
    assert [Decimal("0.25"), Decimal("0.75")] == [round(share, 6) for share in shares]
    ok(move(other, 100_000_000, deposit=True))
    later = Decimal(player.exchange.vault_equities(other.user, 0)[0]["equity"])
    assert round(Decimal(theirs["equity"]) + 100, 4) == round(later, 4)
    ok(move(other, 100_000_000, deposit=False))
    details = player.exchange.vault_details(vault, 0, other.user)
    assert ("Boat", "It floats", player.user) == tuple(details[n] for n in ("name", "description", "leader"))
    assert other.user == details["followerState"]["user"]
    assert "err" == move(other, 601_000_000, deposit=False)["status"]
    ok(move(other, 500_000_000, deposit=False))
    assert "vaultWithdraw" == delta(other)["type"]
    assert Decimal(100_000 - 100) == usd(other)
    assert {"role": "vault"} == player.exchange.role(vault)
    assert player.exchange.vault_details(TARGET, 0) is None


def test_referral_codes(player: Player, other: Player) -> None:
    """One owner a code, one referrer an account, and not oneself."""
    ok(player.act({"type": "registerReferrer", "code": "BOAT"}))
    assert (
        "Referral code already taken." == other.act({"type": "registerReferrer", "code": "BOAT"})["response"]
    )
    assert "Cannot self-refer." == player.act({"type": "setReferrer", "code": "BOAT"})["response"]
    assert "Referral code does not exist." == other.act({"type": "setReferrer", "code": "NONE"})["response"]
    ok(other.act({"type": "setReferrer", "code": "BOAT"}))
    assert "Referrer already set." == other.act({"type": "setReferrer", "code": "BOAT"})["response"]
    assert {"referrer": player.user, "code": "BOAT"} == other.exchange.referral(other.user)["referredBy"]
    state = player.exchange.referral(player.user)["referrerState"]
    assert ("ready", "BOAT", other.user) == (
        state["stage"],
        state["data"]["code"],
        state["data"]["referralStates"][0]["user"],
    )


def test_actions_are_counted(player: Player) -> None:
    """Each order of a batch is one; what is traded and what is reserved raises the limit."""
    used = player.exchange.rate_limit(player.user, 0)["nRequestsUsed"]
    book = Book(player.venue)
    player.order(*[wire(px=book.bid - 100, sz="0.001")] * 3)
    ok(player.act({"type": "reserveRequestWeight", "weight": 50}))
    limit = player.exchange.rate_limit(player.user, 0)
    assert (used + 4, 10_050, "0.0") == (limit["nRequestsUsed"], limit["nRequestsCap"], limit["cumVlm"])
    player.one(wire(px=book.ask, sz="0.01", tif="Ioc"))
    assert 10_050 + int(book.ask / 100) == player.exchange.rate_limit(player.user, 0)["nRequestsCap"]
