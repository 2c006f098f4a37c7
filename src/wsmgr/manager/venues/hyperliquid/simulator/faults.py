"""Faults: what the simulator does wrong on purpose, as one immutable value.

The command line writes a fault as `NAME` or `NAME=VALUE`; :func:`parse_faults` turns a list of those into a
:class:`Faults`. Everything else in the simulator only reads that value, so that it can be replaced while the
simulator runs (`POST /sim/faults`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GREETING = "Websocket connection established."
GIANT_BYTES = 2 * 1024 * 1024
RETRY_AFTER = 5.0
NO_CLOSE_FRAME = 1006

_CLOSE_CODES = (1000, 1001, 1002, 1003, NO_CLOSE_FRAME, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
_APPLICATION_CODES = (3000, 4999)


class FaultError(ValueError):
    """A fault that does not exist, or whose value does not fit it. Its text names what would be right."""


@attrs.frozen(kw_only=True)
class Faults:
    """Which faults are on. Without arguments: none.

    Attributes:
        flap: Accept a socket and close it at once.
        http_429: Refuse every upgrade with 429 and this `Retry-After`, in seconds.
        http_503: The same with 503.
        http_403: Refuse every upgrade with 403.
        slow_upgrade: Seconds that the answer to an upgrade takes.
        reset_upgrade: Reset the TCP connection instead of answering an upgrade.
        blackhole_after: Seconds after which a socket ignores what comes, writes nothing, and stays open.
        half_open: From the handshake on a socket takes every frame and answers none, not even a protocol ping.
        drop_every: Each socket is reset after this many seconds.
        close_code: The code with which sockets are closed that would be reset, cut or closed with 1000;
            1006 closes them without a close frame.
        quiet: What is acknowledged and never sends data: a type, or one of its streams, `trades:BTC`.
        mute: Channels that are never sent (`pong`, `subscriptionResponse` and `error` among them).
        late: Seconds that data goes on after the acknowledgement of an unsubscribe.
        refuse_users_over: Refuse a subscription that would make the users of an address more than this.
        slow_ack: Seconds by which acknowledgements come late; the data waits for its acknowledgement.
        lost_ack: Acknowledgements are never sent; the data is.
        early_data: A subscription's first data comes before its acknowledgement.
        ack_case: Fields whose letters have the other case in acknowledgements.
        stray_error: Before each acknowledgement an error comes for a request that nobody made.
        slow_post: Seconds by which answers to posts come late; what was asked is done at once.
        scatter_posts: As many seconds more at most, drawn for each answer: they come out of order.
        double_post: Each post is answered twice.
        stray_post: Before each answer to a post comes one with an id that nobody gave.
        garbage: Share (0 to 1) of data frames before which a frame is sent that nobody asked for.
        giant_frame: Size in bytes of a frame sent once to each socket after its first acknowledgement.
        duplicate: Share (0 to 1) of data frames that are sent twice.
        extra_fields: Share (0 to 1) of data frames that have a field that is not in the documentation.
        kill_during_resubscribe: How many reconnected sockets are reset in the middle of their subscribe burst.
        forget: Types whose subscription the server drops silently, once each, one second after its acknowledgement.
        greeting: A text frame sent first on each socket; `None` sends none.
        limits: `real` turns on the venue's documented limits.
    """

    flap: bool = False
    http_429: float | None = None
    http_503: float | None = None
    http_403: bool = False
    slow_upgrade: float = 0.0
    reset_upgrade: bool = False
    blackhole_after: float | None = None
    half_open: bool = False
    drop_every: float | None = None
    close_code: int | None = None
    quiet: frozenset[str] = frozenset()
    mute: frozenset[str] = frozenset()
    late: float = 0.0
    refuse_users_over: int | None = None
    slow_ack: float = 0.0
    lost_ack: bool = False
    early_data: bool = False
    ack_case: frozenset[str] = frozenset()
    stray_error: bool = False
    slow_post: float = 0.0
    scatter_posts: float = 0.0
    double_post: bool = False
    stray_post: bool = False
    garbage: float = 0.0
    giant_frame: int = 0
    duplicate: float = 0.0
    extra_fields: float = 0.0
    kill_during_resubscribe: int = 0
    forget: frozenset[str] = frozenset()
    greeting: str | None = None
    limits: Literal["real"] | None = None

    def refusal(self) -> tuple[int, float | None] | None:
        """The status and `Retry-After` with which an upgrade is refused, or None when it is not."""
        if self.http_429 is not None:
            return 429, self.http_429
        if self.http_503 is not None:
            return 503, self.http_503
        return (403, None) if self.http_403 else None


@attrs.frozen
class _Rule:
    """How one fault's value is read: the words for it, and the parser of its text (None: no value given)."""

    wants: str
    parse: Callable[[str | None], object]
    repeats: bool = False


