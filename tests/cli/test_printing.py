"""What a stream's reader is given on stdout, what it is told on stderr, and with which code it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wsmgr.cli.printing import Form, Printer, told
from wsmgr.manager.runtime.lines import STOPPING

KEY = "hyperliquid/l2Book?coin=BTC"


def message(seq: int = 1, **members: Any) -> bytes:
    document: dict[str, Any] = {
        "id": "abc",
        "venue": "hyperliquid",
        "type": "l2Book",
        "key": KEY,
        "seq": seq,
        "epoch": 0,
        "received_at": "2026-03-01T12:00:00.123456Z",
        "venue_time": None,
        "venue_seq": None,
        "snapshot": False,
        "replayed": False,
        "healed": False,
        "duplicates": 0,
        "gap": None,
        "data": {"coin": "BTC"},
    }
    return json.dumps({**document, **members}, separators=(",", ":")).encode()


def level(px: str, sz: str) -> dict[str, Any]:
    return {"px": px, "sz": sz, "n": 1}


def event(name: str, **members: Any) -> bytes:
    return json.dumps({"id": "abc", "event": name, **members}, separators=(",", ":")).encode()


def gap(duration: float = 3.21) -> bytes:
    return event("gap", duration=duration, reason="connection lost: reset by the peer", missing=None)


def test_json_lines_go_through_as_they_came() -> None:
    """A program gets the daemon's bytes, a line feed after each."""
    assert message(1) + b"\n" + message(2) + b"\n" == Printer(form="json").lines([message(1), message(2)])


def test_frames_go_through_byte_for_byte() -> None:
    """`--raw` adds a line feed and changes nothing, whatever is in the frame."""
    assert b'{"a":  1}\n\xff{}\n' == Printer(form="raw").frames([b'{"a":  1}', b"\xff{}"])


def test_no_more_messages_are_printed_than_were_wanted() -> None:
    """`--count 2` in the middle of a batch prints two lines and is done."""
    printer = Printer(form="json", count=2)
    assert message(1) + b"\n" + message(2) + b"\n" == printer.lines([message(1), message(2), message(3)])
    assert printer.finished
    assert 0 == printer.verdict(over=False)


def test_events_do_not_count_as_messages() -> None:
    """`--count` means messages."""
    printer = Printer(form="json", events=True, count=1)
    printer.lines([gap()])
    assert not printer.finished


@pytest.mark.parametrize("form", ["json", "people"])
def test_events_are_lines_of_json_in_order_with_the_messages_where_they_are_asked_for(form: Any) -> None:
    """A program sees the gap where it was."""
    printed = Printer(form=form, events=True).lines([message(1), gap(), message(2)]).splitlines()
    assert gap() == printed[1]
    assert 3 == len(printed)


def test_a_gap_is_told_on_stderr_even_when_events_are_not_asked_for() -> None:
    """No silent loss: people read of it, and stdout has messages only."""
    printer = Printer(form="json", label=KEY)
    assert b"" == printer.lines([gap()])
    assert [f"gap of 3.2 s on {KEY}: connection lost: reset by the peer"] == printer.take_said()
    assert [] == printer.take_said()


def test_a_gap_among_frames_is_told_on_stderr() -> None:
    """Also `--raw` has no silent loss."""
    printer = Printer(form="raw", label=KEY)
    printer.event(gap())
    assert [f"gap of 3.2 s on {KEY}: connection lost: reset by the peer"] == printer.take_said()


def test_the_first_line_of_a_new_stream_gives_it_its_name_and_is_not_printed() -> None:
    """What the daemon answers to a subscribe is not a message."""
    printer = Printer(form="json", events=True)
    assert b"" == printer.lines([event("subscribed", subscription={"key": KEY})])
    assert KEY == printer.label


def test_a_line_for_people_says_when_what_and_the_data() -> None:
    """One line for a message, with a mark for what is special about it."""
    line = Printer(form="people").lines([message(7, snapshot=True, replayed=True, epoch=2)])
    assert f'2026-03-01T12:00:00.123Z  {KEY}  2:7  snapshot  replayed  {{"coin":"BTC"}}\n' == line.decode()


