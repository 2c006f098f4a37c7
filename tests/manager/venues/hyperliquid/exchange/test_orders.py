"""Orders: checked when built."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.exchange import (
    LIMIT_ALO,
    LIMIT_GTC,
    LIMIT_IOC,
    TRIGGER_STOP_LOSS,
    Builder,
    CancelByIdRequest,
    CancelRequest,
    Cloid,
    LimitOrder,
    ModifyRequest,
    OrderRequest,
    TriggerOrder,
)

RAW = "0x000000000000000000000000000000ab"
ORDER: dict[str, Any] = {
    "asset": "BTC",
    "is_buy": True,
    "size": "0.001",
    "limit_price": "65000",
    "order_type": LIMIT_GTC,
}


def test_named_order_types_are_what_they_say() -> None:
    """The three names of hl-sdk."""
    assert ["Gtc", "Ioc", "Alo"] == [each.tif for each in (LIMIT_GTC, LIMIT_IOC, LIMIT_ALO)]


def test_an_order_keeps_its_numbers_exactly() -> None:
    """A text becomes the Decimal that it says."""
    order = OrderRequest(**ORDER)
    assert (Decimal("0.001"), Decimal(65000)) == (order.size, order.limit_price)
    assert not order.reduce_only
    assert order.cloid is None


def test_an_order_does_not_change() -> None:
    """What was checked stays as it was."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        OrderRequest(**ORDER).size = Decimal(1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("asset", "", "not an asset"),
        ("asset", " BTC", "not an asset"),
        ("asset", True, "not an asset"),
        ("asset", -1, "not an asset"),
        ("is_buy", "true", "not true or false"),
        ("is_buy", 1, "not true or false"),
        ("size", 0.001, "float"),
        ("size", "0", "above 0"),
        ("limit_price", "-1", "above 0"),
        ("limit_price", 65000.0, "float"),
        ("order_type", "LIMIT_GTC", "not an order type"),
        ("order_type", {"limit": {"tif": "Gtc"}}, "not an order type"),
        ("reduce_only", "no", "not true or false"),
        ("cloid", "0x12", "client order id"),
    ],
)
def test_a_wrong_order_cannot_be_built(name: str, value: object, words: str) -> None:
    """Each field is checked, and the error says what was given."""
    with pytest.raises(ParameterError, match=words) as caught:
        OrderRequest(**{**ORDER, name: value})
    assert str(value) in str(caught.value)


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (LimitOrder, {"tif": "gtc"}),
        (TriggerOrder, {"price": "1", "is_market": True, "trigger": "stop"}),
        (TriggerOrder, {"price": 1.5, "is_market": True, "trigger": "sl"}),
        (TriggerOrder, {"price": "0", "is_market": True, "trigger": "sl"}),
        (TriggerOrder, {"price": "1", "is_market": "yes", "trigger": "sl"}),
        (ModifyRequest, {"order_id": "1", "order": OrderRequest(**ORDER)}),
        (ModifyRequest, {"order_id": True, "order": OrderRequest(**ORDER)}),
        (CancelRequest, {"asset": "BTC", "order_id": -1}),
        (CancelRequest, {"asset": "BTC", "order_id": 2**63}),
        (CancelRequest, {"asset": "", "order_id": 1}),
        (CancelByIdRequest, {"asset": "BTC", "client_order_id": "1"}),
        (Builder, {"address": "0x12", "fee": 1}),
        (Builder, {"address": "0x" + "ab" * 20, "fee": 1001}),
        (Builder, {"address": "0x" + "ab" * 20, "fee": -1}),
        (Builder, {"address": "0x" + "ab" * 20, "fee": "1"}),
    ],
)
def test_nothing_wrong_can_be_built(made: Any, fields: dict[str, Any]) -> None:
    """Every class checks what it is given."""
    with pytest.raises(ParameterError):
        made(**fields)


def test_a_builder_is_kept_in_lower_case() -> None:
    """The venue hashes the lower case."""
    assert "0x" + "ab" * 20 == Builder(address="0x" + "AB" * 20, fee=0).address


def test_a_trigger_order_is_what_it_says() -> None:
    """Its price is exact too."""
    order = TriggerOrder(price="64000.5", is_market=True, trigger=TRIGGER_STOP_LOSS)
    assert Decimal("64000.5") == order.price


@given(number=st.integers(0, 2**128 - 1))
def test_a_cloid_is_32_digits_in_lower_case(number: int) -> None:
    """However it is written, it is one id."""
    cloid = Cloid.from_int(number)
    assert number == int(cloid.raw, 16)
    assert 34 == len(cloid.raw)
    assert cloid == Cloid.from_str("0x" + cloid.raw[2:].upper())
    assert cloid.raw == cloid.to_raw() == str(cloid)


@pytest.mark.parametrize(
    "raw", ["", "0x", RAW[:-1], RAW + "0", "0y" + RAW[2:], RAW[2:], RAW + "\n", "0x" + "g" * 32, 5, None]
)
def test_what_is_no_cloid_is_refused(raw: Any) -> None:
    """0x and 32 hexadecimal digits, nothing else."""
    with pytest.raises(ParameterError, match="32 hexadecimal digits"):
        Cloid(raw)


@pytest.mark.parametrize("number", [-1, 2**128])
def test_a_number_out_of_range_is_no_cloid(number: int) -> None:
    """128 bits."""
    with pytest.raises(ParameterError, match="128 bits"):
        Cloid.from_int(number)
