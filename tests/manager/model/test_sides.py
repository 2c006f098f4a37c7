"""Sides: what becomes of a second side, on trial, joined or lost; what was said is delivered once and nothing is missed in silence."""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import attrs
import pytest
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, atom
from tests.manager.model.world import (
    Reader,
    World,
    data,
    ended,
    frame,
    heard,
    numbers_of,
    ponged,
    socket_of,
    stage_of,
)

from wsmgr.manager.model import merging, progress, repairing, sides, trials
from wsmgr.manager.model.claim import Phase
from wsmgr.manager.model.connection import Connection, Purpose, Second, Stage
from wsmgr.manager.model.continuity import Gap, Resumed
from wsmgr.manager.model.fact import Fact, GapClosed
from wsmgr.manager.model.gaps import MERGED_FOR
from wsmgr.manager.model.judging import LATENESS, TRIAL
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_type import FirstProof, Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.reconciliation import Plan

BOOK_A = atom(BOOK, coin="A")
STEADY = attrs.evolve(BOOK_A, type=attrs.evolve(BOOK, name="book", cadence=5.0))
FILLS_1 = atom(FILLS, user="u1")
TICKER_A = atom(TICKER, coin="A")
ORDERS_1 = atom(ORDERS, user="u1")
QUIET_ITEMS = attrs.evolve(
    ORDERS_1, type=attrs.evolve(ORDERS, merge=Merge.ITEMS, duplicate_key=("id",), items="orders")
)
"""A user's events that have keys and may be silent: proved by the acknowledgement."""


class Pair:
    """A live subscription, a reader of it, and a second connection that is ready."""

    def __init__(self, wish: object = FILLS_1, *, first: int = 1) -> None:
        self.world = World(quotas=Quotas(connections=10))
        self.entry: Entry = self.world.keep(wish)  # type: ignore[arg-type]  # the atoms above
        self.reader = Reader(events=True)
        self.world.registry.hold(self.entry, self.reader.buffer)
        self.world.ask()
        self.world.acknowledge(self.entry)
        self.primary = socket_of(self.entry)
        self.on_primary(first)
        own = self.world.keep(atom(TICKER, coin="other"))
        own.dedicated = True
        self.world.ask()
        self.world.acknowledge(own)
        self.world.deliver(own, data(own.atom, own.key))
        self.other = socket_of(own)
        self.world.look()
        self.world.notes.clear()

    @property
    def second(self) -> Second:
        """The second side."""
        assert self.entry.second is not None
        return self.entry.second

    def remembers(self) -> bool:
        """Whether what was delivered is remembered."""
        return self.entry.merger is not None

    def begin(self, purpose: Purpose = Purpose.MOVE, *, acknowledge: bool = True) -> None:
        """Ask for a second side on the other connection."""
        sides.begin(self.world.registry, self.entry, self.other, purpose, why="test")
        self.world.look()
        if acknowledge:
            self.acknowledge()

    def acknowledge(self) -> None:
        """The venue takes the subscribe of the second side."""
        progress.acknowledged(
            self.world.registry,
            self.other,
            self.entry.key,
            already=False,
            now=self.world.now,
            wall=self.world.wall,
        )

    def on_primary(self, *numbers: int) -> None:
        """A frame comes on the first connection."""
        self._come(self.primary, data(self.entry.atom, self.entry.key, *numbers))

    def on_other(self, *numbers: int, snapshot: bool = False) -> None:
        """A frame comes on the second connection."""
        self._come(
            self.other, frame("snapshot" if snapshot else "data", self.entry.atom, self.entry.key, numbers)
        )

    def _come(self, connection: Connection, raw: bytes) -> None:
        heard(connection, self.world.wall, self.world.now)
        self.world.dispatcher(connection)([raw])

    def wait(self, seconds: float) -> Plan:
        """Time passes; what fell due is done."""
        self.world.now += seconds
        return self.world.look()

    def read(self) -> tuple[list[int], list[Gap], list[Resumed]]:
        """What the reader was given: the numbers, the gaps and the resumptions."""
        items = self.reader.read()
        numbers = numbers_of([item for item in items if isinstance(item, Message)])
        return (
            numbers,
            [item for item in items if isinstance(item, Gap)],
            [item for item in items if isinstance(item, Resumed)],
        )

    def facts(self, kind: str) -> list[Fact]:
        """What was noted of a kind."""
        return [note for note in self.world.notes if isinstance(note, Fact) and note.kind == kind]

    def gaps_written(self) -> list[Gap]:
        """The gaps that were written down."""
        return [note.gap for note in self.world.notes if isinstance(note, GapClosed)]


