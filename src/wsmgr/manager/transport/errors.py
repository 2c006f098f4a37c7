"""What a transport raises, in one tree.

::

    TransportError
    ├── DialError                   no connection came about; says in which phase it failed
    ├── SocketClosedError           a send on a socket that is closed or closing; carries why it closed
    ├── FrameError                  the peer broke the WebSocket protocol; stands in `Closed.error`, is never raised
    └── TransportUnavailableError   this process lacks what the connection needs: a running loop or a library

The libraries underneath raise errors of their own. None of them crosses this boundary, except as `__cause__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from wsmgr.manager.model.errors import WsmgrError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.transport.protocol import Closed

Phase: TypeAlias = Literal["dns", "tcp", "proxy", "tls", "upgrade", "auth"]
"""How far a dial came: name, TCP, tunnel of the proxy, TLS, HTTP upgrade, credentials. With a proxy, reaching it is `proxy` too."""


class TransportError(WsmgrError):
    """The root of what this package raises."""


class DialError(TransportError):
    """No WebSocket connection came about.

    Args:
        why: What happened, as a clause: `connection refused`.
        phase: The phase in which it happened.
        url: What was dialled, without credentials and query.
        status: The HTTP status of a refusal, or None where the peer did not answer with HTTP. A proxy's refusal is
            the proxy's own: its phase is `proxy` and its status None.
        headers: The headers of a refusal, names in lower case, repeated ones joined with a comma.
        retry_after: How many seconds the peer asked to wait (`Retry-After`, given in seconds or as a date), or None.
    """

    def __init__(
        self,
        why: str,
        *,
        phase: Phase,
        url: str,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Tell the story in one line."""
        asked = "" if retry_after is None else f"; it asks to wait {retry_after:g} s"
        super().__init__(f"dialling {url} failed at {phase}: {why}{asked}")
        self.why = why
        self.phase: Phase = phase
        self.url = url
        self.status = status
        self.headers: Mapping[str, str] = dict(headers or {})
        self.retry_after = retry_after


class SocketClosedError(TransportError):
    """Nothing can be sent any more: the socket is closed or closing.

    Args:
        closed: Why.
    """

    def __init__(self, closed: Closed) -> None:
        """Say who closed it and why."""
        super().__init__(f"cannot send: {closed}")
        self.closed = closed


class FrameError(TransportError):
    """The peer sent what the WebSocket protocol, or our limits, do not allow.

    Args:
        code: The close code that it was answered with.
        why: What was wrong.
    """

    def __init__(self, code: int, why: str) -> None:
        """Say what was wrong with the frame."""
        super().__init__(f"the peer broke the protocol: {why} (closed with {code})")
        self.code = code
        self.why = why


class TransportUnavailableError(TransportError):
    """This process cannot dial at all: no event loop runs, or a library is missing. Retrying does not help."""
