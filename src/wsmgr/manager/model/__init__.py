"""The pure core of the manager: state, and the decisions over it.

Nothing here does I/O, reads a clock or imports anyio: time, randomness and identity are parameters. The runtime
(`wsmgr.manager.runtime`) performs what these modules decide.
"""
