"""Request: the body of a question, read field by field; whatever does not fit is the venue's 422."""

from __future__ import annotations

import re

from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES, Coin, universe

UNREADABLE = "Failed to deserialize the JSON body into the target type"

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_TOKEN = re.compile(r"0x[0-9a-fA-F]{32}")


class UnreadableRequestError(ValueError):
    """A request that the venue answers with 422; its text is the answer."""

    def __init__(self, text: str = UNREADABLE) -> None:
        super().__init__(text)


class UnknownCoinError(LookupError):
    """A coin that is not listed: the venue answers `null`."""


class Request:
    """A question.

    Attributes:
        fields: Its members, as they came.
    """

    def __init__(self, body: object) -> None:
        """Read a body.

        Raises:
            UnreadableRequestError: It is no JSON object.
        """
        if not isinstance(body, dict):
            raise UnreadableRequestError
        self.fields: dict[str, object] = {str(name): value for name, value in body.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

    @property
    def type(self) -> str:
        """What is asked."""
        return self.text("type")

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise UnreadableRequestError
        return value

    def user(self, name: str = "user") -> str:
        """An address that must be there, in lower case."""
        return _matching(_ADDRESS, self.text(name))

    def optional_user(self, name: str = "user") -> str | None:
        """An address, in lower case, that may be left out."""
        return None if self.fields.get(name) is None else self.user(name)

    def token(self) -> str:
        """The id of a token."""
        return _matching(_TOKEN, self.text("tokenId"))

    def coin(self) -> Coin:
        """A coin that is listed.

        Raises:
            UnknownCoinError: It is not.
        """
        coin = universe().get(self.text("coin"))
        if coin is None:
            raise UnknownCoinError
        return coin

    def dex(self) -> str:
        """A dex; left out or null it is the main one, `""`."""
        dex = self.fields.get("dex") or ""
        if not isinstance(dex, str) or dex not in DEXES:
            raise UnreadableRequestError
        return dex

    def flag(self, name: str) -> bool:
        """A flag; left out or null it is off."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise UnreadableRequestError
        return value is True

    def milliseconds(self, name: str) -> int:
        """A time that must be there."""
        value = self.optional_milliseconds(name)
        if value is None:
            raise UnreadableRequestError
        return value

    def optional_milliseconds(self, name: str) -> int | None:
        """A time that may be left out."""
        value = self.fields.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise UnreadableRequestError
        return value

    def order(self) -> int | str:
        """An order's id, the venue's number or the client's text."""
        value = self.fields.get("oid")
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return _matching(_TOKEN, self.text("oid"))

    def inner(self, name: str) -> Request:
        """A member that is itself a question."""
        return Request(self.fields.get(name))


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise UnreadableRequestError
    return text.lower()
