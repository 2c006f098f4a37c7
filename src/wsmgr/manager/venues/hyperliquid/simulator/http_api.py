"""HTTP: what the simulator answers to plain requests, on the port of the sockets.

`POST /info` and `POST /exchange` are the venue's, for SDKs that take one base URL. `/sim/...` is the simulator's own:

- `GET /sim/log`: sockets, frames received, live subscriptions, and per stream what was generated.
- `GET /sim/events`: the newest ticks of each stream of events with what identifies the events.
- `POST /sim/kill` `{"connection": n|null}`: reset a socket, or all.
- `GET /sim/faults`, `POST /sim/faults` `{"faults": ["quiet=trades"]}`: see and replace the faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.engine import PATHS
from wsmgr.manager.venues.hyperliquid.simulator.faults import FaultError, parse_faults
from wsmgr.manager.venues.hyperliquid.simulator.info import UNREADABLE, UnreadableRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


@attrs.frozen(kw_only=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The status.
        body: The body.
        content_type: Its type.
        headers: More headers.
    """

    status: int
    body: bytes
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


class _Kill(msgspec.Struct):
    connection: int | None = None


class _NewFaults(msgspec.Struct):
    faults: list[str]


def answer(engine: Engine, method: str, path: str, body: bytes) -> Answer:
    """Answer a plain request.

    Args:
        engine: The simulated venue.
        method: Upper case.
        path: Without its query.
        body: The request's body.
    """
    methods = _ROUTES.get(path)
    if methods is None:
        if path in PATHS and method == "GET" and path != "/":
            return _text(426, "this path speaks WebSocket: ask for an upgrade", ("Upgrade", "websocket"))
        return _text(404, "Not Found")
    route = methods.get(method)
    if route is None:
        return _text(405, "Method Not Allowed", ("Allow", ", ".join(methods)))
    try:
        return Answer(status=200, body=msgspec.json.encode(route(engine, body)), content_type=_JSON)
    except (UnreadableRequestError, FaultError) as error:
        return _text(422, str(error))
    except msgspec.MsgspecError:
        return _text(422, UNREADABLE)


def routes() -> Iterable[str]:
    """Every path that is answered."""
    return _ROUTES.keys()


def _text(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status=status, body=text.encode(), headers=headers)


def _info(engine: Engine, body: bytes) -> object:
    return engine.info.info(msgspec.json.decode(body), engine.now())


def _exchange(engine: Engine, body: bytes) -> object:
    return engine.info.exchange(msgspec.json.decode(body), engine.now())


def _log(engine: Engine, _: bytes) -> object:
    streams = [
        {
            "subscription": stream.key,
            "interval": stream.interval,
            "n": stream.n,
            "generated": stream.generated,
            "subscribers": len(stream.subscribers),
        }
        for stream in engine.hub.streams.values()
    ]
    head = {"now": engine.now(), "started_at": engine.market.started_at}
    return {**head, **engine.journal.as_json(engine.now()), "streams": streams}


def _events(engine: Engine, _: bytes) -> object:
    return [
        {
            "subscription": stream.key,
            "events": [{"n": n, "at": at, "ids": ids} for n, at, ids in stream.events],
        }
        for stream in engine.hub.streams.values()
        if stream.source.events
    ]


def _kill(engine: Engine, body: bytes) -> object:
    wanted = msgspec.json.decode(body, type=_Kill) if body else _Kill()
    return {"killed": engine.kill(wanted.connection)}


def _faults(engine: Engine, _: bytes) -> object:
    return {
        name: value
        for name, value in attrs.asdict(engine.faults).items()
        if value not in (None, False, 0, frozenset())
    }


def _set_faults(engine: Engine, body: bytes) -> object:
    engine.set_faults(parse_faults(msgspec.json.decode(body, type=_NewFaults).faults))
    return _faults(engine, body)


_ROUTES: dict[str, dict[str, Callable[[Engine, bytes], object]]] = {
    "/info": {"POST": _info},
    "/exchange": {"POST": _exchange},
    "/sim/log": {"GET": _log},
    "/sim/events": {"GET": _events},
    "/sim/kill": {"POST": _kill},
    "/sim/faults": {"GET": _faults, "POST": _set_faults},
}
