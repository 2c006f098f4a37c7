"""How soon 1,000 subscriptions are live again when the venue goes away twice within a minute.

The venue (the simulator, with the real limits) cuts every socket and refuses all dials for two seconds, twice. A thousand
subscribes three times are more than the 2,000 messages that may be sent in any minute, so the third round has to wait for the
first one's minute to pass: what is measured is how well that wait is used, not how fast a socket is.

`python bench/restarts.py [--subscriptions 1000]` prints one line for each round and the largest number of messages in any minute,
as the venue counted them. It fails where a subscription is not live at the end, or where the venue counted too many.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

import anyio

from wsmgr import Manager
from wsmgr.manager.venues.hyperliquid.simulator import Limits, SimulatorOptions, SimulatorThread

AWAY = 2.0
BETWEEN = 20.0
PATIENCE = 180.0
RATE = 0.2


async def coins(manager: Manager) -> list[str]:
    outcome = await manager.request("info", {"type": "allMids"})
    return sorted(outcome.unwrap())


def states(manager: Manager) -> list[str]:
    return [each.state for each in manager.list_subscriptions()]


async def live(manager: Manager, count: int, since: float) -> float:
    """Wait until all are live; returns the seconds since `since`."""
    with anyio.fail_after(PATIENCE):
        while states(manager).count("live") < count:  # noqa: ASYNC110 - nothing tells of a state
            await anyio.sleep(0.05)
    return time.monotonic() - since


async def main(url: str, simulator: SimulatorThread, count: int) -> bool:
    async with Manager(url=url) as manager:
        names = await coins(manager)
        wishes = [
            (kind, {"coin": name}) for kind in ("bbo", "l2Book", "trades", "activeAssetCtx") for name in names
        ][:count]
        assert len(wishes) == count, f"the venue has streams for {len(wishes)} subscriptions only"
        began = time.monotonic()
        await manager.subscribe_many(wishes, wait="none", keep=True)
        print(f"first       {await live(manager, count, began):7.2f} s until {count} were live", flush=True)
        for number in (1, 2):
            await anyio.sleep(max(0.0, began + number * BETWEEN - time.monotonic()))
            simulator.set_faults("http_503")
            simulator.kill()
            away = time.monotonic()
            await anyio.sleep(AWAY)
            simulator.set_faults()
            took = await live(manager, count, away + AWAY) if number == 2 else None
            said = "interrupted by the next" if took is None else f"{took:7.2f} s until {count} were live"
            print(f"restart {number}   {said}", flush=True)
        print(f"            {time.monotonic() - began:7.2f} s since the first subscribe", flush=True)
        log = simulator.log()
        most = log["most_messages_a_minute"]
        gaps = sum(each.gaps for each in manager.list_subscriptions())
        print(f"messages    {most} in the busiest minute, of 2000; dials {log['dials']}; gaps {gaps}")
        return most <= 2000


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=1000)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with SimulatorThread(SimulatorOptions(rate=RATE, limits=Limits.real())) as venue:
        within = anyio.run(
            main, venue.address.url, venue, chosen.subscriptions, backend_options={"use_uvloop": True}
        )
    sys.exit(0 if within else 1)
