"""One transport per loop, and neither library before it is needed."""

from __future__ import annotations

import subprocess
import sys

import anyio
import pytest

from wsmgr.manager.transport import TransportUnavailableError, select


def test_select_without_a_loop_says_so() -> None:
    """The mistake is named, not a lookup that failed."""
    with pytest.raises(TransportUnavailableError, match="no event loop"):
        select()


@pytest.mark.parametrize(("backend", "module"), [("asyncio", "picows"), ("trio", "trio_websocket")])
def test_each_loop_gets_the_transport_made_for_it(backend: str, module: str) -> None:
    """A picows socket on trio, or the reverse, could not work."""

    async def selected() -> str:
        return select().__module__

    assert f"wsmgr.manager.transport.{module}" == anyio.run(selected, backend=backend)


def test_importing_the_package_loads_neither_library() -> None:
    """An embedding that uses one loop does not pay for the other."""
    code = "import sys, wsmgr.manager.transport; print([m for m in ('picows', 'trio_websocket') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
