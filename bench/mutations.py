"""Mutated frames through every parser: `python bench/mutations.py [COUNT] [SEED]`.

Real frames are broken by a seed and given to one connection that carries every stream of them. Nothing may raise, every frame must be
counted somewhere, and memory must stay flat. Prints what became of them.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from wsmgr.manager.model import progress
from wsmgr.manager.model.delivery import Buffer, Policy
from wsmgr.manager.model.dispatch import Dispatcher
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.reconciliation import reconcile
from wsmgr.manager.model.registry import Origin, Registry, Venue
from wsmgr.manager.testing.mutation import mutated
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection

CAPTURE = Path(__file__).parent.parent / "tests" / "data" / "hyperliquid-testnet-2025-07.jsonl"
BATCH = 200


def run(count: int, seed: int) -> Counter[str]:
    """Send so many mutated frames; returns what became of them.

    Raises:
        AssertionError: A frame was not counted, or something grew without a bound.
    """
    random, dialect = Random(seed), HyperliquidDialect()
    lines = [json.loads(line) for line in CAPTURE.read_text().splitlines()]
    frames = [json.dumps(line["frame"], separators=(",", ":")).encode() for line in lines]
    registry = Registry(note=lambda _: None)
    registry.replays = True
    # One socket, and one that placement keeps free: everything on the same connection.
    origin = Origin(
        "venue", dialect.quotas.override({"connections": 2, "users": "off", "messages_per_minute": "off"})
    )
    venue = Venue(
        "hyperliquid",
        origin,
        decode=dialect.payload,
        compose=lambda kind: lambda parts: dialect.compose(kind, parts),
        read_items=dialect.items,
        with_items=dialect.with_items,
    )
    registry.venues["hyperliquid"] = venue
    buffers: list[Buffer] = []
    for line in lines:
        wish = dict(line["subscription"])
        entry, new = registry.want("hyperliquid", dialect.atom(wish.pop("type"), wish), wall=0.0)
        if new:
            buffers.append(Buffer(Policy.DROP_OLDEST, lambda: None, max_messages=50))
            registry.hold(entry, buffers[-1])
    urls = dict.fromkeys(("api", "explorer"), "ws://venue/ws")
    reconcile(registry, venue, now=0.0, wall=0.0, urls=urls)
    (connection,) = venue.connections
    progress.dialling(connection)
    progress.opened(registry, connection, now=0.0, wall=0.0)
    for _ in range(len(lines)):
        reconcile(registry, venue, now=0.0, wall=0.0, urls=urls)
        for entry in registry.entries.values():
            progress.acknowledged(registry, connection, entry.key, already=False, now=0.0, wall=0.0)
    control: Counter[str] = Counter()
    clock = [0.0]
    dispatch = Dispatcher(
        registry,
        connection,
        classify=dialect.classify,
        on_control=lambda frame: control.update([type(frame).__name__]),
        monotonic=lambda: clock[0],
        wall=lambda: clock[0],
    )
    unreadable = 0
    for begin in range(0, count, BATCH):
        clock[0] += 0.01
        if begin % (20 * BATCH) == 0:
            # An interruption: what follows is merged, and snapshots are compared.
            progress.lost(registry, connection, reason="test", now=clock[0], wall=clock[0])
            progress.dialling(connection)
            progress.opened(registry, connection, now=clock[0], wall=clock[0])
            reconcile(registry, venue, now=clock[0], wall=clock[0], urls=urls)
        batch = [mutated(random.choice(frames), frames, random) for _ in range(min(BATCH, count - begin))]
        dispatch(batch)
        unreadable += _read(dialect, buffers, random)
        registry.recents.prune(
            (entry.recent for entry in registry.entries.values() if entry.recent), clock[0]
        )
    return _count(registry, connection, control, count, unreadable)


def _read(dialect: HyperliquidDialect, buffers: list[Buffer], random: Random) -> int:
    """Read what consumers got, as they would; a payload that cannot be read is an error of ours, and says so."""
    unreadable = 0
    for buffer in buffers:
        while (item := buffer.take()) is not None:
            if not hasattr(item, "raw") or random.random() > 0.3:
                continue
            for read in (dialect.payload, dialect.payload_bytes):
                try:
                    read(item.raw)
                except WsmgrError:
                    unreadable += 1
    return unreadable


def _count(
    registry: Registry, connection: Connection, control: Counter[str], count: int, unreadable: int
) -> Counter[str]:
    entries = registry.entries.values()
    found = Counter(
        {
            "delivered": sum(entry.counters.messages for entry in entries),
            "left out as delivered before": 0,
            "unrouted": connection.unrouted,
            "late": connection.late,
            "not parsed, or of an unknown channel": connection.unparsed,
            **{f"control: {name}": number for name, number in control.items()},
        }
    )
    found["left out as delivered before"] = count - sum(found.values())
    duplicates = sum(entry.counters.duplicates for entry in entries)
    assert 0 <= found["left out as delivered before"] <= duplicates, (found, duplicates)
    assert all(entry.recent is None or entry.recent.bytes <= 256 * 2**10 for entry in entries)
    found["of which a consumer could not read"] = unreadable
    return found


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    for what, number in run(wanted, chosen).items():
        print(f"{number:>10,}  {what}")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{wanted:,} frames, seed {chosen}, {time.perf_counter() - started:.0f} s, resident +{(after - before) / 1024:.0f} MiB"
    )
