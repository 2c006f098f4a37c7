"""Captured frames: every one reaches the subscription that it came from, and no other."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tests.manager.model.world import Reader, World, socket_of

from wsmgr.manager.model.dispatch import Dispatcher
from wsmgr.manager.model.subscription import State
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect

if TYPE_CHECKING:
    from wsmgr.manager.venues.dialect import Frame

CAPTURE = Path(__file__).parents[3] / "data" / "hyperliquid-testnet-2025-07.jsonl"
CAPTURED_FRAMES, CAPTURED_TYPES = 36, 14
DIALECT = HyperliquidDialect()
ASKED = {State.PENDING, State.SUBSCRIBING}
SOMEBODY_ELSE = "0x" + "ee" * 20


def captured() -> list[tuple[str, dict[str, Any], bytes]]:
    """The frames in their order, each with the type and the parameters that had been subscribed."""
    found: list[tuple[str, dict[str, Any], bytes]] = []
    for line in CAPTURE.read_bytes().splitlines():
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        params = msgspec.json.decode(members["subscription"], type=dict[str, Any])
        found.append((params.pop("type"), params, bytes(members["frame"])))
    return found


def decoys(name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """What else somebody might want of the type: other coins, other users, other aggregations, other dexes."""
    known = {each.name for each in DIALECT.catalog[name].parameters}
    others: dict[str, Any] = {"coin": "ETH", "user": SOMEBODY_ELSE, "interval": "1h", "dex": "xyz"}
    others |= {"nSigFigs": 3, "aggregateByTime": True}
    return [{**params, each: value} for each, value in others.items() if each in known]


def test_every_captured_frame_reaches_the_subscription_that_it_came_from_and_no_other() -> None:
    """All subscriptions of the capture at once, among others of the same types, each on the connection that it was given."""
    frames, world = captured(), World()
    assert CAPTURED_FRAMES == len(frames)
    readers: dict[str, Reader] = {}
    for name, params, _ in frames:
        for each in (params, *decoys(name, params)):
            entry, reader = world.hold(DIALECT.atom(name, each))
            readers.setdefault(entry.key, reader)
    assert CAPTURED_TYPES < len(readers)
    while waiting := [each for each in world.registry.entries.values() if each.state in ASKED]:
        world.ask()
        # One subscribe that adds a user at a time: the venue does not say whose user was one too many.
        taken = [world.acknowledge(entry) for entry in waiting if entry.state is State.SUBSCRIBING]
        assert True in taken
    expected = defaultdict[str, list[bytes]](list)
    control: list[Frame] = []
    for name, params, raw in frames:
        key = world.key(DIALECT.atom(name, params))
        expected[key].append(raw)
        entry = next(each for each in world.registry.entries.values() if each.key == key)
        dispatcher = Dispatcher(
            world.registry,
            socket_of(entry),
            classify=DIALECT.classify,
            on_control=control.append,
            monotonic=lambda: world.now,
            wall=lambda: world.wall,
        )
        dispatcher([raw])
    found = {key: [message.raw for message in reader.messages()] for key, reader in readers.items()}
    assert dict(expected) == {key: given for key, given in found.items() if given}
    assert CAPTURED_TYPES == len(expected)
    assert [] == control
    assert [(0, 0, 0)] * len(world.venue.connections) == [
        (connection.late, connection.unrouted, connection.unparsed) for connection in world.venue.connections
    ]
