"""Judging a trial: what two sides of a subscription have shown of each other when its time is up (`sides`).

A trial ends by itself where both sides bring one key. What it shows where they do not is judged with care, because one socket may be later
than the other, a stream may fall silent by itself at that very moment, and a venue that is found to serve one socket only is not tried again for long:

* Nothing is concluded from what came a moment ago (`LATENESS`).
* A primary side that had been silent before, or whose second side alone has brought something, is itself at fault, not the venue.
* Frames that cannot be compared are no proof of anything, but that the second side is ahead of what the first one has come to is known by
  the venue's time: then the first one is waited for.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

from wsmgr.manager.model.merging import Overlap
from wsmgr.manager.model.subscription_type import Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.merging import Trial
    from wsmgr.manager.model.subscription import Entry

TRIAL = 2.0
"""Seconds that a trial lasts at least, where nothing is found in common: always shorter than a silence that makes a stream stale."""
LATENESS = 2.0
"""Seconds by which one socket may be later than the other."""


class Finding(Enum):
    """What a trial has shown."""

    CONTINUES = "continues"
    """The second side goes on where the primary one is."""
    UNDECIDED = "undecided"
    """It needs more time."""
    UNPROVED = "unproved"
    """The second side brings whole states of its own: nobody is without one, but that none was left out is not known."""
    SECOND_SILENT = "second_silent"
    """The primary side delivers, and the second one does not."""
    PRIMARY_SILENT = "primary_silent"
    """The second side delivers, and the primary one has fallen silent by itself."""
    NO_OVERLAP = "no_overlap"
    """The venue does not give the whole stream to two sockets at a time."""


def window(entry: Entry) -> float:
    """Return how long a trial lasts at least: where the type names a cadence, both sides send something in it."""
    return max(TRIAL, (entry.type.cadence or 0.0) + 1.0)


def judge(entry: Entry, trial: Trial, overlap: Overlap, wall: float) -> Finding:
    """Judge a trial.

    Args:
        entry: The subscription; what it has delivered is remembered.
        trial: Its trial.
        overlap: What that has shown so far.
        wall: Unix seconds.
    """
    match overlap:
        case Overlap.QUIET if _brought_news(entry, trial):
            return Finding.PRIMARY_SILENT if _older(trial, wall) else Finding.UNDECIDED
        case Overlap.MATCHED | Overlap.QUIET:
            return Finding.CONTINUES
        case Overlap.SECOND_SILENT:
            return Finding.SECOND_SILENT
        case _ if not trial.overflowed and _older(trial, wall) < 2:  # noqa: PLR2004 - the first frame and another
            return Finding.UNDECIDED
        case Overlap.INCOMPARABLE:
            return Finding.UNDECIDED if _is_behind(entry, trial) else Finding.UNPROVED
        case Overlap.NEWEST_ONLY if not _was_heard(entry, trial):
            return Finding.PRIMARY_SILENT
        case Overlap.NEWEST_ONLY if _older(trial, _heard_at(entry)) < 2:  # noqa: PLR2004 - as above
            # Nothing has come on the first one's socket since: that may be half open, and then the venue is not to blame.
            waits = not trial.overflowed and wall - _heard_at(entry) < LATENESS
            return Finding.UNDECIDED if waits else Finding.PRIMARY_SILENT
        case Overlap.NEWEST_ONLY | Overlap.DISJOINT:
            return Finding.NO_OVERLAP


def _older(trial: Trial, wall: float) -> int:
    """Return how many frames of the second side the primary one has had the time to bring too until then."""
    return sum(held.wall <= wall - LATENESS for held in trial.held())


def _brought_news(entry: Entry, trial: Trial) -> bool:
    """Whether the second side alone has brought an item: its first frame may tell what the primary side has missed."""
    merger = entry.merger
    if merger is None or merger.merge is not Merge.ITEMS:
        return False
    return any(not merger.delivered(key) for held in trial.held() for key in merger.keys(held.raw, None))


def _is_behind(entry: Entry, trial: Trial) -> bool:
    """Whether the primary side has not come to where the second one began, by the venue's time."""
    last, held = entry.last, trial.held()
    if trial.overflowed or last is None or last.venue_time is None or held[0].venue_time is None:
        return False
    return last.venue_time < held[0].venue_time


def _heard_at(entry: Entry) -> float:
    """Return when the last byte came on the primary side's socket (unix seconds); it is pinged while there is a trial."""
    connection = entry.connection
    return -math.inf if connection is None or connection.inbound is None else connection.inbound.last.wall


def _was_heard(entry: Entry, trial: Trial) -> bool:
    """Whether the primary side delivered as usual until the trial began: otherwise its silence says nothing about the venue."""
    usual = entry.type.cadence or entry.watch.learned
    last_at, held = entry.counters.last_at, trial.held()
    return usual is None or last_at is None or not held or held[0].wall - last_at <= usual + 1.0
