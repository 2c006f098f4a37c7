"""Fixtures for the whole suite: both backends, through one name."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": True}), id="asyncio"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The event loop that an async test runs on: asyncio with uvloop, and trio."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend
