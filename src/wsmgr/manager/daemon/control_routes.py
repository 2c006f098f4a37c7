"""The API's paths that change how the daemon works: new sockets, fewer connections, the end."""

from __future__ import annotations

import os

from fastapi import APIRouter, Response
from starlette.background import BackgroundTask

from wsmgr.manager.daemon import openapi
from wsmgr.manager.daemon.answers import answer
from wsmgr.manager.runtime import control
from wsmgr.manager.runtime.engine import Engine


def control_router(engine: Engine) -> APIRouter:
    """Return the routes.

    Args:
        engine: The running manager.
    """
    router = APIRouter(prefix="/v1", tags=["daemon"])

    @router.post(
        "/connections/{id}/reconnect",
        responses=openapi.document("Reconnecting", 404),
        summary="Have a connection get a new socket",
    )
    async def reconnect_one(id: str) -> Response:
        return answer(openapi.Reconnecting(control.reconnect(engine.context, id)))

    @router.post(
        "/reconnect",
        responses=openapi.document("Reconnecting"),
        summary="Have every connection get a new socket",
    )
    async def reconnect_all() -> Response:
        return answer(openapi.Reconnecting(control.reconnect(engine.context)))

    @router.post(
        "/rebalance",
        responses=openapi.document("Rebalancing"),
        summary="Give up the connections whose streams fit on the others",
    )
    async def rebalance() -> Response:
        return answer(openapi.Rebalancing(control.rebalance(engine.context)))

    @router.post(
        "/drain", status_code=202, responses=openapi.draining(), summary="End the daemon, in an orderly way"
    )
    async def drain() -> Response:
        accepted = answer(openapi.Draining(os.getpid()), 202)
        # When the answer is out: the end of the daemon is the end of this connection too.
        accepted.background = BackgroundTask(_ask_end, engine)
        return accepted

    return router


async def _ask_end(engine: Engine) -> None:
    """Ask on the loop: a plain function would run in a thread."""
    engine.context.ask_end()
