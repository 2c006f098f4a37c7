"""Every state has an explanation: what is so, who decided, on what evidence, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.manager.model.catalog import TICKER, TRADES, atom
from tests.manager.model.world import World, socket_of

from wsmgr.manager.model import progress, repairing
from wsmgr.manager.model.explaining import Explanation, explain
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.watching import PROBE_INTERVAL

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry

A = atom(TICKER, coin="A")


def said(world: World, entry: Entry) -> Explanation:
    """What is said of a subscription now."""
    return explain(entry, world.venue, world.now)


def test_what_delivers_says_where_and_until_when_silence_is_right() -> None:
    """A stream that may be silent is asked about after the probe's interval."""
    world = World(now=100.0)
    found = said(world, world.make_live(atom(TRADES, coin="A")))
    assert "acknowledged it on v-1 (socket 1)" in found.summary
    assert found.next is not None
    assert 100.0 + PROBE_INTERVAL == found.next.at


def test_what_waits_for_a_socket_says_why_there_is_none() -> None:
    """The connection's own reason is the answer, and its dial comes next."""
    world = World()
    entry = world.make_live(A)
    world.cut(socket_of(entry), "closed by the peer, code 1001")
    found = said(world, entry)
    assert ("dialer", "closed by the peer, code 1001") == (found.decided_by, found.evidence["interrupted"])
    assert "v-1 has no socket (disconnected): closed by the peer, code 1001" in found.summary


def test_what_waits_for_a_quota_says_which() -> None:
    """The words are those of the refusal."""
    world = World(quotas=Quotas(subscriptions=1))
    world.make_live(A)
    waiting = world.keep(atom(TICKER, coin="B"))
    world.look()
    assert "waits for the quota 'subscriptions' (1)" in said(world, waiting).summary


def test_what_was_asked_for_says_how_often() -> None:
    """And what happens if no answer comes."""
    world = World()
    entry = world.keep(A)
    world.ask()
    found = said(world, entry)
    assert ("venue", 1) == (found.decided_by, found.evidence["attempts"])
    assert found.next is not None
    assert entry.deadline == found.next.at


def test_what_was_refused_says_the_venues_words() -> None:
    """For good, where it was never live."""
    world = World()
    entry = world.keep(A)
    world.ask()
    progress.refused(world.registry, entry, "no such coin", final=True, now=world.now)
    found = said(world, entry)
    assert "the venue refused it: no such coin" == found.summary
    assert found.next is None


def test_what_is_being_repaired_says_the_step_and_the_next_one() -> None:
    """With the silence that was seen."""
    world = World(now=50.0)
    entry = world.make_live(atom(TRADES, coin="A"))
    world.now += PROBE_INTERVAL
    entry.watch.beat(world.now, entry.counters.messages)
    assert repairing.listen(world.registry, entry, world.now)
    found = said(world, entry)
    assert "being asked whether it still has it" in found.summary
    assert PROBE_INTERVAL == found.evidence["silent_seconds"]
