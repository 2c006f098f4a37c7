"""Bodies: what a request brings, read within limits and decoded.

The limits count what really comes, whatever length a request declares and whether it declares any. A client that sends too much
is heard out for a while: one that is cut off in the middle of sending sees a broken connection, and no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import anyio
import msgspec
from starlette.requests import ClientDisconnect, Request

from wsmgr.manager.daemon.problem import BadRequestError, TooLargeError, TooSlowError
from wsmgr.manager.model.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

MAX_BODY_BYTES: Final = 1024 * 1024
"""A batch of a thousand orders is a tenth of it."""
MAX_HEARD_BYTES: Final = 8 * MAX_BODY_BYTES
"""How much of a body is passed over before its client is cut off."""
BODY_TIMEOUT: Final = 10.0
"""Seconds for a whole body: it comes from this machine, or through a proxy that has it all."""
MAX_DEPTH: Final = 32
"""How deep lists and objects may be nested: no request of any venue needs ten levels."""

Body = TypeVar("Body")


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        TooLargeError: It is too large.
        TooSlowError: It did not come in time.
        BadRequestError: It is not complete.
    """
    body = bytearray()
    size = 0
    with anyio.move_on_after(BODY_TIMEOUT) as scope:
        try:
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size <= MAX_BODY_BYTES:
                        body += chunk
                    elif size > MAX_HEARD_BYTES:
                        break
        except ClientDisconnect as error:
            raise BadRequestError("the body is not complete: the client disconnected") from error
    if size > MAX_BODY_BYTES:
        raise TooLargeError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    if scope.cancelled_caught:
        raise TooSlowError(f"the body did not come within {BODY_TIMEOUT:g} s")
    return bytes(body)


def heard_out(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return both ways of a request such that its client is heard out before it is left.

    Whoever answers need not read the body: the answer goes out, and what nobody has read of the body is passed over before the answer is
    over. A connection that is closed with something unread is reset, and its client may lose an answer that it had not read. No more is
    passed over than a body may have, in the time that it may take.
    """
    until = anyio.current_time() + BODY_TIMEOUT
    size, whole = 0, False

    async def hearing() -> Message:
        nonlocal size, whole
        message = await receive()
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        return message

    async def answering(message: Message) -> None:
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if whole or not last:
            await send(message)
            return
        await send({**message, "more_body": True})
        with anyio.CancelScope(deadline=until):
            while not whole and size <= MAX_BODY_BYTES:
                await hearing()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return hearing, answering


def decoded(body: bytes, decode: Callable[[bytes], Body]) -> Body:
    """Return what a body says.

    Raises:
        BadRequestError: It is not JSON, or nested too deeply.
        UsageError: It is JSON of another shape.
    """
    try:
        found = decode(body)
    except msgspec.ValidationError as error:
        raise UsageError(f"the body does not fit: {error}") from error
    except msgspec.DecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise BadRequestError(_TOO_DEEP) from error
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(found):
        raise BadRequestError(_TOO_DEEP)
    return found


_TOO_DEEP: Final = f"the body is nested too deeply; {MAX_DEPTH} levels are the most"


def _is_deep(value: object) -> bool:
    """Return whether something is nested more deeply than it may be, without going down in it by recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: object) -> list[Any]:
    """Return what a list or an object holds that can hold something itself."""
    if isinstance(value, msgspec.Struct):
        items: Any = (getattr(value, name) for name in value.__struct_fields__)
    elif isinstance(value, dict):
        items = cast("dict[str, Any]", value).values()
    else:
        items = value
    return [item for item in items if isinstance(item, dict | list)]
