"""Inbound: until when all that a venue sent on a socket has come."""

from __future__ import annotations

import pytest
from tests.manager.model.catalog import TICKER, atom
from tests.manager.model.world import WALL, World, data, heard, socket_of

from wsmgr.manager.model.inbound import SILENCE, Inbound, Moment


def moment(at: float) -> Moment:
    """A moment in the world's seconds."""
    return Moment(WALL + at, at)


def socket(*bytes_at: float) -> Inbound:
    """A socket that opened at 0, and on which bytes came at these times."""
    inbound = Inbound(moment(0.0))
    for at in bytes_at:
        inbound.heard(moment(at))
    return inbound


def test_a_socket_was_whole_until_its_last_byte() -> None:
    """Or its opening, where none came."""
    assert moment(0.0) == socket().whole_until()
    assert moment(3.0) == socket(1.0, 2.0, 3.0).whole_until()


@pytest.mark.parametrize(
    ("last", "whole_until"), [(15.0, 5.0), (15.0 + SILENCE - 0.1, 5.0), (15.0 + SILENCE, 17.0)]
)
def test_what_comes_after_a_silence_counts_when_the_socket_goes_on(last: float, whole_until: float) -> None:
    """A stall that ends with a burst held back what the venue may have stopped sending long before."""
    assert moment(whole_until) == socket(1.0, 3.0, 5.0, 15.0, last).whole_until()


def test_a_byte_that_is_known_already_says_nothing_new() -> None:
    """The second's look at a socket finds the byte that came with the last batch."""
    inbound = socket(4.0, 4.0, 3.0)
    assert (moment(4.0), moment(0.0)) == (inbound.last, inbound.held_from)
    assert 4.0 == inbound.resumed_at


def test_the_gap_of_a_socket_that_ends_in_the_burst_after_a_stall_begins_with_the_stall() -> None:
    """The venue had given it up in the meantime: what it made since then came on no socket."""
    world = World()
    entry = world.make_live(atom(TICKER, coin="A"))
    for at in (1.0, 2.0, 12.0):
        world.now = at
        world.deliver(entry, data(entry.atom, entry.key))
    world.cut(socket_of(entry))
    assert entry.interruption is not None
    assert (WALL + 2.0, 2.0) == (entry.interruption.since, entry.interruption.since_monotonic)


def test_an_answer_to_a_ping_keeps_a_quiet_socket_whole() -> None:
    """The gap of a stream that says little begins with the last answer, not at its last message."""
    world = World()
    entry = world.make_live(atom(TICKER, coin="A"))
    for at in range(1, 60):
        heard(socket_of(entry), WALL + at, at)
    world.now = 60.0
    world.cut(socket_of(entry))
    assert entry.interruption is not None
    assert WALL + 59.0 == entry.interruption.since
