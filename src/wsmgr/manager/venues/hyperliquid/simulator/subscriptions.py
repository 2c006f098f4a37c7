"""Subscriptions as the server sees them: which types exist, what they take, how they are echoed.

The table below is the simulator's own record of the venue's side. It shares nothing with the manager's catalog, which
it is there to test. Sources: the venue's WebSocket documentation and captured acknowledgements
(`{"type":"l2Book","coin":"HYPE","nSigFigs":null,"mantissa":null}`).

A request goes through two doors. :func:`read_subscription` asks whether it can be read at all: a known type, required
fields there, values of the right JSON type, a well-formed address; unknown fields are dropped.
:func:`is_valid` asks whether what was read makes sense: a coin that is listed, an interval that exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import attrs
import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES, universe

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
EXPLORER_CHANNEL = "explorer"

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNIFICANT_FIGURES = (2, 3, 4, 5)
_MANTISSAS = (1, 2, 5)
_FINEST = 5

FieldKind = Literal["coin", "interval", "user", "dex", "flag", "number"]
Value = str | int | bool | None


class UnreadableSubscriptionError(ValueError):
    """The request is none that the server can read; it answers with the raw text of the whole request."""


@attrs.frozen(kw_only=True)
class Field:
    """One field of a subscription.

    Attributes:
        name: As on the wire.
        kind: What values it takes.
        required: Whether the request cannot be read without it.
        default: The value that a request without it means.
        filled: Whether the echo has it although the request had not.
    """

    name: str
    kind: FieldKind
    required: bool = False
    default: Value = None
    filled: bool = False


@attrs.frozen(kw_only=True)
class TypeRule:
    """One subscription type.

    Attributes:
        name: The type.
        channel: The channel of its data frames (`explorer`: bare arrays, no channel).
        fields: Its fields in the order of the echo.
        real_interval: Seconds between two frames at the venue's own cadence.
        fast_interval: The same with `"fast":true`.
        explorer: Whether it lives on the explorer host.
    """

    name: str
    channel: str
    fields: tuple[Field, ...] = ()
    real_interval: float = 1.0
    fast_interval: float = 0.0
    explorer: bool = False


@attrs.frozen(kw_only=True)
class Subscription:
    """A subscription that was read.

    Attributes:
        rule: Its type.
        values: Every field with its value, defaults included; addresses in lower case.
        echo: The JSON with which the server repeats it.
        key: The JSON without defaults: equal keys are one subscription on a connection.
    """

    rule: TypeRule
    values: Mapping[str, Value] = attrs.field(eq=False)
    echo: str = attrs.field(eq=False)
    key: str

    @property
    def type(self) -> str:
        """The name of its type."""
        return self.rule.name

    @property
    def user(self) -> str | None:
        """The address it is about, if any."""
        user = self.values.get("user")
        return user if isinstance(user, str) else None

    @property
    def real_interval(self) -> float:
        """Seconds between two frames at the venue's own cadence."""
        return self.rule.fast_interval if self.values.get("fast") is True else self.rule.real_interval

    def text(self, name: str) -> str:
        """The value of a text field; `""` when it was left out."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""


def read_subscription(body: object) -> Subscription:
    """Read the `subscription` member of a request.

    Raises:
        UnreadableSubscriptionError: No such type, a field missing, or a value of the wrong kind.
    """
    if not isinstance(body, dict):
        raise UnreadableSubscriptionError(f"a subscription is an object, not {type(body).__name__}")
    sent: dict[str, object] = {str(name): value for name, value in body.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    rule = TYPES.get(str(sent.get("type")))
    if rule is None:
        raise UnreadableSubscriptionError(f"no subscription type {sent.get('type')!r}")
    values: dict[str, Value] = {}
    echo: dict[str, Value] = {"type": rule.name}
    key: dict[str, Value] = {"type": rule.name}
    for field in rule.fields:
        given = field.name in sent
        value = _read(rule, field, sent[field.name]) if given else _missing(rule, field)
        values[field.name] = field.default if value is None else value
        if given or field.filled:
            echo[field.name] = value
        if values[field.name] != field.default:
            key[field.name] = value
    return Subscription(rule=rule, values=values, echo=_json(echo), key=_json(key))


def is_valid(subscription: Subscription) -> bool:
    """Whether the server offers it: the coin is listed, the interval exists, the aggregation is one of its own."""
    checks = {"coin": _known_coin, "interval": _known_interval, "dex": _known_dex, "number": _known_number}
    for field in subscription.rule.fields:
        check = checks.get(field.kind)
        if check is not None and not check(subscription, field):
            return False
    return True


def _read(rule: TypeRule, field: Field, value: object) -> Value:
    if value is None and not field.required:
        return None
    match field.kind, value:
        case "flag", bool():
            return value
        case "number", int() if not isinstance(value, bool) and value >= 0:
            return value
        case "user", str() if _ADDRESS.fullmatch(value):
            return value.lower()
        case (("coin" | "interval" | "dex"), str()):
            return value
        case _:
            raise UnreadableSubscriptionError(f"{rule.name}: {field.name} is {value!r}")


def _missing(rule: TypeRule, field: Field) -> Value:
    if field.required:
        raise UnreadableSubscriptionError(f"{rule.name}: {field.name} is missing")
    return field.default


def _known_coin(subscription: Subscription, field: Field) -> bool:
    coin = universe().get(subscription.text(field.name))
    return coin is not None and (coin.kind == "perp" or subscription.type != "activeAssetData")


def _known_interval(subscription: Subscription, field: Field) -> bool:
    return subscription.text(field.name) in INTERVALS


def _known_dex(subscription: Subscription, field: Field) -> bool:
    return subscription.text(field.name) in DEXES


def _known_number(subscription: Subscription, field: Field) -> bool:
    value = subscription.values[field.name]
    if value is None:
        return True
    if field.name == "mantissa":
        return value in _MANTISSAS and subscription.values["nSigFigs"] == _FINEST
    return value in _SIGNIFICANT_FIGURES


def _json(value: Mapping[str, Value]) -> str:
    return msgspec.json.encode(value).decode()


_COIN = Field(name="coin", kind="coin", required=True)
_USER = Field(name="user", kind="user", required=True)
_DEX = Field(name="dex", kind="dex", default="")


def _flag(name: str, *, filled: bool = False) -> Field:
    return Field(name=name, kind="flag", default=False, filled=filled)


def _user_type(name: str, *more: Field, interval: float = 5.0, channel: str = "") -> TypeRule:
    return TypeRule(name=name, channel=channel or name, fields=(_USER, *more), real_interval=interval)


TYPES: dict[str, TypeRule] = {
    rule.name: rule
    for rule in (
        TypeRule(name="allMids", channel="allMids", fields=(_DEX,)),
        TypeRule(name="assetCtxs", channel="assetCtxs", fields=(_DEX,)),
        TypeRule(name="allDexsAssetCtxs", channel="allDexsAssetCtxs"),
        TypeRule(name="spotAssetCtxs", channel="spotAssetCtxs"),
        TypeRule(name="fastAssetCtxs", channel="fastAssetCtxs", real_interval=0.5),
        TypeRule(name="outcomeMetaUpdates", channel="outcomeMetaUpdates", real_interval=30.0),
        TypeRule(name="trades", channel="trades", fields=(_COIN,), real_interval=0.25),
        TypeRule(name="bbo", channel="bbo", fields=(_COIN,), real_interval=0.25),
        TypeRule(
            name="l2Book",
            channel="l2Book",
            fields=(
                _COIN,
                Field(name="nSigFigs", kind="number", filled=True),
                Field(name="mantissa", kind="number", filled=True),
                _flag("fast"),
            ),
            real_interval=5.0,
            fast_interval=0.5,
        ),
        TypeRule(
            name="candle",
            channel="candle",
            fields=(Field(name="interval", kind="interval", required=True), _COIN),
            real_interval=0.25,
        ),
        TypeRule(name="activeAssetCtx", channel="activeAssetCtx", fields=(_COIN,)),
        _user_type("activeAssetData", _COIN, interval=2.5),
        _user_type("clearinghouseState", _DEX),
        _user_type("openOrders", _DEX),
        _user_type("twapStates", _DEX),
        _user_type("allDexsClearinghouseState"),
        _user_type("spotState", _flag("ignorePortfolioMargin")),
        _user_type("webData3"),
        _user_type("userFills", _flag("aggregateByTime", filled=True)),
        _user_type("userFundings", interval=3600.0),
        _user_type("userNonFundingLedgerUpdates", interval=60.0),
        _user_type("userHistoricalOrders"),
        _user_type("userTwapHistory", interval=60.0),
        _user_type("userTwapSliceFills", interval=30.0),
        _user_type("orderUpdates"),
        _user_type("userEvents", channel="user"),
        _user_type("notification", interval=15.0),
        TypeRule(name="explorerBlock", channel=EXPLORER_CHANNEL, real_interval=0.2, explorer=True),
        TypeRule(name="explorerTxs", channel=EXPLORER_CHANNEL, real_interval=0.2, explorer=True),
    )
}
