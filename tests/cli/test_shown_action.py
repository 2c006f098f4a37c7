"""Actions in words, before they are sent, and what an answer says of its parts: over every method of the exchange."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.manager.venues.hyperliquid.exchange.world import CLOID, ORDER, PARAMS, VAULT, Desk, Names
from wsmgr.cli.exchange import action_rows
from wsmgr.cli.shown_action import shown, verdict
from wsmgr.manager.venues.hyperliquid.universe import Universe


def preview(method: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    return anyio.run(lambda: Desk(mainnet=False).desk.preview(method, params, **more))


def said(method: str, params: dict[str, Any], **more: Any) -> list[str]:
    return shown(preview(method, params, **more), "hyperliquid").splitlines()


@pytest.mark.parametrize("method", PARAMS)
def test_every_action_is_shown_with_what_it_is_given(method: str) -> None:
    """Whoever is asked for a yes sees the network, who signs, and every amount, number and address that would go out."""
    lines = said(method, PARAMS[method])
    assert "This would be sent to hyperliquid:" == lines[0]
    assert lines[1].startswith(f"  action:    {method} (")
    assert "  network:   testnet" in lines
    text = "\n".join(lines)
    for name, value in PARAMS[method].items():
        if name not in {"asset", "is_buy", "order_type", "max_fee_rate", "margin_mode"} and isinstance(
            value, str
        ):
            assert value in text, name
    assert PARAMS[method].get("asset", "") in text


@pytest.mark.parametrize("method", PARAMS)
def test_the_list_marks_what_needs_transfers(method: str) -> None:
    """The mark of the list is that of the action itself."""
    found = preview(method, PARAMS[method])
    (row,) = [row for row in action_rows() if row["method"] == method]
    assert found["transfer"] == row["transfers"]
    assert found["transfer"] == any("leave the account" in line for line in said(method, PARAMS[method]))


def test_every_action_is_listed() -> None:
    """With its parameters, those that must be given, and its name on the wire."""
    rows = {row["method"]: row for row in action_rows()}
    assert set(PARAMS) == set(rows)
    assert ("cancel", ["asset", "order_id"]) == (
        rows["cancel_order"]["action"],
        rows["cancel_order"]["required"],
    )
    assert "cloid" in rows["place_order"]["params"]
    assert "cloid" not in rows["place_order"]["required"]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, "buy 0.1 BTC at 50000, limit, good till cancelled"),
        ({"is_buy": False, "order_type": "LIMIT_IOC"}, "sell 0.1 BTC at 50000, limit, immediate or cancel"),
        ({"order_type": "LIMIT_ALO", "reduce_only": True}, "limit, add liquidity only, reduce only"),
        ({"cloid": CLOID}, f"cloid {CLOID}"),
        (
            {"order_type": {"type": "trigger", "price": "49000", "is_market": True, "trigger": "sl"}},
            "stop loss at 49000, market",
        ),
        (
            {"order_type": {"type": "trigger", "price": "60000", "is_market": False, "trigger": "tp"}},
            "take profit at 60000, limit",
        ),
    ],
)
def test_an_order_is_one_line_with_side_size_asset_price_and_kind(order: dict[str, Any], words: str) -> None:
    """Nobody reads `"b": true` under pressure."""
    (line,) = [line for line in said("place_order", {**ORDER, **order}) if line.startswith("  order:")]
    assert words in line


def test_a_batch_has_a_line_for_each_order_with_its_own_asset() -> None:
    """The numbers of assets on the wire become names, also where the first comes again."""
    orders = [
        {**ORDER, "asset": asset, "limit_price": price}
        for asset, price in (("BTC", "50000"), ("ETH", "3000"), ("BTC", "51000"))
    ]
    lines = said("place_orders", {"order_requests": orders, "grouping": "normalTpsl"})
    assert ["BTC at 50000", "ETH at 3000", "BTC at 51000"] == [
        line.partition("0.1 ")[2].partition(",")[0] for line in lines if line.startswith("  order:")
    ]
    assert "  grouping:  normalTpsl" in lines
    assert "  assets:    BTC, ETH" in lines
    assert "  notional:  10400 (price x size)" in lines


def test_cancels_and_changes_name_the_order_and_its_asset() -> None:
    """By the venue's number and by the caller's id."""
    both = {"cancel_requests": [{"asset": "BTC", "order_id": 7}, {"asset": "ETH", "order_id": 8}]}
    assert ["  cancel:    order 7 of BTC", "  cancel:    order 8 of ETH"] == [
        line for line in said("cancel_orders", both) if "cancel: " in line
    ]
    by_id = said("cancel_order_by_id", PARAMS["cancel_order_by_id"])
    assert f"  cancel:    order {CLOID} of BTC" in by_id
    for method in ("modify_order", "modify_orders"):
        assert any("order 1 becomes buy 0.1 BTC at 50000" in line for line in said(method, PARAMS[method]))


def test_a_vault_and_an_expiry_are_shown() -> None:
    """Whose account it is matters as much as what is done."""
    lines = said("place_order", ORDER, vault_address=VAULT, expires_after=1893456000000)
    assert f"  vault:     {VAULT}" in lines
    assert "  expires:   2030-01-01T00:00:00Z" in lines


def test_what_the_account_itself_must_sign_is_told() -> None:
    """An agent's key is of no use for it."""
    assert "  signed by: the account's own key" in said("send_usd", PARAMS["send_usd"])
    assert "  signed by: an agent's key, or the account's own" in said("place_order", ORDER)


