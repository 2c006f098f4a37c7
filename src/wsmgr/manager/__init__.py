"""The connection manager: registry, connections, venues, store, daemon."""