def test_a_line_for_people_has_its_prices_where_a_narrow_terminal_shows_them() -> None:
    """80 columns are enough for the best bid and ask of a book; the name follows where there is room."""
    data = {"coin": "BTC", "time": 1, "levels": [[level("108246.0", "0.0109")], [level("108247.0", "1.5")]]}
    line = message(7, data=data)
    prices = "2026-03-01T12:00:00.123Z  bid 108246.0 x 0.0109 | ask 108247.0 x 1.5"
    assert f"{prices}  {KEY}  0:7\n" == Printer(form="people").lines([line]).decode()
    assert Printer(form="people", width=80).lines([line]).decode().startswith(prices)
    assert line + b"\n" == Printer(form="json", width=80).lines([line])


def test_a_line_for_people_says_that_there_was_a_gap_before_it() -> None:
    """Also who looks at stdout alone sees it."""
    line = Printer(form="people").lines([message(gap={"duration": 3.21})])
    assert "after a gap of 3.2s" in line.decode()


def test_a_line_for_people_fits_the_terminal() -> None:
    """A book of 1.6 KB is one line."""
    line = Printer(form="people", width=60).lines([message(data=["x" * 500])]).decode()
    assert 61 == len(line)
    assert line.endswith("…\n")


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (event("closed", by="unsubscribe"), 0),
        (event("rejected", error="Invalid subscription"), 4),
        (event("failed", error="the consumer was too slow"), 1),
    ],
)
def test_the_exit_code_says_how_a_stream_ended(ending: bytes, code: int) -> None:
    """A script can tell an end that somebody wanted from one that nobody did."""
    printer = Printer(form="json", label=KEY)
    printer.lines([ending])
    assert code == printer.verdict(over=False)
    assert [KEY in words for words in printer.take_said()] == [True]


def test_the_end_of_the_daemon_is_not_the_end_of_the_stream() -> None:
    """It may be back: the reader waits, and only who waited in vain has failed."""
    printer = Printer(form="json", events=True, label=KEY)
    assert event("closed", by=STOPPING) + b"\n" == printer.lines([event("closed", by=STOPPING)])
    assert (False, []) == (printer.over, printer.take_said())
    assert 1 == printer.verdict(over=False)
    printer.lines([event("closed", by="unsubscribe")])
    assert printer.over


def test_the_place_of_a_stream_is_not_printed() -> None:
    """It is for whoever reads the stream, and no event."""
    printer = Printer(form="json", events=True, label=KEY)
    assert b"" == printer.lines([event("cursor", seq=7, epoch=0)])
    assert [] == printer.take_said()


GAP = {
    "duration": 3.21,
    "reason": "reset",
    "missing": None,
    "proof": None,
    "healed_by": None,
    "open_because": None,
}


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            {"event": "stale", "since": "2026-03-01T12:00:07Z"},
            f"stale: {KEY}: silent since 2026-03-01T12:00:07Z; it is being repaired",
        ),
        (
            {"event": "gap", **GAP, "proof": "empty", "healed_by": "snapshot"},
            f"gap of 3.2 s on {KEY}: reset; proved empty by snapshot",
        ),
        (
            {"event": "healed", "items": 0, "gap": {**GAP, "proof": "empty", "healed_by": "snapshot"}},
            f"the gap of 3.2 s on {KEY} is proved empty by snapshot",
        ),
        (
            {
                "event": "healed",
                "items": 4,
                "gap": {**GAP, "proof": "filled", "healed_by": "query userFillsByTime"},
            },
            f"the gap of 3.2 s on {KEY} is filled with 4 items by query userFillsByTime",
        ),
        (
            {"event": "healed", "items": 0, "gap": {**GAP, "open_because": "the venue keeps no history"}},
            f"the gap of 3.2 s on {KEY} stays open: the venue keeps no history",
        ),
        ({"event": "snapshot", "at": "2026-03-01T12:00:07Z"}, None),
        ({"event": "resumed", "epoch": 0, "exact": True, "gap": None}, None),
    ],
)
def test_what_became_of_the_stream_is_told_in_words(shown: dict[str, Any], words: str | None) -> None:
    """People read whether something is missing, and what was done about it."""
    assert words == told(shown, KEY)


def test_a_stream_that_just_stops_has_failed() -> None:
    """A daemon that dies says nothing."""
    assert 1 == Printer(form="json").verdict(over=False)