def test_a_name_of_the_venue_cannot_write_to_the_terminal() -> None:
    """Escape sequences in a coin's name are shown, not obeyed."""
    asset = {"id": 0, "name": "B\x1b[2JTC", "coin": "B\x1b[2JTC"}
    found = {**preview("cancel_order", PARAMS["cancel_order"]), "assets": [asset]}
    assert r"  cancel:    order 1 of B\x1b[2JTC" in shown(found, "hyperliquid").splitlines()


TWO_FOOS = Universe.read(
    {"universe": [{"name": "BTC", "szDecimals": 5}]},
    {
        "tokens": [
            {"name": name, "szDecimals": 2, "weiDecimals": 8, "index": index, "tokenId": f"0x{index}"}
            for index, name in enumerate(("USDC", "FOO", "FOO"))
        ],
        "universe": [
            {"name": "@5", "tokens": [1, 0], "index": 5},
            {"name": "@9", "tokens": [2, 0], "index": 9},
        ],
    },
    [None],
)


@pytest.mark.parametrize("names", [("@5", "@9", "BTC"), ("BTC", "@9", "@5"), (10009, "BTC", "@9")])
def test_two_pairs_of_one_name_are_told_apart(names: tuple[str | int, ...]) -> None:
    """Anybody can make a token of any name: each order is shown with its own asset, by its number, never by its place."""
    names_at_the_venue = {"@5": "FOO/USDC (@5)", "@9": "FOO/USDC (@9)", 10009: "FOO/USDC (@9)", "BTC": "BTC"}
    expected = [names_at_the_venue[name] for name in names]
    orders = [{**ORDER, "asset": name, "size": "1", "limit_price": "3"} for name in names]
    found = anyio.run(
        lambda: Desk(names=Names(universe=TWO_FOOS)).desk.preview("place_orders", {"order_requests": orders})
    )
    lines = shown(found, "hyperliquid").splitlines()
    assert expected == [
        line.partition("buy 1 ")[2].partition(" at 3")[0] for line in lines if "order: " in line
    ]
    assert f"  assets:    {', '.join(dict.fromkeys(expected))}" in lines


def test_a_pair_is_shown_with_the_name_that_the_wire_has_for_it() -> None:
    """Two tokens may have one name, now or tomorrow; an asset that the list does not have is shown by its number."""
    found = preview("cancel_order", {"asset": "HYPE/USDC", "order_id": 1})
    assert "  cancel:    order 1 of HYPE/USDC (@107)" in shown(found, "hyperliquid").splitlines()
    assert "order 1 of asset 10107" in shown({**found, "assets": []}, "hyperliquid")
    (line,) = [line for line in said("send_spot", PARAMS["send_spot"]) if line.startswith("  assets:")]
    assert "  assets:    PURR (PURR:0xc1fb593aeffbeb02f85e0308e9956a90)" == line


@pytest.mark.parametrize(
    ("response", "code", "refused"),
    [
        ({"type": "default"}, 0, []),
        ({"type": "order", "data": {"statuses": [{"resting": {"oid": 1}}]}}, 0, []),
        ({"type": "order", "data": {"statuses": [{"error": "no"}]}}, 4, ["no"]),
        ({"type": "order", "data": {"statuses": [{"error": "no"}, {"error": "nor"}]}}, 4, ["no", "nor"]),
        ({"type": "cancel", "data": {"statuses": ["success", {"error": "no"}]}}, 0, ["no"]),
        ({"type": "order", "data": {"statuses": ["waitingForFill", {"error": "no"}]}}, 0, ["no"]),
        ({"type": "twapOrder", "data": {"status": {"running": {"twapId": 1}}}}, 0, []),
        ({"type": "twapOrder", "data": {"status": {"error": "no"}}}, 4, ["no"]),
        ({"type": "createVault", "data": "0x1"}, 0, []),
        (None, 0, []),
    ],
)
def test_an_answer_fails_where_all_of_its_parts_were_refused(
    response: Any, code: int, refused: list[str]
) -> None:
    """A batch of which something was done is done; a single order that was refused is refused."""
    assert (code, refused) == verdict(response)
