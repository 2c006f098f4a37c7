"""What a dialect answers: bytes in, facts out.

A dialect is sans-I/O: it holds no socket, no clock and no randomness, so its tests need no loop. The runtime asks it what
to send and what a frame means, and does the rest. Third parties add dialects through the entry point group
`wsmgr.dialects`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.frame import Ack, Answer, Data, Frame, Ping, Pong, Refusal, RefusalKind, Unroutable
from wsmgr.manager.model.requests import RequestKind
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription_type import Atom, SubscriptionType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.healing import HealingQuery
    from wsmgr.manager.model.items import Item
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.model.quota import Quotas

__all__ = [
    "Ack",
    "Answer",
    "Atom",
    "Data",
    "Desk",
    "DeskSettings",
    "Dialect",
    "Frame",
    "KeepAlive",
    "Ping",
    "Pong",
    "Refusal",
    "RefusalKind",
    "RequestKind",
    "Requester",
    "Unroutable",
    "left_until",
    "read_timeout",
]


@frozen(kw_only=True)
class KeepAlive:
    """What keeps an idle socket open.

    Attributes:
        interval: Seconds between two keep-alives.
        frame: The application frame to send, or None for a control ping.
    """

    interval: float
    frame: bytes | None


REQUEST_TIMEOUT = 30.0
"""Seconds that a request has, from the call to its answer."""

_LONGEST = 1e9


def read_timeout(timeout: object) -> float:
    """Return what a caller gave as a timeout, in seconds; for ever is a long time.

    Raises:
        UsageError: It is no number above 0.
    """
    if not isinstance(timeout, int | float) or not timeout > 0:
        raise UsageError(f"timeout is {shown(timeout)}; give seconds, more than 0")
    return float(min(timeout, _LONGEST))


def left_until(deadline: float, now: float) -> float:
    """Return what is left of a timeout, to the hundredth of a second for the words about it; never nothing."""
    return max(0.01, round(deadline - now, 2))


class Requester(Protocol):
    """What sends a venue's requests: one of its connections, behind the quotas."""

    async def request(
        self, kind: RequestKind, payload: Mapping[str, Any], *, timeout: float = REQUEST_TIMEOUT
    ) -> Outcome[Any]:
        """Send one request, exactly as it is given, at most once, and return what became of it.

        Cancelling it before it was sent sends nothing; cancelling it afterwards gives up the answer, not the request.

        Args:
            kind: What the request is.
            payload: Its wire form; an action is signed already.
            timeout: Seconds for all of it: a connection, the quotas, the answer.

        Raises:
            RequestNotSentError: It could not be sent in time.
            ManagerClosedError: The manager is ending.
        """
        ...


@frozen(kw_only=True)
class DeskSettings:
    """What the desk of a venue is made from.

    Attributes:
        venue: The venue's name.
        url: Its address, without secrets.
        source: What tells its whole address from any other, secrets included, and shows none of it.
        account: Which account of the service it is, or None.
        options: Its settings for requests, by the names of the configuration file.
        directory: Where it keeps files, or None to keep nothing on disk.
        wall: The wall clock, in unix seconds.
        note: What takes facts, such as every action with its outcome.
        record: The same, and returns when the fact is on the disk, where there is one. A disk that is not there holds nobody
            up for long: then the fact follows when it is.
    """

    venue: str
    url: str
    source: str
    account: str | None
    options: Mapping[str, object]
    directory: Path | None
    wall: Callable[[], float]
    note: Callable[[Fact], None]
    record: Callable[[Fact], Awaitable[None]]


class Desk(Protocol):
    """What a venue does for callers beside subscriptions: questions, and actions that are signed."""

    async def info(self, payload: Mapping[str, object], *, timeout: float) -> Outcome[Any]:
        """Ask a question: `type`, and its parameters beside it."""
        ...

    async def preview(self, payload: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what `act` would sign and send; nothing is sent."""
        ...

    async def act(self, payload: Mapping[str, object], *, who: str, timeout: float) -> Outcome[Any]:
        """Check an action against the venue's settings, sign it and send it, once; `who` is noted with its outcome.

        Raises:
            ActionForbiddenError: The settings forbid it; nothing was signed.
        """
        ...

    async def hint(self, atom: Atom) -> str | None:
        """Return what a refused wish may have meant, in half a sentence, or None."""
        ...


class Dialect(Protocol):
    """How one kind of service speaks."""

    name: str
    catalog: Mapping[str, SubscriptionType]
    default_url: str
    quotas: Quotas
    keep_alive: KeepAlive
    request_host: str

    def url(self, base: str, host: str) -> str:
        """Return the address of one of the venue's hosts; `base` is the venue's URL."""
        ...

    def atom(self, type_name: str, params: Mapping[str, object]) -> Atom:
        """Check a wish.

        Raises:
            UnknownTypeError: No such type (the message names the nearest ones), or one that the venue no longer serves.
            ParameterError: A parameter is missing, unknown or malformed.
        """
        ...

    def subscribe(self, atom: Atom) -> bytes:
        """Return the frame that asks for it."""
        ...

    def unsubscribe(self, atom: Atom) -> bytes:
        """Return the frame that ends it."""
        ...

    def request(self, number: int, kind: RequestKind, payload: Mapping[str, Any]) -> bytes:
        """Return the frame that makes a request; the venue's answer is classified as `Answer` with this number.

        Raises:
            UsageError: The payload cannot be written.
        """
        ...

    def desk(self, requester: Requester, settings: DeskSettings) -> Desk:
        """Return the desk of one of the dialect's venues.

        Raises:
            ConfigurationError: A setting cannot be used.
        """
        ...

    def classify(self, raw: bytes) -> Frame:
        """Say what a frame is, reading only what routing needs; never raises for what a peer may send."""
        ...

    def payload(self, raw: bytes) -> Any:  # noqa: ANN401 - the payload's shape is the venue's
        """Decode the payload of a data frame."""
        ...

    def payload_bytes(self, raw: bytes) -> bytes:
        """Return the payload of a data frame as the JSON text that came, undecoded."""
        ...

    def compose(self, subscription_type: SubscriptionType, frames: Sequence[bytes]) -> bytes:
        """Make one snapshot frame, in the venue's format, of a snapshot and the frames after it (`join = log`), or one of what they amount to (`join = fold`)."""
        ...

    def items(self, subscription_type: SubscriptionType, raw: bytes) -> list[Item]:
        """Return the items of a data frame, in its order (`merge = items`).

        Raises:
            WsmgrError: The frame is not one of this type.
        """
        ...

    def with_items(self, subscription_type: SubscriptionType, raw: bytes, items: Sequence[Item]) -> bytes:
        """Return a data frame like another one, with only these items; its other members are as they were.

        Raises:
            WsmgrError: The frame is not one of this type, or cannot hold so many.
        """
        ...

    def heal(self, atom: Atom, since: float, until: float) -> HealingQuery | None:
        """Return the query that may bring what a gap of a subscription has swallowed, or None where the type has none.

        Args:
            atom: The subscription.
            since: From when on, in unix seconds by the venue's clock.
            until: Until when.
        """
        ...
