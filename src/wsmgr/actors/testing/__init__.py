"""For tests of actors, ours and yours: virtual time, a probe, an event recorder, a leak check.

With anyio's plugin for pytest, on every backend::

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return virtual_backend(request.param)

`virtual_time` says what the clock promises, and what it cannot know.
"""

from __future__ import annotations

from .event_recorder import EventRecorder
from .leaks import check_leaks
from .probe import Probe, TrappingProbe
from .virtual_time import VirtualTimeLoop, run_virtually, settle, virtual_backend, virtual_loop

__all__ = [
    "EventRecorder",
    "Probe",
    "TrappingProbe",
    "VirtualTimeLoop",
    "check_leaks",
    "run_virtually",
    "settle",
    "virtual_backend",
    "virtual_loop",
]
