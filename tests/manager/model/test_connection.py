"""A connection's states: which may follow which."""

from __future__ import annotations

import pytest
from tests.manager.model.world import URLS

from wsmgr.manager.model.connection import IDLE, Connection, ConnectionState
from wsmgr.manager.model.subscription import IllegalMoveError

LIFE = [
    ConnectionState.WAITING,
    ConnectionState.DIALLING,
    ConnectionState.AUTHENTICATING,
    ConnectionState.READY,
    ConnectionState.DRAINING,
    ConnectionState.DISCONNECTED,
    ConnectionState.FLAPPING,
    ConnectionState.UNAUTHORIZED,
    ConnectionState.PARKED,
]


def connection(state: ConnectionState = ConnectionState.DISCONNECTED) -> Connection:
    """A connection in a state."""
    return Connection("v-1", "v", "api", URLS["api"], state=state)


def test_a_connection_goes_through_every_state_of_a_life() -> None:
    """From its first turn to its parking; being told twice where it is changes nothing."""
    found = connection()
    for state in LIFE:
        found.move(state)
        found.move(state)
        assert state is found.state
    assert set(LIFE) == set(ConnectionState)


@pytest.mark.parametrize("state", set(ConnectionState) - {ConnectionState.PARKED} - IDLE)
def test_a_socket_may_be_lost_in_any_state(state: ConnectionState) -> None:
    """Then it waits for its turn."""
    found = connection(state)
    found.move(ConnectionState.DISCONNECTED)
    assert found.state in IDLE


@pytest.mark.parametrize(
    ("state", "then"),
    [
        *((idle, ConnectionState.READY) for idle in sorted(IDLE, key=lambda each: each.value)),
        (ConnectionState.READY, ConnectionState.DIALLING),
        (ConnectionState.READY, ConnectionState.WAITING),
        (ConnectionState.DRAINING, ConnectionState.READY),
        *((ConnectionState.PARKED, each) for each in LIFE if each is not ConnectionState.PARKED),
    ],
)
def test_no_socket_comes_out_of_nothing(state: ConnectionState, then: ConnectionState) -> None:
    """A bug in the manager is found where it happens, and the state stays true."""
    found = connection(state)
    with pytest.raises(IllegalMoveError, match=f"v-1: {state.value} -> {then.value}"):
        found.move(then)
    assert state is found.state
