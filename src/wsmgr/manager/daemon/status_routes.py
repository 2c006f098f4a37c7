"""The API's paths about the daemon itself: health, connections, the tree, the ledger, the catalog."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import PlainTextResponse

from wsmgr.manager.daemon import openapi
from wsmgr.manager.daemon.answers import answer
from wsmgr.manager.daemon.health import Pulse
from wsmgr.manager.daemon.paging import PAGE, page, page_of_ledger, parse_number
from wsmgr.manager.daemon.subscription_routes import After, Limit
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.views import connection_view, type_view

Subscription = Annotated[str | None, Query(description="Only those of the subscription with this id.")]


def status_router(engine: Engine) -> APIRouter:
    """Return the routes.

    Args:
        engine: The running manager.
    """
    router = APIRouter(tags=["daemon"])
    pulse = Pulse(engine)

    @router.get("/healthz", response_class=PlainTextResponse, summary="Whether the daemon answers")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @router.get("/v1/health", responses=openapi.document("Health"), summary="How the daemon is")
    async def health() -> Response:
        return answer(pulse.health())

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

    @router.get(
        "/v1/gaps", responses=openapi.listing("GapView", 404), summary="The ledger of gaps, newest first"
    )
    async def gaps(subscription: Subscription = None, after: After = None, limit: Limit = PAGE) -> Response:
        rows = await engine.gaps(subscription, before=parse_number(after), limit=limit)
        _check_known(engine, subscription, found=bool(rows) or after is not None)
        return answer(page_of_ledger(rows, limit=limit))

    @router.get("/v1/events", responses=openapi.listing("EventView", 404), summary="The events, newest first")
    async def events(subscription: Subscription = None, after: After = None, limit: Limit = PAGE) -> Response:
        rows = await engine.events(subscription, before=parse_number(after), limit=limit)
        _check_known(engine, subscription, found=bool(rows) or after is not None)
        return answer(page_of_ledger(rows, limit=limit))

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

    return router


def _check_known(engine: Engine, subscription: str | None, *, found: bool) -> None:
    """Refuse an id that neither a subscription nor the ledger has; the ledger knows those that were ended."""
    if subscription is not None and not found:
        engine.context.registry.entry(subscription)
