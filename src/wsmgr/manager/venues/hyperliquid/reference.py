"""Reference: writes `docs/reference/hyperliquid.md` from the catalogs of subscriptions, queries and actions.

`python -m wsmgr.manager.venues.hyperliquid.reference > docs/reference/hyperliquid.md`; a test fails when the file is not what
this would write.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Final

from wsmgr.manager.model.subscription_type import ConnectionClass, FirstProof, SubscriptionType
from wsmgr.manager.venues.hyperliquid.exchange import CALLS
from wsmgr.manager.venues.hyperliquid.exchange.facade.account import AccountCalls
from wsmgr.manager.venues.hyperliquid.exchange.facade.trading import TradingCalls
from wsmgr.manager.venues.hyperliquid.exchange.facade.transfers import TransferCalls
from wsmgr.manager.venues.hyperliquid.info import QUERIES
from wsmgr.manager.venues.hyperliquid.info.market import MarketInfo
from wsmgr.manager.venues.hyperliquid.info.orders import OrderInfo
from wsmgr.manager.venues.hyperliquid.info.spot import SpotInfo
from wsmgr.manager.venues.hyperliquid.info.staking import StakingInfo
from wsmgr.manager.venues.hyperliquid.info.user import UserInfo
from wsmgr.manager.venues.hyperliquid.subscriptions import METHODS, FeedOptions, Subscriptions, snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OPENING: Final = """\
# Hyperliquid by name

This page is generated from the catalogs: `python -m wsmgr.manager.venues.hyperliquid.reference > docs/reference/hyperliquid.md`.

A `Hyperliquid` client has three interfaces: `subscriptions`, `info` and `exchange`. How to make one, and what its calls are called in
other clients, is in [Come from other clients](../how-to/come-from-other-clients.md).

All methods are coroutines and take keywords only. `asset` is a name or number of the venue's universe (`BTC`, `HYPE/USDC`, `xyz:SP500`);
`coin`, in its place, goes on the wire as it is (`BTC`, `@107`). `address` names an account, and so does `account`, any object that has an
`address`; where both are left out, it is the client's. What has a `?` may be left out.
"""

SUBSCRIPTIONS: Final = """\
## Subscriptions

`sid, queue = await client.subscriptions.l2_book(asset="BTC")`: each method subscribes, waits for the venue's acknowledgement, and returns
a `Feed` of its number and its queue. `await queue.get()` gives a `Message`; the queue is an async iterator, too. `queue=` gives the
messages to a queue of the caller's, which several feeds may share. {options}
are those of `Manager.subscribe`.
`await client.subscriptions.unsubscribe(sid)` ends a feed, `client.subscriptions.handle(sid)` is its `Subscription`.

`shared` streams sit on one connection. A `dedicated` one needs a second connection beside another variant of the same coin, and all
`user_grouped` ones of a user are on that user's connection. `at once` says whether the venue sends something soon after it has
acknowledged; the other streams may rightly be silent for long.
"""

INFO: Final = """\
## Info

`outcome = await client.info.user_state()`: each method asks one question and returns `Answered(data)`, `Refused(words)` or
`Unknown(why)`; `.unwrap()` returns the data or raises. `get_universe()` returns what there is to trade, by name and number. Times are
aware datetimes, or whole milliseconds since 1970.
"""

EXCHANGE: Final = """\
## Exchange

