"""Which actor runs this code, and which calls wait for it: two context variables.

A task copies the context of whoever starts it, so tasks that a handler opens still belong to its actor.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsmgr.actors.ref import ActorRef

current_actor: ContextVar[ActorRef[Any] | None] = ContextVar("wsmgr_current_actor", default=None)
"""The actor whose callback or helper task runs here, or None outside of every actor."""

call_chain: ContextVar[tuple[ActorRef[Any], ...]] = ContextVar("wsmgr_call_chain", default=())
"""The actors that cannot answer until this code is done. A helper task starts anew with an empty chain."""