# The trial.


def test_items_that_are_cut_differently_on_the_two_sides_are_delivered_once_and_in_order() -> None:
    """The frames need not be the same: one item in common shows that the second side goes on where the first one is."""
    pair = Pair()
    pair.begin()
    pair.on_primary(2)
    pair.on_other(3, 4)
    pair.on_other(5, 6)
    assert pair.primary is pair.entry.connection
    pair.on_primary(3)
    assert (pair.other, None) == (pair.entry.connection, pair.entry.second)
    pair.on_other(7)
    assert ([1, 2, 3, 4, 5, 6, 7], [], []) == pair.read()
    assert [] == pair.gaps_written()


def test_a_snapshot_of_the_second_side_that_holds_what_was_delivered_ends_the_trial_at_once() -> None:
    """Everything after that item is in the snapshot or follows it; what the first side is late with is not lost."""
    pair = Pair()
    pair.on_primary(2)
    pair.begin()
    pair.on_other(1, 2, 3, snapshot=True)
    assert pair.other is pair.entry.connection
    assert ([1, 2, 3], [], []) == pair.read()


def test_the_snapshot_of_a_second_side_is_no_new_beginning_for_consumers() -> None:
    """What they have heard stays true; a late reader is given all of it."""
    pair = Pair()
    pair.read()
    pair.begin()
    pair.on_other(snapshot=True)
    pair.on_primary(2, 3)
    pair.on_other(3, 4)
    messages = [item for item in pair.reader.read() if isinstance(item, Message)]
    assert [([2, 3], False), ([4], False)] == [
        (numbers_of([message]), message.snapshot) for message in messages
    ]
    late = Reader()
    pair.world.registry.hold(pair.entry, late.buffer)
    assert [1, 2, 3, 4] == numbers_of(late.messages())


def test_a_snapshot_in_which_nothing_is_known_is_no_new_beginning_either_once_the_sides_have_met() -> None:
    """A late reader is given what came before it too."""
    pair = Pair()
    pair.read()
    pair.begin()
    pair.on_other(3, snapshot=True)
    pair.on_other(4, 5)
    pair.on_primary(2)
    pair.on_primary(4)
    messages = [item for item in pair.reader.read() if isinstance(item, Message)]
    assert {False} == {message.snapshot for message in messages}
    late = Reader()
    pair.world.registry.hold(pair.entry, late.buffer)
    assert {1, 2, 3, 4, 5} == set(numbers_of(late.messages()))


def test_whole_frames_are_matched_by_their_time_and_bytes_and_never_go_back() -> None:
    """A frame that the second side brings late is older than the newest, and nobody is shown an older state."""
    pair = Pair(BOOK_A)
    pair.begin()
    pair.on_other(2)
    pair.on_other(3)
    pair.on_primary(2)
    assert pair.other is pair.entry.connection
    pair.on_other(4)
    assert ([1, 2, 3, 4], [], []) == pair.read()


def test_the_same_newest_frame_on_both_sides_ends_the_trial() -> None:
    """It need not come again on the first side: what was delivered a moment ago is remembered."""
    pair = Pair(BOOK_A)
    pair.begin()
    pair.on_other(1)
    assert pair.other is pair.entry.connection
    assert ([1], [], []) == pair.read()


