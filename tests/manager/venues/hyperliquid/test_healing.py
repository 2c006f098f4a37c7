"""Healing at Hyperliquid: what its queries answer is what its streams tell, under the same keys.

The simulator answers both, and shares no code with the dialect: a stream is heard without a break, and the query is to bring the very
items that it brought in a period.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from wsmgr.manager.model.outcome import Answered
from wsmgr.manager.venues.dialect import Answer, Data
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect
from wsmgr.manager.venues.hyperliquid.payloads import PayloadError
from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptions

if TYPE_CHECKING:
    from wsmgr.manager.model.healing import HealingQuery
    from wsmgr.manager.model.items import Item
    from wsmgr.manager.model.subscription_type import Atom

STARTED_AT = 1_766_566_375.0
DIALECT = HyperliquidDialect()
USER = "0xabcdef0123456789abcdef0123456789abcdef01"
ATOMS = {
    name: DIALECT.atom(
        name,
        {
            each.name: {"user": USER, "coin": "BTC", "interval": "1m"}[each.name]
            for each in found.parameters
            if each.required
        },
    )
    for name, found in CATALOG.items()
    if found.healing is not None
}
WHOLE = sorted(ATOMS.keys() - {"candle", "trades", "userEvents"})


class Venue:
    """A simulated venue, and one subscription that is heard without a break."""

    def __init__(self, atom: Atom) -> None:
        self.now = 0.0
        self.engine = Engine(
            SimulatorOptions(rate=10, idle_timeout=1e9), now=lambda: self.now, started_at=STARTED_AT
        )
        self.session = self.engine.open("/ws", "127.0.0.1", lambda: None)
        self.session.received(DIALECT.subscribe(atom).decode(), self.now)
        self.frames: list[bytes] = []

    def advance(self, seconds: float) -> None:
        """Let time pass, and hear."""
        until = self.now + seconds
        while (due := self.engine.hub.next_due) is not None and due <= until:
            self.now = max(self.now, due)
            self.engine.hub.run(self.now)
        self.now = until
        for text in self.session.take(self.now):
            raw = text.encode()
            if isinstance(DIALECT.classify(raw), Data):
                self.frames.append(raw)

    def answer(self, query: HealingQuery) -> Any:
        """What the venue answers, as the requester returns it."""
        payload = json.loads(msgspec.json.encode(query.payload))
        kind, found = self.engine.info.post("info", payload, self.now)
        response = {"type": kind, "payload": found}
        frame = DIALECT.classify(
            msgspec.json.encode({"channel": "post", "data": {"id": 1, "response": response}})
        )
        assert isinstance(frame, Answer)
        assert isinstance(frame.outcome, Answered)
        return frame.outcome.data

    def heard(self, query: HealingQuery) -> list[Item]:
        """The items that the stream brought, oldest first."""
        return [item for raw in self.frames for item in query.seen(raw)]


def heal(name: str, since: float, until: float) -> HealingQuery:
    query = DIALECT.heal(ATOMS[name], since, until)
    assert query is not None
    return query


def between(items: list[Item], since: float, until: float) -> dict[object, Any]:
    """The items of a time by their keys."""
    return {
        item.key: json.loads(item.raw)
        for item in items
        if item.time is not None and since <= item.time <= until
    }


def test_every_type_that_names_a_source_has_a_query_for_it() -> None:
    """The catalog promises nothing that is not there."""
    for name, atom in ATOMS.items():
        query = heal(name, STARTED_AT, STARTED_AT + 1)
        assert atom.type.healing == query.name == query.payload["type"]
    assert DIALECT.heal(DIALECT.atom("bbo", {"coin": "BTC"}), 0.0, 1.0) is None
    assert DIALECT.heal(DIALECT.atom("notification", {"user": USER}), 0.0, 1.0) is None


@pytest.mark.parametrize("name", WHOLE)
def test_answer_holds_the_items_of_the_stream_under_their_keys(name: str) -> None:
    """Every one of a period, none else, and each as the stream tells it."""
    venue = Venue(ATOMS[name])
    venue.advance(30.0)
    since, until = STARTED_AT + 10.0, STARTED_AT + 20.0
    query = heal(name, since, until)
    found = query.items(venue.answer(query))
    expected = between(venue.heard(query), since, until)
    assert 90 <= len(expected)
    assert expected == between(found, since, until)
    if query.paged and query.depth is None:
        assert {True} == {since <= item.time <= until for item in found if item.time is not None}


def test_fills_of_crossing_orders_are_asked_for_as_the_stream_folds_them() -> None:
    """The parameter that its frames do not echo is in the question."""
    atom = DIALECT.atom("userFills", {"user": USER, "aggregateByTime": True})
    query = DIALECT.heal(atom, 5.0, 6.0)
    assert query is not None
    assert {
        "type": "userFillsByTime",
        "user": USER,
        "aggregateByTime": True,
        "startTime": 5000,
    } == query.payload
    assert "aggregateByTime" not in heal("userFills", 5.0, 6.0).payload


def test_newest_trades_are_those_that_the_stream_told_last() -> None:
    """There is no period to ask for, and no number below which all of them came."""
    venue = Venue(ATOMS["trades"])
    venue.advance(20.0)
    query = heal("trades", STARTED_AT + 10.0, STARTED_AT + 20.0)
    found = query.items(venue.answer(query))
    assert (30, None, False) == (len(found), query.cap, query.paged)
    times = [item.time for item in found if item.time is not None]
    # The stream tells a trade up to a tick later. Trades of one moment with the oldest may be cut off.
    venue.advance(1.0)
    since, until = min(times) + 0.001, max(times)
    assert 20 <= len(between(found, since, until))
    assert between(venue.heard(query), since, until) == between(found, since, until)


def test_bars_that_are_over_are_as_the_stream_told_them_last() -> None:
    """The bar that runs is left out: the stream brings it."""
    venue = Venue(ATOMS["candle"])
    venue.advance(300.0)
    since, until = STARTED_AT + 70.0, STARTED_AT + 250.0
    query = heal("candle", since, until)
    span = {"startTime": int(since * 1000) - 60_000, "endTime": int(until * 1000)}
    assert {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", **span}} == query.payload
    found = query.items(venue.answer(query))
    last = {json.loads(item.raw)["t"]: item for item in venue.heard(query)}
    bars = {json.loads(item.raw)["t"]: item.key for item in found}
    assert {t: last[t].key for t in bars} == bars
    ends = [item.time for item in found if item.time is not None]
    # The bar that ran when the period began is among them, the one that runs when it ends is not.
    assert min(ends) <= since + 60.0
    assert until - 60.0 <= max(ends) <= until
    assert 3 <= len([end for end in ends if since <= end])


def test_of_user_events_the_fills_are_found_and_the_rest_is_named() -> None:
    """What cannot be asked for keeps a gap from ever being proved whole."""
    venue = Venue(ATOMS["userEvents"])
    venue.advance(30.0)
    since, until = STARTED_AT + 10.0, STARTED_AT + 20.0
    query = heal("userEvents", since, until)
    found = between(query.items(venue.answer(query)), since, until)
    heard = between(venue.heard(query), since, until)
    assert 60 <= len(heard) < len(found)
    assert heard == {key: found[key] for key in heard}
    assert query.leaves_out is not None
    assert "funding" in query.leaves_out


def test_fills_of_twaps_are_not_among_the_fills_of_user_events() -> None:
    """That stream has them in a member of their own."""
    fills = [{"tid": n, "side": "B", "oid": n, "time": 1000 + n, "twapId": n or None} for n in range(2)]
    assert [{"tid": 0, "side": "B", "oid": 0, "time": 1000, "twapId": None}] == [
        json.loads(item.raw) for item in heal("userEvents", 0.0, 9.0).items(fills)
    ]
    assert 2 == len(heal("userFills", 0.0, 9.0).items(fills))


@pytest.mark.parametrize("name", sorted(ATOMS))
def test_composed_frames_are_frames_of_the_stream(name: str) -> None:
    """They are routed to the subscription, hold the items in their order, and name what the stream names."""
    venue, atom = Venue(ATOMS[name]), ATOMS[name]
    venue.advance(180.0)
    query = heal(name, STARTED_AT, STARTED_AT + 170.0)
    items = query.items(venue.answer(query))
    frames = query.frames(items)
    assert len(items) > 1
    assert [item.key for item in items] == [item.key for raw in frames for item in query.seen(raw)]
    real = venue.frames[-1] if name != "userEvents" else next(raw for raw in venue.frames if query.seen(raw))
    for raw in frames:
        found = DIALECT.classify(raw)
        assert isinstance(found, Data)
        assert (atom.wire_key, False) == (found.wire_key, found.snapshot)
        made, came = json.loads(raw), json.loads(real)
        assert (came["channel"], type(came["data"])) == (made["channel"], type(made["data"]))
        if isinstance(came["data"], dict):
            assert came["data"].keys() == made["data"].keys()
        assert len(query.seen(raw)) <= 100


@pytest.mark.parametrize("name", sorted(ATOMS))
@pytest.mark.parametrize("answer", [None, {}, "no", 5, [None], [5], ["x"], [[]]])
def test_answer_of_another_form_is_refused(name: str, answer: object) -> None:
    """By the dialect's own error: a venue that changes a shape ends no actor."""
    with pytest.raises(PayloadError):
        heal(name, 0.0, 1.0).items(answer)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("userFundings", [{"time": 1}]),
        ("userFundings", [{"time": 1, "delta": 5}]),
        ("orderUpdates", [{"status": "open"}]),
        ("orderUpdates", [{"order": None}]),
        ("candle", [{"t": 1}]),
        ("candle", [{"T": "soon"}]),
    ],
)
def test_record_without_what_is_read_of_it_is_refused(name: str, answer: object) -> None:
    """It cannot be made an item of the stream."""
    with pytest.raises(PayloadError):
        heal(name, 0.0, 1.0).items(answer)


def test_type_that_the_configuration_gave_a_source_it_cannot_have_is_not_asked_for() -> None:
    """A source that needs a user is nothing for a type without one."""
    dialect = DIALECT.with_types({"bbo": {"healing": "userFillsByTime"}})
    assert dialect.heal(dialect.atom("bbo", {"coin": "BTC"}), 0.0, 1.0) is None
    unknown = DIALECT.with_types({"bbo": {"healing": "somethingElse"}})
    assert unknown.heal(unknown.atom("bbo", {"coin": "BTC"}), 0.0, 1.0) is None
