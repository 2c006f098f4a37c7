"""Dialling: who of an origin's connections may dial, and when.

Dialling belongs to the origin, because what refuses one connection refuses all of them. Invariants:

1. Never more dials in any 60 s than the quota allows, and none before a `Retry-After` is over. Nothing overrules these two.
2. In *doubt* one scout dials and the others wait for its dial to be accepted. Doubt begins with the second refusal in a row, with
   a `Retry-After`, and with the second socket that is lost before a dial was accepted again: ten sockets cut at once cost
   one dial while the venue is away, and ten once it is back.
3. The scout's first retry is immediate, then each waits a time drawn uniformly from [d/2, d], d = 1, 2, 4, 8 s; after five
   minutes of refusals d = 30 s. The network is never given up on. Refusals of dials that were under way together push the
   delay up by one step only. After the fifth refusal the delay is also as long as it takes, up to 16 s, that the quota lasts for
   this pace with a dial left for each who waits: else those would wait for the quota when the scout has found the venue back.
4. A socket that ended before it was up for 10 s *and* showed proof begins a sequence of its connection's own, up to 30 s, in which
   no delay is shorter than the one before: the connection is *flapping*. A refusal is a step of it too, up to 8 s.
5. When a second connection's socket ends like that while no socket of the origin has been up for 10 s, the origin is *on trial*:
   one scout dials, by such a sequence of the origin's own, and the others wait until its socket has been up for 10 s.
6. Those that flap leave a sixth of the quota to the others.
7. Refused credentials are tried again after 1, 5, 15, then every 60 minutes.
8. Who is told to retry now waits for the first invariant only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from wsmgr.manager.model.flapping import HEALTHY_AFTER, Sequence, Trial, Uniform, retry_delay
from wsmgr.manager.model.quota import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROBE_CEILING = 8.0
UNPACED = 4
"""Refusals in a row after which the next dial comes as soon as it is drawn, whatever is left of the quota."""
LONGEST_PACE = 16.0
LONG_PROBE_AFTER = 300.0
LONG_PROBE = 30.0
CREDENTIAL_DELAYS = (60.0, 300.0, 900.0, 3600.0)
LONGEST_RETRY_AFTER = 86_400.0
"""Seconds for which a venue's `Retry-After` is believed."""


@frozen
class Wait:
    """What a connection waits for before it dials.

    Attributes:
        at: When it may dial at the earliest (monotonic); None where that depends on how another one fares.
        why: What for, in half a sentence.
    """

    at: float | None
    why: str


@define(kw_only=True)
class _Candidate:
    urgency: int
    not_before: float
    urged: bool = False


