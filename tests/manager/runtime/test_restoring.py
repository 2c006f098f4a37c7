"""Restoring: what comes back after a process that was killed, again and again, and what does not."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.runtime import restoring
from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.ledger import Ledger
from wsmgr.manager.runtime.store_client import list_events, list_gaps
from wsmgr.manager.store import queries
from wsmgr.manager.store.changes import (
    FLUSHED,
    SILENT,
    AddEvent,
    AddGap,
    Change,
    Mark,
    PutMetrics,
    PutSubscription,
    apply,
)
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import read_desired
from wsmgr.manager.store.history import ENDED, EventsAsked, GapsAsked
from wsmgr.manager.store.recovery import recover
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, SubscriptionRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NOWHERE = "ws://127.0.0.1:9/ws"
ALIVE_UNTIL = 1_700_000_000.0
SNAPSHOT_NAMES = ("wsmgr.db", "wsmgr.db-wal", "desired.json", "state.json")


async def connect(*_: object) -> Any:
    """Nothing is dialled here."""
    raise NotImplementedError


def book(coin: str = "BTC", **values: Any) -> SubscriptionRow:
    """Return the row of a book that was live; its id is the one that its key determines."""
    from wsmgr.manager.model.subscription_key import subscription_id

    key = f"hyperliquid/l2Book?coin={coin}"
    given: dict[str, Any] = {
        "id": subscription_id(key),
        "venue": "hyperliquid",
        "type": "l2Book",
        "key": key,
        "params": {"coin": coin},
        "connection_class": "shared",
        "kept": True,
        "state": "live",
        "epoch": 4,
        "subscribed_at": 1_600_000_000.0,
        "updated_at": 1_600_000_000.0,
    }
    return SubscriptionRow(**{**given, **values})


def was_live(row: SubscriptionRow) -> list[Change]:
    metrics = MetricsRow(subscription_id=row.id, message_count=9, live_seconds=60.0)
    return [PutSubscription(row), PutMetrics([metrics])]


def leave(state_dir: Path, *changes: Change) -> None:
    """Leave what a process wrote that was killed."""
    directory = StateDirectory(state_dir)
    directory.prepare()
    recovery = recover(directory)
    with recovery.database.transaction():
        apply(recovery.database, [*changes, Mark(FLUSHED, ALIVE_UNTIL)])
    recovery.database.close()


def kill(state_dir: Path, to: Path) -> None:
    """Take the files of a manager that runs as `kill -9` would leave them."""
    to.mkdir(mode=0o700)
    for name in SNAPSHOT_NAMES:
        if (state_dir / name).exists():
            shutil.copy(state_dir / name, to / name)


def rows(state_dir: Path) -> tuple[list[SubscriptionRow], list[GapRow]]:
    with closing(Database.read_only(state_dir / "wsmgr.db")) as database:
        return queries.list_subscriptions(database), queries.list_gaps(database)


async def known_gaps(manager: Manager) -> list[GapRow]:
    return await list_gaps(manager.engine.context, GapsAsked())


async def test_a_gap_over_kills_is_one_row_since_the_last_flush(tmp_path: Path) -> None:
    """However often the process is killed before the stream was live again; each life has a numbering of its own."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    row = book()
    leave(first, *was_live(row))
    async with Manager(url=NOWHERE, state_dir=first) as manager:
        (gap,) = await known_gaps(manager)
        kill(first, second)
    async with Manager(url=NOWHERE, state_dir=second) as manager:
        assert [gap] == await known_gaps(manager)
        kill(second, third)
    found, gaps = rows(third)
    expected = GapRow(id=1, subscription_id=row.id, started_at=ALIVE_UNTIL, reason=restoring.RESTARTED)
    assert [expected] == gaps == [gap]
    assert [6] == [each.epoch for each in found]
    async with Manager(url=NOWHERE, state_dir=third) as manager:
        entry = manager.engine.context.registry.entry(row.id)
        assert 7 == entry.epoch
        assert entry.interruption is not None
        assert (ALIVE_UNTIL, restoring.RESTARTED) == (entry.interruption.since, entry.interruption.reason)
        assert 9 == entry.counters.messages