`outcome = await client.exchange.cancel_order(asset="BTC", order_id=7)`: each method makes one action, checks and signs it, sends it once,
and returns `Answered(data)` with the venue's response, `Refused(words)`, or `Unknown(why)`: then it may have been carried out, and is not
sent again. Amounts, sizes and prices are `Decimal`, text or whole numbers, never floats. Every method also takes `account` (who acts,
instead of the client's), `vault_address`, `expires_after` and `timeout` (seconds for all of it). Nothing is signed unless the venue's settings allow it:
`trading` for all of them; transfers, withdrawals, approvals and purchases need `transfers` as well. Nor is anything signed for a network
that nobody has named: where the address is not one of the venue's own, `network` says which it is.
"""

_NAMED: Final[Mapping[str, str]] = {
    "coin": "`asset` or `coin`",
    "user": "`address` or `account`",
    "vaultAddress": "`vault_address` or `account`",
}
"""What two keywords stand for, by the wire name."""

_PARTS_OF_INFO: Final[Mapping[str, type]] = {
    "The market": MarketInfo,
    "Orders and fills": OrderInfo,
    "An account": UserInfo,
    "Spot": SpotInfo,
    "Vaults and staking": StakingInfo,
}
_PARTS_OF_EXCHANGE: Final[Mapping[str, type]] = {
    "Orders and margin": TradingCalls,
    "Transfers": TransferCalls,
    "The account itself": AccountCalls,
}


def page() -> str:
    """Return the whole page."""
    options = ", ".join(f"`{name}`" for name in FeedOptions.__annotations__)
    lines = [OPENING, SUBSCRIPTIONS.format(options=options), *_subscriptions(), "", INFO]
    for title, part in _PARTS_OF_INFO.items():
        lines += [f"### {title}", "", *_queries(part), ""]
    lines += [EXCHANGE]
    for title, part in _PARTS_OF_EXCHANGE.items():
        lines += [f"### {title}", "", *_calls(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _subscriptions() -> Iterator[str]:
    yield from ("| method | type | parameters | class | at once | what comes |", "|---|---|---|---|---|---|")
    for method, found in METHODS.items():
        name = f"`{method}`, `best_bid_offer`" if method == "bbo" else f"`{method}`"
        promises = "yes" if found.first_proof is FirstProof.FRAME else ""
        words = (inspect.getdoc(getattr(Subscriptions, method)) or "").partition("\n")[0]
        comes = _cell(words).removeprefix("Stream ")
        row = (
            name,
            f"`{found.name}`",
            _parameters(found),
            _class(found),
            promises,
            comes[0].upper() + comes[1:],
        )
        yield f"| {' | '.join(row)} |"


def _class(found: SubscriptionType) -> str:
    host = "" if found.host == "api" else f", on the {found.host} host"
    return found.connection_class.value + (host if found.connection_class is ConnectionClass.SHARED else "")


def _parameters(found: SubscriptionType) -> str:
    shown: list[str] = []
    for each in found.parameters:
        choices = f" ({', '.join(map(str, each.choices))})" if each.choices else ""
        shown.append(_keyword(each.name, snake_case(each.name), required=each.required) + choices)
    return ", ".join(shown)


def _queries(part: type) -> Iterator[str]:
    yield from ("| method | type | parameters | what comes |", "|---|---|---|---|")
    for method in _methods(part):
        query = QUERIES.get(method)
        if query is not None:
            names = (_keyword(each.name, each.keyword, required=each.required) for each in query.parameters)
            yield f"| `{method}` | `{query.type}` | {', '.join(names)} | {_cell(query.doc)} |"


def _keyword(wire: str, name: str, *, required: bool) -> str:
    return _NAMED.get(wire) or (f"`{name}`" if required else f"`{name}`?")


def _calls(part: type) -> Iterator[str]:
    yield from ("| method | action | parameters | what it does |", "|---|---|---|---|")
    for method in _methods(part):
        call = CALLS[method]
        takes_coin = "coin" in inspect.signature(getattr(part, method)).parameters
        names = (
            _keyword("coin" if each.name == "asset" and takes_coin else "", each.name, required=each.required)
            for each in call.parameters
        )
        yield f"| `{method}` | `{call.wire}` | {', '.join(names)} | {_cell(call.doc)} |"


def _methods(part: type) -> Iterable[str]:
    return (name for name in vars(part) if not name.startswith("_"))


def _cell(words: str) -> str:
    return re.sub(r"\s+", " ", words).replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