def test_time_that_is_over_before_the_count_has_failed_and_says_so() -> None:
    """`--duration` is a deadline for `--count`, and alone it is the wanted end."""
    printer = Printer(form="json", count=5)
    printer.lines([message()])
    assert 1 == printer.verdict(over=True)
    assert ["the time is over after 1 of 5 messages"] == printer.take_said()
    assert 0 == Printer(form="json").verdict(over=True)


def test_time_that_is_over_before_a_message_came_is_told_with_what_was_waited_for() -> None:
    """People see why nothing came; who has got messages is not told of what came later."""
    nothing, wanted, some = (
        Printer(form="json"),
        Printer(form="json", count=2),
        Printer(form="json", count=2),
    )
    some.lines([message()])
    codes = [printer.verdict(over=True, waits_for="refused") for printer in (nothing, wanted, some)]
    assert [0, 1, 1] == codes
    assert ["the time is over before a message came: refused"] == nothing.take_said()
    assert ["the time is over after 0 of 2 messages: refused"] == wanted.take_said()
    assert ["the time is over after 1 of 2 messages"] == some.take_said()


def test_an_end_by_unsubscribe_before_the_count_has_failed() -> None:
    """Whoever wants five messages and got one has not got what it wanted."""
    printer = Printer(form="json", count=5, label=KEY)
    printer.lines([message(), event("closed", by="unsubscribe")])
    assert 1 == printer.verdict(over=False)


def test_an_interruption_is_told_with_the_time_of_the_next_attempt() -> None:
    """People see why nothing comes, and until when."""
    words = told(
        {"event": "interrupted", "cause": "closed by the peer", "next_attempt_at": "2026-03-01T12:00:07Z"},
        KEY,
    )
    assert f"interrupted: {KEY}: closed by the peer; tried again at 2026-03-01T12:00:07Z" == words


SAID = "\x1b[2J no\nthe venue accepted it \x9b" + "x" * 20_000


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("interrupted", "cause"),
        ("gap", "reason"),
        ("rejected", "error"),
        ("failed", "error"),
        ("closed", "by"),
    ],
)
def test_the_words_of_a_venue_are_told_in_one_short_printable_line(name: str, member: str) -> None:
    """They cannot forge a line or steer the terminal; with `--json` they are whole."""
    forms: list[tuple[Form, int, int]] = [("people", 500, 600), ("json", 20_000, 21_000)]
    for form, least, most in forms:
        printer = Printer(form=form, label=KEY + "\x1b")
        printer.lines([event(name, **{"duration": 1.0, member: SAID})])
        (words,) = printer.take_said()
        assert words.isprintable()
        assert least < len(words) < most


def test_what_was_waited_for_is_told_printable() -> None:
    """The reason of a dial is the peer's own."""
    printer = Printer(form="people")
    printer.verdict(over=True, waits_for=SAID)
    (words,) = printer.take_said()
    assert words.isprintable()
    assert len(words) < 600


def test_lines_on_a_terminal_hold_no_control_characters() -> None:
    """JSON may hold U+009B, which some terminals obey; a pipe gets the bytes as they are."""
    line = message(data={"text": "~"}).replace(b"~", "\x9b2J".encode())
    assert line + b"\n" == Printer(form="json").lines([line])
    shown = Printer(form="json", width=80).lines([line])
    assert json.loads(line) == json.loads(shown)
    for form in ("json", "people"):
        (words,) = Printer(form=form, width=2000).lines([line]).decode().splitlines()
        assert words.isprintable()


@pytest.mark.parametrize("form", ["json", "people"])
def test_bytes_that_are_no_text_are_shown_with_a_mark(form: Any) -> None:
    """A damaged frame ends no stream on a terminal."""
    assert (
        "\ufffd"
        in Printer(form=form, width=2000).lines([message(data={"text": "~"}).replace(b"~", b"\xff")]).decode()
    )


@pytest.mark.parametrize("name", ["live", "resumed", "an event of a later version"])
def test_events_that_are_no_news_for_people_are_not_told(name: str) -> None:
    """What is on stderr stays readable, also with a daemon that is newer."""
    assert told({"event": name}, KEY) is None
