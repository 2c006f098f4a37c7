"""Timestamps as people and programs are shown them: UTC datetimes, RFC 3339 in JSON."""

from __future__ import annotations

from datetime import UTC, datetime


def at(seconds: float | None) -> datetime | None:
    """Return unix seconds as a UTC datetime; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
