"""Desired state beside the database: `desired.json`, the second copy of what must be made live again.

It holds the kept subscriptions and nothing else, and is replaced whole: written under another name, synced, renamed, the
directory synced. A reader therefore sees the old list or the new one. It is read only when the database cannot be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
from attrs import frozen

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.replacing import replace_file
from wsmgr.manager.store.rows import SubscriptionRow

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
"""A hundred thousand subscriptions are a third of it."""
FORMAT = 1
"""The number of the file's format; a file of a higher one is refused."""


@frozen(kw_only=True)
class DesiredSubscription:
    """One kept subscription, as far as it is needed to make it live again.

    The attributes are those of `SubscriptionRow`.
    """

    id: str
    venue: str
    type: str
    key: str
    params: dict[str, Any]
    connection_class: str
    owner: str | None = None
    subscribed_at: float
    epoch: int = 0
    redundancy: int = 1
    dedicated: bool = False

    @classmethod
    def of(cls, row: SubscriptionRow) -> DesiredSubscription:
        """Return what the copy keeps of a row."""
        return cls(
            id=row.id,
            venue=row.venue,
            type=row.type,
            key=row.key,
            params=dict(row.params),
            connection_class=row.connection_class,
            owner=row.owner,
            subscribed_at=row.subscribed_at,
            epoch=row.epoch,
            redundancy=row.redundancy,
            dedicated=row.dedicated,
        )

    def row(self, now: float) -> SubscriptionRow:
        """Return the row of a subscription that is to be made live: `pending`, changed at `now`."""
        return SubscriptionRow(
            **attrs.asdict(self, recurse=False), kept=True, state="pending", updated_at=now
        )


@frozen(kw_only=True)
class _File:
    format: int
    subscriptions: tuple[DesiredSubscription, ...]


def write_desired(path: Path, subscriptions: Iterable[DesiredSubscription]) -> None:
    """Replace the file, and return when the new one is on the disk.

    Raises:
        OSError: It could not be written; the old one stands.
    """
    wanted = _File(format=FORMAT, subscriptions=tuple(subscriptions))
    replace_file(path, msgspec.json.format(msgspec.json.encode(wanted), indent=1) + b"\n")


def read_desired(path: Path) -> tuple[DesiredSubscription, ...] | None:
    """Return the kept subscriptions of a file, or None where there is none.

    Raises:
        StateDirectoryError: It is not such a file, it contradicts itself, or a newer wsmgr wrote it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateDirectoryError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise StateDirectoryError(
            f"{path} is larger than {MAX_BYTES} bytes, which no list of subscriptions is"
        )
    try:
        number = msgspec.json.decode(content, type=Mapping[str, Any]).get("format")
        if isinstance(number, int) and number > FORMAT:
            raise StateDirectoryError(
                f"{path} has format {number}, this wsmgr knows {FORMAT}; use the wsmgr that wrote it, or a newer one"
            )
        found = msgspec.json.decode(content, type=_File).subscriptions
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateDirectoryError(f"{path} is not a list of desired subscriptions: {error}") from error
    for name in ("id", "key"):
        value, times = max(
            Counter(getattr(one, name) for one in found).items(), key=itemgetter(1), default=("", 0)
        )
        if times > 1:
            raise StateDirectoryError(
                f"{path} contradicts itself: the {name} {value!r} stands in it {times} times"
            )
    return found
