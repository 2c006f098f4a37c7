"""TWAP orders: sliced over minutes, told as they go, ended by themselves or by their owner."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .conftest import BTC, Book

if TYPE_CHECKING:
    from .conftest import Player

NOOP = {"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 20}


def place(player: Player, size: str = "0.1", minutes: int = 5, *, reduce: bool = False) -> Any:
    twap = {"a": BTC, "b": True, "s": size, "r": reduce, "m": minutes, "t": False}
    return player.done({"type": "twapOrder", "twap": twap})["data"]["status"]


def test_twap_order_is_filled_in_slices_of_thirty_seconds(player: Player) -> None:
    """Ten in five minutes; what is filled in the end is its whole size."""
    player.done(NOOP)
    client = player.venue.connect()
    for type_ in ("userTwapHistory", "userTwapSliceFills", "userEvents", "twapStates"):
        client.subscribe(type_, user=player.user)
    client.texts()
    twap_id = place(player)["running"]["twapId"]
    [state] = [frame["data"]["states"] for frame in client.data() if frame["channel"] == "twapStates"]
    assert [twap_id] == [one[0] for one in state]
    assert ("BTC", "B", "0.1", 5) == tuple(state[0][1][name] for name in ("coin", "side", "sz", "minutes"))
    times = set()
    members = set()
    for _ in range(10):
        times |= {
            item["fill"]["time"] for item in player.exchange.twap_slice_fills(player.user, player.venue.now)
        }
        Book(player.venue)
        player.venue.advance(30)
        members |= {name for frame in client.data() if frame["channel"] == "user" for name in frame["data"]}
    assert len(times) == 10
    now = player.venue.now
    slices = player.exchange.twap_slice_fills(player.user, now)
    assert Decimal("0.1") == sum(Decimal(item["fill"]["sz"]) for item in slices)
    assert {twap_id} == {item["twapId"] for item in slices}
    assert {"0x" + "0" * 64} == {item["fill"]["hash"] for item in slices}
    assert "0.1" == player.state()["assetPositions"][0]["position"]["szi"]
    ended, begun = player.exchange.twap_history(player.user, now)
    assert ("finished", "activated") == (ended["status"]["status"], begun["status"]["status"])
    assert ("0.1", "0.0") == (ended["state"]["executedSz"], begun["state"]["executedSz"])
    assert begun["time"] == begun["state"]["timestamp"] // 1000
    assert {"twapHistory", "twapSliceFills"} == members
    twap_fills = player.exchange.fills(player.user, now)
    assert {twap_id} == {fill["twapId"] for fill in twap_fills}


def test_twap_order_is_canceled_once(player: Player) -> None:
    """After that no slice is filled; a strange id gets the venue's words."""
    twap_id = place(player)["running"]["twapId"]
    cancel = {"type": "twapCancel", "a": BTC, "t": twap_id}
    done = {"type": "twapCancel", "data": {"status": "success"}}
    assert done == player.done(cancel)
    before = len(player.exchange.fills(player.user, player.venue.now))
    player.venue.advance(90)
    assert before == len(player.exchange.fills(player.user, player.venue.now))
    assert "terminated" == player.exchange.twap_history(player.user, 90)[0]["status"]["status"]
    gone = {"error": "TWAP was never placed, already canceled, or filled."}
    assert gone == player.done(cancel)["data"]["status"]


def test_twap_order_that_the_venue_does_not_run_is_refused(player: Player) -> None:
    """Too short, too small, or reducing nothing."""
    assert {"error": "Invalid TWAP duration: 1 min(s)"} == place(player, minutes=1)
    assert {"error": "Order must have minimum value of $10. asset=0"} == place(player, "0.0001")
    assert {"error": "Reduce only order would increase position. asset=0"} == place(player, reduce=True)


def test_twap_order_without_margin_ends_with_the_reason(player: Player) -> None:
    """The order runs, and its history says why it ended."""
    assert "running" in place(player, "500")
    newest = player.exchange.twap_history(player.user, 0)[0]
    assert {"status": "error", "description": "Insufficient margin to place order."} == newest["status"]
