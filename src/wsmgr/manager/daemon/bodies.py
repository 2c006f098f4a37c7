"""Bodies: what a request brings, read within a limit and decoded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from wsmgr.manager.daemon.problem import BadRequestError
from wsmgr.manager.model.errors import UsageError

MAX_BODY_BYTES: Final = 1024 * 1024

Body = TypeVar("Body")


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        BadRequestError: It is too large, or not complete.
    """
    body = bytearray()
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect as error:
        raise BadRequestError("the body is not complete: the client disconnected") from error
    return bytes(body)


def decoded(body: bytes, decode: Callable[[bytes], Body]) -> Body:
    """Return what a body says.

    Raises:
        BadRequestError: It is not JSON, or nested too deeply.
        UsageError: It is JSON of another shape.
    """
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise UsageError(f"the body does not fit: {error}") from error
    except msgspec.DecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequestError("the body is nested too deeply") from error
