"""Healing: what is known of a gap after it has ended, and what is asked to know more.

A gap is a period in which something may have been missed. It is *whole* once it is proved that nothing was (`empty`), or that all
of it was delivered since (`filled`). Two things can prove it.

**A snapshot** that comes with the resubscribe: see `reach`.

**A query** over the period, with a margin on either side, page by page. It is asked `SETTLE` seconds after the gap's end, when the
venue's own tables know what its streams have sent. It proves the gap when no page was cut off, or when it reaches back by time or by
length; never by key, because the stream has gone on delivering. What it brings is compared with what was delivered, so each item is
delivered once, whoever brings it first. Before the gap an item counts as missed only as far back as it is known what was delivered.

A query that fails is asked again after growing pauses, `TRIES` times in all. Then the gap stays open, with the reason. Gaps that wait
and lie close together are asked for together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field, frozen

from wsmgr.manager.model.continuity import Gap, Healed, Proof
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.reach import MARGIN, Reach, begins, moment, reach

__all__ = ["MARGIN", "Healing", "HealingQuery", "Page", "Reach", "Round", "Wanted", "reach"]

SETTLE: Final = 2.0
"""Seconds after a gap's end before it is asked for."""
TRIES: Final = 3
PAUSES: Final = (5.0, 60.0, 60.0)
"""Seconds after each try before the next one; after the last one, until it is seen that its answer was never taken in. A quota of the
venue is as long as the second."""
MOST_PAGES: Final = 20
MOST_GAPS: Final = 100
"""How many gaps of one subscription wait; the oldest gives way."""
TOGETHER: Final = 60.0
"""Seconds between two gaps that are still asked for together."""
UNTAKEN: Final = "what came could not be taken in"


@frozen(kw_only=True)
class HealingQuery:
    """One page of what a dialect asks to fill a period.

    Attributes:
        name: The query, as the venue calls it.
        payload: Its wire form.
        items: Returns what an answer tells as items of the stream, in any order; raises a `WsmgrError` for one of another form.
        frames: Returns frames of the stream, in the venue's format, that hold these items in their order.
        seen: Returns the items of a frame of the stream, as far as this query can bring them again.
        cap: The number of items at which an answer may have been cut off, or None where it always may.
        paged: Whether one that was cut off is gone on with, from the time of its newest item; else it holds the newest items only.
        depth: How many of the newest items the venue keeps for it, or None where all.
        leaves_out: What of the stream it does not tell, or None.
    """

    name: str
    payload: Mapping[str, Any]
    items: Callable[[object], list[Item]]
    frames: Callable[[Sequence[Item]], list[bytes]]
    seen: Callable[[bytes], list[Item]]
    cap: int | None = None
    paged: bool = False
    depth: int | None = None
    leaves_out: str | None = None


@define(eq=False)
class Wanted:
    """A gap that is looked into.

    Attributes:
        gap: The gap.
        since: When it began, by the venue's clock, in unix seconds.
        until: When it ended.
        known_from: From when on it is known what had been delivered before it; -inf: of all times.
        items: How many items were missed in it and have been delivered since.
        settled_at: Until when the venue may still be writing down what it has sent (monotonic).
    """

    gap: Gap
    since: float
    until: float
    known_from: float
    items: int = 0
    settled_at: float = -math.inf

    def covers(self, time: float | None, known_from: float) -> bool:
        """Return whether an item of this time, if it is not known to be delivered, was missed in this gap.

        Args:
            time: Its time.
            known_from: From when on it is known now what was delivered.
        """
        if time is None or self.since <= time <= self.until:
            return True
        return max(known_from, self.known_from, self.since - MARGIN) <= time <= self.until + MARGIN


@define(eq=False)
class Round:
    """Gaps that are asked for together, page by page.

    Attributes:
        gaps: The gaps, oldest first.
        since: Where the next page begins, by the venue's clock.
        pages: How many pages came.
        received: How many items they held.
    """

    gaps: list[Wanted]
    since: float
    pages: int = 0
    received: int = 0


@frozen(kw_only=True)
class Page:
    """What one answer tells.

    Attributes:
        missed: The items that are to be delivered, oldest first, each with the gap in which it was missed.
        count: How many items it held, those that are of no interest included.
        oldest: The time of the oldest of them that is of interest, or None.
        newest: The time of the newest, or None.
    """

    missed: tuple[tuple[Item, Wanted], ...] = ()
    count: int = 0
    oldest: float | None = None
    newest: float | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """What is to be delivered, oldest first."""
        return tuple(item for item, _ in self.missed)


