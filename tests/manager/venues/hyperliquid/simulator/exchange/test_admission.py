"""Admission: signatures, agents, nonces, expiry, networks, and who exists."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
from hyperliquid.utils import signing  # type: ignore[import-untyped]  # it has no types

from wsmgr.manager.venues.hyperliquid.simulator.exchange import signatures

from .conftest import Book, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Player

NOOP = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
CHAIN = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}


def refusal(answer: Any) -> str:
    assert "err" == answer["status"], answer
    text: str = answer["response"]
    return text


def test_account_that_nobody_looked_at_does_not_exist(
    venue: Any, make_player: Callable[[Any, int], Player]
) -> None:
    """The refusal names the address that signed; a query about it is enough to make it exist."""
    stranger = make_player(venue, 7)
    text = f"User or API Wallet {stranger.user} does not exist."
    assert text == refusal(stranger.act(NOOP))
    assert {"role": "missing"} == stranger.exchange.role(stranger.user)
    stranger.state()
    assert {"role": "user"} == stranger.exchange.role(stranger.user)
    assert "ok" == stranger.act(NOOP)["status"]


def test_subscribed_account_exists(venue: Any, make_player: Callable[[Any, int], Player]) -> None:
    """Whoever is watched may act."""
    stranger = make_player(venue, 7)
    venue.connect().subscribe("orderUpdates", user=stranger.wallet.address)
    assert "ok" == stranger.act(NOOP)["status"]


def test_changed_action_is_signed_by_nobody(player: Player) -> None:
    """One member, the order of the members, the nonce: each is covered, and gives an address that does not exist."""
    spoils: list[Callable[[Any], None]] = [
        lambda p: p["action"].update(leverage=6),
        lambda p: p.update(action=dict(reversed(p["action"].items()))),
        lambda p: p.update(nonce=p["nonce"] + 1),
        lambda p: p.update(vaultAddress=player.user),
        lambda p: p.update(expiresAfter=1 << 50),
    ]
    for spoil in spoils:
        payload = player.signed(dict(NOOP))
        spoil(payload)
        text = refusal(player.send(payload))
        assert text.startswith("User or API Wallet 0x")
        assert player.user not in text


def test_wrong_network_is_nobodys_signature(
    make_venue: Callable[..., Any], make_player: Callable[..., Player]
) -> None:
    """A signature for the main network means nothing on the test network, and the other way round."""
    for mainnet in (False, True):
        player = make_player(make_venue(mainnet=mainnet), 1)
        player.exchange.look_at(player.user)
        assert "does not exist" in refusal(player.act(NOOP, mainnet=not mainnet))
        assert "ok" == player.act(NOOP, mainnet=mainnet)["status"]
        send = {"type": "usdSend", "destination": "0x" + "5" * 40, "amount": "1"}
        wrong = player.user_signed(
            signing.sign_usd_transfer_action, dict(send), clock="time", mainnet=not mainnet
        )
        assert "Mainnet and testnet require different signature." == refusal(player.send(wrong))
        right = player.user_signed(signing.sign_usd_transfer_action, send, clock="time", mainnet=mainnet)
        assert "ok" == player.send(right)["status"]


@pytest.mark.parametrize("spoil", [{"v": 5}, {"r": "0x0"}, {"s": "0x" + "f" * 64}])
def test_what_is_no_signature_has_no_signer(player: Player, spoil: dict[str, Any]) -> None:
    """The venue says that it cannot recover one."""
    payload = player.signed(NOOP)
    payload["signature"].update(spoil)
    assert "Unable to recover signer." == refusal(player.send(payload))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.pop("signature"),
        lambda p: p.pop("nonce"),
        lambda p: p["action"].pop("leverage"),
        lambda p: p["action"].update(leverage="5"),
        lambda p: p["action"].update(type="noSuchAction"),
        lambda p: p.update(signature={"r": "1", "s": "0x1", "v": 27}),
        lambda p: p.update(vaultAddress="0x12"),
        lambda p: p.update(
            action={"type": "order", "orders": [{**wire(px=1, sz=1), "t": {}}], "grouping": "na"}
        ),
    ],
)
def test_payload_that_cannot_be_read_is_a_422(player: Player, spoil: Callable[[Any], None]) -> None:
    """A member missing or of another kind, an unknown action: not an answer of the exchange, but of its door."""
    payload = player.signed(dict(NOOP))
    spoil(payload)
    text = "Failed to deserialize the JSON body into the target type"
    assert ("error", text) == player.exchange.act(payload, player.venue.now)
    assert ("error", f"422 Unprocessable Entity: {text}") == player.venue.engine.post("action", payload)


def test_nonce_is_used_once(player: Player, other: Player) -> None:
    """By each signer; a refused action uses it too."""
    nonce = player.nonce()
    assert "ok" == player.act(NOOP, nonce=nonce)["status"]
    assert f"Invalid nonce: duplicate nonce {nonce}" == refusal(player.act(NOOP, nonce=nonce))
    assert "ok" == other.act(NOOP, nonce=nonce)["status"]
    assert "err" == player.act({"type": "cancel", "cancels": []}, nonce=nonce + 1)["status"]
    assert f"Invalid nonce: duplicate nonce {nonce + 1}" == refusal(player.act(NOOP, nonce=nonce + 1))


def test_the_hundred_highest_nonces_are_kept(player: Player) -> None:
    """One below all of them is too low; one between them is good."""
    base = player.nonce() + 1000
    for step in range(100):
        player.done(NOOP, nonce=base + 10 * step)
    assert f"Invalid nonce: nonce too low {base - 1} < {base}" == refusal(player.act(NOOP, nonce=base - 1))
    assert "ok" == player.act(NOOP, nonce=base + 5)["status"]
    assert f"Invalid nonce: nonce too low {base + 4} < {base + 5}" == refusal(
        player.act(NOOP, nonce=base + 4)
    )


def test_nonce_lies_within_two_days_before_and_one_day_after(player: Player) -> None:
    """By the venue's clock, before anything else is looked at."""
    now, day = player.venue.engine.market.milliseconds(0), 24 * 3600 * 1000
    old, new = now - 2 * day, now + day
    assert f"Invalid nonce: nonce too low {old} < {old}" == refusal(player.act(NOOP, nonce=old))
    assert f"Invalid nonce: nonce too high {new} > {new}" == refusal(player.act(NOOP, nonce=new))
    assert "ok" == player.act(NOOP, nonce=old + 1)["status"]
    assert "ok" == player.act(NOOP, nonce=new - 1)["status"]


