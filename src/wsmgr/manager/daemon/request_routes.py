"""The API's path for requests: questions to a venue, and actions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from wsmgr.manager.daemon import openapi
from wsmgr.manager.daemon.answers import answer
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.requesting import carry_out, read_request
from wsmgr.manager.runtime.engine import Engine


def request_router(engine: Engine, closing: Closing) -> APIRouter:
    """Return the route.

    Args:
        engine: The running manager.
        closing: Says when the API is ending.
    """
    router = APIRouter(prefix="/v1/requests", tags=["requests"])

    @router.post(
        "",
        responses=openapi.requested(),
        openapi_extra=openapi.body("VenueRequest"),
        summary="Ask a venue, or have it do something",
    )
    async def request_venue(request: Request) -> Response:
        wish = await read_request(request)
        return answer(await carry_out(engine, wish, request, closing))

    return router