def test_where_both_sides_are_quiet_the_second_one_takes_over_when_the_trial_is_over() -> None:
    """It was acknowledged while the first still delivered, so nothing can have been missed."""
    pair = Pair(QUIET_ITEMS)
    pair.begin()
    pair.wait(TRIAL - 0.1)
    assert (Stage.ON_TRIAL, pair.primary) == (stage_of(pair.entry), pair.entry.connection)
    plan = pair.wait(0.1)
    assert (None, pair.other) == (pair.entry.second, pair.entry.connection)
    assert [QUIET_ITEMS] == ended(plan)
    assert ([1], [], []) == pair.read()


@pytest.mark.parametrize("snapshot", [True, False])
def test_what_the_second_side_alone_has_brought_shows_that_the_first_one_is_not_whole(snapshot: bool) -> None:
    """It takes over behind a gap; that says nothing about the venue."""
    pair = Pair()
    pair.wait(10.0)
    pair.begin()
    pair.on_other(3, 4, snapshot=snapshot)
    pair.wait(TRIAL)
    assert (False, pair.other) == (pair.world.venue.one_socket_only, pair.entry.connection)
    numbers, gaps, _ = pair.read()
    assert ([1, 3, 4], 1) == (numbers, len(gaps))


def test_what_the_second_side_brought_a_moment_ago_may_be_on_its_way_on_the_first() -> None:
    """One socket is later than the other."""
    pair = Pair(QUIET_ITEMS)
    pair.begin()
    pair.wait(TRIAL - 0.1)
    pair.on_other(2)
    pair.wait(0.1)
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    pair.on_primary(2)
    assert pair.other is pair.entry.connection
    assert ([1, 2], [], []) == pair.read()


def test_where_the_type_names_a_cadence_the_trial_lasts_until_both_should_have_sent() -> None:
    """A slow stream that sends nothing for two seconds is not taken for silent."""
    pair = Pair(STEADY)
    pair.begin()
    pair.on_other(2)
    assert pair.world.now + 6.0 == pair.second.deadline


def test_a_venue_that_serves_the_newest_socket_only_is_found_out_and_the_loss_is_admitted() -> None:
    """The second side takes over with all that it has brought, behind a gap; nothing of the venue moves like this again."""
    pair = Pair()
    pair.wait(10.0)
    pair.on_primary(2)
    last_at = pair.world.wall
    pair.begin()
    pair.wait(0.5)
    pair.on_other(4)
    pair.on_other(5)
    pair.world.now += TRIAL
    ponged(pair.primary, pair.world.wall, pair.world.now)
    pair.world.look()
    assert (None, pair.other) == (pair.entry.second, pair.entry.connection)
    assert pair.world.venue.one_socket_only
    assert [{"overlap": "newest_only"}] == [fact.detail for fact in pair.facts("overlap_failed")]
    numbers, (gap,), (resumed,) = pair.read()
    assert ([1, 2, 4, 5], False) == (numbers, resumed.exact)
    assert gap.started_at <= last_at
    assert pair.world.wall == gap.ended_at
    assert [gap] == pair.gaps_written()


def test_where_the_first_socket_brings_nothing_at_all_the_venue_is_not_to_blame() -> None:
    """It may be half open; the second side takes over, and two sockets are tried again."""
    pair = Pair()
    pair.wait(10.0)
    pair.on_primary(2)
    pair.begin()
    pair.wait(0.5)
    pair.on_other(4)
    pair.on_other(5)
    pair.wait(TRIAL)
    assert (pair.other, False) == (pair.entry.connection, pair.world.venue.one_socket_only)
    assert ([1, 2, 4, 5], 1) == (pair.read()[0], len(pair.gaps_written()))


