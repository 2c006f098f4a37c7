"""The exchange of Hyperliquid: orders, transfers and approvals as checked, signed and noted calls."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.exchange.account import Account
from wsmgr.manager.venues.hyperliquid.exchange.amounts import Amount, PrecisionError
from wsmgr.manager.venues.hyperliquid.exchange.call import Call, CallSpec
from wsmgr.manager.venues.hyperliquid.exchange.calls import UnknownActionError, parse_call
from wsmgr.manager.venues.hyperliquid.exchange.catalog import BY_WIRE_NAME, CALLS
from wsmgr.manager.venues.hyperliquid.exchange.desk import TradingDesk
from wsmgr.manager.venues.hyperliquid.exchange.facade import CallOptions, Exchange
from wsmgr.manager.venues.hyperliquid.exchange.orders import (
    GROUPING_NA,
    GROUPING_TRIGGER_NORMAL,
    GROUPING_TRIGGER_POSITION,
    LIMIT_ALO,
    LIMIT_GTC,
    LIMIT_IOC,
    TRIGGER_STOP_LOSS,
    TRIGGER_TAKE_PROFIT,
    Builder,
    CancelByIdRequest,
    CancelRequest,
    LimitOrder,
    ModifyRequest,
    OrderRequest,
    TriggerOrder,
)
from wsmgr.manager.venues.hyperliquid.exchange.policy import TradingPolicy
from wsmgr.manager.venues.hyperliquid.order_ids import Cloid

__all__ = [
    "BY_WIRE_NAME",
    "CALLS",
    "GROUPING_NA",
    "GROUPING_TRIGGER_NORMAL",
    "GROUPING_TRIGGER_POSITION",
    "LIMIT_ALO",
    "LIMIT_GTC",
    "LIMIT_IOC",
    "TRIGGER_STOP_LOSS",
    "TRIGGER_TAKE_PROFIT",
    "Account",
    "Amount",
    "Builder",
    "Call",
    "CallOptions",
    "CallSpec",
    "CancelByIdRequest",
    "CancelRequest",
    "Cloid",
    "Exchange",
    "LimitOrder",
    "ModifyRequest",
    "OrderRequest",
    "PrecisionError",
    "TradingDesk",
    "TradingPolicy",
    "TriggerOrder",
    "UnknownActionError",
    "parse_call",
]
