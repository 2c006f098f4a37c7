"""Handover: a second side went on from a primary one while both were quiet; what the primary withheld until then is admitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from tests.manager.model.catalog import ORDERS, atom
from tests.manager.model.exchange import Exchange
from tests.manager.model.test_sides import QUIET_ITEMS, Pair
from tests.manager.model.world import WALL, World, end_acknowledged, heard, ponged, socket_of, stage_of

from wsmgr.manager.model import handover, progress, rotation
from wsmgr.manager.model.connection import Connection, Purpose, Stage
from wsmgr.manager.model.effects import CloseConnection
from wsmgr.manager.model.gaps import MERGED_FOR
from wsmgr.manager.model.judging import LATENESS, TRIAL
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.reconciliation import Plan

HALF_OPEN = "no answer to a ping"


def quiet(purpose: Purpose = Purpose.MOVE, *, silent: float = 4.0) -> Pair:
    """A stream whose trial ended in silence, some seconds after the last byte of its first socket."""
    pair = Pair(QUIET_ITEMS)
    pair.wait(silent)
    pair.entry.redundancy = 1 + (purpose is Purpose.REDUNDANCY)
    pair.begin(purpose)
    pair.wait(TRIAL)
    return pair


def periods(pair: Pair) -> list[tuple[float, float]]:
    """The gaps that the consumer was told, in the world's seconds."""
    return [(gap.started_at - WALL, gap.ended_at - WALL) for gap in pair.read()[1]]


def test_what_a_half_open_socket_withheld_before_the_move_is_admitted_when_it_is_found() -> None:
    """From its last byte to the acknowledgement of the other side; the stream itself is not interrupted."""
    pair = quiet()
    assert pair.other is pair.entry.connection
    pair.wait(7.0)
    pair.world.cut(pair.primary, HALF_OPEN)
    assert (State.LIVE, [(0.0, 4.0)]) == (pair.entry.state, periods(pair))
    pair.on_other(3)
    message = pair.entry.last
    assert message is not None
    assert message.gap is not None
    assert HALF_OPEN in message.gap.reason


def test_it_is_admitted_on_two_sockets_too() -> None:
    """The second side takes over from a primary that was half open since before it joined."""
    pair = quiet(Purpose.REDUNDANCY)
    assert Stage.JOINED is stage_of(pair.entry)
    pair.wait(7.0)
    pair.world.cut(pair.primary, HALF_OPEN)
    assert (State.LIVE, pair.other, [(0.0, 4.0)]) == (
        pair.entry.state,
        pair.entry.connection,
        periods(pair),
    )


def test_where_the_end_of_the_old_side_is_acknowledged_all_that_it_had_has_come() -> None:
    """What its socket does afterwards is another matter."""
    pair = quiet()
    assert end_acknowledged(pair.world, pair.primary, QUIET_ITEMS)
    pair.world.cut(pair.primary)
    assert [] == periods(pair)


@pytest.mark.parametrize(("after", "proved"), [(LATENESS, True), (LATENESS - 0.1, False)])
def test_a_byte_that_was_sent_after_the_beginning_proves_that_the_old_socket_was_well(
    after: float, proved: bool
) -> None:
    """One that comes sooner may have been sent before."""
    pair = quiet()
    heard(pair.primary, WALL + 4.0 + after, 4.0 + after)
    pair.wait(7.0)
    pair.world.cut(pair.primary)
    assert proved is (not periods(pair))


def test_while_a_trial_goes_on_the_old_socket_is_pinged_though_it_was_proved() -> None:
    """Its answers are evidence in the trial."""
    pair = Pair(QUIET_ITEMS)
    pair.begin()
    pair.world.now += LATENESS + 0.5
    ponged(pair.primary, pair.world.wall, pair.world.now)
    assert pair.primary.handovers
    pair.world.look()
    ponged(pair.primary, pair.world.wall, pair.world.now)
    assert (pair.other, {}) == (pair.entry.connection, pair.primary.handovers)


def test_a_socket_that_is_known_to_be_late_needs_a_later_proof() -> None:
    """Twice its round trip."""
    pair = Pair(QUIET_ITEMS)
    pair.primary.rtt = 3.0
    pair.begin()
    pair.wait(TRIAL)
    heard(pair.primary, WALL + 5.9, 5.9)
    pair.world.cut(pair.primary)
    assert 1 == len(periods(pair))


def test_what_the_old_side_brings_late_is_delivered_once() -> None:
    """It left the venue before the other side began."""
    pair = quiet()
    pair.on_primary(2)
    pair.on_primary(2)
    pair.on_other(3)
    assert ([1, 2, 3], [], []) == pair.read()
    assert (1, 0) == (pair.entry.counters.duplicates, pair.primary.late)


def test_after_its_end_it_brings_nothing_more() -> None:
    """What comes then is late, as after any end."""
    pair = quiet()
    end_acknowledged(pair.world, pair.primary, QUIET_ITEMS)
    pair.on_primary(2)
    assert ([1], 1) == (pair.read()[0], pair.primary.late)


def test_it_is_known_since_when_a_stream_is_not_proved_until_it_is() -> None:
    """For the marks that outlive the process."""
    pair, again = quiet(), quiet()
    assert [WALL, WALL] == [each.entry.unproved_since for each in (pair, again)]
    ponged(pair.primary, pair.world.wall, pair.world.now)
    again.world.cut(again.primary)
    assert [None, None] == [each.entry.unproved_since for each in (pair, again)]


