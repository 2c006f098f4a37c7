"""Options: what a simulator is started with, and the address at which it can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Iterable

DIALECT = "hyperliquid"
DEFAULT_RATE = 10.0
HIGHEST_PORT = 65_535


class SimulatorOptionError(ValueError):
    """An option of the simulator that cannot be meant. Its text says which, the value seen, and what fits."""


@attrs.frozen(kw_only=True)
class Limits:
    """The venue's limits for one client address. `None` turns one off; without arguments all are off.

    Attributes:
        connections: Sockets open at once.
        dials_per_minute: Upgrades in the last 60 s; one more is answered 429.
        subscriptions: Subscriptions on all sockets.
        users: Distinct users in the subscriptions of all sockets, or of one (`users_per`).
        users_per: Whether users count per client `address` or per `connection`. The venue's documentation says the
            first, an observation the second.
        messages_per_minute: Frames from the client in the last 60 s, on all sockets.
        posts: Posts on all sockets that wait for their answer.
        user_linger: Seconds that a user still counts after its last subscription ended.
        at_connection_limit: What a socket too many meets: HTTP `429`, or it is accepted and closed (`close`).
            Which of the two the venue does is not documented.
    """

    connections: int | None = None
    dials_per_minute: int | None = None
    subscriptions: int | None = None
    users: int | None = None
    messages_per_minute: int | None = None
    posts: int | None = None
    users_per: Literal["address", "connection"] = "address"
    user_linger: float = 10.0
    at_connection_limit: Literal["429", "close"] = "429"

    @staticmethod
    def real() -> Limits:
        """The venue's limits in its newer documentation: 10 sockets, 30 dials, 1,000 subscriptions, 10 users, 2,000 messages, 100 posts."""
        return Limits(
            connections=10,
            dials_per_minute=30,
            subscriptions=1000,
            users=10,
            messages_per_minute=2000,
            posts=100,
        )


def parse_limits(texts: Iterable[str]) -> Limits:
    """Read limits as the command line writes them: each `NAME=VALUE`, or `real` for the documented ones.

    A limit that is named overrules the documented one.

    Raises:
        SimulatorOptionError: No such limit, or a value that does not fit it.
    """
    values: dict[str, object] = {}
    documented = False
    for text in texts:
        name, separator, value = text.partition("=")
        if text == "real":
            documented = True
        elif name not in _LIMITS or not separator:
            raise SimulatorOptionError(
                f"limit {text!r}: give real, or NAME=VALUE; names: {', '.join(sorted(_LIMITS))}"
            )
        else:
            values[name] = _limit_value(name, value)
    limits = Limits.real() if documented else Limits()
    return attrs.evolve(limits, **values)  # type: ignore[arg-type]  # each value has the type of its field


def _limit_value(name: str, value: str) -> object:
    choices = _LIMITS[name]
    if isinstance(choices, tuple):
        if value in choices:
            return value
        raise SimulatorOptionError(f"limit {name} is {value!r}: give {' or '.join(choices)}")
    try:
        number = choices(value)
    except ValueError as error:
        raise SimulatorOptionError(f"limit {name} is {value!r}: give a number") from error
    if not 0 <= number < float("inf"):
        raise SimulatorOptionError(f"limit {name} is {value!r}: give a number, 0 or more")
    return number


_LIMITS: dict[str, type[int | float] | tuple[str, ...]] = {
    "connections": int,
    "dials_per_minute": int,
    "subscriptions": int,
    "users": int,
    "messages_per_minute": int,
    "posts": int,
    "user_linger": float,
    "users_per": ("address", "connection"),
    "at_connection_limit": ("429", "close"),
}


def _check_rate(_: object, __: object, value: float | str | None) -> None:
    if isinstance(value, str):
        if value != "real":
            raise SimulatorOptionError(f"rate is {value!r}: give frames a second (more than 0), or 'real'")
    elif value is not None and not 0 < value < float("inf"):
        raise SimulatorOptionError(f"rate is {value}: give frames a second (more than 0), or 'real'")


def _check_port(_: object, __: object, value: int) -> None:
    if not 0 <= value <= HIGHEST_PORT:
        raise SimulatorOptionError(f"port is {value}: give 0 (any free port) to {HIGHEST_PORT}")


def _check_speed(_: object, __: object, value: float) -> None:
    if not 0 < value < float("inf"):
        raise SimulatorOptionError(f"speed is {value}: give simulated seconds in a real one, more than 0")


def _check_idle_timeout(_: object, __: object, value: float) -> None:
    if value <= 0:
        raise SimulatorOptionError(f"idle_timeout is {value}: give seconds, more than 0")


@attrs.frozen(kw_only=True)
class SimulatorOptions:
    """How a simulator behaves.

    All times are seconds of the simulator, of which `speed` pass in a real one.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        seed: Same seed, same market and same user events.
        rate: Frames a second of each stream, or `real` for the venue's cadence. `None`: 10, and in a replay the
            times in the file.
        mainnet: Whether actions are signed for the main network; otherwise, as SDKs do for any other URL, for the
            test network.
        faults: What it does wrong.
        limits: The venue's limits; `faults.limits` and `faults.refuse_users_over` are laid over them.
        speed: Simulated seconds in a real one: cadences, timeouts, windows, lingers and the delays of faults are
            all as much shorter.
        idle_timeout: Seconds without data or pong sent to it after which a socket is closed (the venue: 60).
        record: File that receives every data frame sent, in the capture format.
        replay: Capture file that is played instead of the market.
        loop: Whether a replayed stream begins again after its last frame.
    """

    host: str = "127.0.0.1"
    port: int = attrs.field(default=0, validator=_check_port)
    seed: int = 1
    rate: float | Literal["real"] | None = attrs.field(default=None, validator=_check_rate)
    mainnet: bool = False
    faults: Faults = attrs.field(factory=Faults)
    limits: Limits = attrs.field(factory=Limits)
    speed: float = attrs.field(default=1.0, validator=_check_speed)
    idle_timeout: float = attrs.field(default=60.0, validator=_check_idle_timeout)
    record: Path | None = None
    replay: Path | None = None
    loop: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse combinations that mean nothing."""
        if self.loop and self.replay is None:
            raise SimulatorOptionError("loop is set without replay: it repeats a replayed file, name one")
        if self.replay is not None and self.rate == "real":
            raise SimulatorOptionError(
                "rate is 'real' with replay: leave rate out to play the file's own times"
            )


@attrs.frozen(kw_only=True)
class Address:
    """Where a running simulator can be reached.

    Attributes:
        host: The address it listens on.
        port: The port it listens on.
    """

    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL; an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The WebSocket URL of the api host."""
        return f"ws://{self.authority}/ws"

    @property
    def explorer_url(self) -> str:
        """The WebSocket URL of the explorer (rpc) host."""
        return f"ws://{self.authority}/explorer/ws"

    @property
    def http_url(self) -> str:
        """The base URL of `/info`, `/exchange` and `/sim`; SDKs take it as their one base URL."""
        return f"http://{self.authority}"
