"""What the store's tests share: rows that differ where a test says so, and a database on disk."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.store.database import Database
from wsmgr.manager.store.rows import SubscriptionRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

MakeSubscription = Callable[..., SubscriptionRow]


def make_subscription(id_: str = "a", **values: Any) -> SubscriptionRow:
    given = {
        "id": id_,
        "venue": "hyperliquid",
        "type": "trades",
        "key": f"hyperliquid/trades?coin={id_}",
        "params": {"coin": id_},
        "connection_class": "shared",
        "kept": True,
        "subscribed_at": 1000.0,
        "updated_at": 1000.0,
    }
    return SubscriptionRow(**{**given, **values})


@pytest.fixture
def subscription() -> MakeSubscription:
    """A maker of subscription rows: by default kept, pending, and different in id and key."""
    return make_subscription


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be."""
    return tmp_path / "wsmgr.db"


@pytest.fixture
def database(path: Path) -> Generator[Database]:
    """A new database on disk."""
    database = Database.open(path)
    yield database
    database.close()


@pytest.fixture
def directory(tmp_path: Path) -> StateDirectory:
    """A state directory that is prepared and holds nothing."""
    directory = StateDirectory(tmp_path / "state")
    directory.prepare()
    return directory
