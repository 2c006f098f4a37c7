"""How data gets onto stdout."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from wsmgr.cli import output

if TYPE_CHECKING:
    import pytest


def test_what_is_written_is_there_at_once_and_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the pipe gets a batch when it happens, not when a buffer is full."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with closing(io.TextIOWrapper(os.fdopen(writing, "wb"))) as stdout, os.fdopen(reading, "rb", 0) as reader:
        monkeypatch.setattr(sys, "stdout", stdout)
        output.write(b"one\ntwo\n")
        assert b"one\ntwo\n" == reader.read(100)
        output.write_text("µ")
        assert "µ\n".encode() == reader.read(100)


def test_a_json_document_is_one_line_in_a_pipe_and_indented_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Programs and people are both served."""
    output.write_json([{"id": 1}])
    assert b'[{"id":1}]\n' == capsysbinary.readouterr().out
    monkeypatch.setattr("wsmgr.cli.output.on_terminal", lambda: True)
    output.write_json([{"id": 1}])
    assert b'[\n  {\n    "id": 1\n  }\n]\n' == capsysbinary.readouterr().out


def test_json_on_a_terminal_holds_no_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Some terminals obey U+009B; the document means the same, and a pipe gets it as it is."""
    said = {"words": "\x1b[2J \x7f\x9b2J \u202e \U000e0001 µ\n"}
    output.write_json(said)
    assert "\x9b" in capsysbinary.readouterr().out.decode()
    monkeypatch.setattr("wsmgr.cli.output.on_terminal", lambda: True)
    output.write_json(said)
    shown = capsysbinary.readouterr().out.decode()
    assert said == json.loads(shown)
    assert shown.replace("\n", "").isprintable()
    assert "µ" in shown