def test_expired_action_is_not_carried_out(player: Player) -> None:
    """At its time it is too late, a millisecond before it is not."""
    now = player.venue.engine.market.milliseconds(0)
    assert "Action already expired" == refusal(player.act(NOOP, expires=now))
    assert "ok" == player.act(NOOP, expires=now + 1)["status"]


def test_agent_acts_for_its_account_until_it_is_replaced(
    player: Player, make_player: Callable[[Any, int], Player]
) -> None:
    """Its orders are the account's; it moves no money; an agent of the same name takes its place."""
    agent, second = make_player(player.venue, 11), make_player(player.venue, 12)

    def approve(address: str, name: str | None) -> Any:
        action: dict[str, Any] = {"type": "approveAgent", "agentAddress": address, "agentName": name or ""}
        payload = player.user_signed(signing.sign_agent, action)
        if name is None:
            del payload["action"]["agentName"]
        return player.send(payload)

    assert f"User or API Wallet {agent.user} does not exist." == refusal(agent.act(NOOP))
    assert {"status": "ok", "response": {"type": "default"}} == approve(agent.wallet.address, None)
    book = Book(player.venue)
    oid = agent.one(wire(px=book.bid - 100, sz="0.001"))["resting"]["oid"]
    assert [oid] == player.open_oids()
    assert {"role": "agent", "data": {"user": player.user}} == player.exchange.role(agent.user)
    assert [] == player.exchange.extra_agents(player.user)
    send = {"type": "usdSend", "destination": "0x" + "5" * 40, "amount": "1"}
    payload = agent.user_signed(signing.sign_usd_transfer_action, send, clock="time")
    text = f"Must deposit before performing actions. User: {agent.user}"
    assert text == refusal(agent.send(payload))
    approve(second.wallet.address, None)
    assert f"User or API Wallet {agent.user} does not exist." == refusal(agent.act(NOOP))
    assert "ok" == second.act(NOOP)["status"]
    assert "Extra agent already used." == refusal(approve(second.wallet.address, "again"))