def test_a_socket_that_was_heard_a_moment_ago_is_given_the_time_to_show_that_it_is_well() -> None:
    """Only a byte that came after the frames had their time says that the venue kept them from it."""
    pair = Pair()
    pair.begin()
    pair.wait(0.5)
    pair.on_other(4)
    pair.on_other(5)
    pair.wait(1.5)
    ponged(pair.primary, pair.world.wall, pair.world.now)
    pair.wait(0.6)
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    pair.world.now += 0.4
    ponged(pair.primary, pair.world.wall, pair.world.now)
    pair.wait(LATENESS)
    assert (pair.other, True) == (pair.entry.connection, pair.world.venue.one_socket_only)


def test_nor_where_other_streams_were_on_two_sockets_a_moment_ago() -> None:
    """It is this one that is not whole: it may have been forgotten there."""
    pair = Pair()
    pair.world.venue.met_at = pair.world.now
    pair.wait(10.0)
    pair.on_primary(2)
    pair.begin()
    pair.wait(0.5)
    pair.on_other(4)
    pair.on_other(5)
    pair.world.now += TRIAL
    ponged(pair.primary, pair.world.wall, pair.world.now)
    pair.world.look()
    assert (pair.other, False) == (pair.entry.connection, pair.world.venue.one_socket_only)
    assert 1 == len(pair.gaps_written())


@pytest.mark.parametrize(("snapshot", "met"), [(True, False), (False, True)])
def test_two_sockets_have_met_where_both_brought_the_same_while_both_stood(snapshot: bool, met: bool) -> None:
    """That a snapshot holds what was delivered before shows nothing of that."""
    pair = Pair()
    pair.begin()
    if snapshot:
        pair.on_other(1, 2, snapshot=True)
    else:
        pair.on_other(3)
        pair.on_primary(2, 3)
    assert (pair.other, met) == (pair.entry.connection, pair.world.venue.met_at is not None)


def test_nor_where_it_falls_silent_while_the_trial_goes_on() -> None:
    """What it brought before the second side's frames says nothing of them; a socket that may yet bring something is waited for."""
    pair = Pair()
    pair.wait(10.0)
    pair.on_primary(2)
    pair.begin()
    pair.wait(2.5)
    ponged(pair.primary, pair.world.wall, pair.world.now)
    pair.on_other(4)
    pair.on_other(5)
    pair.wait(LATENESS - 0.1)
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    pair.wait(LATENESS)
    assert (pair.other, False) == (pair.entry.connection, pair.world.venue.one_socket_only)


def test_the_first_message_behind_such_a_loss_carries_the_gap_and_its_snapshot_is_a_new_beginning() -> None:
    """A consumer that only looks at `message.gap` knows too."""
    pair = Pair()
    pair.begin()
    pair.on_other(8, 9, snapshot=True)
    pair.on_other(10)
    pair.wait(TRIAL)
    _, *messages = [item for item in pair.reader.read() if isinstance(item, Message)]
    assert [(True, True), (False, False)] == [
        (message.gap is not None, message.snapshot) for message in messages
    ]
    late = Reader()
    pair.world.registry.hold(pair.entry, late.buffer)
    assert [8, 9, 10] == numbers_of(late.messages())


def test_a_venue_that_gives_each_socket_a_share_is_found_out() -> None:
    """What fell between the end of the first side and the whole on the second cannot be known."""
    pair = Pair()
    pair.wait(10.0)
    began = pair.world.wall
    pair.begin()
    pair.on_other(3)
    pair.on_primary(2)
    pair.on_other(5)
    pair.wait(1.0)
    pair.on_primary(4)
    pair.wait(TRIAL - 1.0)
    assert (True, pair.other) == (pair.world.venue.one_socket_only, pair.entry.connection)
    numbers, (gap,), _ = pair.read()
    assert [1, 2, 4, 3, 5] == numbers
    assert gap.started_at <= began