async def test_a_gap_over_a_kill_begins_when_its_socket_fell_silent(tmp_path: Path) -> None:
    """Also at the next start, where this one is killed before the gap is on the disk; the other streams had been heard."""
    silent, heard = book(), book("ETH")
    silent_since = ALIVE_UNTIL - 17.0
    leave(tmp_path / "state", *was_live(silent), *was_live(heard), Mark(f"{SILENT}{silent.id}", silent_since))
    for _ in range(2):
        context = Context(Clock(lambda: 0.0, lambda: ALIVE_UNTIL + 60.0), connect)  # type: ignore[arg-type]
        ledger = Ledger(context)
        context.on_note = ledger.take
        directory = StateDirectory(tmp_path / "state")
        with closing(Database.open(directory.database)) as database:
            ledger.restore(database)
            assert {silent.id: silent_since} == queries.silent_since(database)
        begun = {gap.subscription_id: gap.started_at for gap in ledger.history.gaps(GapsAsked(), None)}
        assert {silent.id: silent_since, heard.id: ALIVE_UNTIL} == begun


async def test_the_marks_of_an_earlier_process_go_when_its_gaps_are_written(tmp_path: Path) -> None:
    """In the same transaction: until then they alone say where a gap begins. Also those of what is not wanted again."""
    row, held = book(), book("ETH", kept=False)
    marks = [Mark(f"{SILENT}{each.id}", ALIVE_UNTIL - 17.0) for each in (row, held)]
    leave(tmp_path / "state", *was_live(row), *was_live(held), *marks)
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state") as manager:
        (gap,) = await known_gaps(manager)
    with closing(Database.read_only(tmp_path / "state" / "wsmgr.db")) as database:
        assert {} == queries.silent_since(database)
        assert (queries.flushed_at(database) or 0.0) > ALIVE_UNTIL
        assert [gap] == queries.list_gaps(database)
    assert ALIVE_UNTIL - 17.0 == gap.started_at


async def test_the_new_numbering_is_on_the_disk_before_anybody_can_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed in its first second has used a numbering that the next one must not use again."""
    leave(tmp_path / "state", *was_live(book()))
    seen: list[int] = []

    def stop(database: Database, *_: object) -> None:
        write_epochs(database, *_)  # type: ignore[arg-type]
        with closing(Database.read_only(tmp_path / "state" / "wsmgr.db")) as other:
            seen.extend(each.epoch for each in queries.list_subscriptions(other))

    write_epochs = restoring._write_epochs
    monkeypatch.setattr(restoring, "_write_epochs", stop)
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state"):
        assert [5] == seen


async def test_a_numbering_that_cannot_be_written_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start is refused, and says what to do."""
    leave(tmp_path / "state", *was_live(book()))

    def fail(database: Database, _changes: object) -> None:
        database.tables.execute("PRAGMA query_only = 1")
        database.tables.execute("DELETE FROM marks")

    monkeypatch.setattr(restoring, "apply", fail)
    with pytest.raises(StateDirectoryError, match="check that the disk has space"):
        async with Manager(url=NOWHERE, state_dir=tmp_path / "state"):
            pass


async def test_a_subscription_comes_back_as_it_was_asked_for(tmp_path: Path) -> None:
    """On its own connection, on two sockets: from the database, and from the copy where that is all there is."""
    leave(tmp_path / "state", PutSubscription(book(redundancy=2, dedicated=True, owner="desk")))
    for _ in range(2):
        async with Manager(url=NOWHERE, state_dir=tmp_path / "state") as manager:
            (entry,) = manager.engine.context.registry.entries.values()
            assert (2, True, "desk", True) == (entry.redundancy, entry.dedicated, entry.owner, entry.kept)
        copied = read_desired(tmp_path / "state" / "desired.json") or ()
        assert [(2, True)] == [(one.redundancy, one.dedicated) for one in copied]
        (tmp_path / "state" / "wsmgr.db").unlink()


