"""The page for people who come from other clients: its programs run, and its tables are whole and true."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hl
import hyperliquid.exchange  # type: ignore[import-untyped]  # it has no stubs
import hyperliquid.info  # type: ignore[import-untyped]  # it has no stubs
import pytest

import wsmgr
from wsmgr.manager.manager import Manager
from wsmgr.manager.venues.hyperliquid.exchange import CallOptions, Exchange
from wsmgr.manager.venues.hyperliquid.info import Info
from wsmgr.manager.venues.hyperliquid.subscriptions import FeedOptions, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartSimulator

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "come-from-other-clients.md").read_text(
    encoding="utf-8"
)
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
INTERFACES = {"subscriptions": Subscriptions, "info": Info, "exchange": Exchange}
OPTIONS = {"subscriptions": FeedOptions, "info": None, "exchange": CallOptions}
OURS = re.compile(r"`client\.(subscriptions|info|exchange)\.(\w+)\(([^`]*)\)`")
THEIRS = {
    "hl.Subscriptions": ("## From hl-sdk", hl.Subscriptions, {"account", "universe"}),
    "hl.Info": ("## From hl-sdk", hl.Info, {"account", "universe"}),
    "hl.Exchange": ("## From hl-sdk", hl.Exchange, {"account", "universe"}),
    "hyperliquid.info.Info": (
        "## From hyperliquid-python-sdk",
        hyperliquid.info.Info,
        {"subscribe", "unsubscribe", "disconnect_websocket", "name_to_asset", "set_perp_meta", "post"},
    ),
    "hyperliquid.exchange.Exchange": (
        "## From hyperliquid-python-sdk",
        hyperliquid.exchange.Exchange,
        {"DEFAULT_SLIPPAGE", "post"},
    ),
}
"""Where a client's methods stand, and what of them is no row of its own."""


def rows(heading: str) -> Iterator[tuple[str, str]]:
    """Return the two cells of each row of a chapter's tables."""
    chapter = PAGE.partition(heading)[2].partition("\n## ")[0]
    for line in chapter.splitlines():
        if line.startswith("| ") and not line.startswith("|--"):
            left, _, right = line.strip("| ").partition(" | ")
            yield left, right


@pytest.mark.parametrize(
    "program", [pytest.param(each, id=str(number)) for number, each in enumerate(PROGRAMS, 1)]
)
def test_a_program_of_the_page_runs_to_its_end(program: str, start_simulator: StartSimulator) -> None:
    """It prints something, and complains of nothing."""
    simulator = start_simulator(rate=50)
    environment = {
        **os.environ,
        "WSMGR_HYPERLIQUID_URL": simulator.address.url,
        "HL_ADDRESS": "0xa88b710fafff68e3d7bb4b3dd72c358b5bdb9a18",
        "HL_SECRET_KEY": "0x" + "1f" * 32,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    assert done.stdout


@pytest.mark.parametrize("client", THEIRS)
def test_every_method_of_the_other_clients_is_in_the_tables(client: str) -> None:
    """Also those that have no counterpart."""
    heading, interface, elsewhere = THEIRS[client]
    named = {name for left, _ in rows(heading) for name in re.findall(r"`(\w+)(?:\([^`]*\))?`", left)}
    theirs = {name for name in dir(interface) if not name.startswith("_")} - elsewhere
    assert len(theirs) > 15
    assert [] == sorted(theirs - named)


@pytest.mark.parametrize(
    "method", ["subscribe", "unsubscribe", "disconnect_websocket", "name_to_asset", "set_perp_meta"]
)
def test_what_is_no_row_of_its_own_is_said_of_the_client(method: str) -> None:
    """How a stream was begun and ended there."""
    assert f"info.{method}(" in PAGE.partition("## From hyperliquid-python-sdk")[2]


def test_every_call_that_the_tables_name_is_there_and_takes_what_they_say() -> None:
    """No row sends its reader to a method, or a keyword, that does not exist."""
    wrong = []
    calls = OURS.findall(PAGE)
    for interface, method, arguments in calls:
        found = getattr(INTERFACES[interface], method, None)
        options = OPTIONS[interface]
        takes = {*inspect.signature(found).parameters} if found else set()
        takes |= set(options.__annotations__) if options else set()
        keywords = re.findall(r"(\w+)=", arguments)
        wrong += [
            f"{interface}.{method}({name})"
            for name in ["", *keywords]
            if not found or name not in {"", *takes}
        ]
    assert len(calls) > 140
    assert [] == wrong


def test_every_call_of_the_interfaces_is_in_the_tables() -> None:
    """All 39 queries and all 31 actions, and every stream that hl-sdk has; the others are named below."""
    named = {(interface, method) for interface, method, _ in OURS.findall(PAGE)}
    for interface in ("info", "exchange"):
        methods = {name for name in dir(INTERFACES[interface]) if not name.startswith("_")}
        assert set() == methods - {method for found, method in named if found == interface}
    streams = {name for name in dir(Subscriptions) if not name.startswith("_")} - {
        "handle",
        "unsubscribe_all",
        "bbo",
        "web_data2",
    }
    assert [] == sorted(name for name in streams if f"`{name}`" not in PAGE and f".{name}(" not in PAGE)


def test_the_manager_has_what_the_elixir_package_has() -> None:
    """Each of its functions has a row, and each row a method."""
    cells = dict(rows("## From the Elixir package"))
    functions = "subscribe unsubscribe get_subscription list_subscriptions list_user_subscriptions connection_info get_metrics list_all_metrics"
    for name in functions.split():
        right = next(cell for left, cell in cells.items() if left.startswith(f"`{name}("))
        assert f"manager.{name}(" in right
        assert callable(getattr(Manager, name))


def test_every_name_that_is_said_to_come_from_wsmgr_does() -> None:
    """The programs import them, and so do the rows that say `the same`."""
    imported = {
        name.strip()
        for line in re.findall(r"^from wsmgr import (.*)$", PAGE, re.MULTILINE)
        for name in line.split(",")
    }
    same = {
        name
        for left, right in rows("## From hl-sdk")
        if "from `wsmgr`" in right
        for name in re.findall(r"`([A-Z]\w+)", left)
    }
    assert {"LIMIT_GTC", "Account", "Cloid", "GROUPING_NA"} <= same
    assert set() == (imported | same) - set(wsmgr.__all__)