def test_two_frames_at_the_end_of_a_trial_do_not_convict_a_venue() -> None:
    """The first side may be on its way with the same: one socket is later than the other."""
    pair = Pair(QUIET_ITEMS)
    pair.begin()
    pair.wait(TRIAL - 0.1)
    pair.on_other(2)
    pair.on_other(3)
    pair.wait(0.1)
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    pair.wait(0.1)
    pair.on_primary(2)
    assert (False, pair.other) == (pair.world.venue.one_socket_only, pair.entry.connection)
    assert ([1, 2, 3], [], []) == pair.read()


def test_a_first_side_that_had_fallen_silent_before_does_not_convict_a_venue() -> None:
    """The loss is admitted, but a mute stream says nothing about how many sockets the venue serves."""
    pair = Pair(STEADY)
    pair.wait(12.0)
    silent_since = pair.world.wall - 12.0
    pair.begin()
    pair.on_other(2)
    pair.wait(2.0)
    pair.on_other(3)
    pair.wait(4.0)
    assert (False, pair.other) == (pair.world.venue.one_socket_only, pair.entry.connection)
    numbers, (gap,), _ = pair.read()
    assert ([1, 2, 3], silent_since) == (numbers, gap.started_at)


def test_whole_frames_of_which_each_socket_gets_its_own_switch_without_a_proof() -> None:
    """Each is a whole state, so nobody is without one; but that none was left out is not claimed."""
    pair = Pair(BOOK_A)
    pair.begin()
    pair.on_other(2)
    pair.on_primary(3)
    pair.on_other(4)
    pair.wait(TRIAL)
    assert (False, pair.other) == (pair.world.venue.one_socket_only, pair.entry.connection)
    numbers, gaps, (resumed,) = pair.read()
    assert ([1, 3, 4], [], False, None) == (numbers, gaps, resumed.exact, resumed.gap)


def test_a_first_side_that_is_far_behind_is_waited_for() -> None:
    """It has not come to where the second one began: a switch would leave out what lies between."""
    pair = Pair(BOOK_A)
    pair.begin()
    pair.on_other(10)
    pair.on_other(11)
    pair.on_primary(2)
    pair.wait(TRIAL)
    pair.wait(LATENESS)
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    for number in range(3, 11):
        pair.on_primary(number)
    assert pair.other is pair.entry.connection
    assert (list(range(1, 12)), [], []) == pair.read()


def test_a_second_side_that_sends_nothing_while_the_first_does_is_taken_back_and_tried_later() -> None:
    """The subscription stays where it is whole."""
    pair = Pair()
    pair.begin()
    pair.on_other(snapshot=True)
    pair.on_primary(2)
    plan = pair.wait(TRIAL)
    assert (None, pair.primary) == (pair.entry.second, pair.entry.connection)
    assert pair.world.now + sides.RETRY == pair.entry.second_due
    assert [FILLS_1] == ended(plan)
    assert ["second_side_ended"] == [note.kind for note in pair.world.notes if isinstance(note, Fact)]
    assert ([1, 2], [], []) == pair.read()


def test_more_than_a_trial_can_hold_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is let go is lost to the side that takes over, so the gap is admitted then."""
    monkeypatch.setattr(trials, "Trial", partial(merging.Trial, max_frames=3))  # pyright: ignore[reportCallIssue]  # attrs drops the underscore
    pair = Pair()
    pair.begin()
    for number in (3, 4, 5):
        pair.on_other(number)
    assert Stage.ON_TRIAL is stage_of(pair.entry)
    pair.on_other(6)
    assert pair.other is pair.entry.connection
    numbers, gaps, _ = pair.read()
    assert ([1, 4, 5, 6], 1) == (numbers, len(gaps))


def test_frames_on_a_socket_that_was_not_asked_for_the_stream_yet_are_not_its_second_side() -> None:
    """They are another's that ended there."""
    pair = Pair()
    pair.world.origin.silent_until = 5.0
    pair.begin(acknowledge=False)
    pair.on_other(7)
    assert (Stage.WAITING, 1) == (stage_of(pair.entry), pair.other.unrouted)
    assert ([1], [], []) == pair.read()


