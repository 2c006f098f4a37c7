"""Alternating rounds of what is compared, and a report of figures beside their bars; for `actors.py`."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


async def seconds_of(
    workloads: Mapping[str, Callable[[], Awaitable[float]]], rounds: int
) -> dict[str, float]:
    """Return the median of what each workload returns, over the rounds.

    In every round each of them runs once, in alternating order, after a garbage collection: what disturbs the machine
    for a while disturbs all of them.
    """
    taken: dict[str, list[float]] = {name: [] for name in workloads}
    for number in range(rounds):
        for name in list(workloads)[:: -1 if number % 2 else 1]:
            gc.collect()
            taken[name].append(await workloads[name]())
    return {name: median(each) for name, each in taken.items()}


@dataclass
class Report:
    """Prints as it goes, and remembers which bars were missed."""

    backend: str = ""
    missed: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Print what the following lines are about."""
        print(f"\n{self.backend}: {text}")

    def figure(self, name: str, value: str) -> None:
        """Print an absolute figure."""
        print(f"  {name:<58} {value:>16}")

    def at_least(self, name: str, ratio: float, bar: float) -> None:
        """Print a ratio that must not be below its bar."""
        self._ratio(name, ratio, f"at least {bar:g}", met=ratio >= bar)

    def at_most(self, name: str, ratio: float, bar: float) -> None:
        """Print a ratio that must not be above its bar."""
        self._ratio(name, ratio, f"at most {bar:g}", met=ratio <= bar)

    def below(self, name: str, ratio: float, bar: float) -> None:
        """Print a ratio that must be below its bar."""
        self._ratio(name, ratio, f"under {bar:g}", met=ratio < bar)

    def _ratio(self, name: str, ratio: float, bar: str, *, met: bool) -> None:
        print(f"  {name:<58} {ratio:>16.3f}  {bar}: {'met' if met else 'MISSED'}")
        if not met:
            self.missed.append(f"{self.backend}: {name} is {ratio:.3f}, the bar is {bar}")
