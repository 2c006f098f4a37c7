"""The shapes of orders and fills."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class OpenOrder(TypedDict):
    """An open order."""

    coin: str
    side: Literal["A", "B"]
    limitPx: str
    sz: str
    origSz: str
    oid: int
    timestamp: int
    cloid: NotRequired[str]
    reduceOnly: NotRequired[bool]


class FrontendOrder(TypedDict):
    """An order with its type, trigger and children."""

    coin: str
    side: Literal["A", "B"]
    limitPx: str
    sz: str
    origSz: str
    oid: int
    timestamp: int
    orderType: str
    reduceOnly: bool
    isTrigger: bool
    isPositionTpsl: bool
    triggerCondition: str
    triggerPx: str
    children: NotRequired[list[Any]]
    tif: NotRequired[str | None]
    cloid: NotRequired[str | None]


class OrderState(TypedDict):
    """An order, its state (`open`, `filled`, `canceled`, `rejected`, ...) and since when."""

    order: FrontendOrder
    status: str
    statusTimestamp: int


class OrderAnswer(TypedDict):
    """The answer to `orderStatus`: `unknownOid`, or `order` with the order."""

    status: Literal["order", "unknownOid"]
    order: NotRequired[OrderState]


class Fill(TypedDict):
    """A fill; `tid` is the trade's number."""

    coin: str
    px: str
    sz: str
    side: Literal["A", "B"]
    time: int
    startPosition: str
    dir: str
    closedPnl: str
    hash: str
    oid: int
    crossed: bool
    fee: str
    feeToken: str
    tid: int
    cloid: NotRequired[str]
    builderFee: NotRequired[str]
    liquidation: NotRequired[dict[str, Any]]


class TwapSliceFill(TypedDict):
    """A fill of a TWAP order."""

    fill: Fill
    twapId: int
