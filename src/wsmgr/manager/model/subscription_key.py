"""Subscription keys: the one canonical text of what somebody wants.

`hyperliquid/l2Book?coin=BTC&nSigFigs=5`: the venue's name, the type, and the parameters sorted by name with defaults and
nulls dropped. In names and values `%`, `&`, `=`, `+`, `#`, space and control characters are percent-encoded (UTF-8);
everything else stays as it is. Equal keys are one subscription, so its id is derived from its key.
"""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2s
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from wsmgr.manager.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED = re.compile(r"[%&=+#\x00-\x20\x7f-\x9f]")
ID_LENGTH = 10


def format_key(venue: str, type_name: str, params: Mapping[str, Any]) -> str:
    """Return the subscription key of canonical parameters."""
    query = "&".join(f"{_encode(name)}={_encode(_text(value))}" for name, value in sorted(params.items()))
    return f"{venue}/{type_name}?{query}" if query else f"{venue}/{type_name}"


def parse_key(key: str) -> tuple[str, str, dict[str, str]]:
    """Split a subscription key into venue, type and parameters (as text).

    Raises:
        UsageError: The text is not a subscription key.
    """
    path, _, query = key.partition("?")
    venue, slash, type_name = path.partition("/")
    if not (venue and slash and type_name):
        raise UsageError(f"{key!r} is not a subscription key; one looks like hyperliquid/l2Book?coin=BTC")
    params: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if not (name and equals):
            raise UsageError(f"{key!r} is not a subscription key: {part!r} is not name=value")
        params[unquote(name)] = unquote(value)
    return venue, type_name, params


def subscription_id(key: str) -> str:
    """Return the id of a subscription: ten characters that only its key determines."""
    return b32encode(blake2s(key.encode(), digest_size=8).digest()).decode().lower()[:ID_LENGTH]


def _encode(text: str) -> str:
    return _RESERVED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