def test_a_stream_is_not_asked_for_where_its_end_is_not_over() -> None:
    """Otherwise a late frame would pass for the proof of the second side."""
    pair = Pair()
    pair.begin()
    sides.take_back(pair.world.registry, pair.entry, why="test", now=pair.world.now)
    assert [FILLS_1] == ended(pair.world.look())
    sides.begin(pair.world.registry, pair.entry, pair.other, Purpose.MOVE, why="test")
    assert () == pair.wait(sides.RETRY - 1.0).effects
    progress.end_acknowledged(pair.world.registry, pair.other, pair.entry.key, now=pair.world.now)
    pair.wait(9.0)
    assert Stage.WAITING is stage_of(pair.entry)
    pair.wait(1.0)
    assert Stage.ASKED is stage_of(pair.entry)


# Types without keys.


def test_events_without_keys_switch_at_the_first_proof_and_admit_a_gap() -> None:
    """Whether one side ended before the other began cannot be known."""
    pair = Pair(ORDERS_1)
    pair.wait(7.0)
    pair.begin()
    assert (pair.other, None) == (pair.entry.connection, pair.entry.merger)
    _, (gap,), (resumed,) = pair.read()
    assert (1_000_000.0, False) == (gap.started_at, resumed.exact)
    assert "moved from v-1 to v-2: test" == gap.reason


def test_events_without_keys_that_move_in_the_burst_after_a_stall_have_a_gap_since_the_stall() -> None:
    """What was held back on the way says nothing of what the venue sent since."""
    pair = Pair(ORDERS_1)
    for at in (1.0, 2.0, 12.0):
        heard(pair.primary, pair.world.wall + at, at)
    pair.wait(12.0)
    pair.begin()
    assert [(1_000_002.0, 10.0)] == [(gap.started_at, gap.duration) for gap in pair.read()[1]]


def test_states_without_keys_switch_at_the_first_frame_without_a_claim() -> None:
    """The newest frame is the whole state, so there is no gap; that none was left out is not claimed either."""
    pair = Pair(TICKER_A)
    pair.begin()
    pair.on_primary(2)
    assert pair.primary is pair.entry.connection
    pair.on_other(3)
    pair.on_primary(4)
    numbers, gaps, (resumed,) = pair.read()
    assert ([1, 2, 3], [], False) == (numbers, gaps, resumed.exact)
    assert (pair.other, 1) == (pair.entry.connection, pair.primary.late)


def test_states_without_keys_that_leave_a_half_open_socket_have_a_gap_when_that_is_found() -> None:
    """From its last byte to the switch."""
    pair = Pair(TICKER_A)
    pair.wait(5.0)
    pair.begin()
    pair.on_other(3)
    assert [] == pair.read()[1]
    pair.wait(8.0)
    pair.world.cut(pair.primary, "no answer to a ping")
    (gap,) = pair.read()[1]
    assert (1_000_000.0, 5.0) == (gap.started_at, gap.duration)


def test_a_history_without_keys_begins_anew_with_the_snapshot_of_the_second_side() -> None:
    """Late readers are given what came after it."""
    kind = attrs.evolve(FILLS, merge=Merge.NONE, duplicate_key=(), items=None)
    pair = Pair(attrs.evolve(FILLS_1, type=kind))
    pair.begin()
    pair.on_other(1, 2)
    pair.on_other(3)
    late = Reader()
    pair.world.registry.hold(pair.entry, late.buffer)
    assert [1, 2, 3] == numbers_of(late.messages())


# Losing a side.


def test_losing_the_first_of_two_sides_that_have_joined_loses_nothing() -> None:
    """The other has brought everything, or will."""
    pair = Pair()
    pair.begin(Purpose.REDUNDANCY)
    pair.on_other(1, 2, snapshot=True)
    assert Stage.JOINED is stage_of(pair.entry)
    pair.on_primary(2, 3)
    pair.world.cut(pair.primary)
    assert (pair.other, State.LIVE, None) == (pair.entry.connection, pair.entry.state, pair.entry.second)
    pair.on_other(3, 4)
    assert ([1, 2, 3, 4], [], []) == pair.read()
    assert [] == pair.gaps_written()


