"""Stream lines: the bytes that `--json` prints."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.continuity import (
    Closed,
    Event,
    Failed,
    Gap,
    Interrupted,
    Lagged,
    Live,
    Rejected,
    Resumed,
)
from wsmgr.manager.model.errors import LaggedError, RejectedError, WsmgrError
from wsmgr.manager.model.message import Message, Source
from wsmgr.manager.runtime.lines import (
    ending_lines,
    ends_stream,
    event_line,
    is_event,
    item_line,
    message_line,
    subscribed_line,
)
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect

DIALECT = HyperliquidDialect()
NOON = 1_766_577_600.0
SOURCE = Source(
    venue="hyperliquid",
    type="trades",
    key="hyperliquid/trades?coin=BTC",
    subscription_id="abcdefghij",
    decode=DIALECT.payload,
)
GAP = Gap(
    started_at=NOON, ended_at=NOON + 2.5, duration=2.5, reason="connection lost", connection="hyperliquid-1"
)
GAP_DOCUMENT = {
    "started_at": "2025-12-24T12:00:00Z",
    "ended_at": "2025-12-24T12:00:02.500000Z",
    "duration": 2.5,
    "reason": "connection lost",
    "connection": "hyperliquid-1",
    "missing": None,
    "attempts": 0,
    "healed_by": None,
    "proof": None,
    "open_because": None,
    "venue_seq_from": None,
    "venue_seq_to": None,
}


def message(raw: bytes, **fields: Any) -> Message:
    return Message(SOURCE, "trades", 7, 2, "hyperliquid-1", NOON, raw, **fields)


def line_of(raw: bytes, **fields: Any) -> bytes:
    return message_line(message(raw, **fields), DIALECT.payload_bytes)


def test_a_line_is_these_bytes() -> None:
    """The whole line, with times in UTC and the payload as it came: numbers keep their digits, texts their escapes."""
    line = line_of(
        b'{"channel":"trades","data":[{"px":1.50000,"t":"\\u00e9"}]}', venue_time=NOON + 0.25, venue_seq=9
    )
    expected = (
        b'{"id":"abcdefghij","venue":"hyperliquid","type":"trades","key":"hyperliquid/trades?coin=BTC","seq":7,"epoch":2,'
        b'"received_at":"2025-12-24T12:00:00Z","venue_time":"2025-12-24T12:00:00.250000Z","venue_seq":9,"snapshot":false,'
        b'"replayed":false,"healed":false,"duplicates":0,"gap":null,"data":[{"px":1.50000,"t":"\\u00e9"}]}\n'
    )
    assert expected == line


def test_a_line_carries_the_gap_before_its_message() -> None:
    """`gap` says what was lost directly before: all that a simple consumer needs."""
    assert GAP_DOCUMENT == json.loads(line_of(b'{"channel":"trades","data":[]}', gap=GAP))["gap"]


def test_a_payload_with_line_feeds_is_still_one_line() -> None:
    """A venue that prints its JSON prettily does not break a stream of lines."""
    line = line_of(b'{"channel": "trades",\n "data": [\n 1.50,\n "a\\nb" ]}')
    assert line.endswith(b'"data":[1.50,"a\\nb"]}\n')
    assert 1 == line.count(b"\n")


def test_a_message_without_what_was_delivered_shows_only_the_rest() -> None:
    """Items that were taken out as duplicates stand in the frame, and not in the line."""
    shortened = message(b'{"channel":"trades","data":[1,2]}', duplicates=1)
    shortened._data = [2]
    shown = json.loads(message_line(shortened, DIALECT.payload_bytes))
    assert (1, [2]) == (shown["duplicates"], shown["data"])


def test_a_payload_that_cannot_be_read_is_said() -> None:
    """One damaged payload neither ends a stream nor passes as an empty one."""
    shown = json.loads(line_of(b'{"channel":"fastAssetCtxs","data":"!"}'))
    assert shown["data"] is None
    assert shown["unreadable"]


@pytest.mark.parametrize(
    ("event", "members"),
    [
        (Live(at=NOON, quiet=True), {"event": "live", "at": "2025-12-24T12:00:00Z", "quiet": True}),
        (
            Interrupted(since=NOON, cause="lost"),
            {
                "event": "interrupted",
                "since": "2025-12-24T12:00:00Z",
                "cause": "lost",
                "next_attempt_at": None,
            },
        ),
        (
            Interrupted(since=NOON, cause="lost", next_attempt_at=NOON + 1),
            {
                "event": "interrupted",
                "since": "2025-12-24T12:00:00Z",
                "cause": "lost",
                "next_attempt_at": "2025-12-24T12:00:01Z",
            },
        ),
        (GAP, {"event": "gap", **GAP_DOCUMENT}),
        (
            Resumed(epoch=1, exact=False, gap=GAP),
            {"event": "resumed", "epoch": 1, "exact": False, "gap": GAP_DOCUMENT},
        ),
        (Lagged(dropped=3), {"event": "lagged", "dropped": 3}),
        (Rejected(error="no"), {"event": "rejected", "error": "no"}),
        (Failed(error="no"), {"event": "failed", "error": "no"}),
        (Closed(by="me"), {"event": "closed", "by": "me"}),
    ],
)
def test_each_event_has_its_own_members(event: Event, members: dict[str, Any]) -> None:
    """Events stand among the messages, told apart by `event`."""
    line = event_line("abcdefghij", event)
    assert {"id": "abcdefghij", **members} == json.loads(line)
    assert is_event(line)
    assert line == item_line("abcdefghij", event, DIALECT.payload_bytes)
    assert isinstance(event, Rejected | Failed | Closed) == ends_stream([Live(at=NOON), event])


@given(
    st.text(min_size=1).filter(lambda text: '"' not in text and "\\" not in text),
    st.sampled_from(['"event":', '","event":"x', "event"]),
)
def test_a_message_is_never_taken_for_an_event(venue: str, trap: str) -> None:
    """What a payload or a name says does not make a message an event."""
    source = Source(
        venue=venue, type="trades", key=trap, subscription_id="abcdefghij", decode=DIALECT.payload
    )
    raw = msgspec.json.encode({"channel": "trades", "data": {"id": "x", "event": trap}})
    line = message_line(Message(source, "trades", 1, 0, "c", NOON, raw), DIALECT.payload_bytes)
    assert not is_event(line)
    assert line == item_line(
        "abcdefghij", Message(source, "trades", 1, 0, "c", NOON, raw), DIALECT.payload_bytes
    )


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (None, [{"event": "closed", "by": "x"}]),
        (RejectedError("k", "no"), [{"event": "failed", "error": "the venue refused k: no"}]),
        (
            LaggedError(3),
            [{"event": "lagged", "dropped": 3}, {"event": "failed", "error": str(LaggedError(3))}],
        ),
    ],
)
def test_the_last_lines_say_why_a_stream_ends(error: WsmgrError | None, events: list[dict[str, Any]]) -> None:
    """A reader learns whether there is nothing more to come, or whether it lost something."""
    lines = ending_lines("abcdefghij", error, by="x").splitlines()
    assert [{"id": "abcdefghij", **event} for event in events] == [json.loads(line) for line in lines]


def test_the_first_line_shows_the_subscription() -> None:
    """Who subscribes and reads in one learns the id from the first line."""

    class Row(msgspec.Struct):
        id: str

    assert b'{"id":"x","event":"subscribed","subscription":{"id":"x"}}\n' == subscribed_line(Row("x"))