def known_faults() -> Mapping[str, str]:
    """Every fault's name and what its value is, for help texts."""
    return {name: rule.wants for name, rule in _RULES.items()}


def parse_faults(texts: Iterable[str]) -> Faults:
    """Read faults as the command line writes them.

    `quiet`, `mute`, `forget` and `ack_case` may be given several times, or once with names separated by commas.

    Args:
        texts: Each `NAME` or `NAME=VALUE`.

    Raises:
        FaultError: An unknown name, a value that does not fit, or a fault given twice.
    """
    values: dict[str, object] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        name = name.strip().replace("-", "_")
        rule = _RULES.get(name)
        if rule is None:
            raise FaultError(f"unknown fault {name!r}; known faults: {', '.join(sorted(_RULES))}")
        parsed = _parse(name, rule, value if separator else None)
        if name not in values:
            values[name] = parsed
        elif rule.repeats:
            values[name] = _both(values[name], parsed)
        else:
            raise FaultError(f"fault {name!r} is given twice; give it once")
    return Faults(**values)  # type: ignore[arg-type]  # each rule parses to the type of its field


def _parse(name: str, rule: _Rule, value: str | None) -> object:
    try:
        return rule.parse(value)
    except ValueError as error:
        seen = "no value" if value is None else repr(value)
        raise FaultError(f"fault {name!r} wants {rule.wants}, not {seen}") from error


def _both(one: object, other: object) -> frozenset[str]:
    """The names of both; only a fault whose parser gives names may repeat."""
    return cast("frozenset[str]", one) | cast("frozenset[str]", other)


def _flag(value: str | None) -> bool:
    if value not in (None, "1", "true", "yes"):
        raise ValueError(value)
    return True


def _number(*, above: float = 0.0, most: float = float("inf"), default: float | None = None) -> _Rule:
    def parse(value: str | None) -> float:
        if value is None and default is not None:
            return default
        number = float(value or "")
        if not above <= number <= most:
            raise ValueError(value)
        return number

    return _Rule("a share from 0 to 1" if most == 1 else "a number of seconds", parse)


def _count(words: str, *, default: int | None = None) -> _Rule:
    def parse(value: str | None) -> int:
        if value is None and default is not None:
            return default
        number = int(value or "")
        if number < 0:
            raise ValueError(value)
        return number

    return _Rule(words, parse)


def _names(words: str) -> _Rule:
    def parse(value: str | None) -> frozenset[str]:
        names = frozenset(name.strip() for name in (value or "").split(",") if name.strip())
        if not names:
            raise ValueError(value)
        return names

    return _Rule(words, parse, repeats=True)


def _close_code(value: str | None) -> int:
    code = int(value or "")
    if not (code in _CLOSE_CODES or _APPLICATION_CODES[0] <= code <= _APPLICATION_CODES[1]):
        raise ValueError(value)
    return code


def _real(value: str | None) -> str:
    if value not in (None, "real"):
        raise ValueError(value)
    return "real"


_RULES: dict[str, _Rule] = {
    "flap": _Rule("no value", _flag),
    "http_429": _number(default=RETRY_AFTER),
    "http_503": _number(default=RETRY_AFTER),
    "http_403": _Rule("no value", _flag),
    "slow_upgrade": _number(),
    "reset_upgrade": _Rule("no value", _flag),
    "blackhole_after": _number(),
    "half_open": _Rule("no value", _flag),
    "drop_every": _number(above=0.001),
    "close_code": _Rule("a close code, such as 1001 or 1006", _close_code),
    "quiet": _names("the name of a type, such as orderUpdates, or of one of its streams, such as trades:BTC"),
    "mute": _names("the name of a channel, such as pong"),
    "late": _number(),
    "refuse_users_over": _count("a number of users"),
    "slow_ack": _number(),
    "lost_ack": _Rule("no value", _flag),
    "early_data": _Rule("no value", _flag),
    "ack_case": _names("the name of a field, such as user"),
    "stray_error": _Rule("no value", _flag),
    "slow_post": _number(),
    "scatter_posts": _number(),
    "double_post": _Rule("no value", _flag),
    "stray_post": _Rule("no value", _flag),
    "garbage": _number(most=1),
    "giant_frame": _count("a size in bytes", default=GIANT_BYTES),
    "duplicate": _number(most=1),
    "extra_fields": _number(most=1),
    "kill_during_resubscribe": _count("a number of sockets", default=1),
    "forget": _names("the name of a type, such as trades"),
    "greeting": _Rule("a text", lambda value: GREETING if value is None else value),
    "limits": _Rule("real", _real),
}
