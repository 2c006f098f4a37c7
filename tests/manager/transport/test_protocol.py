"""A dial is checked when it is built, and never shows what is secret."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from wsmgr.manager.transport import Closed, Dial, FrameError, redact
from wsmgr.manager.transport.protocol import closing_reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://host/ws"}, "ws://"),
        ({"url": "wss:///ws"}, "ws://"),
        ({"url": "ws://host:70000/"}, "port"),
        ({"url": "ws://host/a b"}, "spaces"),
        ({"url": "ws://höst/"}, "ASCII"),
        ({"url": "ws://host/#part"}, "fragment"),
        ({"url": "ws://user:secret@host/"}, "headers"),
        ({"url": "ws://host/", "headers": (("Na me", "x"),)}, "not a header name"),
        ({"url": "ws://host/", "headers": (("X", "a\r\nY: b"),)}, "one line"),
        ({"url": "ws://host/", "headers": (("Sec-WebSocket-Key", "x"),)}, "handshake"),
        ({"url": "ws://host/", "headers": (("host", "x"),)}, "handshake"),
        ({"url": "ws://host/", "proxy": "ftp://proxy:1"}, "socks5://"),
        ({"url": "ws://host/", "proxy": "socks5://user:secret@proxy"}, "port"),
        ({"url": "ws://host/", "proxy": "user:secret@proxy:1080"}, "socks5://"),
        ({"url": "ws://host/", "proxy": "socks5:/user:secret@proxy:1080"}, "socks5://"),
        ({"url": "ws://host/", "proxy": "socks5://user:sec/secret@proxy:1080"}, "percents"),
        ({"url": "ws://host/", "proxy": "socks5://user:1?secret@proxy:1080"}, "percents"),
        ({"url": "ws://host/", "proxy": "socks5://user:secret\u2100@proxy:1080"}, "ASCII"),
        ({"url": "ws://host/", "proxy": "socks5://user:secret@[proxy:1080"}, "socks5://"),
        ({"url": "ws://host/", "source_address": "eth0"}, "IP address of this machine, not 'eth0'"),
        ({"url": "ws://host/", "source_address": "0.0.0.0"}, "a single machine's"),
        ({"url": "ws://host/", "ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}, "wss://"),
        ({"url": "ws://host/", "timeout": 0}, "timeout"),
        ({"url": "ws://host/", "max_frame_bytes": -1}, "max_frame_bytes"),
    ],
)
def test_wrong_option_is_refused_with_what_would_be_right(options: dict[str, Any], words: str) -> None:
    """A mistake in a dial is a ValueError where it was made, not a network problem later; it shows no secret."""
    with pytest.raises(ValueError, match=words) as caught:
        Dial(**options)
    assert "secret" not in str(caught.value)


def test_dial_knows_the_parts_of_its_url() -> None:
    """Both transports take host, port, Host header and request target from the same place."""
    dial = Dial(url="wss://Example.com:8443/ws?key=k&x=1")
    assert (True, "example.com", 8443, "Example.com:8443", "/ws?key=k&x=1") == (
        dial.secure,
        dial.host,
        dial.port,
        dial.authority,
        dial.resource,
    )
    plain = Dial(url="ws://[::1]")
    assert (False, "::1", 80, "[::1]", "/") == (
        plain.secure,
        plain.host,
        plain.port,
        plain.authority,
        plain.resource,
    )


def test_repr_of_a_dial_shows_no_secret() -> None:
    """A dial that lands in a log or a traceback gives nothing away."""
    dial = Dial(
        url="ws://host/ws?key=secret", headers=(("x-key", "secret"),), proxy="http://secret:secret@proxy:1"
    )
    assert "secret" not in repr(dial)


def test_redact_keeps_scheme_host_port_and_path() -> None:
    """What is shown of an address is enough to find it, and no more."""
    assert redact("wss://user:secret@host:1/path?key=secret#part") == "wss://host:1/path"


def test_closing_reason_is_cut_between_characters() -> None:
    """A close frame carries 123 bytes; half a character would end the connection at the peer."""
    assert closing_reason("ü" * 100) == "ü" * 61
    assert closing_reason("short") == "short"


@pytest.mark.parametrize(
    ("closed", "text"),
    [
        (Closed(code=1001, reason="restart", by="peer"), "closed by the peer, code 1001: restart"),
        (Closed(code=1006, by="lost", error=ConnectionResetError("reset")), "connection lost: reset"),
        (Closed(code=1006, by="lost"), "connection lost"),
        (Closed(code=None, by="us", error=KeyError()), "closed by us: KeyError"),
        (
            Closed(code=1003, by="us", error=FrameError(1003, "binary")),
            "closed by us, code 1003: the peer broke the protocol: binary (closed with 1003)",
        ),
    ],
)
def test_closed_tells_its_story(closed: Closed, text: str) -> None:
    """The text of an end is what people read in events and errors."""
    assert text == str(closed)
