"""The store: what outlives the process.

SQLite in WAL mode with one writer (`Writer`), which commits in groups; `desired.json`, a second copy of what must be made
live again; the state directory and its lock; and reading, also beside a daemon or after one that was killed.
"""