def test_late_frames_prove_no_stream_that_is_interrupted_meanwhile() -> None:
    """They are of a side that it has left."""
    pair = quiet()
    pair.world.cut(pair.other)
    pair.on_primary(2)
    assert (State.LOST, [1]) == (pair.entry.state, pair.read()[0])


def test_nothing_is_admitted_of_a_stream_that_has_ended() -> None:
    """Nobody is there to be told, and the ledger keeps no gap of what nobody wanted."""
    pair = quiet()
    pair.world.registry.end(pair.entry, by="test", now=pair.world.now)
    pair.world.notes.clear()
    pair.world.cut(pair.primary)
    assert [] == pair.gaps_written()


def test_a_second_side_that_is_taken_back_leaves_the_primary_to_itself() -> None:
    """Its interruption begins with its last byte in any case: one gap, not two."""
    pair = quiet(Purpose.REDUNDANCY)
    pair.world.cut(pair.other)
    pair.world.cut(pair.primary)
    pair.world.ask()
    assert 0 == len(periods(pair))
    assert pair.entry.interruption is not None


def test_a_stream_that_was_compared_needs_no_proof() -> None:
    """Both sides have brought the same: nothing was withheld."""
    pair = Pair()
    pair.begin()
    pair.on_other(1, 2)
    assert not pair.primary.handovers
    pair.world.cut(pair.primary)
    assert [] == periods(pair)


# A connection that is left stays for the proof.


def left() -> tuple[Exchange, Connection]:
    """A quiet stream that went over by a rotation; the end of its old side is written and not answered."""
    exchange = Exchange(World(quotas=Quotas(connections=10)))
    quiet_type = attrs.evolve(ORDERS, merge=Merge.ITEMS, duplicate_key=("id",), items="orders")
    entry = exchange.world.make_live(atom(quiet_type, user="u1"))
    old = socket_of(entry)
    exchange.world.now += 20.0
    rotation.want(exchange.world.registry, old, why="test", now=exchange.world.now)
    exchange.world.ask()
    assert entry.second is not None
    progress.acknowledged(
        exchange.world.registry,
        entry.second.connection,
        entry.key,
        already=False,
        now=exchange.world.now,
        wall=exchange.world.wall,
    )
    exchange.world.now += TRIAL
    exchange.world.look()
    return exchange, old


def closes(plan: Plan, connection: Connection) -> bool:
    """Whether a plan closes a connection."""
    return CloseConnection(connection) in plan.effects


def test_a_connection_that_was_left_closes_when_the_end_of_what_it_had_is_acknowledged() -> None:
    """Not before: the answer is the proof."""
    exchange, old = left()
    assert not closes(exchange.world.look(), old)
    end_acknowledged(exchange.world, old, next(iter(old.claims.values())).atom)
    assert closes(exchange.world.look(), old)


def test_it_does_not_stay_for_ever() -> None:
    """Longer than a half-open socket takes to be found, then it closes; what could not be proved is admitted."""
    exchange, old = left()
    exchange.world.now += handover.PATIENCE - 0.1
    assert not closes(exchange.world.look(), old)
    exchange.world.now += 0.1
    assert closes(exchange.world.look(), old)


# What only a second side had brought when it was lost.


def test_what_only_a_lost_second_side_has_brought_is_delivered_behind_a_gap() -> None:
    """The venue sends it once; the primary side was not whole, and the venue is asked about it."""
    pair = Pair()
    pair.begin()
    pair.wait(1.0)
    pair.on_other(4)
    pair.on_other(5)
    pair.world.cut(pair.other)
    assert ([1], [], 0) == (*pair.read()[:2], len(pair.gaps_written()))
    pair.wait(LATENESS)
    numbers, gaps, _ = pair.read()
    assert ([4, 5], 1) == (numbers, len(gaps))
    assert pair.entry.repair is not None
    pair.on_primary(5, 6)
    assert ([6], []) == pair.read()[:2]


def test_what_the_primary_side_brings_in_time_is_its_own() -> None:
    """In its order, and nothing is admitted."""
    pair = Pair()
    pair.begin()
    pair.on_other(3)
    pair.world.cut(pair.other)
    pair.on_primary(2)
    pair.on_primary(3)
    pair.wait(LATENESS)
    assert ([1, 2, 3], [], []) == pair.read()
    assert pair.entry.repair is None


def test_an_empty_snapshot_of_a_lost_second_side_is_no_news() -> None:
    """That there was nothing when it began says nothing of the primary."""
    pair = Pair()
    pair.begin()
    pair.on_other(snapshot=True)
    pair.world.cut(pair.other)
    pair.wait(LATENESS)
    assert ([1], [], []) == pair.read()


def test_what_is_interrupted_meanwhile_has_its_gap_already() -> None:
    """It began before these frames came."""
    pair = Pair()
    pair.begin()
    pair.on_other(3)
    pair.world.cut(pair.other)
    pair.world.cut(pair.primary)
    pair.wait(MERGED_FOR)
    assert ([1], None) == (pair.read()[0], pair.entry.orphans)
