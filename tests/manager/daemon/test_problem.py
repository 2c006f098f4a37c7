"""Problem documents: every error of ours has one."""

from __future__ import annotations

from typing import Literal

import pytest

from wsmgr.manager.daemon.errors import DaemonError
from wsmgr.manager.daemon.problem import BadRequestError, problem_of, problem_of_bug, problem_of_http
from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    ManagerClosedError,
    NotFoundError,
    OutcomeUnknownError,
    ParameterError,
    QuotaError,
    RejectedError,
    RequestNotSentError,
    RequestRefusedError,
    SubscribeTimeoutError,
    SubscriptionClosedError,
    SubscriptionFailedError,
    WsmgrError,
)
from wsmgr.manager.store.errors import StoreError

ERRORS: list[tuple[WsmgrError, int, str]] = [
    (ParameterError("x"), 422, "usage"),
    (BadRequestError("x"), 400, "usage"),
    (NotFoundError("x"), 404, "not-found"),
    (RejectedError("k", "no"), 409, "rejected"),
    (SubscriptionClosedError("x"), 410, "subscription-closed"),
    (QuotaError("users", 10, ["a"]), 429, "quota"),
    (ActionForbiddenError("x"), 403, "action-forbidden"),
    (RequestRefusedError("no"), 409, "request-refused"),
    (RequestNotSentError("why"), 503, "request-not-sent"),
    (OutcomeUnknownError("why"), 504, "outcome-unknown"),
    (SubscriptionFailedError("x"), 503, "subscription-failed"),
    (StoreError("x"), 503, "store"),
    (ManagerClosedError("x"), 503, "manager-closed"),
    (SubscribeTimeoutError("k", "pending", "why"), 504, "subscribe-timeout"),
    (WsmgrError("x"), 500, "internal"),
]
KINDS = [(status, kind) for _, status, kind in ERRORS]


@pytest.mark.parametrize(("error", "status", "kind"), ERRORS)
def test_an_error_reaches_the_client_as_what_it_is(error: WsmgrError, status: int, kind: str) -> None:
    """The status, the kind and the words of an error survive the way through HTTP."""
    received = DaemonError(problem_of(error))
    assert (status, kind, str(error)) == (received.status, received.kind, str(received))


def test_what_an_error_knows_is_in_its_problem() -> None:
    """A program need not read the words."""
    quota = problem_of(QuotaError("users", 10, ["a", "b"]))
    assert ("users", 10, ["a", "b"]) == (quota["quota"], quota["limit"], quota["held_by"])
    rejected = problem_of(RejectedError("k", "no"))
    assert ("k", "no") == (rejected["key"], rejected["words"])
    late = problem_of(SubscribeTimeoutError("k", "pending", "why", 0.0))
    assert ("k", "pending", "why") == (late["key"], late["state"], late["why"])
    assert "1970-01-01T00:00:00+00:00" == late["next_attempt_at"].isoformat()
    assert "nobody" == problem_of(NotFoundError("nobody"))["id"]
    assert "no" == problem_of(RequestRefusedError("no"))["words"]
    assert ["why", "why"] == [
        problem_of(error("why"))["why"] for error in (RequestNotSentError, OutcomeUnknownError)
    ]


@pytest.mark.parametrize("what", ["subscription", "connection"])
def test_what_was_not_found_is_in_the_title(what: Literal["subscription", "connection"]) -> None:
    """A connection that there is not is no subscription that there is not."""
    assert f"There is no such {what}" == problem_of(NotFoundError("v-9", what=what))["title"]


def test_a_bug_tells_nothing_of_itself() -> None:
    """What went wrong inside is for the log."""
    assert (500, "urn:wsmgr:problem:internal") == (problem_of_bug()["status"], problem_of_bug()["type"])
    assert (405, "Method Not Allowed") == (
        problem_of_http(405, "x")["status"],
        problem_of_http(405, "x")["title"],
    )
