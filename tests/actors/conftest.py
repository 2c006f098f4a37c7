"""Fixtures for the tests of actors: virtual time on every loop that people run, and no task left behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from wsmgr.actors import DynamicSupervisor
from wsmgr.actors.testing import EventRecorder, check_leaks, virtual_backend

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

# A test that is about some of them names them: `parametrize("anyio_backend", ["trio-virtual"], indirect=True)`.
BACKENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "asyncio-virtual": ("asyncio", {}),
    "uvloop-virtual": ("asyncio", {"loop_class": uvloop.Loop}),
    "trio-virtual": ("trio", {}),
}
if sys.version_info >= (3, 12):
    # uvloop 0.23 cannot run the eager tasks of Python 3.13: it gives them an argument that they do not take.
    BACKENDS["asyncio-eager-virtual"] = ("asyncio", {"eager": True})


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Virtual time: no test here waits for real."""
    name, options = BACKENDS[request.param]
    return virtual_backend(name, **options)


@pytest.fixture
async def no_leaks(anyio_backend: object) -> AsyncGenerator[None, None]:
    """No task outlives its test."""
    async with check_leaks():
        yield


@pytest.fixture(autouse=True)
def _no_leaks_of_any_test(request: pytest.FixtureRequest) -> None:
    # A test that runs no loop has no backend, and no tasks.
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("no_leaks")


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
