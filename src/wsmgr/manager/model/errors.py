"""Everything that the manager raises, in one tree.

::

    WsmgrError
    ├── UsageError                the caller asked for something that cannot be (exit code 2)
    │   ├── UnknownTypeError      no such subscription type in the dialect's catalog
    │   ├── UnknownVenueError     no such venue
    │   ├── ParameterError        a parameter is missing, unknown or malformed
    │   └── ConfigurationError    the configuration contradicts itself
    ├── NotFoundError             no subscription, or no connection, with this id
    ├── RejectedError             the venue refused the subscription; carries its words (exit code 4)
    ├── QuotaError                a venue's quota is used up; nothing was sent (exit code 4)
    ├── RequestRefusedError       the venue refused a request; carries its words (exit code 4)
    ├── OutcomeUnknownError       a request was sent and no usable answer came: it may have been carried out
    ├── UnavailableError          what a request needs is not to be had now: nothing was sent
    │   └── RequestNotSentError   it could not be written within its deadline
    ├── ActionForbiddenError      the venue's own settings forbid the action; nothing was sent (exit code 4)
    ├── SubscribeTimeoutError     no acknowledgement (or no proof) within the caller's deadline
    ├── LaggedError               the consumer fell behind and its policy is `fail`
    ├── SubscriptionFailedError   the subscription was parked after a failure
    ├── SubscriptionClosedError   the subscription was ended while somebody waited for it
    ├── ManagerClosedError        the manager is not running
    └── StateDirectoryError       the state directory is held by another manager, or cannot be used

Every error says what happened, to which named thing, and what to do about it. All of them can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


SHOWN = 5


class WsmgrError(Exception):
    """The root of everything that `wsmgr.manager` raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how it is made again: with what it holds, not by its `__init__`, which takes other arguments than the text."""
        return type(self).__new__, (type(self), *self.args), vars(self)


class UsageError(WsmgrError, ValueError):
    """The request itself is wrong; nothing was changed and nothing was sent."""


class UnknownTypeError(UsageError):
    """The dialect has no subscription type of this name."""


class UnknownVenueError(UsageError):
    """No venue of this name is configured."""


class ParameterError(UsageError):
    """A parameter of a subscription is missing, unknown or malformed."""


class ConfigurationError(UsageError):
    """The configuration (file, environment or options) cannot be used."""


class NotFoundError(WsmgrError, LookupError):
    """Nothing has this id.

    Args:
        wanted_id: The id that was asked for.
        what: What was looked for: `subscription` or `connection`.
    """

    def __init__(
        self, wanted_id: str, *, what: Literal["subscription", "connection"] = "subscription"
    ) -> None:
        """Say which id was not found."""
        command = "list" if what == "subscription" else "connections"
        super().__init__(f"no {what} with the id {wanted_id!r}; `wsmgr {command}` shows the ids")
        self.wanted_id = wanted_id
        self.what = what


class RejectedError(WsmgrError):
    """The venue refused a subscription.

    Args:
        key: The subscription key that was refused.
        words: What the venue said, as it said it.
        hint: What may have been meant, in half a sentence, or None.
    """

    def __init__(self, key: str, words: str, hint: str | None = None) -> None:
        """Keep the venue's words beside the key that they are about."""
        super().__init__(f"the venue refused {key}: {words}" + (f"; {hint}" if hint else ""))
        self.key = key
        self.words = words
        self.hint = hint


class QuotaError(WsmgrError):
    """A quota of the venue is used up, so the request was refused before anything was sent.

    Args:
        quota: The quota's name, such as `connections` or `users`.
        limit: Its limit.
        held_by: What holds it, in a few words each (subscription keys, users or connection ids).
        advice: What the caller can do.
    """

    def __init__(self, quota: str, limit: int, held_by: Sequence[str], *, advice: str = "") -> None:
        """Name the quota, its limit and its holders."""
        shown = ", ".join(held_by[:SHOWN]) + (
            f" and {len(held_by) - SHOWN} more" if len(held_by) > SHOWN else ""
        )
        super().__init__(
            f"the quota {quota!r} ({limit}) is used up"
            + (f", held by {shown}" if held_by else "")
            + (f"; {advice}" if advice else "")
        )
        self.quota = quota
        self.limit = limit
        self.held_by = tuple(held_by)


class RequestRefusedError(WsmgrError):
    """The venue refused a request: nothing was changed.

    Args:
        words: What the venue said, as it said it.
    """

    def __init__(self, words: str) -> None:
        """Keep the venue's words."""
        super().__init__(f"the venue refused the request: {words}")
        self.words = words


class OutcomeUnknownError(WsmgrError):
    """A request was sent and no answer came: it may or may not have been carried out.

    Args:
        why: What happened instead.
    """

    def __init__(self, why: str) -> None:
        """Say what happened instead of an answer."""
        super().__init__(
            f"the request was sent and its outcome is unknown: {why}; ask the venue what is so before you send it again"
        )
        self.why = why


class UnavailableError(WsmgrError):
    """Something that a request needs is not to be had now; nothing was sent, and it may be tried again."""


class RequestNotSentError(UnavailableError):
    """A request could not be sent within its deadline: nothing was changed, and it may be tried again.

    Args:
        why: What it waited for.
    """

    def __init__(self, why: str) -> None:
        """Say what the request waited for."""
        super().__init__(f"the request was not sent: {why}; nothing was changed, and it may be tried again")
        self.why = why


class ActionForbiddenError(WsmgrError):
    """The venue's settings, or the caller's rights, forbid an action; nothing was signed and nothing was sent."""


class SubscribeTimeoutError(WsmgrError):
    """A subscription did not get as far as the caller wanted within its deadline.

    Args:
        key: The subscription key.
        state: The state in which it was when the deadline passed.
        why: What it was waiting for, such as the reason of the last dial.
        next_attempt_at: When it will be tried again (unix seconds), or None.
    """

    def __init__(self, key: str, state: str, why: str, next_attempt_at: float | None = None) -> None:
        """Say how far the subscription came and what it was waiting for."""
        super().__init__(f"{key} was still {state} when the time was up: {why}")
        self.key = key
        self.state = state
        self.why = why
        self.next_attempt_at = next_attempt_at


class LaggedError(WsmgrError):
    """A consumer fell so far behind that messages were dropped, and its policy is `fail`.

    Args:
        dropped: How many messages were dropped.
    """

    def __init__(self, dropped: int) -> None:
        """Say how many messages were dropped."""
        super().__init__(
            f"this consumer fell behind and {dropped} messages were dropped;"
            " subscribe again for a fresh state, or choose another policy"
        )
        self.dropped = dropped


class SubscriptionFailedError(WsmgrError):
    """A subscription is parked after a failure; the message carries the failure's text."""


class SubscriptionClosedError(WsmgrError):
    """The subscription was ended while somebody was reading it or waiting for it."""


class ManagerClosedError(WsmgrError):
    """The manager has not been entered, or has been left."""


class StateDirectoryError(WsmgrError):
    """The state directory is held by another manager, or cannot be used."""
