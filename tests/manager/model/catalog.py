"""A small catalog of the tests' own: one subscription type for each way to be placed, proved and joined."""

from __future__ import annotations

from wsmgr.manager.model.subscription_type import (
    Atom,
    ConnectionClass,
    FirstProof,
    Join,
    Kind,
    Merge,
    Parameter,
    ParameterKind,
    SubscriptionType,
)

COIN = Parameter(name="coin", required=True)
USER = Parameter(name="user", required=True)
DEPTH = Parameter(name="depth", kind=ParameterKind.INTEGER, default=20, choices=(5, 10, 20))

TICKER = SubscriptionType(name="ticker", channel=("ticker",), parameters=(COIN,))
"""Public state that echoes everything: proved by a frame, joined by the newest one."""
TRADES = SubscriptionType(
    name="trades",
    channel=("trades",),
    parameters=(COIN,),
    kind=Kind.EVENT,
    first_proof=FirstProof.ACK,
    join=Join.NONE,
)
"""Public events that may be silent for long."""
BOOK = SubscriptionType(
    name="book",
    channel=("book",),
    parameters=(COIN, DEPTH),
    connection_class=ConnectionClass.DEDICATED,
    merge=Merge.TIME,
    time="time",
)
"""Its frames do not say the depth."""
FILLS = SubscriptionType(
    name="fills",
    channel=("fills",),
    parameters=(USER,),
    connection_class=ConnectionClass.USER_GROUPED,
    kind=Kind.EVENT,
    join=Join.LOG,
    merge=Merge.ITEMS,
    duplicate_key=("id",),
    items="fills",
    user="user",
)
"""A user's log: its frames name the user, the first is a snapshot."""
ORDERS = SubscriptionType(
    name="orders",
    channel=("orders",),
    parameters=(USER,),
    connection_class=ConnectionClass.USER_GROUPED,
    kind=Kind.EVENT,
    first_proof=FirstProof.ACK,
    join=Join.NONE,
    user="user",
)
"""A user's events whose frames do not name the user."""

CATALOG = {each.name: each for each in (TICKER, TRADES, BOOK, FILLS, ORDERS)}


def atom(subscription_type: SubscriptionType, **params: object) -> Atom:
    """A checked wish for one of the types above."""
    canonical = subscription_type.canonical(params)
    shown = {TICKER.name: "coin", TRADES.name: "coin", BOOK.name: "coin", FILLS.name: "user"}
    identity = shown.get(subscription_type.name)
    return Atom(
        type=subscription_type,
        params=canonical,
        wire_key=subscription_type.name
        if identity is None
        else f"{subscription_type.name}:{canonical[identity]}",
        user=None if subscription_type.user is None else canonical[subscription_type.user],
    )


A, B = atom(TICKER, coin="A"), atom(TICKER, coin="B")
QUIET = atom(TRADES, coin="A")
BOOK_A, BOOK_5 = atom(BOOK, coin="A"), atom(BOOK, coin="A", depth=5)


def orders(user: str) -> Atom:
    """A user's events, whose frames do not name the user."""
    return atom(ORDERS, user=user)
