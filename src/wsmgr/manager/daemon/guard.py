"""Guard: who is let in over TCP, and for what.

Nothing tells who is at the other end of a TCP connection: every program and every user of this machine reaches the loopback, and so
does every web page that its user visits. So a request is looked at in this order, and at nothing of it before:

1. Its `Host` means this machine: no web page had its own name point here.
2. It has no `Origin`, or the daemon's own: no page of another site sent it.
3. It shows a token that counts. Whether one was missing, wrong or revoked is not said.
4. The token's scope allows it.

Nothing of a request is logged but what it was refused for and from which address, and that folded.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from attrs import frozen

from wsmgr.manager.daemon.address import is_own, same_site
from wsmgr.manager.daemon.answers import refusal
from wsmgr.manager.daemon.caller import holder, introduce
from wsmgr.manager.daemon.problem import (
    HOST_REFUSED,
    ORIGIN_REFUSED,
    SCOPE_NEEDED,
    TOKEN_NEEDED,
    problem_of_refusal,
)
from wsmgr.manager.daemon.refusals import Refusals
from wsmgr.manager.daemon.scopes import needed
from wsmgr.manager.daemon.tokens import MAX_TOKEN_CHARACTERS, Token, Tokens

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from wsmgr.manager.daemon.connections import Connection

_BEARER: Final = "bearer"
_CHALLENGE: Final = 'Bearer realm="wsmgr"'


@frozen(kw_only=True)
class Entrance:
    """What a listener's guard goes by.

    Attributes:
        tokens: The tokens that count.
        names: What this machine is called besides its addresses, in small letters.
        refusals: Where what was refused is counted.
    """

    tokens: Tokens
    names: Collection[str]
    refusals: Refusals


class Guard:
    """An application that only those reach who may.

    Args:
        app: The application.
        connection: The connection that it serves.
        entrance: What to go by.
    """

    def __init__(self, app: ASGIApp, connection: Connection, entrance: Entrance) -> None:
        """Wrap an application, for one connection."""
        self._app = app
        self._connection = connection
        self._entrance = entrance
        self._local: str = connection.socket.getsockname()[0]
        self._remote: str = connection.socket.getpeername()[0]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with who asks."""
        answer = self._judged(scope)
        await (self._app if answer is None else answer)(scope, receive, send)

    def _judged(self, scope: Scope) -> Response | None:
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or not is_own(hosts[0], local=self._local, names=self._entrance.names):
            detail = "the Host header does not name this daemon; other names than its addresses are configured as http_hosts"
            return self._refused(HOST_REFUSED, detail)
        if not all(same_site(origin, hosts[0]) for origin in _values(scope, b"origin")):
            return self._refused(ORIGIN_REFUSED, "pages of other sites are not answered")
        self._connection.token = token = self._token(scope)
        if token is None:
            answer = self._refused(TOKEN_NEEDED, "send a token that counts: Authorization: Bearer ...")
            answer.headers["www-authenticate"] = _CHALLENGE
            return answer
        scope_needed = needed(scope["method"])
        if not token.scope.allows(scope_needed):
            detail = f"this needs a token of the scope {scope_needed.value}, and the token has the scope {token.scope.value}"
            answer = self._refused(SCOPE_NEEDED, detail, scope=scope_needed.value)
            answer.headers["www-authenticate"] = (
                f'{_CHALLENGE}, error="insufficient_scope", scope="{scope_needed.value}"'
            )
            return answer
        introduce(scope, holder(token))
        return None

    def _token(self, scope: Scope) -> Token | None:
        given = _values(scope, b"authorization")
        if len(given) != 1:
            return None
        kind, _, token = given[0].partition(" ")
        if kind.lower() != _BEARER or len(token) > MAX_TOKEN_CHARACTERS:
            return None
        return self._entrance.tokens.shown(token.strip())

    def _refused(self, kind: str, detail: str, **members: object) -> Response:
        self._entrance.refusals.count(kind, self._remote)
        return refusal(problem_of_refusal(kind, detail, **members))


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
