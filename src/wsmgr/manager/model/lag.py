"""Lag: how much later than their venue time messages come.

A venue's clock is not ours, so the difference between when a message came and the venue's time for it is the lag plus the
offset of the two clocks. The least difference of the last minutes is taken for the offset: the fastest message of them has lag 0, and
all lags are relative to it. The window slides, so that clocks that drift are followed; after a step of our clock it starts anew.

Lag is sampled once a second per subscription, from its newest message: a message costs nothing. What came in a snapshot, from
memory or from a healing query is no sample. The samples of the last 15 minutes are kept as counts of logarithmic classes, each an eighth
wider than the one before, so a subscription costs some 1.4 KB, and its quantiles a few microseconds.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from itertools import accumulate
from math import ceil, exp2, log2
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from wsmgr.manager.model.message import Message
    from wsmgr.manager.model.metrics import Counters

MINUTE = 60.0
COUNTED = 3
"""The how manieth least difference of a minute counts."""
MINUTES = 10
"""For how many minutes a difference counts for the offset."""

SECONDS = 900
"""How many samples are looked back at."""

LEAST = 0.001
"""The first class goes up to here: venues tell the time in milliseconds."""

_PER_OCTAVE = 6
_CLASSES = 128


@define(eq=False)
class VenueClock:
    """Estimates the offset between a venue's clock and ours."""

    _least: dict[int, list[float]] = field(factory=dict[int, list[float]], init=False)
    _offset: float | None = field(default=None, init=False)

    @property
    def offset(self) -> float | None:
        """Seconds to be added to the venue's time to have ours (the least way of a message is in it), or None while nothing is known."""
        return self._offset

    def observe(self, difference: float, now: float) -> float:
        """Take the difference between when a message came and its venue time, in seconds; returns the offset.

        Of each minute the third least counts, so one or two odd times of a venue move nothing.
        """
        if not math.isfinite(difference):
            return 0.0 if self._offset is None else self._offset
        minute = int(now // MINUTE)
        least = self._least.get(minute)
        if least is None:
            self._least = {at: values for at, values in self._least.items() if at > minute - MINUTES}
            least = self._least[minute] = []
        if len(least) < COUNTED or difference < least[-1]:
            insort(least, difference)
            del least[COUNTED:]
            known = [values[-1] for values in self._least.values() if len(values) == COUNTED]
            self._offset = min(known or [least[-1]])
        return difference if self._offset is None else self._offset

    def reset(self) -> None:
        """Forget everything: our clock was set."""
        self._least.clear()
        self._offset = None


@define(eq=False)
class Lags:
    """The lags of one subscription in the last 15 minutes, one sample a second.

    Attributes:
        seen: The number of the message that was sampled last.
    """

    seen: int = 0
    _classes: bytearray = field(factory=lambda: bytearray(SECONDS), repr=False, init=False)
    _counts: array[int] = field(factory=lambda: array("H", bytes(2 * _CLASSES)), repr=False, init=False)
    _known: int = field(default=0, init=False)
    _at: int = field(default=0, init=False)

    def add(self, lag: float | None) -> None:
        """Take the sample of a second, in seconds; None where nothing came that has a lag."""
        at, counts = self._at, self._counts
        old = self._classes[at]
        if old:
            counts[old] -= 1
            self._known -= 1
        new = 0
        if lag is not None:
            # The first class goes up to `LEAST`; then there are six for each doubling.
            new = 1 if lag <= LEAST else min(_CLASSES - 1, 1 + ceil(log2(lag / LEAST) * _PER_OCTAVE))
            counts[new] += 1
            self._known += 1
        self._classes[at] = new
        self._at = at + 1 if at + 1 < SECONDS else 0

    def at_most(self, *shares: float) -> list[float] | None:
        """Return for each share the seconds that so many of the samples did not exceed, or None without samples.

        It is an eighth too much at most.
        """
        known = self._known
        if not known:
            return None
        # A class without samples adds nothing to the sum, so the class found holds the sample of that rank.
        sums = list(accumulate(self._counts))
        return [LEAST * exp2((bisect_left(sums, ceil(share * known)) - 1) / _PER_OCTAVE) for share in shares]


def sample_lag(counters: Counters, last: Message | None, clock: VenueClock, now: float) -> None:
    """Take a subscription's sample of this second from its newest message; `now` is monotonic."""
    lags = counters.lags
    if last is None or last.venue_time is None:
        if lags is not None:
            lags.add(None)
        return
    if lags is None:
        lags = counters.lags = Lags()
    seq = last.seq
    if seq == lags.seen or last.snapshot or last.replayed or last.healed:
        lags.add(None)
        return
    lags.seen = seq
    difference = last.received_at - last.venue_time
    lags.add(difference - clock.observe(difference, now))


def skip_lag(counters: Counters, last: Message | None) -> None:
    """Never sample the newest message: when it came was told by a clock that has been set since."""
    if last is None or last.venue_time is None:
        return
    if counters.lags is None:
        counters.lags = Lags()
    counters.lags.seen = last.seq
