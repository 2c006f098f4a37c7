"""Answers: the API's documents, encoded by msgspec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from wsmgr.manager.daemon.problem import MEDIA_TYPE

_encode = msgspec.json.Encoder().encode


def answer(document: object, status: int = 200) -> Response:
    """Return a document as the answer to a request."""
    return Response(
        _encode(document), status, media_type="application/json", headers={"cache-control": "no-store"}
    )


def refusal(problem: Mapping[str, Any]) -> Response:
    """Return a problem document as the answer to a request."""
    return Response(_encode(problem), problem["status"], media_type=MEDIA_TYPE)
