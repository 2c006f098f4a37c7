"""History: what an account did over weeks, worked out from its fills, its delegations and its value now.

Rates are the venue's for an account without volume (its fee page, 2025): 0.045 % and 0.015 % on perps, 0.07 % and 0.04 %
on spot. What happened before the simulator began is drawn from the address.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, decimal

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.exchange import Exchange
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

Item = dict[str, object]

_DAY_MS = 86_400_000
_FEE_DAYS = 14
_REWARD_DAYS = 7
_REWARD_A_YEAR = Decimal("0.02")
_POINTS = 8
_PERIODS = {"day": 1, "week": 7, "month": 30, "allTime": 365}
_VIP_TIERS = (
    ("5000000.0", "0.0004", "0.00012", "0.0006", "0.0003"),
    ("25000000.0", "0.00035", "0.00008", "0.0005", "0.0002"),
    ("100000000.0", "0.0003", "0.00004", "0.0004", "0.0001"),
)


def user_fees(exchange: Exchange, market: Market, user: str, now: float) -> Item:
    """`userFees`: the schedule, and the volume of the last 14 days; today's is that of the account's fills."""
    today = datetime.fromtimestamp(market.milliseconds(now) / 1000, UTC).date()
    began = datetime(today.year, today.month, today.day, tzinfo=UTC)
    fills = exchange.fills_by_time(user, now, int(began.timestamp() * 1000))
    taken = sum((_notional(fill) for fill in fills if fill.get("crossed") is True), Decimal(0))
    made = sum((_notional(fill) for fill in fills if fill.get("crossed") is not True), Decimal(0))
    days: list[Item] = []
    for back in range(_FEE_DAYS, -1, -1):
        date = (today - timedelta(days=back)).isoformat()
        volume = 10**9 + Dice(f"{market.seed}:volume:{date}").below(10**10)
        crossed, added = (taken, made) if back == 0 else (Decimal(0), Decimal(0))
        days.append(
            {
                "date": date,
                "userCross": _text(crossed),
                "userAdd": _text(added),
                "exchange": decimal(volume, 2),
            }
        )
    tiers = [
        {"ntlCutoff": cutoff, "cross": cross, "add": add, "spotCross": spot_cross, "spotAdd": spot_add}
        for cutoff, cross, add, spot_cross, spot_add in _VIP_TIERS
    ]
    none = {"bpsOfMaxSupply": "0.0", "discount": "0.0"}
    return {
        "dailyUserVlm": days,
        "feeSchedule": {
            "cross": "0.00045",
            "add": "0.00015",
            "spotCross": "0.0007",
            "spotAdd": "0.0004",
            "tiers": {"vip": tiers, "mm": [{"makerFractionCutoff": "0.005", "add": "-0.00001"}]},
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [none],
        },
        "userCrossRate": "0.00045",
        "userAddRate": "0.00015",
        "userSpotCrossRate": "0.0007",
        "userSpotAddRate": "0.0004",
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": none,
    }


def portfolio(exchange: Exchange, market: Market, user: str, now: float) -> list[list[object]]:
    """`portfolio`: per period the account's value, which ends at what it is worth now, and its volume."""
    summary = exchange.clearinghouse_state(user, now)["marginSummary"]
    value = Decimal(str(summary["accountValue"])) if isinstance(summary, dict) else Decimal(0)  # pyright: ignore[reportUnknownArgumentType]
    now_ms = market.milliseconds(now)
    found: list[list[object]] = []
    for prefix in ("", "perp"):
        for period, days in _PERIODS.items():
            name = f"perp{period[0].upper()}{period[1:]}" if prefix else period
            found.append([name, _period(exchange, user, now, now_ms, value, days)])
    return found


def delegator_rewards(exchange: Exchange, market: Market, user: str, now: float) -> list[Item]:
    """`delegatorRewards`: two percent a year on what is delegated now, a day each, newest first."""
    delegated = sum((Decimal(str(item["amount"])) for item in exchange.delegations(user)), Decimal(0))
    if not delegated:
        return []
    midnight = market.milliseconds(now) // _DAY_MS * _DAY_MS
    amount = _text((delegated * _REWARD_A_YEAR / 365).quantize(Decimal("1e-8")))
    times = [midnight - back * _DAY_MS for back in range(_REWARD_DAYS)]
    return [{"time": time, "source": "delegation", "totalAmount": amount} for time in times]


def _period(exchange: Exchange, user: str, now: float, now_ms: int, value: Decimal, days: int) -> Item:
    begun = now_ms - days * _DAY_MS
    values: list[list[object]] = []
    for point in range(_POINTS + 1):
        time = begun + (now_ms - begun) * point // _POINTS
        drift = Decimal(Dice(f"{user}:{days}:{point}").below(2001) - 1000) / 100_000
        values.append(
            [time, _text((value * (1 + (drift if point < _POINTS else 0))).quantize(Decimal("1e-6")))]
        )
    first = Decimal(str(values[0][1]))
    gains = [[time, _text(Decimal(str(at)) - first)] for time, at in values]
    fills = exchange.fills_by_time(user, now, begun)
    volume = sum((_notional(fill) for fill in fills), Decimal(0))
    return {"accountValueHistory": values, "pnlHistory": gains, "vlm": _text(volume)}


def _notional(fill: Item) -> Decimal:
    return Decimal(str(fill["px"])) * Decimal(str(fill["sz"]))


def _text(value: Decimal) -> str:
    text = f"{value:f}"
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0') or '0'}"
