"""The API: a running manager over HTTP.

It translates: a path to one call of the engine, an error of ours to a problem document. What may last is streamed, what may be
long is paged.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from wsmgr.manager.daemon import openapi
from wsmgr.manager.daemon.answers import refusal
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.control_routes import control_router
from wsmgr.manager.daemon.problem import problem_of, problem_of_bug, problem_of_http
from wsmgr.manager.daemon.request_routes import request_router
from wsmgr.manager.daemon.status_routes import status_router
from wsmgr.manager.daemon.subscription_routes import metrics_router, subscription_router
from wsmgr.manager.model.errors import UsageError, WsmgrError
from wsmgr.manager.runtime.engine import Engine


def make_app(engine: Engine, closing: Closing | None = None) -> FastAPI:
    """Return the API of a running manager, as an ASGI application.

    Args:
        engine: The running manager.
        closing: Says when the API is ending; None for an application whose server just cancels what runs.
    """
    closing = closing or Closing()
    app = FastAPI(title="wsmgr", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.include_router(subscription_router(engine, closing))
    app.include_router(metrics_router(engine))
    app.include_router(request_router(engine, closing))
    app.include_router(status_router(engine, closing))
    app.include_router(control_router(engine))
    app.add_exception_handler(WsmgrError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
    openapi.describe(app)
    return app


async def _ours(_request: Request, error: Exception) -> Response:
    if not isinstance(error, WsmgrError):
        raise error
    return refusal(problem_of(error))


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    words = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return refusal(problem_of(UsageError(words)))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return refusal(problem_of_http(error.status_code, f"{error.detail}: {request.method} {request.url.path}"))


async def _bug(_request: Request, _error: Exception) -> Response:
    return refusal(problem_of_bug())
