"""The daemon: an HTTP API on a Unix socket, the process that serves it, and the client that the command line uses.

Nothing is imported here: what the API needs is the extra `daemon`, and it is loaded only when the API is served.
"""
