"""What a transport is: one WebSocket connection that hands over text frames in batches.

A transport is a function `connect(dial, on_batch)`, an async context manager. Frames are not awaited for one by one: those
that arrived in one wake-up of the loop are handed to a plain function at once, because a task switch per frame
costs more than the frame (measured: 0.15 us to parse one with picows, several us for a switch).

What holds for every transport:

1. `on_batch` gets each text frame once, in order, as the bytes that came. Fragments are put together. A long backlog comes
   as several batches. It may be called before the block is entered, with frames that came along with the upgrade.
   After `wait_closed` has returned it is not called again.
2. If `on_batch` raises, that is a bug of ours: the socket is aborted and `wait_closed` returns the exception. It is not logged.
3. One verdict per socket: the first cause of its end. A later one does not replace it, except an exception of `on_batch`.
4. Leaving the block ends what is left of the connection within a second, whatever the peer does, and leaves no task.
5. Pings of the peer are answered. Nothing else happens by itself: no ping, no reconnect, no redirect.

Cancelling anything here is safe. A cancelled `connect` leaves no socket behind. A `send` that is cancelled halfway
through a frame ends the socket, because the rest of the frame would be missing.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from attrs import field, frozen
from attrs.converters import optional

from wsmgr.manager.model.showing import shown

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from attrs import Attribute

OnBatch: TypeAlias = Callable[[list[bytes]], None]
"""Takes the payloads of the text frames of one wake-up. The list belongs to the transport: copy it to keep it."""

ABNORMAL = 1006
"""The code of a connection that ended without a close frame (RFC 6455, 7.1.5). It is never sent."""

NO_STATUS = 1005
"""The code of a close frame that carried none (RFC 6455, 7.1.5). It is never sent."""

_NOT_SHOWN = "(an address that cannot be told from a password, and is not shown)"
_MAX_REASON_BYTES = 123  # RFC 6455, 5.5: a control frame carries at most 125 bytes, two of them the code

_PROXY_SCHEMES = ("socks5", "http")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_HANDSHAKE_HEADERS = frozenset({"host", "connection", "upgrade"})


def redact(url: str) -> str:
    """Return `url` without credentials, query and fragment: what may be logged. Of what is no proper address, nothing is shown."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return _NOT_SHOWN
    rest = parts.path + parts.query + parts.fragment
    if "@" in rest and not (parts.netloc and parts.path and "@" not in parts.path):
        # A password with a slash, a question mark or a hash in it: no parser can tell where the host begins.
        return _NOT_SHOWN
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def closing_reason(reason: str) -> str:
    """Return as much of `reason` as a close frame can carry (123 bytes of UTF-8)."""
    return reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")


