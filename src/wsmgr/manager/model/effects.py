"""Effects: what a look at a venue finds to be done; the keeper performs them."""

from __future__ import annotations

from attrs import frozen

from wsmgr.manager.model.connection import Connection
from wsmgr.manager.model.subscription_type import Atom


@frozen
class OpenConnection:
    """Start the connection: it has just been added to the venue."""

    connection: Connection


@frozen
class Subscribe:
    """Write the subscribe of an atom."""

    connection: Connection
    atom: Atom


@frozen
class Unsubscribe:
    """Write the unsubscribe of an atom."""

    connection: Connection
    atom: Atom


@frozen
class Recycle:
    """Close one socket of the connection, by its number, and open another."""

    connection: Connection
    socket: int
    why: str


@frozen
class CloseConnection:
    """End the connection: it is among the venue's closing ones until its socket is gone."""

    connection: Connection


Effect = OpenConnection | Subscribe | Unsubscribe | Recycle | CloseConnection
