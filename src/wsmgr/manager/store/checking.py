"""Checking: whether a state directory is whole, also beside a daemon that is writing it.

Nothing is changed and nobody is kept waiting: the database is read from a snapshot of its own. What is found is said in
words, with what the next start of a daemon would do about it.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import schema
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import DesiredSubscription, read_desired
from wsmgr.manager.store.errors import CorruptDatabaseError, MissingDatabaseError
from wsmgr.manager.store.queries import flushed_at, list_desired
from wsmgr.manager.store.recovery import Found, decide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsmgr.manager.store.state_directory import StateDirectory

MAX_FINDINGS: Final = 20
"""How many findings of SQLite's integrity check are told."""
GLANCES: Final = 5
"""How often the copy is looked at before it is said to differ: a daemon writes it a moment after the database."""
GLANCE_DELAY: Final = 0.2
UNUSABLE: Final = "unusable"
AGREES: Final = "agrees"
DIFFERS: Final = "differs"


class Report(msgspec.Struct, kw_only=True):
    """What a check found.

    Attributes:
        ok: Whether there is no problem.
        state_dir: The directory.
        daemon: The process id of the manager that holds it, or None.
        database: `good`, `missing` or `damaged`; `unusable` where it is not one that this version may open.
        version: The number of its last migration, or None where it cannot be read.
        known_version: The number of the last migration that this version has.
        bytes: How large its file is.
        kept: How many subscriptions must be made live again, as the database says; None where it cannot be read.
        as_of: To when it is complete: the last flush of the manager that wrote it.
        copy: `missing`, `damaged`, `differs`, or `agrees`, also where the database cannot be read: nothing contradicts it.
        marker: Whether `state.json` stands.
        next_start: What a daemon would start from: `database`, `copy`, `new` (empty), or `refused`.
        problems: What is wrong, in words.
        notes: What is not wrong, and good to know.
    """

    ok: bool = True
    state_dir: str
    daemon: int | None = None
    database: str = Found.MISSING.value
    version: int | None = None
    known_version: int = schema.VERSION
    bytes: int = 0
    kept: int | None = None
    as_of: datetime | None = None
    copy: str = Found.MISSING.value
    marker: bool = False
    next_start: str = "new"
    problems: list[str] = msgspec.field(default_factory=list[str])
    notes: list[str] = msgspec.field(default_factory=list[str])


def check(directory: StateDirectory, *, sleep: Callable[[float], None] = time.sleep) -> Report:
    """Look at everything in a state directory and change nothing; a daemon may be writing it.

    Args:
        directory: The state directory.
        sleep: Waits between two looks at a copy that differs.
    """
    report = Report(
        state_dir=str(directory.path), marker=directory.marker.exists(), daemon=directory.holder()
    )
    condition = _check_database(directory.database, report)
    copied = _check_copy(directory, report, sleep)
    source = decide(database=condition, copy=copied, marker=report.marker)
    if report.database == UNUSABLE or source is None:
        report.next_start = "refused"
    else:
        report.next_start = source.value
    if condition is Found.MISSING and (report.marker or copied is not Found.MISSING):
        report.problems.append("the database is missing or empty, and there was one")
    if condition is Found.GOOD and not report.marker:
        report.problems.append(
            "state.json is missing: without it a lost database would pass for a first start"
        )
    report.ok = not report.problems
    return report


def _check_database(path: Path, report: Report) -> Found:
    condition = _examined(path, report)
    report.database = report.database if report.database == UNUSABLE else condition.value
    return condition


def _examined(path: Path, report: Report) -> Found:
    try:
        report.bytes = path.stat().st_size
        database = Database.inspect(path)
    except (FileNotFoundError, NotADirectoryError, MissingDatabaseError):
        return Found.MISSING
    except CorruptDatabaseError as error:
        report.problems.append(str(error))
        return Found.DAMAGED
    except (StateDirectoryError, OSError) as error:
        report.problems.append(str(error))
        report.database = UNUSABLE
        return Found.DAMAGED
    try:
        return _read(database, report)
    except sqlite3.Error as error:
        report.problems.append(f"{path} cannot be read: {error}")
        return Found.DAMAGED
    finally:
        database.close()


def _read(database: Database, report: Report) -> Found:
    report.version = schema.version_of(database.tables)
    findings = database.tables.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall()
    if findings != [("ok",)]:
        report.problems += [f"the database is damaged: {finding}" for (finding,) in findings]
        return Found.DAMAGED
    if report.version > schema.VERSION:
        report.problems.append(
            f"the database has version {report.version}, this wsmgr has {schema.VERSION}; use the wsmgr that wrote it,"
            " or a newer one"
        )
        report.database = UNUSABLE
        return Found.DAMAGED
    if report.version < schema.VERSION:
        report.notes.append(
            f"the database has version {report.version}, this wsmgr has {schema.VERSION}; `wsmgr db migrate` or the"
            " next start migrates it, after a copy"
        )
        return Found.GOOD
    missing = schema.TABLES - set(database.tables.table_names())
    if missing:
        report.problems.append(f"the database is damaged: it has no table {', '.join(sorted(missing))}")
        return Found.DAMAGED
    at = flushed_at(database)
    report.as_of = None if at is None else datetime.fromtimestamp(at, UTC)
    report.kept = len(list_desired(database))
    return Found.GOOD


def _check_copy(directory: StateDirectory, report: Report, sleep: Callable[[float], None]) -> Found:
    problem = _glance(directory, report)
    for _ in range(GLANCES - 1):
        if report.copy != DIFFERS:
            break
        sleep(GLANCE_DELAY)
        problem = _glance(directory, report)
    if problem is not None:
        report.problems.append(problem)
    return Found(report.copy) if report.copy in {Found.MISSING.value, Found.DAMAGED.value} else Found.GOOD


def _glance(directory: StateDirectory, report: Report) -> str | None:
    """Compare the copy with the database once; returns what is wrong."""
    try:
        copied = read_desired(directory.desired)
    except StateDirectoryError as error:
        report.copy = Found.DAMAGED.value
        return str(error)
    if copied is None:
        report.copy = Found.MISSING.value
        return None if report.kept is None else "desired.json is missing; a daemon writes it anew"
    report.copy = AGREES
    if report.kept is None:
        return None
    wanted = _wanted(directory.database)
    report.kept = len(wanted)
    if wanted == {one.id: one for one in copied}:
        return None
    report.copy = DIFFERS
    return (
        "desired.json does not say what the database says: it holds"
        f" {len(copied)} subscriptions, the database {len(wanted)}; a daemon writes it anew"
    )


def _wanted(path: Path) -> dict[str, DesiredSubscription]:
    database = Database.inspect(path)
    try:
        return {row.id: DesiredSubscription.of(row) for row in list_desired(database)}
    finally:
        database.close()
