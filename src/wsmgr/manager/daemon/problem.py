"""Problem documents: every error of the API in the form of RFC 9457 (`application/problem+json`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from wsmgr.manager.daemon.errors import PROBLEM_PREFIX
from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    ManagerClosedError,
    NotFoundError,
    OutcomeUnknownError,
    QuotaError,
    RejectedError,
    RequestNotSentError,
    RequestRefusedError,
    SubscribeTimeoutError,
    SubscriptionClosedError,
    SubscriptionFailedError,
    UnavailableError,
    UsageError,
    WsmgrError,
)
from wsmgr.manager.store.errors import StoreError

MEDIA_TYPE = "application/problem+json"
_KINDS: tuple[tuple[type[WsmgrError], str, HTTPStatus], ...] = (
    (UsageError, "usage", HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFoundError, "not-found", HTTPStatus.NOT_FOUND),
    (RejectedError, "rejected", HTTPStatus.CONFLICT),
    (QuotaError, "quota", HTTPStatus.TOO_MANY_REQUESTS),
    (ActionForbiddenError, "action-forbidden", HTTPStatus.FORBIDDEN),
    (RequestRefusedError, "request-refused", HTTPStatus.CONFLICT),
    (UnavailableError, "request-not-sent", HTTPStatus.SERVICE_UNAVAILABLE),
    (OutcomeUnknownError, "outcome-unknown", HTTPStatus.GATEWAY_TIMEOUT),
    (SubscribeTimeoutError, "subscribe-timeout", HTTPStatus.GATEWAY_TIMEOUT),
    (SubscriptionClosedError, "subscription-closed", HTTPStatus.GONE),
    (SubscriptionFailedError, "subscription-failed", HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, "store", HTTPStatus.SERVICE_UNAVAILABLE),
    (ManagerClosedError, "manager-closed", HTTPStatus.SERVICE_UNAVAILABLE),
)
_TITLES: Mapping[str, str] = {
    "usage": "The request cannot be fulfilled as it stands",
    "rejected": "The venue refused",
    "quota": "A quota of the venue is used up",
    "action-forbidden": "The action is not allowed",
    "request-refused": "The venue refused the request",
    "request-not-sent": "The request was not sent",
    "outcome-unknown": "The request was sent, and its outcome is unknown",
    "subscribe-timeout": "The subscription did not come so far in time",
    "subscription-closed": "The subscription was ended",
    "subscription-failed": "The subscription is parked",
    "store": "The database cannot be written or read",
    "manager-closed": "The daemon is ending",
    "internal": "The daemon failed",
}


TOKEN_NEEDED: Final = "token-needed"  # noqa: S105 - a word of ours
SCOPE_NEEDED: Final = "scope-needed"
HOST_REFUSED: Final = "host-refused"
ORIGIN_REFUSED: Final = "origin-refused"
BUSY: Final = "busy"
REFUSALS: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    TOKEN_NEEDED: (HTTPStatus.UNAUTHORIZED, "A token is needed"),
    SCOPE_NEEDED: (HTTPStatus.FORBIDDEN, "The token does not allow it"),
    HOST_REFUSED: (HTTPStatus.MISDIRECTED_REQUEST, "The request names another host"),
    ORIGIN_REFUSED: (HTTPStatus.FORBIDDEN, "The request comes from another site"),
    BUSY: (HTTPStatus.SERVICE_UNAVAILABLE, "There are too many at once"),
}
"""What is refused before a path is looked at."""


class BadRequestError(UsageError):
    """The request is not HTTP with JSON as the API speaks it."""

    status = HTTPStatus.BAD_REQUEST


class TooLargeError(BadRequestError):
    """The request is larger than any that is meant."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class TooSlowError(BadRequestError):
    """The request did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


def problem_of(error: WsmgrError) -> dict[str, Any]:
    """Return the problem document of an error of ours, with what it knows as members of its own."""
    kind, status = next(
        ((kind, status) for known, kind, status in _KINDS if isinstance(error, known)),
        ("internal", HTTPStatus.INTERNAL_SERVER_ERROR),
    )
    if isinstance(error, BadRequestError):
        status = error.status
    title = f"There is no such {error.what}" if isinstance(error, NotFoundError) else _TITLES[kind]
    return problem(kind, status, str(error), title, _members(error))


def problem_of_http(status: int, detail: str) -> dict[str, Any]:
    """Return the problem document of what is wrong with the HTTP request itself: no such path, not this method."""
    return problem("http", status, detail, HTTPStatus(status).phrase)


def problem_of_refusal(kind: str, detail: str, **members: object) -> dict[str, Any]:
    """Return the problem document of what is refused before a path is looked at."""
    status, title = REFUSALS[kind]
    return problem(kind, status, detail, title, members)


def problem_of_bug() -> dict[str, Any]:
    """Return the problem document of an exception that nobody foresaw; its text is in the daemon's log alone."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(
        "internal", status, "the daemon failed at this request; its log says how", _TITLES["internal"]
    )


def problem(
    kind: str, status: int, detail: str, title: str, members: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a problem document."""
    return {
        "type": PROBLEM_PREFIX + kind,
        "title": title,
        "status": int(status),
        "detail": detail,
        **(members or {}),
    }


def _members(error: WsmgrError) -> Mapping[str, Any]:
    match error:
        case NotFoundError():
            return {"id": error.wanted_id}
        case RejectedError():
            return {"key": error.key, "words": error.words}
        case RequestRefusedError():
            return {"words": error.words}
        case RequestNotSentError() | OutcomeUnknownError():
            return {"why": error.why}
        case QuotaError():
            return {"quota": error.quota, "limit": error.limit, "held_by": list(error.held_by)}
        case SubscribeTimeoutError():
            at = error.next_attempt_at
            return {
                "key": error.key,
                "state": error.state,
                "why": error.why,
                "next_attempt_at": None if at is None else datetime.fromtimestamp(at, UTC),
            }
        case _:
            return {}
