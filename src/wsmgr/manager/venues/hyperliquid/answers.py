"""Reading what Hyperliquid answers to requests: acknowledgements, and the words of its error channel.

Neither carries an id or a code. An acknowledgement echoes the subscription in the venue's own normal form (defaults
filled in, unknown members dropped); most errors echo it inside a sentence. Both are brought to the catalog's canonical
parameters, so that an answer equals the wish that it is about, or is nobody's. The limits' texts echo nothing.

An echo may also be a signed action, which whoever reads it could send himself while it was not carried out. So words that
are kept hold no echo but that of a subscription.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.outcome import Refused
from wsmgr.manager.model.subscription_type import SubscriptionType
from wsmgr.manager.venues.dialect import Ack, Answer, Frame, Refusal, RefusalKind, Unroutable
from wsmgr.manager.venues.hyperliquid.shapes import UNREADABLE, Content, Payload

Catalog = Mapping[str, SubscriptionType]
Echo = tuple[str, dict[str, Any]]

_ALREADY: Final[Mapping[str, Literal["subscribe", "unsubscribe"]]] = {
    "Already subscribed": "subscribe",
    "Already unsubscribed": "unsubscribe",
}
_OF_SUBSCRIPTIONS: Final = frozenset({"subscribe", "unsubscribe"})
# The live venue writes no colon after it, its stand-alone order book server does.
_INVALID: Final = "Invalid subscription"
_UNPARSED: Final = "Error parsing JSON into valid websocket request"
_TOO_MANY_REQUESTS: Final = re.compile(r"too many pending post requests id=(\d{1,18})")
_LIMITS: Final[Mapping[str, RefusalKind]] = {
    "Cannot track more than ": RefusalKind.USERS,
    "Cannot subscribe to more than ": RefusalKind.SUBSCRIPTIONS,
    "Cannot send more than ": RefusalKind.MESSAGES,
}


class _Request(msgspec.Struct):
    """What is needed of a request that the venue gave back."""

    method: str = ""
    id: int | None = None
    subscription: dict[str, Any] | None = None


_read_echo: Final = msgspec.json.Decoder(dict[str, Any]).decode
_read_request: Final = msgspec.json.Decoder(_Request).decode


def canonical(subscription_type: SubscriptionType, params: Mapping[str, object]) -> dict[str, Any]:
    """Return parameters canonical; one that is spelled out as its default counts as left out.

    Raises:
        ParameterError: One is unknown, missing, malformed, or not allowed beside the others.
    """
    defaults = {parameter.name: parameter.default for parameter in subscription_type.parameters}
    told = {name: value for name, value in params.items() if name not in defaults or value != defaults[name]}
    return subscription_type.canonical(told)


def acknowledgement(catalog: Catalog, payload: Payload) -> Frame:
    """Read a `subscriptionResponse`; one that echoes nothing that the catalog knows is unroutable."""
    if isinstance(payload, Content) and isinstance(echoed := payload.subscription, dict):
        echo = _echoed(catalog, cast("dict[str, Any]", echoed))
        if echo is not None:
            match payload.method:
                case "subscribe" | "unsubscribe" as method:
                    return Ack(method, *echo)
                case _:
                    pass
    return Unroutable("unparsed", "subscriptionResponse")


def refusal(catalog: Catalog, payload: Payload) -> Frame:
    """Read the words of the error channel."""
    if not isinstance(payload, str):
        return Unroutable("unparsed", "error")
    if found := _TOO_MANY_REQUESTS.fullmatch(payload):
        return Answer(int(found[1]), Refused(payload))
    subject, brace, tail = payload.partition("{")
    said, tail = subject.rstrip(": "), brace + tail
    if said in _ALREADY:
        echo = _echo(catalog, tail)
        return (
            Refusal(RefusalKind.UNKNOWN, payload)
            if echo is None
            else Ack(_ALREADY[said], *echo, already=True)
        )
    if said == _INVALID:
        type_name, params = _echo(catalog, tail) or (None, None)
        return Refusal(RefusalKind.INVALID, payload, type_name, params)
    request = _request(tail)
    if said == _UNPARSED:
        if request.method == "post" and request.id is not None:
            return Answer(request.id, Refused(said))
        type_name, params = _echoed(catalog, request.subscription) or (None, None)
        words = payload if request.method in _OF_SUBSCRIPTIONS else subject
        return Refusal(RefusalKind.INVALID, words, type_name, params)
    words = payload if request.method in _OF_SUBSCRIPTIONS or _echo(catalog, tail) else subject
    for begin, kind in _LIMITS.items():
        if payload.startswith(begin):
            return Refusal(kind, words)
    return Refusal(RefusalKind.UNKNOWN, words)


def _echo(catalog: Catalog, text: str) -> Echo | None:
    try:
        return _echoed(catalog, _read_echo(text))
    except UNREADABLE:
        return None


def _request(text: str) -> _Request:
    """Return what is known of a request that the venue gave back: nothing, where it cannot be read."""
    try:
        return _read_request(text)
    except UNREADABLE:
        return _Request()


def _echoed(catalog: Catalog, subscription: Mapping[str, Any] | None) -> Echo | None:
    """Return the type's name and canonical parameters of an echo, or None where it is no subscription we know."""
    if subscription is None:
        return None
    name = subscription.get("type")
    subscription_type = catalog.get(name) if isinstance(name, str) else None
    if subscription_type is None:
        return None
    known = {parameter.name for parameter in subscription_type.parameters}
    try:
        params = canonical(
            subscription_type, {key: value for key, value in subscription.items() if key in known}
        )
    except (ParameterError, RecursionError):
        return None
    return subscription_type.name, params
