"""The API's paths about subscriptions."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Query, Request, Response

from wsmgr.manager.daemon import openapi
from wsmgr.manager.daemon.answers import answer
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.filters import check_state, check_user
from wsmgr.manager.daemon.message_stream import MessageStream, StreamOptions
from wsmgr.manager.daemon.paging import PAGE, page, place_of
from wsmgr.manager.daemon.subscribing import cursor_of, read_request, subscribe
from wsmgr.manager.model.errors import NotFoundError, UnknownTypeError, WsmgrError
from wsmgr.manager.model.returning import Cursor
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription import Entry
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.lines import PayloadBytes, message_line, subscribed_line
from wsmgr.manager.runtime.policy import policy_named
from wsmgr.manager.runtime.subscription_views import metrics_view, subscription_view
from wsmgr.manager.runtime.why import say_why

Limit = Annotated[int, Query(ge=1, le=PAGE, description="How many rows at most.")]
After = Annotated[str | None, Query(description="`next` of the page before.")]
Format = Annotated[
    Literal["lines", "raw"], Query(description="`lines`: NDJSON. `raw`: u32 length, then the frame.")
]
Place = Annotated[
    str | None,
    Query(
        description="`epoch:seq` of the last message that a reader had which returns: it goes on behind it."
    ),
]

ENDED_AT_ONCE = 100
"""How many subscriptions are ended side by side: they share the store's commits."""


def subscription_router(engine: Engine, closing: Closing) -> APIRouter:
    """Return the routes.

    Args:
        engine: The running manager.
        closing: Says when the API is ending.
    """
    router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])
    _declare_list(router, engine)
    _declare_subscribing(router, engine, closing)
    _declare_ending(router, engine)
    _declare_documents(router, engine)
    _declare_stream(router, engine, closing)
    return router


def metrics_router(engine: Engine) -> APIRouter:
    """Return the route of all counters."""
    router = APIRouter(prefix="/v1/metrics", tags=["subscriptions"])

    @router.get("", responses=openapi.listing("MetricsView"), summary="The counters of every subscription")
    async def list_metrics(after: After = None, limit: Limit = PAGE) -> Response:
        now, wall = engine.context.clock.monotonic(), engine.context.clock.wall()
        found = await page(
            engine.context.registry.entries.values(),
            place=place_of,
            view=lambda entry: metrics_view(entry, now=now, wall=wall),
            after=after,
            limit=limit,
        )
        return answer(found)

    return router


def payload_bytes(engine: Engine, subscription_id: str) -> PayloadBytes:
    """Return what splices the payload out of a subscription's frames."""
    entry = engine.context.registry.entry(subscription_id)
    return engine.context.venues[entry.venue].dialect.payload_bytes


def _declare_list(router: APIRouter, engine: Engine) -> None:
    @router.get("", responses=openapi.listing("SubscriptionView"), summary="List the subscriptions")
    async def list_subscriptions(
        user: str | None = None,
        venue: str | None = None,
        state: str | None = None,
        type: str | None = None,
        after: After = None,
        limit: Limit = PAGE,
    ) -> Response:
        wanted = _Filter(engine, user=user, venue=venue, state=state, type_name=type)
        now = engine.context.clock.monotonic()
        found = await page(
            engine.context.registry.entries.values(),
            place=place_of,
            view=lambda entry: subscription_view(entry, now=now),
            after=after,
            limit=limit,
            wanted=wanted,
        )
        return answer(found)


def _declare_subscribing(router: APIRouter, engine: Engine, closing: Closing) -> None:
    @router.post(
        "",
        status_code=201,
        responses=openapi.subscribed(),
        openapi_extra=openapi.body("SubscribeRequest"),
        summary="Subscribe, or join a subscription",
    )
    async def create(request: Request, stream: bool = False, format: Format = "lines") -> Response:
        wish = await read_request(request)
        options = _options(format, wish.events, wish.after)
        wish.events = options.events
        handle = await subscribe(engine, wish, request, closing)
        view = engine.get_subscription(handle.id)
        if stream:
            return _stream(engine, handle, options, closing, head=subscribed_line(view))
        handle.release()
        view.consumers -= 1
        return answer(view, 202 if view.state in {"pending", "subscribing", "lost"} else 201)