def test_losing_the_first_side_while_the_second_is_on_trial_is_a_gap_and_what_is_held_follows() -> None:
    """That the second one began before the first ended is likely, and not known."""
    pair = Pair()
    pair.begin()
    pair.wait(1.0)
    pair.on_other(3)
    pair.on_other(4)
    pair.world.cut(pair.primary, "reset")
    assert (pair.other, State.LIVE) == (pair.entry.connection, pair.entry.state)
    numbers, (gap,), _ = pair.read()
    assert ([1, 3, 4], 1_000_000.0, "reset") == (numbers, gap.started_at, gap.reason)
    assert [gap] == pair.gaps_written()


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.ASKED])
def test_losing_the_first_side_before_the_second_delivers_takes_the_move_back(stage: Stage) -> None:
    """The stream is interrupted, and comes back where it was."""
    pair = Pair()
    if stage is Stage.WAITING:
        pair.world.origin.silent_until = 5.0
    pair.begin(acknowledge=stage is Stage.ASKED)
    assert stage is stage_of(pair.entry)
    pair.world.cut(pair.primary)
    assert (None, pair.primary, State.LOST) == (
        pair.entry.second,
        pair.entry.connection,
        pair.entry.state,
    )
    assert not pair.other.seconds


@pytest.mark.parametrize(
    ("purpose", "stage"),
    [
        *product(Purpose, [Stage.WAITING, Stage.ASKED, Stage.ON_TRIAL]),
        (Purpose.REDUNDANCY, Stage.JOINED),
    ],
)
def test_losing_the_second_side_leaves_the_first_as_it_is(purpose: Purpose, stage: Stage) -> None:
    """Nothing is interrupted, lost or doubled, and the connection is not left half empty."""
    pair = Pair()
    pair.primary.leaving = purpose is Purpose.MOVE
    if stage is Stage.WAITING:
        pair.world.origin.silent_until = 5.0
    pair.begin(purpose, acknowledge=stage is not Stage.WAITING)
    if stage is Stage.ON_TRIAL:
        pair.on_other(3)
    if stage is Stage.JOINED:
        pair.on_other(1)
    assert stage is stage_of(pair.entry)
    pair.world.cut(pair.other)
    pair.on_primary(2)
    pair.on_primary(3)
    assert (None, pair.primary, State.LIVE, False) == (
        pair.entry.second,
        pair.entry.connection,
        pair.entry.state,
        pair.primary.leaving,
    )
    assert ([1, 2, 3], [], []) == pair.read()


@pytest.mark.parametrize(("how", "level"), [("ended", "info"), ("lost", "warning")])
def test_the_end_of_a_second_side_is_a_warning_only_where_something_is_wrong(how: str, level: str) -> None:
    """Nobody is called for a subscription that was ended."""
    pair = Pair()
    pair.entry.redundancy = 2
    pair.begin(Purpose.REDUNDANCY)
    pair.on_other(1)
    if how == "ended":
        pair.world.registry.end(pair.entry, by="test", now=pair.world.now)
    else:
        pair.world.cut(pair.other)
    assert [level] == [fact.level for fact in pair.facts("second_side_ended")]


def test_a_side_that_was_taken_back_delivers_no_more() -> None:
    """What it still sends is late."""
    pair = Pair()
    pair.begin(Purpose.REDUNDANCY)
    pair.on_other(1)
    sides.take_back(pair.world.registry, pair.entry, why="test", now=pair.world.now)
    pair.on_other(2)
    assert (([1], [], []), 1) == (pair.read(), pair.other.late)


