"""A simulated world: the real manager and the real simulator in one process, on one clock, without a socket.

In virtual time an hour takes seconds, and each run of a seed is the same. See `world` for how to use it.
"""

from __future__ import annotations

from wsmgr.manager.testing.simulated.machine import Machine
from wsmgr.manager.testing.simulated.network import CLIENT, EPOCH, URL, Connection, Network
from wsmgr.manager.testing.simulated.socket import SimulatedSocket
from wsmgr.manager.testing.simulated.truth import StreamTruth, Truth, stream_key
from wsmgr.manager.testing.simulated.world import World, in_virtual_time, simulated

__all__ = [
    "CLIENT",
    "EPOCH",
    "URL",
    "Connection",
    "Machine",
    "Network",
    "SimulatedSocket",
    "StreamTruth",
    "Truth",
    "World",
    "in_virtual_time",
    "simulated",
    "stream_key",
]
