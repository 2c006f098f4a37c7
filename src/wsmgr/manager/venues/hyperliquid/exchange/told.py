"""What the venue told: its answer to an action as an outcome, and the outcome in a word for the notes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.venues.hyperliquid.posts import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsmgr.manager.model.fact import Level

Word = Literal["sending", "answered", "refused", "unknown", "not sent", "forbidden"]
"""What became of an action: the three outcomes, or that it was not sent, or that the policy forbade it; before all that, that
it is being sent.
"""

Told = tuple[Word, str | None]
"""What became of an action, and the words that came with it."""

LEVELS: Final[Mapping[Word, Level]] = {
    "sending": "info",
    "answered": "info",
    "refused": "warning",
    "unknown": "error",
    "not sent": "warning",
    "forbidden": "warning",
}
"""How much each matters."""

_SERVER_FAILED: Final = re.compile(r"\s*5\d\d\b")


def read_answer(outcome: Outcome[Any]) -> Outcome[Any]:
    """Return the outcome of an action.

    The venue answers a refusal like anything else, with `status` `err`. What is neither that nor `ok` says nothing of the
    action. A refusal of the HTTP class 5xx comes from a server that gave up on a request, which the exchange may have
    taken: that is unknown too. Source of the form: the venue's page "Exchange endpoint".
    """
    match outcome:
        case Answered({"status": "ok", **rest}):
            return Answered(rest.get("response"))
        case Answered({"status": "err", **rest}):
            words = rest.get("response")
            return Refused("it gave no reason" if words is None else str(words))
        case Answered(data):
            return unreadable(data)
        case Refused(words) if _SERVER_FAILED.match(words):
            return Unknown(words)
        case _:
            return outcome


def told_of(outcome: Outcome[Any]) -> Told:
    """Return an outcome in a word, and its words; of a batch, the complaints about its parts."""
    match outcome:
        case Answered(data):
            return "answered", "; ".join(_complaints(data)) or None
        case Refused(words):
            return "refused", words
        case Unknown(why):
            return "unknown", why


def _complaints(response: object) -> Iterator[str]:
    data = _member(response, "data")
    statuses = _member(data, "statuses")
    parts = cast(list[object], statuses) if isinstance(statuses, list) else [_member(data, "status")]
    for part in parts:
        words = _member(part, "error")
        if words is not None:
            yield str(words)


def _member(value: object, name: str) -> object:
    return cast(dict[str, object], value).get(name) if isinstance(value, dict) else None
