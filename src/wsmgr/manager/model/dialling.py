"""Dialling: who of an origin's connections may dial, and when.

Dialling belongs to the origin, because what refuses one connection refuses all of them. Invariants:

1. Never more dials in any 60 s than the quota allows, and none before a `Retry-After` is over.
2. After two refused dials in a row the origin is *probing*: one scout dials, the others wait for it. The first retry is
   immediate, then each waits a time drawn uniformly from [d/2, d], d = 1, 2, 4, 8 s; after five minutes of refusals d = 30 s.
   The network is never given up on.
3. Refusals of dials that were under way together lead to probing, and push the delay up by one step only: ten sockets that
   are cut at once cost ten dials, and then one scout's.
4. A connection that is accepted and closed again before it was up for 10 s *and* showed proof is *flapping*: it has a
   sequence of its own, up to 30 s, in which no delay is shorter than the one before.
5. Refused credentials are tried again after 1, 5, 15, then every 60 minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from attrs import define, field

from wsmgr.manager.model.quota import Window

PROBE_CEILING = 8.0
LONG_PROBE_AFTER = 300.0
LONG_PROBE = 30.0
FLAP_CEILING = 30.0
HEALTHY_AFTER = 10.0
CREDENTIAL_DELAYS = (60.0, 300.0, 900.0, 3600.0)

Uniform = Callable[[float, float], float]


@define(kw_only=True)
class _Candidate:
    urgency: int
    not_before: float = 0.0


@define(kw_only=True)
class _Flap:
    count: int = 0
    delay: float = 0.0


@define(eq=False)
class Dialling:
    """The state of one origin's dials.

    Args:
        window: The origin's dials of the last 60 s.
        uniform: Draws from [low, high].

    Attributes:
        refusals: Refused dials in a row; those that were under way together count as two at most.
        refused_since: When the first of them was (monotonic), or None.
        not_before: When the next dial may be made, as far as the delays go (monotonic).
        retry_after: When the venue takes dials again, as it said itself (monotonic).
        reason: What the last refusal said, or None.
    """

    window: Window
    uniform: Uniform = field(repr=False)
    refusals: int = 0
    refused_since: float | None = None
    not_before: float = 0.0
    retry_after: float = 0.0
    _waves: int = 0
    reason: str | None = None
    _candidates: dict[str, _Candidate] = field(factory=dict[str, _Candidate])
    _under_way: dict[str, int] = field(factory=dict[str, int])
    _flaps: dict[str, _Flap] = field(factory=dict[str, _Flap])
    _credentials: dict[str, int] = field(factory=dict[str, int])

    @property
    def probing(self) -> bool:
        """Whether one scout dials for all."""
        return self.refusals >= 2  # noqa: PLR2004 - invariant 2

    def request(self, connection: str, urgency: int, now: float) -> None:
        """Ask for a dial; asking again changes nothing but the urgency.

        Args:
            connection: Who asks.
            urgency: Its rank, 0 first.
            now: The monotonic time.
        """
        self._under_way.pop(connection, None)
        flap = self._flaps.get(connection)
        known = self._candidates.get(connection)
        if known is not None:
            known.urgency = urgency
            return
        delay = self._credential_delay(connection) or (flap.delay if flap is not None else 0.0)
        self._candidates[connection] = _Candidate(urgency=urgency, not_before=now + delay)

    def resume(self, dialling: Iterable[str]) -> None:
        """Go on after a time without a dialer: only these connections are dialling."""
        known = set(dialling)
        self._under_way = {name: wave for name, wave in self._under_way.items() if name in known}

    def withdraw(self, connection: str) -> None:
        """Forget a connection that wants no dial any more."""
        self._candidates.pop(connection, None)
        self._under_way.pop(connection, None)
        self._flaps.pop(connection, None)
        self._credentials.pop(connection, None)

    def grants(self, now: float) -> tuple[list[str], float]:
        """Return who may dial now, and when to ask again (monotonic; infinite where nobody waits)."""
        granted: list[str] = []
        while True:
            name, at = self._next(now)
            if name is None or at > now:
                return granted, at
            self.window.record(now)
            del self._candidates[name]
            self._under_way[name] = self._waves
            granted.append(name)

    def attempt_at(self, connection: str, now: float) -> float | None:
        """Return when a waiting connection may dial at the earliest (monotonic), or None when it does not wait."""
        candidate = self._candidates.get(connection)
        if candidate is None:
            return None
        return max(candidate.not_before, self._floor(now), now)

    def flapping(self, connection: str) -> bool:
        """Whether a connection's sockets are accepted and soon closed again."""
        flap = self._flaps.get(connection)
        return flap is not None and flap.count >= 2  # noqa: PLR2004 - the first may be chance

    def unauthorized(self, connection: str) -> bool:
        """Whether a connection's credentials were refused."""
        return connection in self._credentials

    def accepted(self, connection: str) -> None:
        """Note that a dial was accepted: the origin is reachable again."""
        self._under_way.pop(connection, None)
        self._credentials.pop(connection, None)
        self.refusals = self._waves = 0
        self.refused_since = None
        self.not_before = 0.0
        self.reason = None

    def refused(
        self,
        connection: str,
        reason: str,
        now: float,
        *,
        retry_after: float | None = None,
        credential: bool = False,
    ) -> None:
        """Note that a dial was refused or did not come to an end in time.

        Args:
            connection: Whose dial it was.
            reason: What was said.
            now: The monotonic time.
            retry_after: Seconds for which the venue wants no dial.
            credential: Whether the credentials were refused; this says nothing of the origin.
        """
        wave = self._under_way.pop(connection, self._waves)
        if retry_after is not None:
            self.retry_after = max(self.retry_after, now + retry_after)
        if credential:
            self._credentials[connection] = self._credentials.get(connection, 0) + 1
            return
        self.reason = reason
        if wave != self._waves:
            if self.refusals:
                self.refusals = max(self.refusals, 2)
            return
        if self.refused_since is None:
            self.refused_since = now
        self.refusals += 1
        self._waves += 1
        self.not_before = now + self._probe_delay(now)

    def closed(self, connection: str, *, uptime: float, proved: bool) -> None:
        """Note that an accepted socket ended.

        Args:
            connection: Whose socket it was.
            uptime: Seconds for which it was open.
            proved: Whether any of its subscriptions was live on it.
        """
        self._under_way.pop(connection, None)
        if uptime >= HEALTHY_AFTER and proved:
            self._flaps.pop(connection, None)
            return
        flap = self._flaps.setdefault(connection, _Flap())
        flap.count += 1
        flap.delay = max(flap.delay, self._delay(flap.count, FLAP_CEILING))

    def _next(self, now: float) -> tuple[str | None, float]:
        if not self._candidates or (self.probing and self._under_way):
            return None, math.inf
        floor = self._floor(now)
        ready = [name for name, candidate in self._candidates.items() if candidate.not_before <= now]
        if not ready:
            return None, max(floor, min(candidate.not_before for candidate in self._candidates.values()))
        return min(ready, key=lambda name: self._candidates[name].urgency), max(floor, now)

    def _probe_delay(self, now: float) -> float:
        refused_since = now if self.refused_since is None else self.refused_since
        if now - refused_since >= LONG_PROBE_AFTER:
            return self.uniform(LONG_PROBE / 2, LONG_PROBE)
        return self._delay(self._waves, PROBE_CEILING)

    def _floor(self, now: float) -> float:
        """Return the earliest time at which anybody may dial."""
        return max(self.not_before, self.retry_after, self.window.free_at(now))

    def _delay(self, count: int, ceiling: float) -> float:
        """Return the delay before retry number `count`: none before the first."""
        if count <= 1:
            return 0.0
        longest = min(2.0 ** min(count - 2, 16), ceiling)
        return self.uniform(longest / 2, longest)

    def _credential_delay(self, connection: str) -> float:
        count = self._credentials.get(connection, 0)
        return CREDENTIAL_DELAYS[min(count, len(CREDENTIAL_DELAYS)) - 1] if count else 0.0