def test_agent_moves_no_money_even_when_somebody_looked_at_its_address(
    player: Player, make_player: Callable[[Any, int], Player]
) -> None:
    """Its own account, if it has one, is not what it signs for."""
    agent = make_player(player.venue, 11)
    agent.state()
    approval = {"type": "approveAgent", "agentAddress": agent.wallet.address, "agentName": "one"}
    assert "ok" == player.send(player.user_signed(signing.sign_agent, approval))["status"]
    send = {"type": "usdSend", "destination": "0x" + "5" * 40, "amount": "1"}
    payload = agent.user_signed(signing.sign_usd_transfer_action, send, clock="time")
    text = f"Must deposit before performing actions. User: {agent.user}"
    assert text == refusal(agent.send(payload))


def test_named_agents_are_listed_and_limited(player: Player) -> None:
    """Three with names, each to its own time; a name has at most 16 letters."""

    def approve(name: str, number: int) -> Any:
        action = {"type": "approveAgent", "agentAddress": f"0x{number:040x}", "agentName": name}
        return player.send(player.user_signed(signing.sign_agent, action))

    until = player.venue.engine.market.milliseconds(3600)
    for number, name in enumerate(("one", f"two valid_until {until}", "three")):
        assert "ok" == approve(name, number)["status"]
    agents = player.exchange.extra_agents(player.user)
    assert ["one", "two", "three"] == [agent["name"] for agent in agents]
    assert until == agents[1]["validUntil"]
    assert "Too many extra agents." == refusal(approve("four", 9))
    assert "between 1 and 16" in refusal(approve("x" * 17, 9))
    player.venue.advance(3601)
    player.state()
    assert "ok" == approve("four", 9)["status"]


def test_transfer_signed_by_nobody_asks_for_a_deposit(
    venue: Any, make_player: Callable[[Any, int], Player]
) -> None:
    """The venue's other words for an address that it does not know."""
    stranger = make_player(venue, 7)
    send = {"type": "usdSend", "destination": "0x" + "5" * 40, "amount": "1"}
    payload = stranger.user_signed(signing.sign_usd_transfer_action, send, clock="time")
    text = f"Must deposit before performing actions. User: {stranger.user}"
    assert text == refusal(stranger.send(payload))


def test_two_nonces_of_one_action_agree(player: Player) -> None:
    """The member that is signed, and the one beside the action."""
    send = {"type": "usdSend", "destination": "0x" + "5" * 40, "amount": "1"}
    payload = player.user_signed(signing.sign_usd_transfer_action, send, clock="time")
    payload["nonce"] += 1
    assert "Nonce mismatch." == refusal(player.send(payload))


def test_vault_address_must_be_ones_own(player: Player, other: Player) -> None:
    """A sub-account acts by its master's signature, and by nobody else's."""
    sub = player.done({"type": "createSubAccount", "name": "second"})["data"]
    player.done(
        {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 50_000_000_000}
    )
    book = Book(player.venue)
    oid = player.one(wire(px=book.bid - 100, sz="0.001"), vault=sub)["resting"]["oid"]
    assert [oid] == [order["oid"] for order in player.exchange.open_orders(sub, 0)]
    assert [] == player.open_oids()
    assert f"Vault not registered: {sub}" == refusal(other.act(NOOP, vault=sub))
    assert {"role": "subAccount", "data": {"master": player.user}} == player.exchange.role(sub)


def test_without_the_trading_extra_actions_are_refused_with_what_to_do(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else of the simulator works without it."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        signatures, "find_spec", lambda name: None if name == "coincurve" else find_spec(name)
    )
    assert "signing needs more: pip install 'wsmgr[trading]'" == refusal(player.act(NOOP))
    assert 1 == len(player.open_oids())
