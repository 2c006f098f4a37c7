"""Report: what one run showed, and what many runs showed together."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from attrs import field, frozen

from wsmgr.manager.testing.chaos.wishes import Complaint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@frozen
class Blind:
    """A time in which a subscription said `live` and got nothing of what was due.

    Attributes:
        type: The subscription type.
        fault: What was wrong then.
        at: When it began, on the loop's clock.
        seconds: How long it lasted.
    """

    type: str
    fault: str
    at: float
    seconds: float


@frozen
class Report:
    """What one run showed.

    Attributes:
        seed: Its seed.
        counts: What happened, how often.
        complaints: The promises that were broken.
        blind: The times of blindness.
        log: The manager's facts and the faults, one line each: equal seeds have equal logs.
    """

    seed: int
    counts: Counter[str]
    complaints: tuple[Complaint, ...]
    blind: tuple[Blind, ...]
    log: tuple[str, ...] = field(repr=False)

    @property
    def line(self) -> str:
        """The run in a line."""
        said = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        broken = Counter(complaint.invariant for complaint in self.complaints)
        verdict = ", ".join(f"{name}: {count}" for name, count in sorted(broken.items())) or "ok"
        return f"seed {self.seed}: {said}: {verdict}"


def summary(reports: Sequence[Report], minutes: float) -> str:
    """Return what many runs showed together, in a line."""
    counts: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for report in reports:
        counts.update(report.counts)
        broken.update(complaint.invariant for complaint in report.complaints)
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    bad = sum(bool(report.complaints) for report in reports)
    verdict = ", ".join(f"{name}: {count}" for name, count in broken.most_common()) or "no promise was broken"
    return f"{len(reports)} runs of {minutes:g} simulated minutes: {said}; {bad} runs broke a promise ({verdict})"


def blindness_table(reports: Iterable[Report]) -> str:
    """Return a Markdown table of the seconds of blindness for each type and fault."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for report in reports:
        for each in report.blind:
            groups[each.type, each.fault].append(each.seconds)
            groups["all", each.fault].append(each.seconds)
    lines = ["| type | fault | times | p50 s | p99 s | max s |", "|---|---|---|---|---|---|"]
    for (kind, fault), seconds in sorted(groups.items()):
        figures = " | ".join(f"{value:.1f}" for value in (_quantile(seconds, 0.5), _quantile(seconds, 0.99)))
        lines.append(f"| {kind} | {fault} | {len(seconds)} | {figures} | {max(seconds):.1f} |")
    return "\n".join(lines)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
