"""Fixtures for the tests of actors: virtual time on both backends, and no task left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.actors import DynamicSupervisor
from wsmgr.actors.testing import EventRecorder, check_leaks, virtual_backend

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture(
    params=[pytest.param("asyncio", id="asyncio-virtual"), pytest.param("trio", id="trio-virtual")]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Virtual time: no test here waits for real."""
    return virtual_backend(request.param)


@pytest.fixture
async def no_leaks(anyio_backend: object) -> AsyncGenerator[None, None]:
    """No task outlives its test."""
    async with check_leaks():
        yield


@pytest.fixture
def recorder(anyio_backend: object) -> EventRecorder:
    """Keeps what the supervisors of a test report."""
    return EventRecorder()


@pytest.fixture
def journal() -> list[tuple[object, ...]]:
    """What the probes of a test write down, in order."""
    return []


@pytest.fixture
async def tree(no_leaks: None) -> AsyncGenerator[DynamicSupervisor, None]:
    """A dynamic supervisor that runs for as long as the test, and leaves nothing."""
    async with DynamicSupervisor() as supervisor:
        yield supervisor
