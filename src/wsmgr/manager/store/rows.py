"""Rows: what the tables hold, as frozen values.

Each class is one table, its fields are the table's columns in their order. Times are UTC in unix seconds; durations are
seconds of the monotonic clock. `record(row)` gives the values that SQLite stores, `from_record(Row, values)` the
row again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar, cast

import attrs
import msgspec
from attrs import field, frozen, validators

CLOSED = "closed"
"""The state of a subscription that was ended: it is no longer wanted, its row is kept for its history."""


class Resolution(Enum):
    """How long the interval of a sample is."""

    MINUTE = "1m"
    """One minute; kept for a week."""
    HOUR = "1h"
    """One hour, rolled up from minutes; kept for a year."""


@frozen(kw_only=True)
class Row:
    """A row of the table `TABLE`; each of its fields is one of the table's columns."""

    TABLE: ClassVar[str]


RowT = TypeVar("RowT", bound=Row)


def _not_negative(_row: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"{attribute.name}={value!r} is negative; it counts from 0")


def _mapping(value: str | bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    return msgspec.json.decode(value, type=dict[str, Any]) if isinstance(value, str | bytes) else value


@frozen(kw_only=True)
class SubscriptionRow(Row):
    """A subscription: what someone wants, or wanted.

    Attributes:
        id: Its id, which only its key determines.
        venue: The venue's name.
        type: The subscription type's name, as the venue spells it.
        key: The subscription key; no two rows have the same.
        params: Canonical parameters.
        connection_class: `shared`, `dedicated` or `user_grouped`.
        kept: Whether it stays until someone ends it.
        owner: Who asked for it, or None.
        state: Its state's name; `closed` when it was ended.
        error: Why it is not live, in words, or None.
        epoch: How often the numbering of its messages has started again.
        subscribed_at: When it was first asked for.
        updated_at: When this row was last changed.
        redundancy: On how many connections at once it was asked for.
        dedicated: Whether a connection of its own was asked for.
    """

    TABLE: ClassVar[str] = "subscriptions"
    id: str = field(validator=validators.min_len(1))
    venue: str = field(validator=validators.min_len(1))
    type: str = field(validator=validators.min_len(1))
    key: str = field(validator=validators.min_len(1))
    params: Mapping[str, Any] = field(converter=_mapping)
    connection_class: str
    kept: bool = field(converter=bool)
    owner: str | None = None
    state: str = "pending"
    error: str | None = None
    epoch: int = field(default=0, validator=_not_negative)
    subscribed_at: float
    updated_at: float
    redundancy: int = field(default=1, validator=validators.ge(1))
    dedicated: bool = field(default=False, converter=bool)

    @property
    def desired(self) -> bool:
        """Whether it must be made live again whatever dies: kept, and not ended."""
        return self.kept and self.state != CLOSED


@frozen(kw_only=True)
class MetricsRow(Row):
    """The counters of one subscription.

    Attributes:
        subscription_id: The subscription.
        message_count: Messages received.
        byte_count: Bytes of the frames received.
        first_message_at: When the first message came, or None.
        last_message_at: When the newest message came, or None.
        messages_per_minute: Over the time in which it was live.
        uptime_seconds: Since it was first asked for.
        live_seconds: How long it was live.
        availability: `live_seconds / uptime_seconds`, 0 to 1.
        reconnects: How often it had to be subscribed again.
        gap_count: How many gaps its ledger holds.
        gap_seconds: How long they were together.
        dropped: Messages that its consumers did not get, by their policies.
        duplicates: Messages or items removed because they had been delivered.
        lag_p50_ms: Half of the messages came later than their venue time by at most this many milliseconds.
        lag_p99_ms: The same for 99 of 100.
    """

    TABLE: ClassVar[str] = "metrics"
    subscription_id: str = field(validator=validators.min_len(1))
    message_count: int = field(default=0, validator=_not_negative)
    byte_count: int = field(default=0, validator=_not_negative)
    first_message_at: float | None = None
    last_message_at: float | None = None
    messages_per_minute: float = field(default=0.0, validator=_not_negative)
    uptime_seconds: float = field(default=0.0, validator=_not_negative)
    live_seconds: float = field(default=0.0, validator=_not_negative)
    availability: float = field(default=0.0, validator=_not_negative)
    reconnects: int = field(default=0, validator=_not_negative)
    gap_count: int = field(default=0, validator=_not_negative)
    gap_seconds: float = field(default=0.0, validator=_not_negative)
    dropped: int = field(default=0, validator=_not_negative)
    duplicates: int = field(default=0, validator=_not_negative)
    lag_p50_ms: float | None = None
    lag_p99_ms: float | None = None


@frozen(kw_only=True)
class SampleRow(Row):
    """What one subscription received in one interval.

    Attributes:
        subscription_id: The subscription.
        at: The start of the interval, a multiple of its length.
        resolution: The interval's length.
        messages: Messages received in it.
        bytes: Bytes received in it.
        dropped: Messages dropped in it.
    """

    TABLE: ClassVar[str] = "samples"
    subscription_id: str = field(validator=validators.min_len(1))
    at: float
    resolution: Resolution = field(default=Resolution.MINUTE, converter=Resolution)
    messages: int = field(default=0, validator=_not_negative)
    bytes: int = field(default=0, validator=_not_negative)
    dropped: int = field(default=0, validator=_not_negative)


@frozen(kw_only=True)
class GapRow(Row):
    """A period in which messages of a subscription may have been missed.

    Attributes:
        id: Its number; None lets the database give the next one.
        subscription_id: The subscription.
        connection: The connection that it was on, or None.
        started_at: The last proof before it.
        ended_at: The first proof after it; None while it is open.
        duration_seconds: Its length by the monotonic clock; None while it is open.
        reason: Its cause, in words.
        missing: How many messages are missing, where the venue numbers them, or None.
        attempts: How many dials or subscribes it took to end it.
        healed_by: What proved it empty or filled it, or None.
        proof: `empty` (nothing was missed) or `filled` (what was missed was fetched); None where neither is proved.
        open_because: Why it could be neither proved nor filled, in words, or None.
        venue_seq_from: The venue's number of the first message that is missing, where the venue numbers them, or None.
        venue_seq_to: The same of the last one.
        healed_items: How many items were fetched for it.
    """

    TABLE: ClassVar[str] = "gaps"
    id: int | None = None
    subscription_id: str = field(validator=validators.min_len(1))
    connection: str | None = None
    started_at: float
    ended_at: float | None = None
    duration_seconds: float | None = field(default=None, validator=_not_negative)
    reason: str
    missing: int | None = field(default=None, validator=_not_negative)
    attempts: int = field(default=0, validator=_not_negative)
    healed_by: str | None = None
    proof: str | None = field(default=None, validator=validators.in_((None, "empty", "filled")))
    open_because: str | None = None
    venue_seq_from: int | None = None
    venue_seq_to: int | None = None
    healed_items: int = field(default=0, validator=_not_negative)


@frozen(kw_only=True)
class EventRow(Row):
    """Something that happened and that someone may want to know later.

    Attributes:
        id: Its number; None lets the database give the next one.
        at: When.
        level: `debug`, `info`, `warning` or `error`.
        kind: What, one word such as `reconnected`.
        actor: The actor that it is about, or None.
        connection: The connection that it is about, or None.
        subscription_id: The subscription that it is about, or None.
        detail: Everything else, as JSON.
    """

    TABLE: ClassVar[str] = "events"
    id: int | None = None
    at: float
    level: str = field(default="info", validator=validators.in_(("debug", "info", "warning", "error")))
    kind: str = field(validator=validators.min_len(1))
    actor: str | None = None
    connection: str | None = None
    subscription_id: str | None = None
    detail: Mapping[str, Any] = field(factory=dict[str, Any], converter=_mapping)


_COLUMNS: dict[type[Row], tuple[str, ...]] = {
    row: tuple(attribute.name for attribute in attrs.fields(cast("Any", row)))
    for row in (SubscriptionRow, MetricsRow, SampleRow, GapRow, EventRow)
}


def columns(row: type[Row]) -> tuple[str, ...]:
    """Return the names of the table's columns."""
    return _COLUMNS[row]


def record(row: Row) -> tuple[Any, ...]:
    """Return the values of a row as SQLite stores them, in the order of `columns`."""
    return tuple(_stored(getattr(row, name)) for name in columns(type(row)))


def from_record(row: type[RowT], values: Mapping[str, Any]) -> RowT:
    """Make a row of what the database returned; columns that the class does not have are left out."""
    return row(**{name: values[name] for name in columns(row)})


def _stored(value: object) -> object:
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    return value.value if isinstance(value, Enum) else value
