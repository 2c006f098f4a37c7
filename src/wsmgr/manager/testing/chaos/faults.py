"""Faults: what goes wrong at the venue and on the way to it, for a while, with a record of what was hit.

The record serves two ends: what a client cannot see is excused (a mute that is shorter than any threshold), and each second of
blindness has a cause to be counted under.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import anyio
from attrs import define, frozen

from wsmgr.manager.testing.simulated.network import LATENCY
from wsmgr.manager.venues.hyperliquid.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsmgr.manager.testing.simulated import Network
    from wsmgr.manager.testing.simulated.network import Unreachable
    from wsmgr.manager.testing.simulated.truth import Truth

_ON_ITS_WAY = 1.5
SOCKET_GONE = frozenset({"reset", "close", "cut", "all reset", "black hole", "half open"})
PROCESS_GONE = frozenset({"kill", "stop"})
CADENCED = ("allMids", "l2Book", "activeAssetCtx")
"""The streams whose silence is seen sooner than the shortest long mute ends."""


@define(eq=False)
class Fault:
    """One fault as it happened.

    Attributes:
        kind: Its name.
        began: When, on the loop's clock.
        ended: When it was over; infinite while it is not.
        streams: The streams that it hit; empty where it was not about streams.
        connections: The connections that it hit; empty where it was not about connections.
    """

    kind: str
    began: float
    ended: float = math.inf
    streams: frozenset[str] = frozenset()
    connections: frozenset[int] = frozenset()

    @property
    def visible(self) -> bool:
        """Whether every client must see it: a socket or a process that is gone, or a long silence of a stream with a cadence."""
        if self.kind == "mute":
            return any(f'"type":"{name}"' in stream for stream in self.streams for name in CADENCED)
        return self.kind in PROCESS_GONE or (self.kind in SOCKET_GONE and bool(self.connections))

    def hits(self, stream: str, connections: Iterable[int]) -> bool:
        """Whether it touched a stream that these connections carried."""
        if self.streams:
            return stream in self.streams
        return not self.connections or not self.connections.isdisjoint(connections)


@frozen
class Setting:
    """Some of the venue's faults that are on together."""

    values: Mapping[str, object]


class FaultBoard:
    """The faults of a network: several at a time, each with its end.

    Attributes:
        record: Every fault that there was, in the order of their beginnings.
    """

    def __init__(self, network: Network) -> None:
        """Begin without a fault."""
        self.record: list[Fault] = []
        self._network = network
        self._settings: list[Setting] = []
        self._undo: list[Callable[[], None]] = []

    def note(
        self,
        kind: str,
        *,
        seconds: float = 0.0,
        streams: Iterable[str] = (),
        connections: Iterable[int] = (),
    ) -> Fault:
        """Record a fault that lasts for some seconds."""
        now = anyio.current_time()
        fault = Fault(kind, now, now + seconds, frozenset(streams), frozenset(connections))
        self.record.append(fault)
        return fault

    def set(
        self, kind: str, seconds: float, values: Mapping[str, object], *, streams: Iterable[str] = ()
    ) -> None:
        """Turn faults of the venue on for some seconds; `values` are fields of its `Faults`."""
        setting = Setting(values)
        fault = self.note(kind, seconds=seconds, streams=streams)
        self._settings.append(setting)
        self._apply()

        def undo() -> None:
            if setting in self._settings:
                self._settings.remove(setting)
                fault.ended = anyio.current_time()
                self._apply()

        self._later(seconds, undo)

    def unreachable(self, how: Unreachable, seconds: float) -> None:
        """Let no dial through for some seconds."""
        self.note(f"dials {how}", seconds=seconds)
        network = self._network
        network.unreachable = how

        def undo() -> None:
            if network.unreachable == how:
                network.unreachable = None

        self._later(seconds, undo)

    def latency(self, latency: float, seconds: float) -> None:
        """Let everything take longer for some seconds."""
        self.note("latency", seconds=seconds)
        network = self._network
        network.latency = latency

        def undo() -> None:
            network.latency = LATENCY

        self._later(seconds, undo)

    def calm(self) -> None:
        """End every fault that lasts for some time; what was lost for good stays lost."""
        self._settings.clear()
        self._apply()
        undo, self._undo = self._undo, []
        for each in undo:
            each()

    def close_forgotten(self, truth: Truth) -> None:
        """Note when streams that the venue forgot came again."""
        for fault in self.record:
            if fault.kind == "forget":
                arrivals = (each.at for key in fault.streams for each in truth.stream(key).arrivals)
                fault.ended = next((at for at in arrivals if at > fault.began + _ON_ITS_WAY), math.inf)

    def _later(self, seconds: float, undo: Callable[[], None]) -> None:
        self._undo.append(undo)

        def once() -> None:
            if undo in self._undo:
                self._undo.remove(undo)
                undo()

        self._network.schedule.call_after(seconds, once)

    def _apply(self) -> None:
        merged: dict[str, Any] = {}
        for setting in self._settings:
            for name, value in setting.values.items():
                if isinstance(value, frozenset):
                    names = cast("frozenset[str]", value)
                    merged[name] = names | cast("frozenset[str]", merged.get(name, names))
                else:
                    merged[name] = value
        self._network.engine.set_faults(Faults(**merged))
        self._network.hub_changed()
