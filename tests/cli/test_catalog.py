"""`wsmgr types`: what can be subscribed to, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.running import environment
from tests.cli.test_terminal import terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

REMOVED = "webData2: the venue removed it in August 2026; use webData3, or clearinghouseState and openOrders"


def test_a_program_gets_every_type_that_the_venue_serves(cli: Cli) -> None:
    """29 of them; what was removed is not among what can be asked for."""
    names = [row["type"] for row in cli("types", "hyperliquid", "--json").document]
    assert 29 == len(names) == len(set(names))
    assert {"explorerBlock", "explorerTxs", "fastAssetCtxs"} <= set(names)
    assert "webData2" not in names


def test_people_see_the_removed_type_too_with_what_took_its_place(cli: Cli) -> None:
    """Who looks for webData2 finds out where it went."""
    found = cli("types", "hyperliquid")
    (line,) = [line.split() for line in found.out.decode().splitlines() if "webData2" in line]
    assert ["hyperliquid", "webData2", "removed", "user"] == line[:4]
    assert REMOVED in found.err


def test_eighty_columns_have_room_for_the_type_its_class_its_parameters_and_its_promise(
    state_dir: Path,
) -> None:
    """No line is torn, and what had no room is named."""
    environ = {**environment(state_dir), "TERM": "dumb", "COLUMNS": "80"}
    with terminal("types", "hyperliquid", environ=environ) as seen:
        text = seen()
    lines = text.splitlines()
    (book,) = [line.split() for line in lines if " l2Book " in line]
    assert ["l2Book", "dedicated", "coin", "[nSigFigs]", "monotonic"] == book
    assert all(title in text for title in ("TYPE", "CLASS", "PARAMETERS", "PROMISE"))
    assert "no room for DIALECT, KIND, FIRST PROOF, CADENCE, JOIN, NUMBERED, HEALING" in text
    assert "leaves no trace" in text


def test_one_type_is_shown_with_all_that_is_known_of_it(cli: Cli) -> None:
    """What its parameters take, what is promised of it, and what stands in for it."""
    book = dict(
        line.split(None, 1) for line in cli("types", "hyperliquid", "l2Book").out.decode().splitlines()
    )
    assert "one of 1 2 5, only with nSigFigs=5" == book["mantissa"]
    assert ("text, required", "flag, default false") == (book["coin"], book["fast"])
    assert "5.0s" == book["cadence"]
    assert book["promise"].startswith("monotonic: no frame is older")
    orders = cli("types", "hyperliquid", "orderUpdates").out.decode()
    assert "userHistoricalOrders for the same records" in orders
    assert REMOVED.partition(": ")[2] in cli("types", "hyperliquid", "webData2").out.decode()
    fills = cli("types", "hyperliquid", "userFills").out.decode()
    assert "a single withheld frame leaves no trace" in fills
    assert "the query userFillsByTime brings what was missed" in fills
    assert "interval" in cli("types", "hyperliquid", "candle", "--json").document["required"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hyperliquid", "l2Bok"], "did you mean l2Book?"),
        (["hyperliquid", "webData2", "--json"], REMOVED),
        (["l2Book"], "there is no dialect 'l2Book'; there are hyperliquid"),
    ],
)
def test_what_there_is_not_is_a_wrong_usage(arguments: list[str], words: str, cli: Cli) -> None:
    """The message says what there is."""
    found = cli("types", *arguments)
    assert (2, b"") == (found.code, found.out)
    assert words in found.err


def test_types_of_the_configuration_are_listed(cli: Cli, tmp_path: Path) -> None:
    """What a user added can be looked up like the rest, and a mistake in it is told."""
    config = tmp_path / "wsmgr.toml"
    config.write_text(
        "[dialects.hyperliquid.types.l3Book]\nparameters = [{ name = 'coin', required = true }]\n"
        "[dialects.hyperliquid.types.l2Book]\ncadence = 0.5\n"
    )
    rows = {row["type"]: row for row in cli("--config", str(config), "types", "--json").document}
    assert (30, ["coin"], 0.5) == (len(rows), rows["l3Book"]["required"], rows["l2Book"]["cadence"])
    config.write_text("[dialects.hyperliquid.types.l2Book]\ncadence = 'often'\n")
    wrong = cli("--config", str(config), "types")
    assert 2 == wrong.code
    assert (
        "[dialects.hyperliquid.types.l2Book]: cadence is 'often'; allowed is a number of seconds" in wrong.err
    )
