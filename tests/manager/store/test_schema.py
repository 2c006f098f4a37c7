"""Tables and migrations."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.store import schema
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, Row, SampleRow, SubscriptionRow, columns
from wsmgr.manager.store.schema import MIGRATIONS, Migration, migrate, version_of
from wsmgr.manager.store.sql import MEMORY, open_tables

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = Migration(
    number=schema.VERSION + 1,
    what="breaks halfway",
    sql="CREATE TABLE more (a); INSERT INTO more VALUES (1); INSERT INTO missing VALUES (1);",
)


@pytest.mark.parametrize("row", [SubscriptionRow, MetricsRow, SampleRow, GapRow, EventRow])
def test_each_row_has_the_columns_of_its_table(database: Database, row: type[Row]) -> None:
    """What is read by column name is all that the table holds: no column is written and never read, or the reverse."""
    found = database.tables.execute(f"SELECT name FROM pragma_table_info('{row.TABLE}')").fetchall()

    assert columns(row) == tuple(name for (name,) in found)


def test_migrations_are_numbered_from_one_without_a_hole() -> None:
    """A file's version says exactly which migrations it has."""
    assert list(range(1, len(MIGRATIONS) + 1)) == [migration.number for migration in MIGRATIONS]


def test_a_migration_is_applied_once() -> None:
    """Opening a database again changes nothing."""
    tables = open_tables(MEMORY)

    assert tuple(migration.number for migration in MIGRATIONS) == migrate(tables)
    assert () == migrate(tables)
    tables.close()


def test_a_migration_that_fails_leaves_the_version_before_it() -> None:
    """A crash or an error in the middle of a migration leaves a database that the old version still opens."""
    tables = open_tables(MEMORY)

    with pytest.raises(sqlite3.OperationalError):
        migrate(tables, (*MIGRATIONS, BROKEN))

    assert (schema.VERSION, False) == (version_of(tables), "more" in tables.table_names())
    tables.close()


def test_an_older_file_is_copied_before_it_is_migrated(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes back to the version before finds the file as that version left it."""
    database.tables.execute("INSERT INTO marks VALUES ('written before', 1)")
    database.close()
    more = Migration(number=schema.VERSION + 1, what="one table more", sql="CREATE TABLE more (a);")
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, more))
    monkeypatch.setattr(schema, "VERSION", more.number)
    monkeypatch.setattr(migrate, "__defaults__", ((*MIGRATIONS, more),))

    newer = Database.open(path, now=0.0)

    (copy,) = path.parent.glob("wsmgr.db.before-*")
    before = sqlite3.connect(copy)
    kept = before.execute("SELECT name FROM marks").fetchall()
    version = before.execute("PRAGMA user_version").fetchone()[0]
    before.close()
    assert ((more.number,), more.number) == (newer.migrated, version_of(newer.tables))
    assert (f"wsmgr.db.before-{more.number}-19700101T000000Z", [("written before",)], more.number - 1) == (
        copy.name,
        kept,
        version,
    )
    newer.close()
