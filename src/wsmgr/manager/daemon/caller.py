"""Caller: who asks, as the listener that took the connection knows it.

On the Unix socket it is the user whom the kernel names, over TCP the token that was shown. A server that says nothing of
either lets nobody act.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from attrs import frozen

from wsmgr.manager.daemon.peer import may_act
from wsmgr.manager.daemon.scopes import Scope

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope as Environment

    from wsmgr.manager.daemon.tokens import Token

_MEMBER: Final = "wsmgr.caller"


@frozen(kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        name: `uid:1000`, `token:desk`, or `somebody unknown`: what events say.
        complaint: Why no action is taken from this caller, or None where it may act.
    """

    name: str
    complaint: str | None


def user(uid: int | None) -> Caller:
    """Return the user at the other end of a Unix socket; None for one that the kernel does not name."""
    name = "somebody unknown" if uid is None else f"uid:{uid}"
    if may_act(uid, os.geteuid()):
        return Caller(name=name, complaint=None)
    return Caller(
        name=name,
        complaint=f"actions are taken from the daemon's own user (uid:{os.geteuid()}) and from root, and this is {name}",
    )


def holder(token: Token) -> Caller:
    """Return the holder of a token."""
    name = f"token:{token.name}"
    if token.scope.allows(Scope.TRADE):
        return Caller(name=name, complaint=None)
    return Caller(
        name=name,
        complaint=f"actions need a token of the scope trade, and {name} has the scope {token.scope.value}",
    )


def introduce(environment: Environment, caller: Caller) -> None:
    """Let the application know who asks."""
    environment[_MEMBER] = caller


def caller_of(request: Request) -> Caller:
    """Return who asks; somebody unknown, where no listener of ours has introduced them."""
    caller: Caller | None = request.scope.get(_MEMBER)
    return user(None) if caller is None else caller