def _declare_ending(router: APIRouter, engine: Engine) -> None:
    @router.delete("", responses=openapi.document("Ended"), summary="End every subscription, for everybody")
    async def delete_all() -> Response:
        return answer(openapi.Ended(await _end_all(engine)))

    @router.delete(
        "/{id}", responses=openapi.document("Ended", 404), summary="End a subscription, for everybody"
    )
    async def delete(id: str) -> Response:
        await engine.unsubscribe(id)
        return answer(openapi.Ended([id]))


def _declare_documents(router: APIRouter, engine: Engine) -> None:
    @router.get("/{id}", responses=openapi.document("SubscriptionView", 404), summary="One subscription")
    async def get(id: str) -> Response:
        return answer(engine.get_subscription(id))

    @router.get("/{id}/last", responses=openapi.last(), summary="The newest message")
    async def last(id: str) -> Response:
        message = engine.context.registry.entry(id).last
        if message is None:
            return Response(status_code=204)
        line = message_line(message, payload_bytes(engine, id))
        return Response(line, media_type="application/json", headers={"cache-control": "no-store"})

    @router.get("/{id}/metrics", responses=openapi.document("MetricsView", 404), summary="Its counters")
    async def metrics(id: str) -> Response:
        return answer(engine.get_metrics(id))

    @router.get(
        "/{id}/why",
        responses=openapi.document("WhyView", 404, 503),
        summary="Why it is as it is, and what comes next",
    )
    async def why(id: str) -> Response:
        return answer(await say_why(engine.context, id))


def _declare_stream(router: APIRouter, engine: Engine, closing: Closing) -> None:
    @router.get("/{id}/stream", responses=openapi.streamed(), summary="What comes on it")
    async def stream(
        id: str,
        format: Format = "lines",
        events: bool = False,
        policy: str | None = None,
        after: Place = None,
    ) -> Response:
        options = _options(format, events, after)
        handle = engine.join(id, policy=policy_named(policy), events=options.events, after=cursor_of(after))
        return _stream(engine, handle, options, closing)


def _options(format: str, events: bool, after: str | None) -> StreamOptions:
    """Return how a stream is wanted; frames cannot carry a gap, so a reader of frames that returns is told of it by a line."""
    raw = format == "raw"
    return StreamOptions(raw=raw, events=events or (raw and after is not None))


def _stream(
    engine: Engine, handle: Subscription, options: StreamOptions, closing: Closing, *, head: bytes = b""
) -> MessageStream:
    """Return the stream of a consumer that has just been made: nothing has been awaited since."""
    entry = engine.context.registry.entry(handle.id)
    return MessageStream(
        handle,
        payload_bytes(engine, handle.id),
        options=options,
        closing=closing,
        head=head,
        place=Cursor(entry.epoch, entry.seq),
    )


async def _end_all(engine: Engine) -> list[str]:
    """End every subscription; returns their ids. What could not be written is raised after all were tried."""
    ended: list[str] = []
    failures: list[WsmgrError] = []

    async def end(subscription_id: str) -> None:
        try:
            await engine.unsubscribe(subscription_id)
        except NotFoundError:
            # Somebody else ended it in the meantime, which is what was asked for.
            return
        except WsmgrError as error:
            failures.append(error)
            return
        ended.append(subscription_id)

    ids = tuple(engine.context.registry.entries)
    for start in range(0, len(ids), ENDED_AT_ONCE):
        async with anyio.create_task_group() as group:
            for subscription_id in ids[start : start + ENDED_AT_ONCE]:
                group.start_soon(end, subscription_id)
    if failures:
        raise failures[0]
    return ended


class _Filter:
    """Which subscriptions are listed; a word that names nothing is an error, not an empty list."""

    def __init__(
        self, engine: Engine, *, user: str | None, venue: str | None, state: str | None, type_name: str | None
    ) -> None:
        if venue is not None:
            engine.venue(venue)
        if type_name is not None and not any(
            type_name in each.dialect.catalog for each in engine.context.venues.values()
        ):
            raise UnknownTypeError(
                f"there is no subscription type {shown(type_name)}; `wsmgr types` lists them all"
            )
        check_user(user)
        check_state(state)
        self._user = None if user is None else user.lower()
        self._venue, self._state, self._type = venue, state, type_name

    def __call__(self, entry: Entry) -> bool:
        return (
            self._user in {None, (entry.user or "").lower()}
            and self._venue in {None, entry.venue}
            and self._type in {None, entry.type.name}
            and self._state in {None, entry.state.value}
        )
