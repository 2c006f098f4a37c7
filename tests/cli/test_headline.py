"""What people read of a book, of its best prices and of trades."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wsmgr.cli.headline import headline

BID = {"px": "10.5", "sz": "2.0", "n": 1}
ASK = {"px": "10.6", "sz": "0.1", "n": 3}
TRADE = {"coin": "X", "side": "B", "px": "10.6", "sz": "0.1", "tid": 1}


@pytest.mark.parametrize(
    ("type_", "data", "words"),
    [
        ("l2Book", {"levels": [[BID, BID], [ASK]]}, "bid 10.5 x 2.0 | ask 10.6 x 0.1"),
        ("l2Book", {"levels": [[], [ASK]]}, "bid - | ask 10.6 x 0.1"),
        ("bbo", {"bbo": [BID, ASK]}, "bid 10.5 x 2.0 | ask 10.6 x 0.1"),
        ("bbo", {"bbo": [BID, None]}, "bid 10.5 x 2.0 | ask -"),
        ("trades", [TRADE], "buy 0.1 @ 10.6"),
        ("trades", [TRADE, {**TRADE, "side": "A", "px": "10.5"}], "sell 0.1 @ 10.5 (last of 2 trades)"),
    ],
)
def test_prices_are_told_in_a_few_words(type_: str, data: Any, words: str) -> None:
    """As the venue wrote them; a side of the book that is empty is a dash."""
    assert words == headline(type_, json.dumps(data).encode())


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("allMids", {"mids": {"BTC": "10.5"}}),
        ("l2Book", {"bids": [[10.5, 2.0]]}),
        ("l2Book", {"levels": [[BID]]}),
        ("bbo", None),
        ("trades", []),
        ("trades", {"price": 10.5}),
    ],
)
def test_a_message_of_another_type_or_shape_has_no_headline(type_: str, data: Any) -> None:
    """Its payload is shown instead, so that nothing is invented and nothing is hidden."""
    assert headline(type_, json.dumps(data).encode()) is None