def test_a_refused_second_side_leaves_the_first_as_it_is() -> None:
    """The venue says no to the second socket, not to the stream."""
    pair = Pair()
    pair.begin(acknowledge=False)
    claim = pair.other.claim_of(pair.entry.key)
    assert claim is not None
    progress.refused_claim(pair.world.registry, pair.other, claim, "no", now=pair.world.now)
    pair.on_primary(2)
    assert (None, State.LIVE, None) == (
        pair.entry.second,
        pair.entry.state,
        pair.other.claim_of(pair.entry.key),
    )
    assert ([1, 2], [], []) == pair.read()


@pytest.mark.parametrize("stage", [Stage.ASKED, Stage.ON_TRIAL, Stage.JOINED])
def test_ending_a_subscription_ends_both_of_its_sides(stage: Stage) -> None:
    """Nothing of it is left at the venue."""
    pair = Pair()
    pair.begin(Purpose.REDUNDANCY)
    if stage is Stage.ON_TRIAL:
        pair.on_other(3)
    if stage is Stage.JOINED:
        pair.on_other(1)
    assert stage is stage_of(pair.entry)
    pair.world.registry.end(pair.entry, by="test", now=pair.world.now)
    assert [FILLS_1, FILLS_1] == ended(pair.world.look())
    assert {Phase.ENDING} == {
        claim.phase
        for connection in (pair.primary, pair.other)
        for claim in connection.claims.values()
        if claim.key == pair.entry.key
    }
    assert not pair.other.seconds
    assert pair.entry.id not in pair.world.venue.attention


def test_a_stream_that_falls_silent_gives_up_the_side_that_was_to_go_on_where_it_is() -> None:
    """A move is no repair: whether the venue serves two sockets could not be judged."""
    pair = Pair(STEADY)
    pair.entry.watch.beat(0.0, pair.entry.counters.messages)
    pair.wait(14.0)
    pair.begin()
    pair.world.now += 2.0
    repairing.listen(pair.world.registry, pair.entry, pair.world.now)
    assert (State.STALE, None) == (pair.entry.state, pair.entry.second)
    assert not pair.world.venue.one_socket_only


# Memory.


def test_what_was_delivered_is_remembered_no_longer_than_it_is_needed() -> None:
    """A while after the second side took over, nothing of the trial is left."""
    pair = Pair()
    assert not pair.remembers()
    pair.begin()
    pair.on_other(1)
    assert pair.remembers()
    plan = pair.wait(0.0)
    assert pair.world.now + MERGED_FOR >= plan.wake_at
    pair.wait(MERGED_FOR - 0.1)
    assert pair.remembers()
    pair.wait(0.1)
    assert not pair.remembers()
    assert pair.entry.id not in pair.world.venue.attention


def test_a_joined_side_keeps_the_memory_of_what_was_delivered_and_nobody_awake() -> None:
    """There is nothing to look at while both deliver."""
    pair = Pair()
    pair.entry.redundancy = 2
    pair.begin(Purpose.REDUNDANCY)
    pair.on_other(1)
    assert math.inf == pair.wait(100.0).wake_at
    assert pair.remembers()
    assert pair.second.trial is None


def test_an_interruption_keeps_the_memory_for_as_long_as_it_lasts() -> None:
    """However long before a second side was lost: what comes again afterwards is told from what is new."""
    pair = Pair()
    pair.begin()
    pair.on_other(3)
    pair.world.cut(pair.other)
    pair.world.cut(pair.primary)
    pair.wait(10 * MERGED_FOR)
    assert pair.remembers()


def test_the_first_proof_of_a_second_side_may_be_its_acknowledgement() -> None:
    """Where a stream may be silent nothing else comes."""
    pair = Pair(QUIET_ITEMS)
    assert FirstProof.ACK is QUIET_ITEMS.type.first_proof
    pair.begin(acknowledge=False)
    assert Stage.ASKED is stage_of(pair.entry)
    pair.acknowledge()
    assert Stage.ON_TRIAL is stage_of(pair.entry)
