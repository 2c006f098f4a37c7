"""What the demonstration says of what it saw: the verdict must be able to fail."""

from __future__ import annotations

from typing import Any

import pytest

from wsmgr.cli.demo_story import Look, Story


def look(at: float, *, socket: int = 0, state: str = "ready", **changes: dict[str, Any]) -> Look:
    """A look at three subscriptions on two connections; `changes` by subscription id."""
    rows = {
        "mids": {
            "key": "mids",
            "state": "live",
            "error": None,
            "message_count": int(at * 10),
            "connection": "c1",
        },
        "book": {
            "key": "book",
            "state": "live",
            "error": None,
            "message_count": int(at * 10),
            "connection": "c1",
        },
        "fine": {
            "key": "fine",
            "state": "live",
            "error": None,
            "message_count": int(at * 10),
            "connection": "c2",
        },
    }
    for id_, change in changes.items():
        rows[id_] |= change
    connections = {
        "c1": {"id": "c1", "state": state, "reconnects": socket},
        "c2": {"id": "c2", "state": "ready", "reconnects": 0},
    }
    return Look(at=at, subscriptions=rows, connections=connections)


GAPS = ({"connection": "c1", "duration_seconds": 0.25},)


def story(*looks: Look, gaps: Any = GAPS) -> Story:
    """Two looks before a connection is killed, then these."""
    told = Story(books=("book", "fine"), wanted=("mids", "book", "fine"))
    told.look(look(1.0))
    told.look(look(2.0))
    told.kill("c1")
    for each in looks:
        told.look(each)
    told.gaps = gaps
    return told


def test_everything_as_it_should_be_passes() -> None:
    """The verdict names what was shown, in one line."""
    passed, words = story(look(3.0, state="dialling"), look(4.0, socket=1)).verdict()
    assert passed
    assert words == (
        "demo passed: 3 subscriptions live on 2 connections, 120 messages; c1 was killed and came back with its"
        " subscriptions and counters (gap of 250 ms on record); the two books never shared a connection"
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (story(look(4.0)), "c1 was killed and did not come back"),
        (story(look(4.0, socket=1, state="dialling")), "c1 was killed and did not come back"),
        (story(look(4.0, socket=1), gaps=()), "c1 was killed and no gap was recorded"),
        (story(look(4.0, socket=1, mids={"state": "lost", "error": "refused"})), "mids is lost (refused)"),
        (
            story(look(4.0, socket=1, book={"message_count": 5}), look(5.0, socket=1)),
            "the counter of book fell from 20 to 5",
        ),
        (story(look(3.0, fine={"connection": "c1"}), look(4.0, socket=1)), "both books were on c1 at 3.0 s"),
    ],
)
def test_each_thing_that_is_wrong_fails_the_demonstration_and_is_named(told: Story, words: str) -> None:
    """Exit code 0 means all of it."""
    assert (False, f"demo failed: {words}") == told.verdict()


def test_a_subscription_that_is_gone_fails_the_demonstration() -> None:
    """Its id was the promise."""
    last = look(4.0, socket=1)
    del last.subscriptions["mids"]
    assert (False, "demo failed: the subscription mids is gone") == story(last).verdict()


def test_a_demonstration_in_which_nothing_was_killed_has_shown_nothing() -> None:
    """Too short a run is not a success."""
    told = Story(books=("book", "fine"), wanted=("mids", "book", "fine"))
    told.look(look(1.0))
    assert (False, "demo failed: no connection was killed") == told.verdict()


def test_the_return_is_timed_from_the_look_before_the_kill() -> None:
    """What is on the screen is what was measured."""
    told = story(look(2.5, state="dialling"), look(3.0, socket=1), look(3.5, socket=1))
    assert 3.0 == told.back_at
    assert told.before is not None
    assert 2.0 == told.before.at
