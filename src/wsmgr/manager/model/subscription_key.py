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

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED = re.compile(r"[%&=+#\x00-\x20\x7f-\x9f]")
ID_LENGTH = 10


def format_key(venue: str, type_name: str, params: Mapping[str, Any]) -> str:
    """Return the subscription key of canonical parameters."""
    query = "&".join(f"{_encode(name)}={_encode(_text(value))}" for name, value in sorted(params.items()))
    return f"{venue}/{type_name}?{query}" if query else f"{venue}/{type_name}"


def subscription_id(key: str) -> str:
    """Return the id of a subscription: ten characters that only its key determines."""
    return b32encode(blake2s(key.encode(), digest_size=8).digest()).decode().lower()[:ID_LENGTH]


def _encode(text: str) -> str:
    return _RESERVED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
