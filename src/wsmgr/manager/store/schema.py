"""The schema, as numbered migrations.

A migration is data: its number, what it does, its SQL. The number of the last one applied is the file's `user_version`;
it is written in the transaction that applies the migration, so a file always is at exactly one number. A migration that
was released is never edited; the next change is the next number.

Ids outlive rows (a subscription's id is derived from its key, so that its history returns with it): history is therefore
not a child of its subscription, and no table has a foreign key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.store.sql import Tables

APPLICATION_ID = 0x77736D67
"""`wsmg`, in the file's header: says that a SQLite file is one of wsmgr's."""


@frozen(kw_only=True)
class Migration:
    """One change of the schema.

    Attributes:
        number: Its place, from 1.
        what: What it does, in words.
        sql: Its statements.
    """

    number: int
    what: str
    sql: str


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        number=1,
        what="subscriptions, metrics, samples, gaps, events, marks",
        sql="""
        CREATE TABLE subscriptions (
            id TEXT PRIMARY KEY NOT NULL,
            venue TEXT NOT NULL,
            type TEXT NOT NULL,
            key TEXT NOT NULL UNIQUE,
            params TEXT NOT NULL CHECK (json_valid(params)),
            connection_class TEXT NOT NULL,
            kept INTEGER NOT NULL CHECK (kept IN (0, 1)),
            owner TEXT,
            state TEXT NOT NULL,
            error TEXT,
            epoch INTEGER NOT NULL DEFAULT 0,
            subscribed_at REAL NOT NULL,
            updated_at REAL NOT NULL
        );
        CREATE TABLE metrics (
            subscription_id TEXT PRIMARY KEY NOT NULL,
            message_count INTEGER NOT NULL DEFAULT 0,
            byte_count INTEGER NOT NULL DEFAULT 0,
            first_message_at REAL,
            last_message_at REAL,
            messages_per_minute REAL NOT NULL DEFAULT 0,
            uptime_seconds REAL NOT NULL DEFAULT 0,
            live_seconds REAL NOT NULL DEFAULT 0,
            availability REAL NOT NULL DEFAULT 0,
            reconnects INTEGER NOT NULL DEFAULT 0,
            gap_count INTEGER NOT NULL DEFAULT 0,
            gap_seconds REAL NOT NULL DEFAULT 0,
            dropped INTEGER NOT NULL DEFAULT 0,
            duplicates INTEGER NOT NULL DEFAULT 0,
            lag_p50_ms REAL,
            lag_p99_ms REAL
        ) WITHOUT ROWID;
        CREATE TABLE samples (
            subscription_id TEXT NOT NULL,
            at REAL NOT NULL,
            resolution TEXT NOT NULL CHECK (resolution IN ('1m', '1h')),
            messages INTEGER NOT NULL DEFAULT 0,
            bytes INTEGER NOT NULL DEFAULT 0,
            dropped INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (subscription_id, resolution, at)
        ) WITHOUT ROWID;
        CREATE TABLE gaps (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            subscription_id TEXT NOT NULL,
            connection TEXT,
            started_at REAL NOT NULL,
            ended_at REAL,
            duration_seconds REAL,
            reason TEXT NOT NULL,
            missing INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0,
            healed_by TEXT
        );
        CREATE INDEX gaps_of_subscription ON gaps (subscription_id, id);
        CREATE INDEX gaps_open ON gaps (id) WHERE ended_at IS NULL;
        CREATE INDEX gaps_by_end ON gaps (ended_at);
        CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at REAL NOT NULL,
            level TEXT NOT NULL,
            kind TEXT NOT NULL,
            actor TEXT,
            connection TEXT,
            subscription_id TEXT,
            detail TEXT NOT NULL CHECK (json_valid(detail))
        );
        CREATE INDEX events_by_time ON events (at);
        CREATE INDEX events_of_subscription ON events (subscription_id, id) WHERE subscription_id IS NOT NULL;
        CREATE TABLE marks (
            name TEXT PRIMARY KEY NOT NULL,
            at REAL NOT NULL
        ) WITHOUT ROWID;
        """,
    ),
    Migration(
        number=2,
        what="what proved or healed a gap, and how a subscription was asked for",
        sql="""
        ALTER TABLE gaps ADD COLUMN proof TEXT;
        ALTER TABLE gaps ADD COLUMN open_because TEXT;
        ALTER TABLE gaps ADD COLUMN venue_seq_from INTEGER;
        ALTER TABLE gaps ADD COLUMN venue_seq_to INTEGER;
        ALTER TABLE gaps ADD COLUMN healed_items INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE subscriptions ADD COLUMN redundancy INTEGER NOT NULL DEFAULT 1 CHECK (redundancy > 0);
        ALTER TABLE subscriptions ADD COLUMN dedicated INTEGER NOT NULL DEFAULT 0 CHECK (dedicated IN (0, 1));
        """,
    ),
)

TABLES = frozenset({"subscriptions", "metrics", "samples", "gaps", "events", "marks"})
"""The tables of a database of the present version."""
VERSION = MIGRATIONS[-1].number
"""The version of a file that has every migration."""


def version_of(db: Tables) -> int:
    """Return the number of the last migration that a file has; 0 for a new file."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: Tables, migrations: Sequence[Migration] = MIGRATIONS) -> tuple[int, ...]:
    """Apply the migrations that a file lacks, each in a transaction of its own.

    Returns:
        The numbers that were applied, in order.

    Raises:
        sqlite3.Error: One failed; the file is at the number before it.
    """
    applied: list[int] = []
    for migration in migrations:
        db.execute("BEGIN IMMEDIATE")
        try:
            if version_of(db) < migration.number:
                db.executescript(migration.sql)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {migration.number}")
                applied.append(migration.number)
            db.commit()
        except BaseException:
            db.rollback()
            raise
    return tuple(applied)