def _check_url(_dial: Dial, _attribute: Attribute[str], url: str) -> None:
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError(
            "url must be ASCII without spaces; encode the host with IDNA and the rest with percents"
        )
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValueError(f"url must be ws://host... or wss://host..., not {redact(url)!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"url must not carry a user ({redact(url)}); send credentials in headers")
    if parts.fragment:
        raise ValueError(f"url must not have a fragment ({redact(url)})")
    _check_port(parts, redact(url))


def check_proxy(proxy: str) -> str:
    """Return the address of a proxy.

    Raises:
        ValueError: It is none; the text shows no password.
    """
    if not proxy.isascii() or any(character <= " " for character in proxy):
        raise ValueError("proxy must be ASCII without spaces; encode a user and a password with percents")
    known = " or ".join(f"{scheme}://host:port" for scheme in _PROXY_SCHEMES)
    try:
        parts = urllib.parse.urlsplit(proxy)
    except ValueError as error:
        raise ValueError(f"proxy must be {known}, and what was given is no address") from error
    rest = (parts.path.removeprefix("/"), parts.query, parts.fragment)
    if parts.scheme not in _PROXY_SCHEMES or not parts.hostname or any(rest):
        raise ValueError(f"proxy must be {known}, not {redact(proxy)!r}; encode a password with percents")
    if _check_port(parts, redact(proxy)) is None:
        raise ValueError(f"proxy must name a port, not {redact(proxy)!r}")
    return proxy


def check_source_address(address: str) -> str:
    """Return an address that sockets can be bound to, in its shortest form.

    Raises:
        ValueError: It is none.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError as error:
        raise ValueError(
            f"source_address must be an IP address of this machine, not {shown(address)}"
        ) from error
    if found.is_unspecified or found.is_multicast:
        raise ValueError(f"source_address must be a single machine's address, not {shown(address)}")
    return str(found)


def _check_port(parts: urllib.parse.SplitResult, shown: str) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise ValueError(f"the port of {shown} must be a number from 0 to 65535") from error


def _check_headers(
    _dial: Dial, _attribute: Attribute[tuple[tuple[str, str], ...]], headers: tuple[tuple[str, str], ...]
) -> None:
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name")
        if name.lower() in _HANDSHAKE_HEADERS or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"the header {name!r} belongs to the WebSocket handshake; it cannot be given")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name!r} must be printable ASCII on one line")


def _check_ssl_context(dial: Dial, _attribute: Attribute[Any], context: ssl.SSLContext | None) -> None:
    if context is not None and not dial.secure:
        raise ValueError(f"ssl_context needs a wss:// url, not {redact(dial.url)}")


def _check_positive(_dial: Dial, attribute: Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value!r}")


@frozen(kw_only=True)
class Dial:
    """What to connect to, and how. Wrong values raise `ValueError` here, not while dialling.

    Attributes:
        url: `ws://` or `wss://`. Its query may hold credentials: it is never shown, logged or put in an error.
        headers: Sent with the upgrade request, in this order. Those of the handshake itself cannot be given.
        ssl_context: For `wss://`; None takes the default context (system certificates, host names checked).
        proxy: `socks5://[user:password@]host:port` or `http://...` (CONNECT). The proxy resolves the host's name.
            Nothing but this names a proxy: the variables of the environment (`HTTPS_PROXY`, ...) are not read.
        source_address: The IP address of this machine that the connection comes from, also to a proxy; None: as the
            system chooses. A host is then reached by its addresses of the same family only.
        timeout: Seconds for everything from resolving the name to the end of the upgrade response: one deadline.
        max_frame_bytes: The largest message taken, fragments together. A larger one ends the connection (1009).
    """

    url: str = field(validator=_check_url, repr=redact)
    headers: tuple[tuple[str, str], ...] = field(default=(), validator=_check_headers, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, validator=_check_ssl_context, repr=False)
    proxy: str | None = field(
        default=None,
        converter=optional(check_proxy),
        repr=lambda proxy: redact(proxy) if proxy else "None",
    )
    source_address: str | None = field(default=None, converter=optional(check_source_address))
    timeout: float = field(default=10.0, validator=_check_positive)
    max_frame_bytes: int = field(default=16 * 2**20, validator=_check_positive)

    @property
    def secure(self) -> bool:
        """Whether TLS is used."""
        return self.url.startswith("wss:")

    @property
    def host(self) -> str:
        """The host's name or address, IPv6 without brackets."""
        return urllib.parse.urlsplit(self.url).hostname or ""  # never empty: checked when built

    @property
    def port(self) -> int:
        """The port, the scheme's default where the URL has none."""
        port = urllib.parse.urlsplit(self.url).port
        return port if port is not None else (443 if self.secure else 80)

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        return urllib.parse.urlsplit(self.url).netloc

    @property
    def resource(self) -> str:
        """Path and query: what is asked for in the upgrade request."""
        parts = urllib.parse.urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@frozen(kw_only=True)
class Closed:
    """Why a socket ended.

    Attributes:
        code: The close code: ours (`by="us"`) or the peer's. 1005: the peer's close frame had none. 1006: there was
            no close frame (`by="lost"`). None: we aborted without saying goodbye.
        reason: The text beside the code.
        by: Who ended it first.
        error: What it ended with, where there is more to say than the code: the operating system's error (`lost`), a
            `FrameError` when the peer broke the protocol, the exception that `on_batch` raised.
    """

    code: int | None
    reason: str = ""
    by: Literal["us", "peer", "lost"]
    error: BaseException | None = None

    def __str__(self) -> str:
        """Tell it in half a sentence."""
        who = {"us": "closed by us", "peer": "closed by the peer", "lost": "connection lost"}[self.by]
        code = "" if self.code is None or self.by == "lost" else f", code {self.code}"
        text = self.reason or (str(self.error) or type(self.error).__name__ if self.error is not None else "")
        return f"{who}{code}" + (f": {text}" if text else "")


class Socket(Protocol):
    """One open WebSocket connection. Its methods belong to the loop (and the thread) that dialled."""

    @property
    def rtt(self) -> float | None:
        """Round-trip time of the newest answered `ping`, in seconds; None before the first."""
        ...

    @property
    def last_inbound_at(self) -> float:
        """When the last byte came in, on the loop's clock (`anyio.current_time()`): half a frame and pongs count too."""
        ...

    @property
    def bytes_received(self) -> int:
        """Bytes that came in after the upgrade, frame headers and control frames included (TLS not).

        What came in along with the upgrade's response may be counted with the first frame only.
        """
        ...

    async def send(self, frame: bytes | str) -> None:
        """Send one text frame; bytes must be UTF-8.

        Waits only while the peer (or the network) does not take what was sent before.

        Raises:
            SocketClosedError: The socket is closed or closing; nothing was sent.
        """
        ...

    async def ping(self) -> None:
        """Send a protocol ping, without waiting for room or for the answer, which updates `rtt` and `last_inbound_at`.

        Raises:
            SocketClosedError: The socket is closed or closing; nothing was sent.
        """
        ...

    def pause_reading(self) -> None:
        """Stop reading, so that the peer's sending stalls (TCP backpressure). What was read already is still handed over.

        While paused, nothing that the peer does is seen, not even its end.
        """
        ...

    def resume_reading(self) -> None:
        """Read again."""
        ...

    async def aclose(self, code: int = 1000, reason: str = "", *, timeout: float = 2.0) -> None:
        """Say goodbye: send a close frame, wait for the peer's, at most `timeout` seconds, and end the connection.

        From the call on nothing is handed to `on_batch`. Never raises, may be called again. Cancelled, it aborts.
        """
        ...

    async def wait_closed(self) -> Closed:
        """Return why the socket ended, once it has and the last batch was handed over. May be called again."""
        ...


class Connect(Protocol):
    """A transport."""

    def __call__(self, dial: Dial, on_batch: OnBatch) -> AbstractAsyncContextManager[Socket]:
        """Dial, and hold the connection open for as long as the block lasts.

        Raises:
            DialError: No connection came about.
            TransportUnavailableError: A library that this dial needs is not installed.
        """
        ...
