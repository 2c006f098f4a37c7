"""What wsmgr tests itself with, for those who write transports and venues of their own."""

from __future__ import annotations

from wsmgr.manager.testing.scripted_peer import ScriptedPeer
from wsmgr.manager.testing.transport_check import Check, Peer
from wsmgr.manager.testing.transport_kit import CHECKS, check_transport

__all__ = ["CHECKS", "Check", "Peer", "ScriptedPeer", "check_transport"]
