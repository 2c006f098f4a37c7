"""One attempt to dial: how far it has come, and what to say when it fails there.

Both transports walk the same phases (name, TCP, proxy, TLS, upgrade) and note each as it begins, so that a deadline which passes
and an error which falls can both name the phase, whatever library was at work. An upgrade that is refused with 401 or 403 came to
one phase more: the peer looked at the credentials.
"""

from __future__ import annotations

import functools
import socket
import ssl
from typing import TYPE_CHECKING

from wsmgr.manager.transport.errors import DialError
from wsmgr.manager.transport.head import HeadError, parse_head, retry_after
from wsmgr.manager.transport.protocol import redact

if TYPE_CHECKING:
    from wsmgr.manager.transport.errors import Phase
    from wsmgr.manager.transport.protocol import Dial

CREDENTIAL_STATUS = (401, 403)
"""The HTTP statuses that refuse who asks, not the connection."""

DIALLING_ERRORS = (OSError, UnicodeError, EOFError)
"""What resolving, connecting and TLS raise. `ssl.SSLError` is an `OSError`; a host that IDNA refuses a `UnicodeError`."""


class Attempt:
    """A dial under way.

    Attributes:
        dial: What is dialled.
        phase: The phase that has begun and not ended.
    """

    def __init__(self, dial: Dial) -> None:
        """Begin with the first phase."""
        self.dial = dial
        self.phase: Phase = "dns" if dial.proxy is None else "proxy"

    def failed(self, why: str) -> DialError:
        """Return the error of a failure in the current phase."""
        return DialError(why, phase=self.phase, url=redact(self.dial.url))

    def failed_with(self, error: BaseException) -> DialError:
        """Return the error that stands for one of the operating system, of TLS or of a proxy's library."""
        return self.failed(_words(error))

    def timed_out(self) -> DialError:
        """Return the error of a deadline that passed."""
        return self.failed(f"nothing came of it within {self.dial.timeout:g} s")

    def answered(self, head: bytes) -> DialError:
        """Return the error of an upgrade that was answered with something else than an upgrade.

        Args:
            head: The head of the response, as it came.
        """
        try:
            parsed = parse_head(head)
        except HeadError as error:
            return self.failed(str(error))
        return DialError(
            f"refused with HTTP {parsed.status} {parsed.phrase}".rstrip(),
            phase="auth" if parsed.status in CREDENTIAL_STATUS else "upgrade",
            url=redact(self.dial.url),
            status=parsed.status,
            headers=parsed.headers,
            retry_after=retry_after(parsed.headers),
        )


@functools.cache
def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return the context for `wss://`. Made once per file: loading the system's certificates takes some 10 ms.

    Args:
        ca_file: A file of certificates in PEM form that are trusted instead of the system's; None: the system's.

    Raises:
        OSError: The file cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    return ssl.create_default_context(cafile=ca_file)


def _words(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate was not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
        case socket.gaierror():
            return f"the name was not found: {error.strerror}"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionError():
            return f"the peer broke the connection: {error.strerror or str(error) or type(error).__name__}"
        case EOFError():
            return "the peer closed the connection"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return str(error) or type(error).__name__
