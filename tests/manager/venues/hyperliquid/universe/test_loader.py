"""Loading the universe: when, how often, for whom, and what is done where it cannot be."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint
from attrs import define, field
from tests.manager.venues.hyperliquid.universe.answers import SPOT_META, ScriptedRequester, pair

from wsmgr.manager.model.errors import ManagerClosedError, QuotaError, RequestNotSentError
from wsmgr.manager.model.outcome import Answered, Refused, Unknown
from wsmgr.manager.venues.hyperliquid.universe import (
    AmbiguousAssetError,
    UniverseError,
    UniverseLoader,
    UnknownAssetError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

DAY = 86_400.0
VENUE = ["meta", "spotMeta", "perpDexs"]


@define
class World:
    """A loader, the clock that it reads, and the requester that it asks."""

    path: Path | None = None
    source: str = "wss://one"
    now: float = 1_750_000_000.0
    moved: list[dict[str, tuple[int, int]]] = field(factory=list)
    requester: ScriptedRequester = field(factory=ScriptedRequester)
    loader: UniverseLoader = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.loader = UniverseLoader(
            self.requester,
            path=self.path,
            wall=lambda: self.now,
            source=self.source,
            on_moved=lambda moved: self.moved.append(dict(moved)),
        )

    def asked(self) -> list[str]:
        """What was asked since the last time."""
        asked, self.requester.asked = self.requester.asked, []
        return asked


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def on_disk(tmp_path: Path) -> World:
    return World(tmp_path / "universe.json")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "wsmgr.manager.hyperliquid" and record.levelno == logging.WARNING
    ]


async def test_nothing_is_asked_before_it_is_needed_and_then_once(world: World) -> None:
    assert () == world.loader.nearest("BTD")
    assert [] == world.asked()
    assert 10107 == (await world.loader.asset("HYPE/USDC")).id
    assert VENUE == world.asked()
    assert [{"type": kind} for kind in VENUE] == world.requester.payloads
    assert 150 == (await world.loader.token("HYPE")).index
    assert "@107" == await world.loader.coin(10107)
    assert 0 == (await world.loader.universe()).asset("BTC").id
    assert ("BTC",) == world.loader.nearest("BTD")
    assert [] == world.asked()


async def test_the_markets_of_a_dex_are_asked_for_with_the_first_of_its_names(world: World) -> None:
    assert 110001 == (await world.loader.asset("xyz:SP500")).id
    assert [*VENUE, "meta xyz"] == world.asked()
    assert {"type": "meta", "dex": "xyz"} == world.requester.payloads[-1]
    assert "xyz:GOLD" == await world.loader.coin("XYZ:gold")
    assert [] == world.asked()
    assert 130000 == (await world.loader.asset(130_000)).id
    assert ["meta flx"] == world.asked()


async def test_many_callers_share_one_load(world: World) -> None:
    world.requester.gate = anyio.Event()
    found: list[int] = []

    async def ask(name: str) -> None:
        found.append((await world.loader.asset(name)).id)

    async with anyio.create_task_group() as callers:
        for name in ("BTC", "ETH", "xyz:SP500", "@107", "xyz:GOLD") * 4:
            callers.start_soon(ask, name)
        await wait_all_tasks_blocked()
        assert ["meta"] == world.requester.asked
        world.requester.gate.set()
    assert sorted([0, 1, 110001, 110002, 10107] * 4) == sorted(found)
    assert [*VENUE, "meta xyz"] == world.asked()


async def test_a_cancelled_caller_leaves_the_load_to_the_others(world: World) -> None:
    world.requester.gate = anyio.Event()
    found: list[int] = []
    first = anyio.CancelScope()

    async def leave() -> None:
        with first:
            await world.loader.asset("BTC")
            found.append(-1)

    async def stay() -> None:
        found.append((await world.loader.asset("ETH")).id)

    async with anyio.create_task_group() as callers:
        callers.start_soon(leave)
        await wait_all_tasks_blocked()
        callers.start_soon(stay)
        callers.start_soon(stay)
        await wait_all_tasks_blocked()
        first.cancel()
        await wait_all_tasks_blocked()
        # One of the others has begun anew.
        assert ["meta", "meta"] == world.requester.asked
        world.requester.gate.set()
    assert [1, 1] == found
    assert ["meta", *VENUE] == world.asked()


async def test_a_cancelled_waiter_takes_nobody_with_it(world: World) -> None:
    world.requester.gate = anyio.Event()
    waiter = anyio.CancelScope()
    found: list[int] = []

    async def wait() -> None:
        with waiter:
            await world.loader.asset("ETH")
            found.append(-1)

    async def lead() -> None:
        found.append((await world.loader.asset("BTC")).id)

    async with anyio.create_task_group() as callers:
        callers.start_soon(lead)
        await wait_all_tasks_blocked()
        callers.start_soon(wait)
        await wait_all_tasks_blocked()
        waiter.cancel()
        await wait_all_tasks_blocked()
        world.requester.gate.set()
    assert [0] == found
    assert VENUE == world.asked()


async def test_a_load_that_fails_fails_for_all_who_waited_and_the_next_caller_tries_again(
    world: World,
) -> None:
    world.requester.gate = anyio.Event()
    world.requester.script["spotMeta"] = Refused("429 Too Many Requests")
    errors: list[UniverseError] = []

    async def ask() -> None:
        with pytest.raises(
            UniverseError, match="the venue refused spotMeta: 429 Too Many Requests"
        ) as caught:
            await world.loader.asset("BTC")
        errors.append(caught.value)

    async with anyio.create_task_group() as callers:
        for _ in range(3):
            callers.start_soon(ask)
        await wait_all_tasks_blocked()
        world.requester.gate.set()
    assert ["meta", "spotMeta"] == world.asked()
    assert 3 == len({id(error) for error in errors})
    assert [Refused("429 Too Many Requests")] * 3 == [error.outcome for error in errors]
    del world.requester.script["spotMeta"]
    assert 0 == (await world.loader.asset("BTC")).id
    assert VENUE == world.asked()


async def test_a_load_that_fails_does_not_fail_for_who_waited_to_load_something_else(world: World) -> None:
    await world.loader.asset("BTC")
    world.asked()
    world.requester.gate = anyio.Event()
    world.requester.script["meta xyz"] = Refused("503")
    found: list[int] = []

    async def fail() -> None:
        with pytest.raises(UniverseError):
            await world.loader.asset("xyz:SP500")

    async def wait() -> None:
        found.append((await world.loader.asset("flx:TSLA")).id)

    async with anyio.create_task_group() as callers:
        callers.start_soon(fail)
        await wait_all_tasks_blocked()
        callers.start_soon(wait)
        await wait_all_tasks_blocked()
        assert ["meta xyz"] == world.requester.asked
        world.requester.gate.set()
    assert [130000] == found
    assert ["meta xyz", "meta flx"] == world.asked()


@pytest.mark.parametrize(
    ("query", "scripted", "words"),
    [
        ("meta", Refused("no"), "the venue refused meta: no"),
        ("perpDexs", Unknown("the socket was lost"), "no answer came to perpDexs: the socket was lost"),
        ("meta", Answered(None), "the answer to meta cannot be read"),
        ("spotMeta", Answered({"universe": []}), "the answer to spotMeta cannot be read"),
        ("perpDexs", Answered([]), "perpDexs does not begin with"),
        ("meta", RequestNotSentError("no connection"), "the request was not sent: no connection"),
        ("meta", QuotaError("connections", 10, ()), "the quota 'connections'"),
        ("meta xyz", Refused("no"), "the venue refused meta of the dex xyz: no"),
        ("meta xyz", Answered(None), "the answer to meta of the dex xyz cannot be read"),
        ("meta xyz", Answered({"universe": [{"name": "BTC", "szDecimals": 1}]}), "does not bear its name"),
    ],
)
async def test_what_is_not_an_answer_is_an_error_that_says_which_and_why(
    world: World, query: str, scripted: Any, words: str
) -> None:
    world.requester.script[query] = scripted
    with pytest.raises(UniverseError, match=f"the universe of Hyperliquid could not be loaded: .*{words}"):
        await world.loader.asset("xyz:SP500")


async def test_the_manager_s_end_is_not_a_failed_load(world: World) -> None:
    world.requester.script["meta"] = ManagerClosedError("closed")
    with pytest.raises(ManagerClosedError):
        await world.loader.asset("BTC")
    del world.requester.script["meta"]
    assert 0 == (await world.loader.asset("BTC")).id


async def test_what_is_older_than_a_day_is_loaded_again_when_it_is_needed(world: World) -> None:
    await world.loader.asset("xyz:SP500")
    world.asked()
    world.now += DAY
    await world.loader.coin("xyz:SP500")
    assert [] == world.asked()
    world.now += 1
    await world.loader.asset("BTC")
    assert VENUE == world.asked()
    await world.loader.coin("xyz:SP500")
    assert ["meta xyz"] == world.asked()


async def test_the_markets_of_a_dex_are_loaded_again_before_an_order_after_an_hour(world: World) -> None:
    """A builder may make his dex anew; a name alone is good for a day."""
    await world.loader.asset("xyz:SP500")
    world.asked()
    world.now += 3600
    await world.loader.asset("xyz:SP500")
    assert [] == world.asked()
    world.now += 1
    await world.loader.coin("xyz:SP500")
    await world.loader.asset("BTC")
    assert [] == world.asked()
    await world.loader.asset("xyz:SP500")
    assert ["meta xyz"] == world.asked()
    world.requester.script["meta xyz"] = Refused("503")
    world.now += 3601
    assert 110001 == (await world.loader.asset("xyz:SP500")).id
    assert ["meta xyz"] == world.asked()


async def test_the_markets_of_a_dex_are_loaded_again_when_the_list_of_dexes_has_changed(world: World) -> None:
    """At once, though they were loaded less than a minute ago."""
    world.now -= DAY
    await world.loader.universe()
    world.now += DAY
    await world.loader.asset("xyz:SP500")
    world.asked()
    world.requester.script["perpDexs"] = Answered([None, {"name": "xyz"}, None, {"name": "new"}])
    world.now += 1
    await world.loader.asset("xyz:SP500")
    assert [*VENUE, "meta xyz"] == world.asked()


def metas(*names: str) -> Answered[Any]:
    return Answered({"universe": [{"name": name, "szDecimals": 2} for name in names]})


async def test_an_asset_whose_number_changes_is_not_signed_by_and_told_once(world: World) -> None:
    """It would be an order in another market; what stayed is served, and so are names."""
    world.requester.script["meta"] = metas("BTC", "ETH", "SOL")
    await world.loader.asset("ETH")
    world.requester.script["meta"] = metas("ETH", "BTC", "SOL")
    for _ in range(2):
        world.now += DAY + 1
        for name in ("ETH", "BTC", 0):
            with pytest.raises(
                UniverseError, match=r"had the asset id (0|1), and the venue now gives it (0|1)"
            ):
                await world.loader.asset(name)
    assert [{"BTC": (0, 1), "ETH": (1, 0)}] == world.moved
    assert 2 == (await world.loader.asset("SOL")).id
    assert "ETH" == await world.loader.coin("ETH")
    world.requester.script["meta"] = metas("BTC", "ETH", "SOL")
    world.now += DAY + 1
    assert 1 == (await world.loader.asset("ETH")).id


async def test_a_dex_that_was_made_anew_is_not_signed_by_its_old_or_new_numbers(world: World) -> None:
    """Also where the dex was gone in between."""
    await world.loader.asset("xyz:SP500")
    world.requester.script["perpDexs"] = Answered([None])
    world.now += DAY + 1
    await world.loader.universe()
    del world.requester.script["perpDexs"]
    world.requester.script["meta xyz"] = metas("xyz:NEW", "xyz:XYZ100", "xyz:SP500")
    world.now += DAY + 1
    with pytest.raises(UniverseError, match=r"xyz:SP500 had the asset id 110001, .* gives it 110002"):
        await world.loader.asset("xyz:SP500")
    assert 110000 == (await world.loader.asset("xyz:NEW")).id


async def test_a_pair_that_another_pair_shares_its_name_with_has_not_moved(world: World) -> None:
    """Its own name is as good as before."""
    await world.loader.asset("HYPE/USDC")
    spot = {**SPOT_META, "universe": [*SPOT_META["universe"], pair(300, 150, 0)]}
    world.requester.script["spotMeta"] = Answered(spot)
    world.now += DAY + 1
    assert [10107, 10300] == [(await world.loader.asset(name)).id for name in ("@107", "@300")]
    assert [] == world.moved


async def test_a_restart_does_not_forget_that_a_number_has_changed(on_disk: World) -> None:
    """Until a person has removed the file, of which the error tells."""
    on_disk.requester.script["meta"] = metas("BTC", "ETH")
    await on_disk.loader.asset("ETH")
    on_disk.requester.script["meta"] = metas("ETH", "BTC")
    on_disk.now += DAY + 1
    for _ in range(2):
        with pytest.raises(UniverseError, match=f"remove {on_disk.path} and start anew"):
            await on_disk.loader.asset("ETH")
        on_disk.restart()
    assert on_disk.path is not None
    on_disk.path.unlink()
    on_disk.restart()
    assert 0 == (await on_disk.loader.asset("ETH")).id


async def test_a_clock_that_went_back_makes_the_universe_old(world: World) -> None:
    await world.loader.asset("BTC")
    world.asked()
    world.now -= 8 * DAY
    await world.loader.asset("BTC")
    assert VENUE == world.asked()


async def test_an_unknown_name_loads_anew_but_not_twice_a_minute(world: World) -> None:
    await world.loader.asset("BTC")
    world.asked()
    with pytest.raises(UnknownAssetError):
        await world.loader.asset("BTD")
    assert [] == world.asked()
    world.now += 60
    with pytest.raises(UnknownAssetError, match=r"no asset 'BTD'; did you mean BTC\?"):
        await world.loader.asset("BTD")
    assert VENUE == world.asked()
    world.now += 59
    with pytest.raises(UnknownAssetError):
        await world.loader.token("BTD")
    assert [] == world.asked()


async def test_many_callers_of_an_unknown_name_load_once(world: World) -> None:
    await world.loader.asset("BTC")
    world.asked()
    world.now += 60
    world.requester.gate = anyio.Event()

    async def ask() -> None:
        with pytest.raises(UnknownAssetError):
            await world.loader.coin("BTD")

    async with anyio.create_task_group() as callers:
        for _ in range(5):
            callers.start_soon(ask)
        await wait_all_tasks_blocked()
        world.requester.gate.set()
    assert VENUE == world.asked()


async def test_a_market_that_was_listed_since_is_found(world: World) -> None:
    await world.loader.asset("xyz:SP500")
    world.now += 60
    world.asked()
    listed = [{"name": f"xyz:{name}", "szDecimals": 2} for name in ("XYZ100", "SP500", "GOLD", "NEW")]
    world.requester.script["meta xyz"] = Answered({"universe": listed})
    assert 110003 == (await world.loader.asset("xyz:NEW")).id
    assert ["meta xyz"] == world.asked()


async def test_a_dex_that_was_listed_since_is_found(world: World) -> None:
    await world.loader.asset("BTC")
    world.now += 60
    world.asked()
    world.requester.script["perpDexs"] = Answered([None, {"name": "xyz"}, {"name": "abc"}])
    world.requester.script["meta abc"] = Answered({"universe": [{"name": "abc:X", "szDecimals": 2}]})
    assert 120000 == (await world.loader.asset("abc:X")).id
    assert [*VENUE, "meta abc"] == world.asked()


async def test_a_dex_that_the_venue_ended_is_forgotten(world: World) -> None:
    await world.loader.asset("xyz:SP500")
    world.requester.script["perpDexs"] = Answered([None])
    world.now += DAY + 1
    with pytest.raises(UnknownAssetError):
        await world.loader.asset("xyz:SP500")
    assert 0 == (await world.loader.asset("BTC")).id


async def test_an_ambiguous_name_is_refused_without_asking_again(world: World) -> None:
    perps = [{"name": name, "szDecimals": 2} for name in ("kX", "KX")]
    world.requester.script["meta"] = Answered({"universe": perps})
    await world.loader.asset("kX")
    world.now += 60
    world.asked()
    with pytest.raises(AmbiguousAssetError):
        await world.loader.asset("kx")
    assert [] == world.asked()


async def test_an_old_universe_serves_for_names_and_for_a_week_for_signing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.loader.asset("xyz:SP500")
    for query in ("meta", "meta xyz"):
        world.requester.script[query] = Refused("503")
    world.now += 7 * DAY
    assert 0 == (await world.loader.asset("BTC")).id
    assert 110001 == (await world.loader.asset("xyz:SP500")).id
    assert 2 == len(warnings(caplog))
    world.now += 1
    for name in ("BTC", "@107", "xyz:SP500"):
        with pytest.raises(UniverseError, match=r"the venue refused meta: 503; .* 7 days old") as caught:
            await world.loader.asset(name)
        assert Refused("503") == caught.value.outcome
    with pytest.raises(UniverseError, match="7 days old"):
        await world.loader.token("HYPE")
    assert "xyz:SP500" == await world.loader.coin("XYZ:SP500")
    assert 10107 == (await world.loader.universe()).asset("@107").id


async def test_a_dex_that_is_too_old_is_not_signed_by_although_the_rest_is_fresh(world: World) -> None:
    await world.loader.asset("xyz:SP500")
    world.requester.script["meta xyz"] = Unknown("the socket was lost")
    world.now += 7 * DAY + 1
    assert 0 == (await world.loader.asset("BTC")).id
    with pytest.raises(UniverseError, match="no answer came to meta of the dex xyz"):
        await world.loader.asset("xyz:SP500")


async def test_a_refresh_that_fails_is_not_tried_again_within_a_minute(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.loader.asset("BTC")
    world.requester.script["meta"] = Refused("503")
    world.now += 2 * DAY
    world.asked()
    for _ in range(3):
        await world.loader.asset("BTC")
    assert ["meta"] == world.asked()
    assert 1 == len(warnings(caplog))
    world.now += 60
    await world.loader.asset("BTC")
    assert ["meta"] == world.asked()


async def test_a_refresh_that_fails_leaves_an_unknown_name_unknown(world: World) -> None:
    await world.loader.asset("BTC")
    world.requester.script["meta"] = Refused("503")
    world.now += 60
    with pytest.raises(UnknownAssetError):
        await world.loader.asset("BTD")


async def test_a_restart_reads_the_file_and_asks_nothing(on_disk: World) -> None:
    await on_disk.loader.asset("xyz:SP500")
    on_disk.asked()
    on_disk.restart()
    assert () == on_disk.loader.nearest("BTD")
    assert 110001 == (await on_disk.loader.asset("xyz:SP500")).id
    assert 10107 == (await on_disk.loader.asset("HYPE/USDC")).id
    assert (await on_disk.loader.asset("MATIC")).delisted
    assert 8 == (await on_disk.loader.token("HYPE")).wei_decimals
    assert [] == on_disk.asked()


async def test_the_file_is_the_owner_s_alone_and_bears_its_version(on_disk: World) -> None:
    await on_disk.loader.universe()
    assert on_disk.path is not None
    assert ["universe.json"] == [path.name for path in on_disk.path.parent.iterdir()]
    assert 0o600 == stat.S_IMODE(on_disk.path.stat().st_mode)
    kept = json.loads(on_disk.path.read_text())
    assert (1, "wss://one", on_disk.now) == (kept["version"], kept["source"], kept["venue"]["at"])


async def test_an_old_file_is_refreshed_and_serves_where_that_fails(on_disk: World) -> None:
    await on_disk.loader.asset("BTC")
    on_disk.asked()
    on_disk.now += DAY + 1
    on_disk.restart()
    on_disk.requester.script["spotMeta"] = Refused("503")
    assert 0 == (await on_disk.loader.asset("BTC")).id
    assert ["meta", "spotMeta"] == on_disk.asked()
    del on_disk.requester.script["spotMeta"]
    on_disk.now += 60
    await on_disk.loader.asset("BTC")
    on_disk.restart()
    on_disk.asked()
    await on_disk.loader.asset("BTC")
    assert [] == on_disk.asked()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"kPEPE", b"kPEP\xff"),
        lambda content: b"[]",
        lambda content: content.replace(b'"szDecimals":5', b'"szDecimals":"5"'),
        lambda content: content.replace(b'"index":107', b'"index":207'),
    ],
    ids=["empty", "half", "not UTF-8", "another document", "wrong type", "contradiction"],
)
async def test_a_damaged_file_is_set_aside_with_a_warning_and_the_universe_loaded_anew(
    on_disk: World, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    await on_disk.loader.asset("BTC")
    on_disk.asked()
    assert on_disk.path is not None
    damaged = damage(on_disk.path.read_bytes())
    on_disk.path.write_bytes(damaged)
    on_disk.restart()
    assert 10107 == (await on_disk.loader.asset("HYPE/USDC")).id
    assert VENUE == on_disk.asked()
    assert damaged == on_disk.path.with_name("universe.json.damaged").read_bytes()
    assert 1 == len(warnings(caplog))
    on_disk.restart()
    await on_disk.loader.asset("BTC")
    assert [] == on_disk.asked()


@pytest.mark.parametrize("member", ["version", "source"])
async def test_a_file_of_another_format_or_venue_is_replaced(
    on_disk: World, caplog: pytest.LogCaptureFixture, member: str
) -> None:
    """A testnet's numbers are other assets: they are never used for the mainnet."""
    await on_disk.loader.asset("BTC")
    on_disk.asked()
    assert on_disk.path is not None
    kept = json.loads(on_disk.path.read_text())
    kept[member] = 2 if member == "version" else "wss://two"
    on_disk.path.write_text(json.dumps(kept))
    on_disk.restart()
    await on_disk.loader.asset("BTC")
    assert VENUE == on_disk.asked()
    assert [] == warnings(caplog)
    assert "wss://one" == json.loads(on_disk.path.read_text())["source"]


async def test_a_directory_that_is_not_there_costs_the_copy_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path / "missing" / "universe.json")
    assert 0 == (await world.loader.asset("BTC")).id
    assert 1 == len(warnings(caplog))
    assert "could not be kept" in warnings(caplog)[0]


async def test_a_path_that_is_no_file_costs_the_copy_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    assert 0 == (await world.loader.asset("BTC")).id
    assert ["cannot be read", "could not be kept"] == [
        words
        for line in warnings(caplog)
        for words in ("cannot be read", "could not be kept")
        if words in line
    ]


async def test_a_cancelled_load_is_not_counted_as_tried(world: World) -> None:
    """Otherwise the next caller would be served an old universe without a try."""
    await world.loader.asset("BTC")
    world.asked()
    world.now += 2 * DAY
    world.requester.gate = anyio.Event()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as callers:
            callers.start_soon(world.loader.asset, "BTC")
            await wait_all_tasks_blocked()
            scope.cancel()
            await checkpoint()
    world.requester.gate = None
    assert ["meta"] == world.asked()
    await world.loader.asset("BTC")
    assert VENUE == world.asked()
