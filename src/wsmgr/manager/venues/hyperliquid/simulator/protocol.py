"""Protocol: what the server answers to a frame from the client. Sans I/O: text in, effects out.

One :class:`Protocol` a socket. It knows which subscriptions the socket has, and nothing of streams, faults or the
network. Texts of the error channel are the venue's, verbatim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.quotas import TrackedUsers
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import (
    Subscription,
    UnreadableSubscriptionError,
    read_subscription,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.options import Limits
    from wsmgr.manager.venues.hyperliquid.simulator.quotas import ClientQuotas

PONG = '{"channel":"pong"}'


@attrs.frozen
class Send:
    """Send a frame that answers a request.

    Attributes:
        text: The frame.
        channel: Its channel: `pong`, `subscriptionResponse`, `error` or `post`.
    """

    text: str
    channel: str


@attrs.frozen
class Start:
    """Begin to send a subscription's data: comes right after its acknowledgement."""

    subscription: Subscription


@attrs.frozen
class Stop:
    """End a subscription's data: comes right after the acknowledgement of its unsubscribe."""

    subscription: Subscription


@attrs.frozen
class Ask:
    """Answer a post, now or later; it counts as in flight until :meth:`Protocol.answered`.

    Attributes:
        number: The id that the client chose.
        kind: The type of its request: `info` or `action`; the venue refuses others.
        payload: The request's payload.
    """

    number: int
    kind: str
    payload: object


Effect = Send | Start | Stop | Ask


class Protocol:
    """The server's side of one socket.

    Attributes:
        subscriptions: What the socket is subscribed to, by key.
        posts: How many posts wait for their answer.
    """

    def __init__(
        self,
        *,
        quotas: ClientQuotas,
        limits: Callable[[], Limits],
        offers: Callable[[Subscription], bool],
    ) -> None:
        """Make the protocol of a new socket.

        Args:
            quotas: What the client's address has used, on all its sockets.
            limits: The limits that hold now.
            offers: Whether the server has a stream for a subscription.
        """
        self.subscriptions: dict[str, Subscription] = {}
        self.posts = 0
        self._quotas = quotas
        self._users = TrackedUsers()
        self._limits = limits
        self._offers = offers

    def receive(self, text: str, now: float) -> list[Effect]:
        """Answer one frame.

        Args:
            text: The frame as it came.
            now: Seconds on the simulator's clock.
        """
        refused = self._quotas.message(self._limits(), now)
        if refused is not None:
            return [_error(refused)]
        try:
            return self._answer(_decode(text), now)
        except UnreadableSubscriptionError:
            return [_error(f"Error parsing JSON into valid websocket request: {text}")]

    def forget(self, key: str, now: float) -> Subscription | None:
        """Drop a subscription without a word to the client; None when it is not there."""
        subscription = self.subscriptions.pop(key, None)
        if subscription is not None:
            self._quotas.unsubscribe(subscription.user, self._users, self._limits(), now)
        return subscription

    def answered(self) -> None:
        """Count one post less as in flight."""
        self.posts -= 1
        self._quotas.posts -= 1

    def close(self, now: float) -> None:
        """Give back what the socket used of the quotas."""
        for key in list(self.subscriptions):
            self.forget(key, now)
        while self.posts:
            self.answered()

    def _answer(self, request: dict[str, object], now: float) -> list[Effect]:
        match request.get("method"):
            case "ping":
                return [Send(PONG, "pong")]
            case "subscribe":
                return self._subscribe(read_subscription(request.get("subscription")), now)
            case "unsubscribe":
                return self._unsubscribe(read_subscription(request.get("subscription")), now)
            case "post":
                return [self._post(request)]
            case method:
                raise UnreadableSubscriptionError(f"no method {method!r}")

    def _subscribe(self, subscription: Subscription, now: float) -> list[Effect]:
        if subscription.key in self.subscriptions:
            return [_error(f"Already subscribed: {subscription.echo}")]
        if not self._offers(subscription):
            return [_error(f"Invalid subscription {subscription.echo}")]
        refused = self._quotas.subscribe(subscription.user, self._users, self._limits(), now)
        if refused is not None:
            return [_error(refused)]
        self.subscriptions[subscription.key] = subscription
        return [_acknowledge("subscribe", subscription), Start(subscription)]

    def _unsubscribe(self, subscription: Subscription, now: float) -> list[Effect]:
        if self.forget(subscription.key, now) is None:
            return [_error(f"Already unsubscribed: {subscription.echo}")]
        return [_acknowledge("unsubscribe", subscription), Stop(subscription)]

    def _post(self, request: dict[str, object]) -> Effect:
        number, body = request.get("id"), request.get("request")
        if not isinstance(number, int) or isinstance(number, bool) or not isinstance(body, dict):
            raise UnreadableSubscriptionError("a post has an integer id and a request")
        fields: dict[object, object] = {**body}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        refused = self._quotas.post(number, self._limits())
        if refused is not None:
            return _error(refused)
        self.posts += 1
        return Ask(number, str(fields.get("type")), fields.get("payload"))


def post_answer(number: int, kind: str, payload: object) -> str:
    """The frame that answers a post.

    Args:
        number: The id that the client chose.
        kind: The response's type: `info`, `action` or `error`.
        payload: Its payload, ready for JSON.
    """
    answer = {"id": number, "response": {"type": kind, "payload": payload}}
    return msgspec.json.encode({"channel": "post", "data": answer}).decode()


def _decode(text: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise UnreadableSubscriptionError(str(error)) from error


def _acknowledge(method: str, subscription: Subscription) -> Send:
    text = f'{{"channel":"subscriptionResponse","data":{{"method":"{method}","subscription":{subscription.echo}}}}}'
    return Send(text, "subscriptionResponse")


def _error(text: str) -> Send:
    return Send(msgspec.json.encode({"channel": "error", "data": text}).decode(), "error")
