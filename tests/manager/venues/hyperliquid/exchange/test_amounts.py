"""Amounts: exact or refused, and never rounded."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.exchange import generated as some
from tests.manager.venues.hyperliquid.exchange.world import UNIVERSE

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.venues.hyperliquid.exchange import PrecisionError, amounts

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.universe import Asset

BTC = UNIVERSE.asset("BTC")
HYPE_USDC = UNIVERSE.asset("HYPE/USDC")
numbers = st.decimals(min_value="1e-12", max_value="1e12", allow_nan=False, allow_infinity=False, places=12)


@pytest.mark.parametrize(
    ("value", "written"), [(0.001, "0.001"), (65000.5, "65000.5"), (1e-05, "0.00001"), (2.0, "2")]
)
def test_a_float_is_refused_and_the_error_says_what_to_write(value: float, written: str) -> None:
    """No float is ever taken, even one that looks exact."""
    with pytest.raises(ParameterError) as caught:
        amounts.amount("size", value)
    assert f'write "{written}" or Decimal("{written}")' in str(caught.value)
    assert "size=" in str(caught.value)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " 1",
            "1 ",
            "1_000",
            "1,5",
            "0x10",
            "nan",
            "inf",
            "-",
            ".5",
            "5.",
            "1e400",
            "1e99",
            "--1",
            "\u0661",
        ),
        *(
            True,
            None,
            [],
            b"1",
            1j,
            float("nan"),
            float("inf"),
            Decimal("NaN"),
            Decimal("-Infinity"),
            Decimal("sNaN"),
        ),
        *(Decimal("1e999999"), Decimal("1e-999999"), 10**200, Decimal("1." + "1" * 100), "1" * 100),
    ],
)
def test_what_is_no_sensible_number_is_refused(value: Any) -> None:
    """Nothing that is not a plain finite number becomes an amount, and nothing else is raised."""
    with pytest.raises(ParameterError, match=r"^size="):
        amounts.amount("size", value)


@given(value=numbers)
def test_an_amount_is_what_was_given(value: Decimal) -> None:
    """Text, Decimal and exponent mean the same number, exactly."""
    for written in (value, str(value), f"{value:f}", f"{value:E}"):
        assert value == amounts.amount("size", written)
    assert 7 == amounts.amount("size", 7)


@given(value=numbers)
@example(value=Decimal("1E+10"))
@example(value=Decimal("100.000"))
def test_wire_text_is_canonical(value: Decimal) -> None:
    """No exponent, no trailing zero, no point at the end; the number is the same."""
    text = amounts.plain(value)
    assert value == Decimal(text)
    assert "E" not in text.upper()
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize("zero", ["0", "-0", "0.00", "0e5", "-0.0"])
def test_zero_has_one_text(zero: str) -> None:
    """Negative zero would hash differently."""
    assert "0" == amounts.plain(Decimal(zero))


@pytest.mark.parametrize(
    ("asset", "value"),
    [
        *((BTC, "65000"), (BTC, "123456"), (BTC, "1234.5"), (BTC, "0.1"), (BTC, "12345678")),
        *((HYPE_USDC, "0.001234"), (HYPE_USDC, "0.00001"), (HYPE_USDC, "12.345")),
    ],
)
def test_prices_that_the_venue_takes(asset: Asset, value: str) -> None:
    """Five significant figures, or any whole number."""
    assert value == amounts.price("limit_price", asset, Decimal(value))


@pytest.mark.parametrize(
    ("asset", "value", "would_do"),
    [
        (BTC, "12345.6", "12346"),
        (BTC, "123456.7", "123457"),
        (BTC, "1234.56", "1234.6"),
        (BTC, "0.01", "0.1"),
        (BTC, "0.25", "0.2"),
        (HYPE_USDC, "0.0012345", "0.001234"),
        (HYPE_USDC, "12.3456", "12.346"),
        (HYPE_USDC, "0.0000001", "0.000001"),
    ],
)
def test_a_price_that_is_too_precise_is_refused_with_one_that_would_do(
    asset: Asset, value: str, would_do: str
) -> None:
    """The error names the asset, the value, the rule and the nearest price that keeps it."""
    with pytest.raises(PrecisionError) as caught:
        amounts.price("limit_price", asset, Decimal(value))
    assert Decimal(would_do) == caught.value.would_do
    for part in (asset.name, f"limit_price={value}", "5 significant figures", f"{would_do} would do"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("asset", "value", "would_do"), [(BTC, "0.000001", "0.00001"), (BTC, "1.123456", "1.12346")]
)
def test_a_size_that_is_too_precise_is_refused_with_one_that_would_do(
    asset: Asset, value: str, would_do: str
) -> None:
    """A size has at most the asset's size decimals."""
    with pytest.raises(PrecisionError) as caught:
        amounts.size("size", asset, Decimal(value))
    assert f"{would_do} would do" in str(caught.value)
    assert "5 decimal places" in str(caught.value)
    assert "BTC" in str(caught.value)


