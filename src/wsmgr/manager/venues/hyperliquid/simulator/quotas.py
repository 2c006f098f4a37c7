"""Quotas: what one client address has used of the venue's limits.

Pure bookkeeping with the time as a parameter; the limits are passed in on each question, because a fault may change
them while the simulator runs. Texts are the venue's own, without any hint which request they answer, except for posts.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.options import Limits

_WINDOW = 60.0


class TrackedUsers:
    """The users that some subscriptions are about; one that has left counts for some seconds more."""

    def __init__(self) -> None:
        self._users: Counter[str] = Counter()
        self._lingering: dict[str, float] = {}

    def has_room_for(self, user: str, limit: int, now: float) -> bool:
        """Whether one more subscription about a user keeps the users within a limit."""
        self._lingering = {name: until for name, until in self._lingering.items() if until > now}
        users = self._users.keys() | self._lingering.keys()
        return user in users or len(users) < limit

    def add(self, user: str) -> None:
        """Count a subscription about a user."""
        self._users[user] += 1

    def remove(self, user: str, until: float) -> None:
        """Give one back; after a user's last one the user goes on counting until a time."""
        self._users[user] -= 1
        if self._users[user] == 0:
            del self._users[user]
            self._lingering[user] = until


class ClientQuotas:
    """What one client address (all its sockets together) has used.

    Attributes:
        connections: Its open sockets.
        subscriptions: Its subscriptions.
        posts: Its posts that wait for their answer.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.subscriptions = 0
        self.posts = 0
        self._users = TrackedUsers()
        self._dials: deque[float] = deque()
        self._messages: deque[float] = deque()

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

    def post(self, number: int, limits: Limits) -> str | None:
        """Count a post as in flight; the venue's text, and nothing counted, when it is one too many."""
        if limits.posts is not None and self.posts >= limits.posts:
            return f"too many pending post requests id={number}"
        self.posts += 1
        return None

    def subscribe(self, user: str | None, of_socket: TrackedUsers, limits: Limits, now: float) -> str | None:
        """Count a subscription; the venue's text, and nothing counted, when it is one too many.

        Args:
            user: The user that it is about, if any.
            of_socket: The users of its socket alone.
            limits: The limits that hold now.
            now: Seconds on the simulator's clock.
        """
        if limits.subscriptions is not None and self.subscriptions >= limits.subscriptions:
            return f"Cannot subscribe to more than {limits.subscriptions} channels."
        if user is not None and limits.users is not None:
            users = of_socket if limits.users_per == "connection" else self._users
            if not users.has_room_for(user, limits.users, now):
                return f"Cannot track more than {limits.users} total users."
        self.subscriptions += 1
        if user is not None:
            self._users.add(user)
            of_socket.add(user)
        return None

    def unsubscribe(self, user: str | None, of_socket: TrackedUsers, limits: Limits, now: float) -> None:
        """Give a subscription back; its user goes on counting for `limits.user_linger` seconds."""
        self.subscriptions -= 1
        if user is not None:
            self._users.remove(user, now + limits.user_linger)
            of_socket.remove(user, now + limits.user_linger)


def _admit(times: deque[float], limit: int | None, now: float) -> bool:
    while times and times[0] <= now - _WINDOW:
        times.popleft()
    if limit is not None and len(times) >= limit:
        return False
    times.append(now)
    return True