@define(eq=False)
class Healing:
    """The gaps of one subscription that are looked into.

    Attributes:
        wanted: The gaps, oldest first.
        round: Those of them that are asked for, or None.
        attempts: How often the present page was asked for.
        due_at: When it is asked next (monotonic).
        offset: By how many seconds the venue's clock is ahead of ours, as far as that was known at the newest gap.
    """

    wanted: list[Wanted] = field(factory=list[Wanted])
    round: Round | None = None
    attempts: int = 0
    due_at: float = math.inf
    offset: float = 0.0

    def add(
        self,
        gap: Gap,
        now: float,
        *,
        items: int = 0,
        offset: float = 0.0,
        known_from: float = -math.inf,
    ) -> list[Healed]:
        """Look into a gap that has just ended; returns those that had to give way to it.

        Args:
            gap: The gap.
            now: The monotonic time.
            items: How many items that were missed in it have been delivered since, with a snapshot that fell short.
            offset: By how many seconds the venue's clock is ahead of ours, as far as that is known.
            known_from: When the oldest message came (unix seconds) of those that were remembered when the gap began; -inf where
                nothing had been forgotten.
        """
        self.offset = offset
        since, until = gap.started_at + offset, gap.ended_at + offset
        self.wanted.append(Wanted(gap, since, until, known_from + offset, items, settled_at=now + SETTLE))
        if self.round is None:
            self.due_at = now + SETTLE
        if len(self.wanted) <= MOST_GAPS:
            return []
        return self._leave(self.wanted[:1], f"more than {MOST_GAPS} later gaps waited to be looked into")

    def snapshot_came(self, items: Sequence[Item], fresh: Sequence[Item]) -> list[Healed]:
        """Take the snapshot that came after the newest of the gaps had ended; returns those that it proves.

        What it brings is delivered in any case: where it falls short it counts for the newest gap.

        Args:
            items: All of its items.
            fresh: Those of them that had not been delivered before.
        """
        healed: list[Healed] = []
        newest = self.wanted[-1] if self.wanted else None
        for wanted in list(self.wanted):
            found = reach(items, fresh, since=wanted.since, by_key=wanted is newest)
            if wanted is newest or found.proof is not None:
                wanted.items += found.new
            if found.proof is not None:
                self._remove(wanted)
                healed.append(_whole(wanted, "snapshot"))
        return healed

    @property
    def exhausted(self) -> bool:
        """Whether the present page was asked for as often as one is."""
        return self.attempts >= TRIES

    def ask(self, now: float, wall: float) -> tuple[float, float]:
        """Begin to ask, or go on; returns the period of the next page, in unix seconds by the venue's clock.

        What the venue may still be writing down is not asked for: the stream brings it.

        Args:
            now: The monotonic time.
            wall: Unix seconds.
        """
        if self.round is None:
            together = self.wanted[:1]
            for wanted in self.wanted[1:]:
                if wanted.since - together[-1].until > TOGETHER or wanted.settled_at > now:
                    break
                together.append(wanted)
            self.round = Round(together, together[0].since - MARGIN)
        self.due_at = now + PAUSES[min(self.attempts, TRIES - 1)]
        self.attempts += 1
        last = self.round.gaps[-1].until
        return self.round.since, min(last + MARGIN, max(wall + self.offset - SETTLE / 2, last))

    def read(
        self,
        query: HealingQuery,
        answer: object,
        delivered: Callable[[Hashable], bool],
        *,
        known_from: float = -math.inf,
    ) -> Page:
        """Return what an answer tells that is still asked for; nothing is changed by it.

        Args:
            query: What was asked.
            answer: What the venue answered, decoded.
            delivered: Whether an item of this key was delivered.
            known_from: From when on that is known, in unix seconds by our clock; -inf: of all that was delivered since the gap began.

        Raises:
            WsmgrError: The answer has another form.
        """
        items = sorted(query.items(answer), key=_time)
        missed: dict[Hashable, tuple[Item, Wanted]] = {}
        for item in items:
            if not delivered(item.key):
                gaps = self.round.gaps if self.round is not None else []
                found = next(
                    (each for each in gaps if each.covers(item.time, known_from + self.offset)), None
                )
                if found is not None:
                    missed[item.key] = (item, found)
        times = [item.time for item in items if item.time is not None]
        count = max(len(items), len(answer)) if isinstance(answer, list) else len(items)  # pyright: ignore[reportUnknownArgumentType]
        return Page(
            missed=tuple(missed.values()),
            count=count,
            oldest=min(times, default=None),
            newest=max(times, default=None),
        )

    def take(self, query: HealingQuery, page: Page, now: float) -> list[Healed]:
        """Note that what a page told was delivered; returns the gaps that are done with, none while there is a next page.

        Args:
            query: What was asked.
            page: What `read` returned.
            now: The monotonic time.
        """
        self.attempts, self.due_at = 0, now
        this = self.round
        if this is None:
            # A snapshot has proved meanwhile what was asked for.
            return []
        this.pages += 1
        this.received += page.count
        for _, wanted in page.missed:
            wanted.items += 1
        more = _goes_on(this, query, page)
        if more and page.newest is not None and page.newest > this.since and this.pages < MOST_PAGES:
            this.since = page.newest
            return []
        healed: list[Healed] = []
        for wanted in list(this.gaps):
            why = _shortfall(this, wanted, query, page, cut_off=more)
            if why is None:
                self._remove(wanted)
                healed.append(_whole(wanted, f"query {query.name}"))
            else:
                healed += self._leave([wanted], why)
        if self.wanted:
            # One that ended meanwhile has a time of its own, until which the venue may still write it down.
            self.due_at = max(now, self.wanted[0].settled_at)
        return healed

    def failed(self, query: str, why: str) -> list[Healed]:
        """Note that a query was not answered; returns the gaps that stay open for it, none while it is asked again.

        Args:
            query: Its name.
            why: What happened, in half a sentence.
        """
        if self.round is None or not self.exhausted:
            return []
        return self._leave(self.round.gaps, f"{query} was asked {TRIES} times; the last time {why}")

    def postpone(self, now: float, delay: float) -> None:
        """Note that a query could not even be sent: that costs no try, and it is tried again in `delay` seconds."""
        self.attempts = max(0, self.attempts - 1)
        self.due_at = now + delay

    def give_up(self, why: str) -> list[Healed]:
        """Look into nothing any more; returns the gaps, which stay open."""
        return self._leave(self.wanted, why)

    def _leave(self, gaps: Sequence[Wanted], why: str) -> list[Healed]:
        """Leave gaps open, with the reason."""
        healed: list[Healed] = []
        for wanted in list(gaps):
            self._remove(wanted)
            period = f"from {moment(wanted.gap.started_at)} to {moment(wanted.gap.ended_at)}"
            words = (
                f"what happened {period} is not known"
                if not wanted.items
                else f"{period} more may be missing"
            )
            healed.append(Healed(gap=evolve(wanted.gap, open_because=f"{words}: {why}"), items=wanted.items))
        return healed

    def _remove(self, wanted: Wanted) -> None:
        self.wanted.remove(wanted)
        if self.round is not None and wanted in self.round.gaps:
            self.round.gaps.remove(wanted)
            if not self.round.gaps:
                self.round, self.attempts = None, 0


