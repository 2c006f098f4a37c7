"""A venue's quotas: what may be held, and what may be sent within a minute.

Two kinds. What *time* refills (dials, messages) is a sliding window of the last minute. What only an *end* frees
(connections, users, subscriptions) is counted where it is held; a user's slot lingers at the venue for some seconds
after the last stream of that user has gone.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import attrs
from attrs import field, frozen

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.showing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WINDOW = 61.0
"""A venue's minute, and a second for the way: one message may take longer than the next, and the venue counts what arrives."""
USER_LINGER = 15.0
SHORT_FOR = 45.0
"""Seconds after its newest refusal in which something is taken to wait still."""
SAME_FOR = 10.0
"""Seconds after its end in which a shortage that comes again is the same one."""


def _limit(_instance: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigurationError(
            f"the quota {attribute.name} is {shown(value)}; give a whole number above 0, or 'off'"
        )


@frozen(kw_only=True)
class Quotas:
    """The limits of one origin; None where there is none.

    Attributes:
        connections: Sockets open at once.
        dials_per_minute: Dials in any minute.
        subscriptions: Subscriptions at once, over all sockets.
        users: Different users named by subscriptions at once.
        messages_per_minute: Frames sent in any minute, over all sockets.
        requests_in_flight: Requests that wait for an answer.
    """

    connections: int | None = field(default=None, validator=_limit)
    dials_per_minute: int | None = field(default=None, validator=_limit)
    subscriptions: int | None = field(default=None, validator=_limit)
    users: int | None = field(default=None, validator=_limit)
    messages_per_minute: int | None = field(default=None, validator=_limit)
    requests_in_flight: int | None = field(default=None, validator=_limit)

    def override(self, changes: Mapping[str, object]) -> Quotas:
        """Return these quotas with some replaced; the text `off` turns one off.

        Raises:
            ConfigurationError: A name is no quota, or a value is neither a number above 0 nor `off`.
        """
        known = {attribute.name for attribute in attrs.fields(Quotas)}
        for name in changes:
            if name not in known:
                raise ConfigurationError(
                    f"there is no quota {shown(name)}; there are {', '.join(sorted(known))}"
                )
        values = {name: None if value == "off" else value for name, value in changes.items()}
        return attrs.evolve(self, **values)  # type: ignore[arg-type]  # the validators check each value


class Window:
    """How often something happened in the last minute, against a limit.

    Args:
        limit: How often it may happen in any minute, or None for any number.
    """

    def __init__(self, limit: int | None) -> None:
        """Start empty."""
        self.limit = limit
        self._times: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return how often it happened in the 60 s before `now`."""
        while self._times and self._times[0] + WINDOW <= now:
            self._times.popleft()
        return len(self._times)

    @property
    def reserve(self) -> int:
        """How many are left for what cannot wait, such as keep-alives: 2 % of the limit, at most 20."""
        return 0 if self.limit is None else min(20, self.limit // 50)

    def free(self, now: float, *, keep: int = 0) -> int:
        """Return how often it may happen at once at `now`, with `keep` left over."""
        return 2**31 if self.limit is None else self.limit - keep - self.used(now)

    def record(self, now: float) -> None:
        """Note that it happened."""
        if self.limit is not None:
            self._times.append(now)

    def since(self, at: float) -> list[float]:
        """Return when it happened after `at`, oldest first: what is still counted."""
        return [each for each in self._times if each > at]

    def recall(self, times: Iterable[float]) -> None:
        """Count what happened before anything that was recorded here, oldest first."""
        if self.limit is not None:
            self._times.extendleft(reversed(list(times)))

    def free_at(self, now: float, *, keep: int = 0) -> float:
        """Return when it may happen next, with `keep` left over: `now` where it may at once."""
        if self.free(now, keep=keep) > 0 or self.limit is None:
            return now
        return self._times[len(self._times) - (self.limit - keep)] + WINDOW


class Shortage:
    """That something waits for a place which others could make for it: known from its refusals, which come again while it waits."""

    def __init__(self) -> None:
        """Start without one."""
        self._since = math.inf
        self._until = -math.inf

    def note(self, now: float) -> None:
        """Note that something was refused."""
        if self._until + SAME_FOR <= now:
            self._since = now
        self._until = now + SHORT_FOR

    def ease(self, now: float) -> None:
        """Note that something got a place; what waits still is refused again before long."""
        self._until = min(self._until, now)

    def lasts(self, now: float, *, since: float = 0.0) -> bool:
        """Whether there is one, which began at least so many seconds ago."""
        return self._since + since <= now < self._until

    def lasts_at(self, *, since: float) -> float:
        """Return when it has been there for so many seconds."""
        return self._since + since


class UserSlots:
    """Which users an origin counts: those with subscriptions, and those whose last one ended a moment ago."""

    def __init__(self) -> None:
        """Start with none."""
        self._leaving: dict[str, float] = {}

    def left(self, user: str, now: float) -> None:
        """Note that the last subscription of a user ended."""
        self._leaving[user] = now + USER_LINGER

    def held(self, present: Iterable[str], now: float) -> set[str]:
        """Return every user whose slot is taken."""
        self._leaving = {user: until for user, until in self._leaving.items() if until > now}
        return set(present) | set(self._leaving)

    def free_at(self) -> float | None:
        """Return when the next lingering slot is given back, or None."""
        return min(self._leaving.values(), default=None)
