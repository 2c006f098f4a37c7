"""A venue that does what a script says, and knows the truth: which stream each socket really carries, and all that it has told.

It answers requests in order, may lose an acknowledgement, refuse, hold back, fall silent, forget a stream, and send late frames of one
for a while after its end. What it tells is numbered, one number an item, and goes to every socket that carries the stream, cut into frames as
it pleases. Every frame names, where the client does not look, the stream that it belongs to.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Literal

from attrs import define, field
from tests.manager.model.world import frame

from wsmgr.manager.model.subscription_type import Atom, Merge

if TYPE_CHECKING:
    from collections.abc import Sequence

LATE = 4.0
"""How long frames of an ended stream may still come."""
HISTORY = 20
"""How many items the snapshot of a stream with a history holds."""
Outcome = Literal["ack", "lose", "invalid", "users"]


@define(eq=False)
class Streams:
    """What the venue has told of each stream, by subscription key: its numbers, from 1."""

    told: dict[str, list[int]] = field(factory=lambda: defaultdict[str, list[int]](list))

    def tell(self, key: str, count: int = 1) -> list[int]:
        """The next numbers of a stream."""
        told = self.told[key]
        numbers = list(range(len(told) + 1, len(told) + 1 + count))
        told += numbers
        return numbers


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
        streams: What the venue has told, on all sockets.
        requests: Written by the client and not answered yet, oldest first.
        frames: Sent and not read yet, each with the time when it was sent, oldest first.
        held: The streams that the venue carries on it, by subscription key.
        mute: Those of them of which it sends nothing until they are asked for anew.
        deaf: Streams of which it sends nothing, however often they are asked for.
        forgotten: The streams that it carries no longer, without having said so.
        late: When a stream ended whose frames may still come, by subscription key.
    """

    streams: Streams = field(factory=Streams)
    requests: deque[Request] = field(factory=deque)
    frames: deque[tuple[float, bytes]] = field(factory=deque)
    held: dict[str, Atom] = field(factory=dict)
    mute: set[str] = field(factory=set)
    deaf: set[str] = field(factory=set)
    forgotten: dict[str, Atom] = field(factory=dict)
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
            if (parts := raw.decode().split("|"))[0] in {"data", "snapshot"} and parts[1] == wire_key
        }

    def handle(self, outcome: Outcome, now: float, known_users: set[str]) -> None:
        """Answer the oldest request. Only what was not held can be refused, and only a new user for the users' sake.

        What it took a moment ago it does not refuse before the client has read that.
        """
        request = self.requests.popleft()
        begins = False
        if any(raw.decode().endswith(f"|{request.key}") for _, raw in self.frames):
            outcome = "ack" if outcome in {"invalid", "users"} else outcome
        self.forgotten.pop(request.key, None)
        if request.method == "unsubscribe":
            self.mute.discard(request.key)
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
            begins = request.atom.type.join.keeps_log and request.key not in self.deaf
        if outcome != "lose" or not answer.startswith(("ack", "already")):
            self.frames.append((now, answer.encode()))
        if begins:
            self._send("snapshot", request.key, self.streams.told[request.key][-HISTORY:], now)

    def forget(self, key: str) -> None:
        """Carry a stream no longer, without a word."""
        self.forgotten[key] = self.held.pop(key)

    def streams_at(self, now: float) -> list[str]:
        """The keys of which a frame may come now."""
        return sorted([*self.held, *(key for key, (_, at) in self.late.items() if at + LATE > now)])

    def send(self, key: str, numbers: Sequence[int], now: float) -> None:
        """Send items of a stream that it carries, or carried a moment ago: in one frame, or one each where a frame is one."""
        if key in self.mute or key in self.deaf:
            return
        atom = self.held[key] if key in self.held else self.late[key][0]
        if atom.type.merge is Merge.ITEMS:
            self._send("data", key, numbers, now)
        else:
            for number in numbers:
                self._send("data", key, [number], now)

    def _send(self, kind: Literal["data", "snapshot"], key: str, numbers: Sequence[int], now: float) -> None:
        atom = self.held[key] if key in self.held else self.late[key][0]
        self.frames.append((now, frame(kind, atom, key, numbers)))