def test_an_asset_without_size_decimals_takes_whole_sizes() -> None:
    """The rule is said in words that fit."""
    with pytest.raises(PrecisionError, match=r"too precise for kPEPE: a whole number; 2 would do"):
        amounts.size("size", UNIVERSE.asset("kPEPE"), Decimal("1.5"))


@given(asset=some.assets, value=numbers)
def test_what_would_do_does(asset: Asset, value: Decimal) -> None:
    """A number is taken as it is, or the one that is proposed instead is taken."""
    for check in (amounts.price, amounts.size):
        try:
            assert value == Decimal(check("it", asset, value))
        except PrecisionError as error:
            assert amounts.plain(error.would_do) == check("it", asset, error.would_do)  # noqa: PT017 - a property of either


@given(asset=some.assets, data=st.data())
def test_a_callers_decimal_context_changes_nothing(asset: Asset, data: st.DataObject) -> None:
    """Somebody who rounds to three digits elsewhere does not round an order."""
    price, size = data.draw(some.prices(asset)), data.draw(some.sizes(asset))
    outside = (amounts.price("p", asset, price), amounts.size("s", asset, size), amounts.times(price, size))
    with localcontext() as context:
        context.prec = 3
        inside = (
            amounts.price("p", asset, price),
            amounts.size("s", asset, size),
            amounts.times(price, size),
        )
    assert outside == inside
    assert Decimal(outside[0]) == price


@pytest.mark.parametrize("value", ["0", "-1", "-0.1"])
def test_prices_and_sizes_are_above_zero(value: str) -> None:
    """Zero and less are refused before any rule of precision."""
    for check in (amounts.price, amounts.size):
        with pytest.raises(ParameterError, match="above 0"):
            check("it", BTC, Decimal(value))


@given(count=st.integers(-(10**15), 10**15))
def test_minor_units_are_exact(count: int) -> None:
    """A count of the smallest unit comes back as it went."""
    assert count == amounts.minor_units("amount", "USDC", Decimal(count).scaleb(-6), 6)


def test_a_part_of_the_smallest_unit_is_refused() -> None:
    """hl-sdk and the official SDK round here; an amount is not ours to change."""
    with pytest.raises(PrecisionError, match=r"for USDC: at most 6 decimal places; 1 would do"):
        amounts.minor_units("amount", "USDC", Decimal("1.0000001"), 6)


def test_more_than_can_be_counted_is_refused() -> None:
    """The venue counts in 64 bits."""
    with pytest.raises(ParameterError, match="more than the venue can count"):
        amounts.minor_units("amount", "USDC", Decimal(10**20), 6)


@given(values=st.lists(numbers, max_size=20))
def test_a_total_is_exact(values: list[Decimal]) -> None:
    """A sum of notionals loses nothing, whatever the context."""
    assume(values)
    with localcontext() as context:
        context.prec = 2
        found = amounts.total(tuple(values))
    with localcontext() as context:
        context.prec = 100
        assert sum(values) == found
