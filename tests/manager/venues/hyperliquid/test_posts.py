"""Requests over Hyperliquid's WebSocket: their frames, and what the venue's answers say of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.venues.dialect import Answer
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

DIALECT = HyperliquidDialect()
CANNOT = "the venue's answer cannot be read: "


def test_a_request_names_its_number_and_its_kind() -> None:
    """The venue answers with the number."""
    frame = DIALECT.request(7, "info", {"type": "allMids"})
    expected = {"method": "post", "id": 7, "request": {"type": "info", "payload": {"type": "allMids"}}}
    assert expected == msgspec.json.decode(frame)


def test_a_request_that_is_no_json_is_the_callers_mistake() -> None:
    """Nothing was sent."""
    with pytest.raises(UsageError, match="the info request cannot be written as JSON"):
        DIALECT.request(7, "info", {"type": object()})


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        ({"type": "info", "payload": {"type": "meta", "data": [1]}}, Answered([1])),
        ({"type": "info", "payload": {"type": "meta", "data": None}}, Answered(None)),
        (
            {"type": "action", "payload": {"status": "ok", "response": 1}},
            Answered({"status": "ok", "response": 1}),
        ),
        ({"type": "error", "payload": "429 Too Many Requests"}, Refused("429 Too Many Requests")),
        ({"type": "info", "payload": "429 too many"}, Unknown(CANNOT + "{'info': '429 too many'}")),
        ({"type": "info"}, Unknown(CANNOT + "{'info': None}")),
        ({"type": "error"}, Unknown(CANNOT + "{'error': None}")),
        ({"type": "error", "payload": {"status": "ok"}}, Unknown(CANNOT + "{'error': {'status': 'ok'}}")),
        ({"type": "new", "payload": {"data": 1}}, Unknown(CANNOT + "{'new': {'data': 1}}")),
    ],
)
def test_an_answer_says_what_its_form_says_and_no_more(response: Any, outcome: Outcome[Any]) -> None:
    """A form that the venue does not have is no answer: nobody is told that something was done."""
    frame = msgspec.json.encode({"channel": "post", "data": {"id": 7, "response": response}})
    assert Answer(7, outcome) == DIALECT.classify(frame)
