"""What a frame can be: the answers of a dialect's `classify`.

They hold what routing and the keeper need to know, and nothing of the payload.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import msgspec

from wsmgr.manager.model.outcome import Outcome


class Data(msgspec.Struct, gc=False):
    """A data frame, as far as routing needs to know it.

    Attributes:
        wire_key: Which streams of the connection it can belong to, `l2Book:BTC`.
        snapshot: Whether the venue marked it as a snapshot.
        venue_time: The venue's time in unix seconds, or None.
        venue_seq: The venue's number, or None.
    """

    wire_key: str
    snapshot: bool = False
    venue_time: float | None = None
    venue_seq: int | None = None


class Ack(msgspec.Struct, gc=False):
    """The venue took a request.

    Attributes:
        method: Which request.
        type: The subscription type's name that it echoed.
        params: The canonical parameters that it echoed.
        already: Whether it said that this was so already.
    """

    method: Literal["subscribe", "unsubscribe"]
    type: str
    params: dict[str, Any]
    already: bool = False


class RefusalKind(Enum):
    """What a refusal is about."""

    INVALID = "invalid"
    """The request can never succeed as it stands."""
    USERS = "users"
    """The quota of users is used up."""
    SUBSCRIPTIONS = "subscriptions"
    """The quota of subscriptions is used up."""
    MESSAGES = "messages"
    """The quota of messages is used up: nothing more may be sent for a while."""
    UNKNOWN = "unknown"
    """Words that the dialect does not know."""


class Refusal(msgspec.Struct, gc=False):
    """The venue refused something.

    Attributes:
        kind: What it is about.
        words: What it said, as it said it.
        type: The subscription type's name, where the words name the request.
        params: The canonical parameters, where the words name the request.
    """

    kind: RefusalKind
    words: str
    type: str | None = None
    params: dict[str, Any] | None = None


class Answer(msgspec.Struct, gc=False):
    """The venue answered a request.

    Attributes:
        number: The request's number.
        outcome: What it said; unknown where that cannot be read.
    """

    number: int
    outcome: Outcome[Any]


class Pong(msgspec.Struct, gc=False):
    """The answer to the dialect's own keep-alive."""


class Ping(msgspec.Struct, gc=False):
    """A ping of the venue's own; `answer` is the frame that it wants back."""

    answer: bytes


class GoingAway(msgspec.Struct, gc=False):
    """The venue says that it will end this socket: its streams are to be moved to another one in time.

    Attributes:
        why: What it said, in half a sentence.
    """

    why: str


class Unroutable(msgspec.Struct, gc=False):
    """A frame that cannot be routed: not parsed, or of a channel that the catalog does not have.

    Attributes:
        why: `unparsed`, `unknown_channel` or `empty`.
        channel: The channel, where it could be read.
    """

    why: Literal["unparsed", "unknown_channel", "empty"]
    channel: str | None = None


Frame = Data | Ack | Refusal | Answer | Pong | Ping | GoingAway | Unroutable
