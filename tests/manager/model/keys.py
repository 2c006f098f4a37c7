"""Reading subscription keys back, to check what was written."""

from __future__ import annotations

from urllib.parse import unquote


def parse_key(key: str) -> tuple[str, str, dict[str, str]]:
    """Split a subscription key into venue, type and parameters (as text)."""
    path, _, query = key.partition("?")
    venue, _, type_name = path.partition("/")
    pairs = [part.partition("=") for part in query.split("&") if query]
    return venue, type_name, {unquote(name): unquote(value) for name, _, value in pairs}
