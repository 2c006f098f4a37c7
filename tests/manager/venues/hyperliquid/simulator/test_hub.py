"""The hub: the schedule of all streams. What it sends is tested in `test_streams.py`."""

from __future__ import annotations

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.hub import Hub
from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame, Source, Tick, state
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription, read_subscription


class Congested:
    """A reader that takes nothing for the moment."""

    def deliver(self, subscription: Subscription, frame: Frame, n: int) -> None:
        """Take a frame."""

    def is_congested(self, now: float) -> bool:
        return now >= 1.0


def make(_: Subscription, __: float) -> Source:
    def text(_: Tick) -> str:
        return "{}"

    return state(text)


@pytest.mark.parametrize("speed", [1.0, 100.0])
def test_stream_that_waits_for_a_reader_waits_in_real_time(speed: float) -> None:
    """However fast the venue's clock is, the schedule does not spin."""
    hub = Hub(make, 10.0)
    hub.speed = speed
    hub.join(read_subscription({"type": "allMids"}), Congested(), 0.0)
    due = hub.run(1.0)
    assert due == pytest.approx(1.0 + 0.002 * speed)
