"""The API's paths about the daemon itself: health, connections, the tree, the ledger, the catalog."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import PlainTextResponse

from wsmgr.manager.daemon import openapi
from wsmgr.manager.daemon.answers import answer
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.event_stream import follow as follow_events
from wsmgr.manager.daemon.filters import EventFilter, Level
from wsmgr.manager.daemon.health import Pulse
from wsmgr.manager.daemon.paging import PAGE, page, page_of_ledger, parse_number
from wsmgr.manager.daemon.stream import LINES
from wsmgr.manager.daemon.subscription_routes import After, Limit
from wsmgr.manager.runtime.connection_views import connection_view
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.type_views import type_view

Subscription = Annotated[str | None, Query(description="Only those of the subscription with this id.")]
Open = Annotated[
    bool, Query(description="Only those that are neither proved empty nor filled; some are still going on.")
]
EventKind = Annotated[str | None, Query(description="Only those of this kind.")]
EventLevel = Annotated[Level | None, Query(description="Only those that matter at least so much.")]
Follow = Annotated[
    bool, Query(description="NDJSON: each event as it happens; `after` is the number of the last one seen.")
]


def status_router(engine: Engine, closing: Closing | None = None) -> APIRouter:
    """Return the routes.

    Args:
        engine: The running manager.
        closing: Says when the API is ending; None for an application whose server just cancels what runs.
    """
    router = APIRouter(tags=["daemon"])
    _declare_health(router, Pulse(engine))
    _declare_state(router, engine)
    _declare_ledger(router, engine, closing or Closing())
    return router


def _declare_health(router: APIRouter, pulse: Pulse) -> None:
    @router.get("/healthz", response_class=PlainTextResponse, summary="Whether the daemon answers")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @router.get("/v1/health", responses=openapi.document("Health"), summary="How the daemon is")
    async def health() -> Response:
        return answer(pulse.health())


def _declare_state(router: APIRouter, engine: Engine) -> None:
    @router.get("/v1/connections", responses=openapi.listing("ConnectionView"), summary="The connections")
    async def connections(after: After = None, limit: Limit = PAGE) -> Response:
        now = engine.context.clock.monotonic()
        rows = [each for venue in engine.context.venues.values() for each in venue.model.connections]
        found = await page(
            rows,
            place=lambda row: (float(row.id.rpartition("-")[2]), row.id),
            view=lambda row: connection_view(row, now=now),
            after=after,
            limit=limit,
        )
        return answer(found)

    @router.get("/v1/tree", responses=openapi.document("TreeView"), summary="The supervision tree")
    async def tree() -> Response:
        return answer(engine.tree())

    @router.get("/v1/types", responses=openapi.listing("TypeView"), summary="The subscription types")
    async def types(after: After = None, limit: Limit = PAGE) -> Response:
        dialects = {venue.dialect.name: venue.dialect for venue in engine.context.venues.values()}
        found = await page(
            [(name, each) for name, dialect in dialects.items() for each in dialect.catalog.values()],
            place=lambda row: (0.0, f"{row[0]}/{row[1].name}"),
            view=lambda row: type_view(*row),
            after=after,
            limit=limit,
        )
        return answer(found)


def _declare_ledger(router: APIRouter, engine: Engine, closing: Closing) -> None:
    @router.get(
        "/v1/gaps", responses=openapi.listing("GapView", 404, 503), summary="The ledger of gaps, newest first"
    )
    async def gaps(
        subscription: Subscription = None, open: Open = False, after: After = None, limit: Limit = PAGE
    ) -> Response:
        found = await page_of_ledger(
            lambda before, count: engine.gaps(subscription, before=before, limit=count),
            before=parse_number(after),
            limit=limit,
            wanted=(lambda gap: gap.proof is None) if open else None,
        )
        _check_known(engine, subscription, found=bool(found.items) or after is not None)
        return answer(found)

    @router.get(
        "/v1/events", responses=_events_answered(), summary="The events, newest first, or as they happen"
    )
    async def events(
        subscription: Subscription = None,
        kind: EventKind = None,
        level: EventLevel = None,
        follow: Follow = False,
        after: After = None,
        limit: Limit = PAGE,
    ) -> Response:
        wanted = EventFilter(subscription=subscription, kind=kind, level=level)
        if follow:
            return await follow_events(engine, wanted, after=parse_number(after), closing=closing)
        found = await page_of_ledger(
            lambda before, count: engine.events(subscription, before=before, limit=count),
            before=parse_number(after),
            limit=limit,
            wanted=wanted if kind or level else None,
        )
        _check_known(engine, subscription, found=bool(found.items) or after is not None)
        return answer(found)


def _events_answered() -> openapi.Responses:
    """Return the answers of the events' path: a page of the list, or a stream of those that come."""
    answers = openapi.listing("EventView", 404, 503)
    answers[200]["content"][LINES] = {"schema": {"$ref": "#/components/schemas/EventView"}}
    return answers


def _check_known(engine: Engine, subscription: str | None, *, found: bool) -> None:
    """Refuse an id that neither a subscription nor the ledger has; the ledger knows those that were ended."""
    if subscription is not None and not found:
        engine.context.registry.entry(subscription)
