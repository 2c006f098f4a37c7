"""Outcomes: what became of a request that was sent to a venue.

There are three, and the difference between the last two matters to whoever trades: a refusal changed nothing, while an
unknown outcome may have changed anything. A request that was never sent has no outcome; it raises.

::

    match await manager.request("info", {"type": "allMids"}):
        case Answered(data):
            ...
        case Refused(words):
            ...
        case Unknown(why):
            ...  # ask the venue what is so before you send it again
"""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

from attrs import frozen

from wsmgr.manager.model.errors import OutcomeUnknownError, RequestRefusedError

Payload = TypeVar("Payload", covariant=True)  # noqa: PLC0105 - a name, not a type's mark


@frozen
class Answered(Generic[Payload]):
    """The venue answered.

    Attributes:
        data: What it answered, decoded.
    """

    data: Payload

    def unwrap(self) -> Payload:
        """Return what the venue answered."""
        return self.data


@frozen
class Refused:
    """The venue refused: nothing was changed.

    Attributes:
        words: What it said, as it said it.
    """

    words: str

    def unwrap(self) -> NoReturn:
        """Raise the refusal.

        Raises:
            RequestRefusedError: Always.
        """
        raise RequestRefusedError(self.words)


@frozen
class Unknown:
    """The request was sent and no answer came, or none that says what became of it: it may or may not have been carried out.

    It is never sent again.

    Attributes:
        why: What happened instead, in half a sentence.
    """

    why: str

    def unwrap(self) -> NoReturn:
        """Raise that nothing is known.

        Raises:
            OutcomeUnknownError: Always.
        """
        raise OutcomeUnknownError(self.why)


Outcome = Answered[Payload] | Refused | Unknown
"""What became of a request that was sent."""
