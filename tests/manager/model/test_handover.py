"""Handover: a second side went on from a primary one while both were quiet; what the primary withheld until then is admitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from tests.manager.model.catalog import ORDERS, TICKER, atom
from tests.manager.model.exchange import Exchange
from tests.manager.model.test_sides import QUIET_ITEMS, Pair
from tests.manager.model.world import WALL, World, end_acknowledged, heard, ponged, socket_of, stage_of

from wsmgr.manager.model import handover, progress, rotation, sides
from wsmgr.manager.model.claim import ACK_DEADLINE
from wsmgr.manager.model.connection import Connection, Purpose, Stage
from wsmgr.manager.model.effects import CloseConnection
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


def test_a_second_side_that_comes_and_goes_hides_nothing_of_a_half_open_primary() -> None:
    """The next gap begins with the primary's last byte, not with what the other one brought meanwhile."""
    pair = quiet(Purpose.REDUNDANCY)
    pair.on_other(2)
    pair.wait(1.0)
    pair.world.cut(pair.other)
    pair.wait(5.0)
    pair.world.cut(pair.primary, HALF_OPEN)
    assert pair.entry.interruption is not None
    assert WALL == pair.entry.interruption.since
    assert [] == periods(pair)


def test_what_is_interrupted_while_its_old_side_is_in_doubt_is_so_since_then() -> None:
    """A process that is killed now would never learn more of it."""
    pair = quiet()
    pair.on_other(2)
    pair.wait(1.0)
    pair.world.cut(pair.other)
    assert pair.entry.interruption is not None
    assert WALL == pair.entry.interruption.since


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
    for at in range(1, 5):
        heard(pair.primary, WALL + at, at)
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
    assert [{"v-1": WALL}] * 2 == [each.entry.unproved for each in (pair, again)]
    ponged(pair.primary, pair.world.wall, pair.world.now)
    again.world.cut(again.primary)
    assert [{}, {}] == [each.entry.unproved for each in (pair, again)]


def test_late_frames_prove_no_stream_that_is_interrupted_meanwhile() -> None:
    """They are of a side that it has left; they are delivered all the same, because nobody brings them again."""
    pair = quiet()
    pair.world.cut(pair.other)
    pair.on_primary(2)
    assert (State.LOST, [1, 2]) == (pair.entry.state, pair.read()[0])


def test_the_next_trial_of_a_stream_says_nothing_of_the_side_that_it_left_before() -> None:
    """It moved on from a half-open socket, and another side begins at once: what the first one withheld is admitted."""
    pair = quiet()
    third = pair.world.keep(atom(TICKER, coin="third"))
    third.dedicated = True
    pair.world.ask()
    pair.world.acknowledge(third)
    pair.entry.redundancy = 2
    sides.begin(pair.world.registry, pair.entry, socket_of(third), Purpose.REDUNDANCY, why="test")
    pair.world.look()
    progress.acknowledged(
        pair.world.registry,
        socket_of(third),
        pair.entry.key,
        already=False,
        now=pair.world.now,
        wall=pair.world.wall,
    )
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    pair.world.cut(pair.primary, HALF_OPEN)
    assert [(0.0, 4.0)] == periods(pair)


def test_a_venue_that_had_the_stream_no_more_has_withheld_it_since_its_last_proof() -> None:
    """It says so when it is asked to end it there."""
    pair = quiet(silent=300.0)
    assert progress.end_acknowledged(
        pair.world.registry, pair.primary, pair.entry.key, now=pair.world.now, already=True
    )
    assert [(0.0, 300.0)] == periods(pair)


def test_an_end_that_was_written_twice_is_rightly_answered_with_nothing_there() -> None:
    """The first one was carried out; its answer was lost."""
    pair = quiet()
    pair.wait(ACK_DEADLINE)
    pair.world.look()
    assert progress.end_acknowledged(
        pair.world.registry, pair.primary, pair.entry.key, now=pair.world.now, already=True
    )
    assert [] == periods(pair)


def test_two_sides_that_were_left_are_in_doubt_each_for_itself() -> None:
    """The proof of one says nothing of the other."""
    pair = quiet()
    sides.begin(pair.world.registry, pair.entry, pair.primary, Purpose.MOVE, why="test")
    handover.begin(pair.entry, pair.other, now=pair.world.now, wall=pair.world.wall)
    assert {"v-1", "v-2"} == set(pair.entry.unproved)
    handover.settle(pair.other, pair.entry.wire_key)
    assert {"v-1": WALL} == pair.entry.unproved


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


def test_what_is_interrupted_meanwhile_is_looked_into_when_it_delivers_again() -> None:
    """Its own gap may have begun later: then what only the other side had brought is delivered behind another one."""
    pair = Pair()
    pair.begin()
    pair.on_other(3)
    pair.world.cut(pair.other)
    ponged(pair.primary, pair.world.wall + 1.0, pair.world.now + 1.0)
    pair.wait(1.5)
    pair.world.cut(pair.primary)
    pair.world.ask()
    pair.wait(LATENESS)
    assert [1] == pair.read()[0]
    pair.world.acknowledge(pair.entry)
    pair.on_primary(4)
    pair.wait(LATENESS)
    numbers, gaps, _ = pair.read()
    assert ([4, 3], 2) == (numbers, len(gaps))
    assert pair.entry.orphans is None


def test_a_second_side_that_is_lost_twice_leaves_the_frames_of_both_times() -> None:
    """Each time they wait for the primary side."""
    pair = Pair()
    pair.entry.redundancy = 2
    pair.begin(Purpose.REDUNDANCY)
    pair.on_other(3)
    pair.world.cut(pair.other)
    pair.world.open_all()
    pair.begin(Purpose.REDUNDANCY)
    pair.on_other(4)
    pair.world.cut(pair.other)
    pair.wait(LATENESS)
    assert [1, 3, 4] == pair.read()[0]


def test_what_failed_has_its_gap_since_its_last_message() -> None:
    """Nothing of the lost side is kept for it."""
    pair = Pair()
    pair.begin()
    pair.on_other(3)
    pair.world.cut(pair.other)
    progress.fail(pair.world.registry, pair.entry, "boom", alone=True, now=pair.world.now)
    pair.wait(LATENESS)
    assert ([1], None) == (pair.read()[0], pair.entry.orphans)
