"""What the venue answers to actions that it carried out, as shapes.

Each is the `response` of the answer; its `status` has become the outcome. A batch is answered as a whole and each of its
parts by itself: look at `statuses` too. Source: the venue's page "Exchange endpoint", and for what it does not show
hl-sdk 0.1.0.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Done(TypedDict):
    """It was done, and there is nothing more to say."""

    type: Literal["default"]


class Failed(TypedDict):
    """One part was refused."""

    error: str


class RestingOrder(TypedDict):
    """The order's number, and the caller's id for it."""

    oid: int
    cloid: NotRequired[str]


class Resting(TypedDict):
    """The order rests in the book."""

    resting: RestingOrder


class FilledOrder(TypedDict):
    """How much was filled, at what price on average, and the order's number."""

    totalSz: str
    avgPx: str
    oid: int
    cloid: NotRequired[str]


class Filled(TypedDict):
    """The order was filled at once."""

    filled: FilledOrder


OrderStatus = Resting | Filled | Failed | Literal["waitingForFill", "waitingForTrigger"]


class OrderStatuses(TypedDict):
    """One status for each order, in their order."""

    statuses: list[OrderStatus]


class Ordered(TypedDict):
    """What became of orders."""

    type: Literal["order"]
    data: OrderStatuses


class CancelStatuses(TypedDict):
    """One status for each cancel, in their order."""

    statuses: list[Literal["success"] | Failed]


class Cancelled(TypedDict):
    """What became of cancels."""

    type: Literal["cancel"]
    data: CancelStatuses


class RunningTwap(TypedDict):
    """The number of a TWAP order."""

    twapId: int


class Running(TypedDict):
    """The TWAP order runs."""

    running: RunningTwap


class TwapStatus(TypedDict):
    """What became of a TWAP order."""

    status: Running | Failed


class TwapOrdered(TypedDict):
    """What became of a TWAP order."""

    type: Literal["twapOrder"]
    data: TwapStatus


class TwapCancelStatus(TypedDict):
    """What became of the cancel of a TWAP order."""

    status: Literal["success"] | Failed


class TwapCancelled(TypedDict):
    """What became of the cancel of a TWAP order."""

    type: Literal["twapCancel"]
    data: TwapCancelStatus


class VaultCreated(TypedDict):
    """The vault's address."""

    type: Literal["createVault"]
    data: str


class SubAccountCreated(TypedDict):
    """The sub-account's address."""

    type: Literal["createSubAccount"]
    data: str
