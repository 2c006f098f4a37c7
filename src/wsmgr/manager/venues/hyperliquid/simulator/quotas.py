"""Quotas: what one client address has used of the venue's limits.

Pure bookkeeping with the time as a parameter; the limits are passed in on each question, because a fault may change
them while the simulator runs. Texts are the venue's own, without any hint which request they answer.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.options import Limits

_WINDOW = 60.0


class ClientQuotas:
    """What one client address (all its sockets together) has used."""

    def __init__(self) -> None:
        self.connections = 0
        self.subscriptions = 0
        self._dials: deque[float] = deque()
        self._messages: deque[float] = deque()
        self._users: Counter[str] = Counter()
        self._lingering: dict[str, float] = {}

    def dial(self, limits: Limits, now: float) -> bool:
        """Count an upgrade; False when it is one too many in the last 60 s."""
        return _admit(self._dials, limits.dials_per_minute, now)

    def has_room_for_connection(self, limits: Limits) -> bool:
        """Whether one more socket may be open."""
        return limits.connections is None or self.connections < limits.connections

    def message(self, limits: Limits, now: float) -> str | None:
        """Count a frame from the client; the venue's text when it is one too many."""
        if _admit(self._messages, limits.messages_per_minute, now):
            return None
        return f"Cannot send more than {limits.messages_per_minute} messages per minute."

    def subscribe(self, user: str | None, limits: Limits, now: float) -> str | None:
        """Count a subscription; the venue's text, and nothing counted, when it is one too many."""
        if limits.subscriptions is not None and self.subscriptions >= limits.subscriptions:
            return f"Cannot subscribe to more than {limits.subscriptions} channels."
        if user is not None and limits.users is not None:
            users = self._counted_users(now)
            if user not in users and len(users) >= limits.users:
                return f"Cannot track more than {limits.users} total users."
        self.subscriptions += 1
        if user is not None:
            self._users[user] += 1
        return None

    def unsubscribe(self, user: str | None, limits: Limits, now: float) -> None:
        """Give a subscription back; its user goes on counting for `limits.user_linger` seconds."""
        self.subscriptions -= 1
        if user is None:
            return
        self._users[user] -= 1
        if self._users[user] == 0:
            del self._users[user]
            self._lingering[user] = now + limits.user_linger

    def _counted_users(self, now: float) -> set[str]:
        self._lingering = {user: until for user, until in self._lingering.items() if until > now}
        return {*self._users, *self._lingering}


def _admit(times: deque[float], limit: int | None, now: float) -> bool:
    while times and times[0] <= now - _WINDOW:
        times.popleft()
    if limit is not None and len(times) >= limit:
        return False
    times.append(now)
    return True
