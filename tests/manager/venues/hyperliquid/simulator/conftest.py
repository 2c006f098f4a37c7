"""A simulated venue without a network, on a clock that the test moves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
from wsmgr.manager.venues.hyperliquid.simulator.faults import parse_faults
from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.session import Session

STARTED_AT = 1_766_566_375.0
USER = "0xabcdef0123456789abcdef0123456789abcdef01"


class Client:
    """One socket of the venue, as its client sees it."""

    def __init__(self, venue: Venue, session: Session) -> None:
        self.venue = venue
        self.session = session

    def send(self, frame: object) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.session.received(text, self.venue.now)

    def subscribe(self, type_: str, **fields: Any) -> None:
        self.send({"method": "subscribe", "subscription": {"type": type_, **fields}})

    def unsubscribe(self, type_: str, **fields: Any) -> None:
        self.send({"method": "unsubscribe", "subscription": {"type": type_, **fields}})

    def texts(self) -> list[str]:
        return self.session.take(self.venue.now)

    def frames(self) -> list[Any]:
        return [json.loads(text) for text in self.texts()]

    def data(self) -> list[Any]:
        """What came, without acknowledgements."""
        return [
            frame
            for frame in self.frames()
            if not (isinstance(frame, dict) and frame["channel"] == "subscriptionResponse")
        ]

    def ask(self, frame: object) -> list[Any]:
        self.send(frame)
        return self.frames()


class Venue:
    """The engine and its clock."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.now = 0.0
        self.engine = Engine(options, now=lambda: self.now, started_at=STARTED_AT)

    def connect(self, path: str = "/ws", client: str = "127.0.0.1") -> Client:
        return Client(self, self.engine.open(path, client, lambda: None))

    def advance(self, seconds: float) -> None:
        """Let time pass; everything that is due happens at its time."""
        until = self.now + seconds
        while (due := self.engine.hub.next_due) is not None and due <= until:
            self.now = max(self.now, due)
            self.engine.hub.run(self.now)
        self.now = until


@pytest.fixture
def make_venue() -> Callable[..., Venue]:
    """Makes a venue: `make_venue("quiet=trades", rate=10)`."""

    def make(*faults: str, **options: Any) -> Venue:
        return Venue(SimulatorOptions(faults=parse_faults(faults), **options))

    return make


@pytest.fixture
def client(make_venue: Callable[..., Venue]) -> Client:
    """A socket of a venue without faults, ten frames a second of each stream."""
    return make_venue().connect()
