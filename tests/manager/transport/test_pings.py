"""Round-trip times come from the pong that answers the ping, and from no other."""

from __future__ import annotations

from wsmgr.manager.transport.pings import MAX_WAITING, Pings


def test_pong_gives_the_time_since_its_ping() -> None:
    """The round trip is measured from the ping that the pong names."""
    pings = Pings()
    first, second = pings.begin(10.0), pings.begin(11.0)
    assert first != second
    assert pings.answered(first, 12.0) == 2.0
    assert pings.answered(second, 12.0) == 1.0


def test_pong_answers_the_pings_before_it() -> None:
    """A peer may answer only the newest ping; a late pong for an older one says nothing new."""
    pings = Pings()
    first, second = pings.begin(10.0), pings.begin(11.0)
    assert pings.answered(second, 12.0) == 1.0
    assert pings.answered(first, 13.0) is None


def test_pong_that_nobody_asked_for_is_no_answer() -> None:
    """A peer may send pongs by itself; they measure nothing."""
    assert Pings().answered(b"unasked", 1.0) is None


def test_unanswered_pings_do_not_pile_up() -> None:
    """A peer that never answers costs a fixed amount of memory."""
    pings = Pings()
    payloads = [pings.begin(float(number)) for number in range(MAX_WAITING + 1)]
    assert pings.answered(payloads[0], 100.0) is None
    assert pings.answered(payloads[1], 100.0) == 99.0
