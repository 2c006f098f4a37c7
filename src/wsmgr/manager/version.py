"""Version: which wsmgr this is."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the version of the installed distribution; for a source tree on the path, words that say so."""
    try:
        return metadata.version("wsmgr")
    except metadata.PackageNotFoundError:
        return "unknown (a source tree that is not installed)"