def _whole(wanted: Wanted, healed_by: str) -> Healed:
    """Return a gap of which all is known."""
    proof: Proof = "filled" if wanted.items else "empty"
    return Healed(gap=evolve(wanted.gap, proof=proof, healed_by=healed_by), items=wanted.items)


def _goes_on(this: Round, query: HealingQuery, page: Page) -> bool:
    """Whether there may be something of the period behind a page; the depth of a query can only be counted to its end."""
    if not query.paged or query.cap is None or page.count < query.cap or page.newest is None:
        return False
    return query.depth is not None or page.newest <= this.gaps[-1].until + MARGIN


def _shortfall(this: Round, wanted: Wanted, query: HealingQuery, page: Page, *, cut_off: bool) -> str | None:
    """Return why the pages do not prove a gap, or None where they do."""
    if query.leaves_out is not None:
        return f"{query.name} does not tell of {query.leaves_out}"
    if query.depth is not None and this.received >= query.depth:
        return f"{query.name} knows the newest {query.depth} items only, and there were as many since"
    if cut_off and page.newest is not None and page.newest <= wanted.until + MARGIN:
        return f"{query.name} was cut off after {this.pages} pages"
    whole = query.paged or page.count == 0 or (query.cap is not None and page.count < query.cap)
    if whole or (page.oldest is not None and page.oldest <= wanted.since - MARGIN):
        return None
    return f"{query.name} does not reach back: {begins(page.oldest)}"


def _time(item: Item) -> float:
    return -math.inf if item.time is None else item.time
