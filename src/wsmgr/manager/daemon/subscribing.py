"""Subscribing over HTTP: the body of `POST /v1/subscriptions`, and the wait until the subscription has come so far.

Who asks and goes away before the answer gives its hold back, exactly as a caller that is cancelled.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import anyio
import msgspec
from starlette.requests import Request

from wsmgr.manager.daemon.bodies import decoded, read_body
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.stream import gone
from wsmgr.manager.model.errors import ManagerClosedError, SubscriptionClosedError, WsmgrError
from wsmgr.manager.model.returning import Cursor
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.policy import policy_named
from wsmgr.manager.runtime.subscribing import DEFAULT_TIMEOUT


class SubscribeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is asked for.

    Attributes:
        type: The subscription type.
        venue: The venue's name; null for the only one, or `hyperliquid`.
        params: The parameters of the type.
        policy: What happens when this consumer is too slow; null for the type's own. Only for a stream.
        keep: Whether it stays until someone ends it. One that is not kept needs a consumer within 15 s.
        wait: How far it must have come before this is answered.
        timeout: Seconds to wait for that; null for ever.
        events: Whether the consumer wants continuity events. Only for a stream.
        connection: `dedicated` for a connection of its own.
        redundancy: On how many sockets at once: 1 or 2.
        after: The cursor of the last message that a reader had which returns. Only for a stream.
    """

    type: str
    venue: str | None = None
    params: dict[str, Any] = {}
    policy: str | None = None
    keep: bool = False
    wait: Literal["ack", "live", "none"] = "ack"
    timeout: Annotated[float, msgspec.Meta(ge=0)] | None = DEFAULT_TIMEOUT
    events: bool = False
    connection: Literal["auto", "dedicated"] = "auto"
    redundancy: int = 1
    after: str | None = None


_decode = msgspec.json.Decoder(SubscribeRequest).decode


async def read_request(request: Request) -> SubscribeRequest:
    """Return what a request asks for.

    Raises:
        BadRequestError: The body is not JSON, or too large.
        UsageError: It is JSON of another shape.
    """
    return decoded(await read_body(request), _decode)


def cursor_of(after: str | None) -> Cursor | None:
    """Return the cursor that a client named, or None where it named none.

    Raises:
        UsageError: It is no cursor.
    """
    return None if after is None else Cursor.parse(after)


async def subscribe(
    engine: Engine, wish: SubscribeRequest, request: Request, closing: Closing
) -> Subscription:
    """Subscribe for a client; returns the consumer's handle, which the caller releases.

    Raises:
        WsmgrError: What `Engine.subscribe` raises; also where the client has gone or the API is ending.
    """
    cursor = cursor_of(wish.after)
    handle = await _subscribe(engine, wish, request, closing)
    if cursor is None:
        return handle
    try:
        return engine.join(handle.id, policy=policy_named(wish.policy), events=wish.events, after=cursor)
    finally:
        handle.release()


async def _subscribe(
    engine: Engine, wish: SubscribeRequest, request: Request, closing: Closing
) -> Subscription:
    outcome = _Outcome()
    async with anyio.create_task_group() as group:
        group.start_soon(_watch, request, outcome, group.cancel_scope)
        with closing.ended_by_closing():
            await _attempt(engine, wish, outcome)
        group.cancel_scope.cancel()
    if outcome.gone and outcome.handle is not None:
        outcome.handle.release()
        outcome.handle = None
    if outcome.handle is not None:
        return outcome.handle
    if outcome.error is not None:
        raise outcome.error
    if closing.begun:
        raise ManagerClosedError("the daemon is ending: nothing new is taken")
    raise SubscriptionClosedError("the client went away before it was answered")


class _Outcome:
    """What became of a wish."""

    def __init__(self) -> None:
        self.handle: Subscription | None = None
        self.error: WsmgrError | None = None
        self.gone = False


async def _attempt(engine: Engine, wish: SubscribeRequest, outcome: _Outcome) -> None:
    try:
        outcome.handle = await engine.subscribe(
            wish.type,
            wish.params,
            venue=wish.venue,
            policy=policy_named(wish.policy),
            events=wish.events,
            dedicated=wish.connection == "dedicated",
            redundancy=wish.redundancy,
            keep=wish.keep,
            wait=wish.wait,
            timeout=math.inf if wish.timeout is None else wish.timeout,
        )
    except WsmgrError as error:
        outcome.error = error


async def _watch(request: Request, outcome: _Outcome, scope: anyio.CancelScope) -> None:
    await gone(request.receive)
    outcome.gone = True
    scope.cancel()
