"""The market: it stays a market, whatever the seed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsmgr.manager.venues.hyperliquid.simulator.candles import bar_bounds
from wsmgr.manager.venues.hyperliquid.simulator.coins import coins_of, universe
from wsmgr.manager.venues.hyperliquid.simulator.market import CATCH_UP, DEPTH, Market
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import decimal

NAMES = sorted(universe())


def market(seed: int = 1) -> Market:
    return Market(seed=seed, interval=0.1, started_at=1_766_566_375.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), name=st.sampled_from(NAMES), jumps=st.lists(st.integers(0, 300), max_size=6))
def test_book_stays_a_book(seed: int, name: str, jumps: list[int]) -> None:
    """Both sides full, ordered, positive and never crossed, after any steps of any coin under any seed."""
    coin = market(seed).coin(name)
    step = 0
    for jump in jumps:
        step += jump
        coin.advance(step)
        assert [DEPTH] * 4 == [
            len(column) for column in (coin.bids.prices, coin.asks.prices, coin.bids.texts, coin.asks.texts)
        ]
        assert all(better > worse for better, worse in pairwise(coin.bids.prices))
        assert all(better < worse for better, worse in pairwise(coin.asks.prices))
        assert 0 < coin.bids.prices[-1] < coin.bids.prices[0] < coin.asks.prices[0]
        assert all(size > 0 for size in (*coin.bids.sizes, *coin.asks.sizes))
    assert len({trade.tid for trade in coin.trades}) == len(coin.trades)


def test_price_stays_near_where_it_began() -> None:
    """A market that runs for days does not walk to zero."""
    coin = market().coin("BTC")
    for step in range(0, 50_000, 500):
        coin.advance(step)
        assert 0.5 < coin.bids.prices[0] / coin.coin.price < 2


def test_market_is_the_same_whether_it_steps_one_by_one_or_at_once() -> None:
    """What a late subscriber sees does not depend on who listened before."""
    one, other = market().coin("ETH"), market().coin("ETH")
    for step in range(200):
        one.advance(step)
    other.advance(0)
    other.advance(199)
    assert (one.bids.texts, one.asks.texts, list(one.trades)) == (
        other.bids.texts,
        other.asks.texts,
        list(other.trades),
    )


def test_long_absence_is_made_up_for_within_a_bound() -> None:
    """A coin that nobody looked at for a day costs a thousand steps, not a million."""
    coin = market().coin("SOL")
    coin.advance(0)
    coin.advance(1_000_000)
    assert CATCH_UP == coin.steps
    assert 1_000_000 - CATCH_UP + 1 == next(trade.step for trade in coin.trades if trade.step > 0)


def test_step_in_the_past_changes_nothing() -> None:
    """Streams of one coin may be late against each other."""
    coin = market().coin("BTC")
    coin.advance(10)
    before = list(coin.bids.texts)
    coin.advance(3)
    assert before == coin.bids.texts


def test_universe_has_500_coins_with_ticks_by_the_venues_rule() -> None:
    """Five significant figures, at most six decimals less the size's (spot: eight)."""
    coins = universe().values()
    assert 500 == len(coins)
    assert ["BTC", "ETH", "SOL"] == [coin.name for coin in coins_of("")[:3]]
    assert {"PURR/USDC", "@1", "xyz:SP500", "kPEPE"} <= universe().keys()
    for coin in coins:
        most = (6 if coin.kind == "perp" else 8) - coin.size_decimals
        assert 0 <= coin.price_decimals <= most
        assert coin.price_decimals == 0 or len(str(coin.price)) <= 5


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (108_246, 0, "108246.0"),
        (1, 5, "0.00001"),
        (1000, 3, "1.0"),
        (47_662, 5, "0.47662"),
        (-5, 3, "-0.005"),
        (0, 4, "0.0"),
        (12, -2, "1200.0"),
    ],
)
def test_numbers_are_written_as_the_venue_does(value: int, decimals: int, text: str) -> None:
    """At least one decimal, no trailing zero after it."""
    assert text == decimal(value, decimals)


@pytest.mark.parametrize(
    ("interval", "first", "last"),
    [
        ("1m", "2025-12-31T23:59:00", "2026-01-01T00:00:00"),
        ("1h", "2025-12-31T23:00:00", "2026-01-01T00:00:00"),
        ("1d", "2025-12-31T00:00:00", "2026-01-01T00:00:00"),
        ("1w", "2025-12-29T00:00:00", "2026-01-05T00:00:00"),
        ("1M", "2025-12-01T00:00:00", "2026-01-01T00:00:00"),
    ],
)
def test_bars_begin_and_end_where_calendars_say(interval: str, first: str, last: str) -> None:
    """The last millisecond of a bar is the one before the next begins; weeks begin on Monday."""

    def milliseconds(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

    inside = milliseconds("2025-12-31T23:59:30")
    assert (milliseconds(first), milliseconds(last) - 1) == bar_bounds(interval, inside)