async def test_what_was_held_ends_with_its_process_and_so_does_its_gap(tmp_path: Path) -> None:
    """A gap that a killed process left open for one that is not wanted again is closed at the last proof of life."""
    row = book(kept=False)
    gap = GapRow(id=3, subscription_id=row.id, started_at=ALIVE_UNTIL - 20.0, reason="connection lost")
    leave(tmp_path / "state", *was_live(row), AddGap(gap))
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state") as manager:
        assert [] == manager.list_subscriptions()
        events = await list_events(manager.engine.context, EventsAsked(kind="closed"))
        assert [row.id] == [event.subscription_id for event in events]
    subscriptions, gaps = rows(tmp_path / "state")
    assert [] == subscriptions
    found = [(each.id, each.ended_at, each.duration_seconds, each.reason, each.open_because) for each in gaps]
    assert [(3, ALIVE_UNTIL, 20.0, "connection lost", ENDED)] == found


async def test_such_a_gap_ends_no_sooner_than_the_last_that_was_written_down(tmp_path: Path) -> None:
    """A process that heard nothing for a while may have written down why: then it was alive."""
    row = book(kept=False)
    gap = GapRow(id=3, subscription_id=row.id, started_at=ALIVE_UNTIL, reason="connection lost")
    event = EventRow(id=7, at=ALIVE_UNTIL + 4.0, level="warning", kind="connection_lost")
    leave(tmp_path / "state", *was_live(row), AddGap(gap), AddEvent(event))
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state"):
        pass
    _, (found,) = rows(tmp_path / "state")
    assert (ALIVE_UNTIL + 4.0, 4.0) == (found.ended_at, found.duration_seconds)


async def test_a_gap_that_was_left_open_after_its_subscriptions_end_is_closed(tmp_path: Path) -> None:
    """Killed between the end of a subscription and the end of its gap; also where not even its row is left."""
    row = book(state="closed", updated_at=ALIVE_UNTIL - 5.0)
    left = GapRow(id=3, subscription_id=row.id, started_at=ALIVE_UNTIL - 20.0, reason="connection lost")
    nobodys = GapRow(id=4, subscription_id="purged", started_at=ALIVE_UNTIL - 20.0, reason="connection lost")
    leave(tmp_path / "state", PutSubscription(row), AddGap(left), AddGap(nobodys))
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state"):
        pass
    _, gaps = rows(tmp_path / "state")
    assert [(4, ALIVE_UNTIL), (3, ALIVE_UNTIL - 5.0)] == [(each.id, each.ended_at) for each in gaps]


async def test_of_several_open_gaps_the_newest_goes_on(tmp_path: Path) -> None:
    """A crash may have kept an older one from being closed: it ended when the next began."""
    row = book()
    older = GapRow(id=3, subscription_id=row.id, started_at=100.0, reason="connection lost")
    newer = GapRow(id=4, subscription_id=row.id, started_at=200.0, reason="connection lost again")
    leave(tmp_path / "state", *was_live(row), AddGap(older), AddGap(newer))
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state") as manager:
        assert [(4, None), (3, 200.0)] == [(each.id, each.ended_at) for each in await known_gaps(manager)]
        interruption = manager.engine.context.registry.entry(row.id).interruption
        assert interruption is not None
        assert (200.0, "connection lost again") == (interruption.since, interruption.reason)


async def test_what_cannot_be_wanted_again_is_interrupted_until_it_can(tmp_path: Path) -> None:
    """A venue that is missing in the configuration for a day: the gap begins where the stream ended, not where it is back."""
    row = book(venue="desk", key="desk/l2Book?coin=BTC", id="deskdeskde")
    leave(tmp_path / "state", *was_live(row))
    async with Manager(url=NOWHERE, state_dir=tmp_path / "state") as manager:
        assert [] == manager.list_subscriptions()
        events = await list_events(manager.engine.context, EventsAsked(kind="not_restored"))
        assert [row.id] == [event.subscription_id for event in events]
    for _ in range(2):
        async with Manager(url=NOWHERE, state_dir=tmp_path / "state") as manager:
            gaps = await known_gaps(manager)
            assert [(row.id, ALIVE_UNTIL, None)] == [
                (each.subscription_id, each.started_at, each.ended_at) for each in gaps
            ]
    (stored,), _ = rows(tmp_path / "state")
    assert (True, "live") == (stored.kept, stored.state)