@define(eq=False)
class Dialling:
    """The state of one origin's dials.

    Args:
        window: The origin's dials of the last 60 s.
        uniform: Draws from [low, high].

    Attributes:
        refusals: Refused dials in a row; those that were under way together count as one.
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
    reason: str | None = None
    _doubt: bool = False
    _losses: int = 0
    _trial: Trial = field(init=False)
    _candidates: dict[str, _Candidate] = field(factory=dict[str, _Candidate])
    _under_way: dict[str, int] = field(factory=dict[str, int])
    _flaps: dict[str, Sequence] = field(factory=dict[str, Sequence])
    _credentials: dict[str, int] = field(factory=dict[str, int])

    def __attrs_post_init__(self) -> None:
        """Begin with an origin that nothing speaks against."""
        self._trial = Trial(self.uniform)

    @property
    def scouting(self) -> bool:
        """Whether one connection dials for all."""
        return self._doubt or self._trial.sequence is not None

    def request(self, connection: str, urgency: int, now: float) -> None:
        """Ask for a dial; asking again changes nothing but the urgency.

        Args:
            connection: Who asks: it has no socket, and does not dial.
            urgency: Its rank, 0 first.
            now: The monotonic time.
        """
        self._under_way.pop(connection, None)
        self._trial.gone(connection)
        known = self._candidates.get(connection)
        if known is not None:
            known.urgency = urgency
            return
        flap = self._flaps.get(connection)
        delay = self._credential_delay(connection) or (flap.delay if flap is not None else 0.0)
        self._candidates[connection] = _Candidate(urgency=urgency, not_before=now + delay)

    def retry_now(self, connection: str) -> None:
        """Let a connection that waits dial as soon as the quota and a `Retry-After` allow.

        Its credentials are other ones, or somebody asked for it.
        """
        self._credentials.pop(connection, None)
        candidate = self._candidates.get(connection)
        if candidate is not None:
            candidate.urged = True

    def resume(self, dialling: Iterable[str], ready: Iterable[str]) -> None:
        """Go on after a time without a dialer: only these connections are dialling, and only these have a socket."""
        still = set(dialling)
        self._under_way = {name: wave for name, wave in self._under_way.items() if name in still}
        self._trial.keep(set(ready))

    def release(self, connection: str) -> None:
        """Take back a grant that is not used, or a wish; what is known of the connection stays."""
        self._candidates.pop(connection, None)
        self._under_way.pop(connection, None)

    def withdraw(self, connection: str) -> None:
        """Forget a connection that has ended for good."""
        self.release(connection)
        self._trial.forget(connection)
        self._flaps.pop(connection, None)
        self._credentials.pop(connection, None)

    def grants(self, now: float) -> tuple[list[str], float]:
        """Return who may dial now, and when to ask again (monotonic; infinite where nobody's turn has a time)."""
        granted: list[str] = []
        self._trial.judge(now)
        while True:
            name, at = self._next(now)
            if name is None or at > now:
                return granted, at
            self.window.record(now)
            del self._candidates[name]
            self._under_way[name] = self.refusals
            granted.append(name)

    def wait(self, connection: str, now: float) -> Wait | None:
        """Return what a connection waits for, or None when it has not asked for a dial, or may make it now."""
        candidate = self._candidates.get(connection)
        if candidate is None:
            return None
        at, why = max(self._holds(connection, candidate, now), default=(now, ""))
        return None if at <= now else Wait(None if at == math.inf else at, why)

    def flapping(self, connection: str) -> bool:
        """Whether a connection's sockets are accepted and soon closed again."""
        flap = self._flaps.get(connection)
        # The first may be chance, unless the whole origin does it.
        return flap is not None and (flap.ends > 1 or self._trial.sequence is not None)

    def unauthorized(self, connection: str) -> bool:
        """Whether a connection's credentials were refused."""
        return connection in self._credentials

    def accepted(self, connection: str, now: float) -> None:
        """Note that a dial was accepted: the origin is reachable again."""
        self._under_way.pop(connection, None)
        self._credentials.pop(connection, None)
        self._trial.opened(connection, now)
        self.refusals = self._losses = 0
        self.refused_since = None
        self.not_before = 0.0
        self.reason = None
        self._doubt = False

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
            retry_after: Seconds for which the venue wants no dial; a day at most is believed.
            credential: Whether the credentials were refused; this says nothing of the origin.
        """
        wave = self._under_way.pop(connection, self.refusals)
        if retry_after is not None:
            self.wait_until(now + retry_after, now)
        if credential:
            self._credentials[connection] = self._credentials.get(connection, 0) + 1
            return
        self.reason = reason
        if wave == self.refusals:
            self._refused_wave(now)
        elif self.refusals:
            self._doubt = True
        flap = self._flaps.get(connection)
        if flap is not None:
            flap.step(self.uniform, PROBE_CEILING)
            flap.delay = max(flap.delay, self.not_before - now)

    def wait_until(self, at: float, now: float) -> None:
        """Dial nobody before `at` (monotonic), because the venue said so: to this process, or to one before it."""
        self.retry_after = max(self.retry_after, min(at, now + LONGEST_RETRY_AFTER))
        self._doubt = True

    def closed(self, connection: str, now: float, *, uptime: float, proved: bool) -> None:
        """Note that an accepted socket ended.

        Args:
            connection: Whose socket it was.
            now: The monotonic time.
            uptime: Seconds for which it was open.
            proved: Whether it carried what it was opened for: any of its subscriptions was live on it.
        """
        self._under_way.pop(connection, None)
        self._losses += 1
        if self._losses > 1:
            self._doubt = True
        ends = 0
        if uptime >= HEALTHY_AFTER and proved:
            self._flaps.pop(connection, None)
        else:
            flap = self._flaps.setdefault(connection, Sequence())
            flap.step(self.uniform)
            flap.ends += 1
            ends = flap.ends
        if self._trial.ended(connection, now, uptime=uptime, false_start=not proved or ends > 1):
            self.not_before = max(self.not_before, now + self._trial_delay())
            self.reason = "its socket was closed at once"

    def _next(self, now: float) -> tuple[str | None, float]:
        times = {
            name: max((at for at, _ in self._holds(name, candidate, now)), default=now)
            for name, candidate in self._candidates.items()
        }
        ready = [name for name, at in times.items() if at <= now]
        if ready:
            return min(ready, key=lambda name: self._candidates[name].urgency), now
        return None, min(times.values(), default=math.inf)

    def _holds(self, name: str, candidate: _Candidate, now: float) -> Iterator[tuple[float, str]]:
        """Yield until when something keeps a candidate from dialling, and what it is."""
        flaps = not candidate.urged and self.flapping(name)
        keep = (self.window.limit or 0) // 6 if flaps else 0
        yield (
            self.window.free_at(now, keep=keep),
            "as many dials as the quota allows were made in the last minute",
        )
        yield self.retry_after, "the venue asked to wait (Retry-After)"
        if candidate.urged:
            return
        yield candidate.not_before, self._own_reason(name)
        yield self.not_before, f"the last dial failed: {self.reason}"
        if self.scouting and self._under_way:
            yield math.inf, f"{next(iter(self._under_way))} dials first"
        watched = self._trial.on_watch()
        if watched is not None:
            yield watched[1], f"{watched[0]} is to stay up for {HEALTHY_AFTER:g} s first"

    def _own_reason(self, name: str) -> str:
        if self.unauthorized(name):
            return "its credentials were refused"
        return "its sockets are accepted and soon closed again"

    def _refused_wave(self, now: float) -> None:
        """Note a refusal that is no echo of one before."""
        if self.refused_since is None:
            self.refused_since = now
        self.refusals += 1
        if self.refusals > 1:
            self._doubt = True
        delay = retry_delay(self.refusals, PROBE_CEILING, self.uniform)
        if self.refusals > UNPACED:
            delay = max(delay, min(self._pace(now), LONGEST_PACE))
        if now - self.refused_since >= LONG_PROBE_AFTER:
            delay = self.uniform(LONG_PROBE / 2, LONG_PROBE)
        if self._trial.sequence is not None:
            self._trial.sequence.step(self.uniform, PROBE_CEILING)
        self.not_before = now + max(delay, self._trial_delay())

    def _pace(self, now: float) -> float:
        """Return the seconds between two scouts at which the quota always has a dial left for each who waits."""
        waiting = len(self._candidates) + len(self._under_way)
        spare = (self.window.limit or 0) - waiting
        return max(
            ((self.window.free_at(now, keep=waiting + n - 1) - now) / n for n in range(1, spare + 1)),
            default=0.0,
        )

    def _trial_delay(self) -> float:
        return 0.0 if self._trial.sequence is None else self._trial.sequence.delay

    def _credential_delay(self, connection: str) -> float:
        count = self._credentials.get(connection, 0)
        return CREDENTIAL_DELAYS[min(count, len(CREDENTIAL_DELAYS)) - 1] if count else 0.0
