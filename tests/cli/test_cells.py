"""How values are written for people."""

from __future__ import annotations

import pytest

from wsmgr.cli import cells


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (12.4, "12s"),
        (59.7, "1m00s"),
        (200, "3m20s"),
        (7_500, "2h05m"),
        (356_400, "4d03h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, expected: str) -> None:
    """Uptimes of seconds and of weeks fit one narrow column."""
    assert expected == cells.duration(seconds)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "-"), ("", "-"), ([], "-"), (False, "no"), (True, "yes"), (["a", "b"], "a,b"), (7, "7")],
)
def test_text_of_a_value(value: object, expected: str) -> None:
    """An empty cell is visible, and a list is one cell."""
    assert expected == cells.text(value)


def test_words_of_a_venue_cannot_steer_the_terminal() -> None:
    """An error text with escape sequences is shown, not obeyed; also in a list, and in the name of a pair."""
    assert r"refused \x1b[2J now" == cells.text("refused \x1b[2J now")
    assert r"a,\x9b2J" == cells.text(["a", "\x9b2J"])
    assert r"a\x07=b\n" == cells.pairs({"a\x07": "b\n"})
    assert r"no\nwsmgr: sent\r\u202e\x00\ud800" == cells.printable("no\nwsmgr: sent\r\u202e\x00\ud800")
    assert "µ …" == cells.printable("µ …")
    assert "a\n\\x1bb\n" == cells.printable_lines("a\n\x1bb\n")


def test_what_a_venue_says_at_length_is_cut_in_the_middle() -> None:
    """500 characters, with the advice that stands at the end; whole where that is asked for."""
    said = "refused: " + "x" * 20_000 + "; ask the venue"
    assert (500, True, True) == (
        len(cells.words(said)),
        cells.words(said).startswith("refused: x"),
        cells.words(said).endswith("x; ask the venue"),
    )
    assert cells.words(said) == cells.text(said)
    assert 500 == len(cells.words("\x1b" * 400))
    assert said == cells.words(said, whole=True)
    assert "x" * 500 == cells.words("x" * 500)


def test_a_time_is_shown_in_utc() -> None:
    """Whatever zone a time is written with."""
    assert "2026-03-01T10:00:00Z" == cells.clock("2026-03-01T12:00:00.5+02:00")
    assert "-" == cells.clock(None)


def test_sizes_numbers_and_shares() -> None:
    """Numbers are readable at a glance."""
    assert ["999 B", "1.0 kB", "12.3 MB", "-"] == [
        cells.size(size) for size in (999, 1_000, 12_345_678, None)
    ]
    assert ["1,234", "1,234.6", "-"] == [cells.number(value) for value in (1234, 1234.56, None)]
    assert ["99.90%", "-"] == [cells.share(value) for value in (0.999, None)]


def test_a_short_key_names_the_user_by_the_ends_of_the_address() -> None:
    """A table fits a narrow terminal, and two users can still be told apart."""
    key = "hyperliquid/userFills?user=0x00112233445566778899aabbccddeeff00112233"
    assert "userFills?user=0x0011…2233" == cells.key(key)
