"""A venue that does what a script says, and knows the truth: which stream each socket really carries.

It answers requests in order, may lose an acknowledgement, refuse, hold back, and send late frames of a stream for a while
after its end. Every frame that it sends names, where the client does not look, the stream that it belongs to.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from attrs import define, field
from tests.manager.model.world import data

from wsmgr.manager.model.subscription_type import Atom

LATE = 4.0
"""How long frames of an ended stream may still come."""
Outcome = Literal["ack", "lose", "invalid", "users"]


@define
class Request:
    """A request that the client wrote."""

    method: Literal["subscribe", "unsubscribe"]
    key: str
    atom: Atom
    at: float


@define(eq=False)
class VenueSocket:
    """The venue's side of one socket.

    Attributes:
        requests: Written by the client and not answered yet, oldest first.
        frames: Sent and not read yet, each with the time when it was sent, oldest first.
        held: The streams that the venue carries on it, by subscription key.
        late: When a stream ended whose frames may still come, by subscription key.
    """

    requests: deque[Request] = field(factory=deque)
    frames: deque[tuple[float, bytes]] = field(factory=deque)
    held: dict[str, Atom] = field(factory=dict)
    late: dict[str, tuple[Atom, float]] = field(factory=dict)

    def carries(self, wire_key: str, now: float) -> set[str]:
        """The keys whose frames may come, or may be on their way, under a wire key."""
        coming = {key for key, each in self.held.items() if each.wire_key == wire_key}
        coming |= {each.key for each in self.requests if each.atom.wire_key == wire_key}
        coming |= {
            key for key, (each, at) in self.late.items() if each.wire_key == wire_key and at + LATE > now
        }
        return coming | {
            parts[2]
            for _, raw in self.frames
            if (parts := raw.decode().split("|"))[0] == "data" and parts[1] == wire_key
        }

    def handle(self, outcome: Outcome, now: float, known_users: set[str]) -> None:
        """Answer the oldest request. Only what was not held can be refused, and only a new user for the users' sake."""
        request = self.requests.popleft()
        if request.method == "unsubscribe":
            if request.key in self.held:
                self.late[request.key] = self.held.pop(request.key), now
            answer = f"ack|unsubscribe|{request.key}"
        elif request.key in self.held:
            answer = f"already|{request.key}"
        elif outcome == "invalid":
            answer = f"invalid|{request.key}"
        elif outcome == "users" and request.atom.user is not None and request.atom.user not in known_users:
            answer = "users"
        else:
            self.held[request.key] = request.atom
            self.late.pop(request.key, None)
            answer = f"ack|subscribe|{request.key}"
        if outcome != "lose" or not answer.startswith(("ack", "already")):
            self.frames.append((now, answer.encode()))

    def streams(self, now: float) -> list[str]:
        """The keys of which a frame may come now."""
        return sorted([*self.held, *(key for key, (_, at) in self.late.items() if at + LATE > now)])

    def send(self, key: str, now: float) -> None:
        """Send a frame of a stream."""
        atom = self.held[key] if key in self.held else self.late[key][0]
        self.frames.append((now, data(atom, key)))
