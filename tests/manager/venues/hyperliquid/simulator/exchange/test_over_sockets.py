"""The exchange over real sockets: the venue's official Python client over HTTP, and posts over WebSocket beside streams."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import eth_account
import pytest
import trio
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]  # it has no types
from hyperliquid.utils.signing import sign_l1_action  # type: ignore[import-untyped]  # it has no types
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]  # it has no types
from trio_websocket import wrap_client_stream

from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

from .conftest import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DEADLINE = 20.0
KEY = f"0x{77:064x}"
CLOID = "0x" + "cd" * 16
DONE = {"status": "ok", "response": {"type": "default"}}


class Line:
    """A socket of a client that knows nothing of the simulator."""

    def __init__(self, ws: Any) -> None:
        self._ws = ws
        self._wallet = eth_account.Account.from_key(KEY)
        self._nonce = int(time.time() * 1000)
        self.user = self._wallet.address.lower()

    async def send(self, frame: Any) -> None:
        await self._ws.send_message(json.dumps(frame))

    async def subscribe(self, *types: str) -> None:
        for type_ in types:
            await self.send({"method": "subscribe", "subscription": {"type": type_, "user": self.user}})
        for _ in types:
            await self.until("subscriptionResponse")

    async def until(self, channel: str, wanted: Any = lambda _: True) -> Any:
        """The data of the next frame of a channel that is wanted; what comes before it is passed over."""
        with anyio.fail_after(DEADLINE):
            while True:
                frame = json.loads(await self._ws.get_message())
                if frame["channel"] == channel and wanted(frame["data"]):
                    return frame["data"]

    async def post(self, number: int, action: Any) -> Any:
        """Post an action; the answer is read by whoever waits for it."""
        self._nonce += 1
        payload = {
            "action": action,
            "nonce": self._nonce,
            "signature": sign_l1_action(self._wallet, action, None, self._nonce, None, False),
            "vaultAddress": None,
        }
        await self.send({"method": "post", "id": number, "request": {"type": "action", "payload": payload}})

    async def ask(self, number: int, question: Any) -> Any:
        """Post a question; returns the data of its answer."""
        request = {"type": "info", "payload": {**question, "user": self.user}}
        await self.send({"method": "post", "id": number, "request": request})
        answer = await self.until("post", lambda data: data["id"] == number)
        return answer["response"]["payload"]["data"]


@asynccontextmanager
async def dial(url: str) -> AsyncIterator[Line]:
    parts = urlsplit(url)
    stream = await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 0))
    async with trio.open_nursery() as nursery:
        try:
            with anyio.fail_after(DEADLINE):
                ws = await wrap_client_stream(nursery, stream, parts.netloc, parts.path)
            yield Line(ws)
            with anyio.move_on_after(1):
                await ws.aclose()
        finally:
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    with SimulatorThread(SimulatorOptions(rate=100)) as running:
        yield running


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_order_posted_over_a_socket_rests_fills_and_is_seen_everywhere(
    simulator: SimulatorThread,
) -> None:
    """Its answer, its updates, its fill, and then the queries: one order, one story."""
    async with dial(simulator.address.url) as line:
        await line.subscribe("orderUpdates", "userFills", "openOrders")
        book = await line.ask(1, {"type": "l2Book", "coin": "BTC"})
        price = str(int(float(book["levels"][0][0]["px"])))
        action = {"type": "order", "orders": [wire(px=price, sz="0.0005", cloid=CLOID)], "grouping": "na"}
        await line.post(2, action)
        opened = await line.until("orderUpdates", lambda data: data[0]["order"].get("cloid") == CLOID)
        shown = await line.until("openOrders", lambda data: data["orders"])
        answer = await line.until("post", lambda data: data["id"] == 2)
        [status] = answer["response"]["payload"]["response"]["data"]["statuses"]
        oid = status["resting"]["oid"]
        assert (oid, "open") == (opened[0]["order"]["oid"], opened[0]["status"])
        assert [oid] == [order["oid"] for order in shown["orders"]]
        filled = await line.until("orderUpdates", lambda data: data[-1]["status"] == "filled")
        assert (oid, "0.0") == (filled[-1]["order"]["oid"], filled[-1]["order"]["sz"])
        fills = await line.until("userFills")
        assert {(oid, f"{price}.0")} == {(fill["oid"], fill["px"]) for fill in fills["fills"]}
        assert [] == await line.ask(3, {"type": "openOrders"})
        status = await line.ask(4, {"type": "orderStatus", "oid": CLOID})
        assert ("order", "filled", oid) == (
            status["status"],
            status["order"]["status"],
            status["order"]["order"]["oid"],
        )
        newest = (await line.ask(5, {"type": "userFills"}))[0]
        assert fills["fills"][-1] == newest
        state = await line.ask(6, {"type": "clearinghouseState"})
        assert ["0.0005"] == [one["position"]["szi"] for one in state["assetPositions"]]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_fill_during_an_absence_is_in_the_log_and_in_the_snapshot(simulator: SimulatorThread) -> None:
    """The socket is cut while an order rests; what the client missed is known exactly."""
    async with dial(simulator.address.url) as witness, dial(simulator.address.url) as line:
        await witness.subscribe("orderUpdates")
        book = await line.ask(1, {"type": "l2Book", "coin": "ETH"})
        price = book["levels"][0][0]["px"].removesuffix(".0")
        await line.post(2, {"type": "order", "orders": [wire(1, px=price, sz="0.01")], "grouping": "na"})
        answer = await line.until("post", lambda data: data["id"] == 2)
        oid = answer["response"]["payload"]["response"]["data"]["statuses"][0]["resting"]["oid"]
        assert [2] == simulator.kill(2)
        end = oid, "filled"
        await witness.until(
            "orderUpdates", lambda data: end == (data[-1]["order"]["oid"], data[-1]["status"])
        )
    owed = logged(simulator, "orderUpdates", oid)
    assert ("open", "filled") == (owed[0], owed[-1])
    async with dial(simulator.address.url) as line:
        await line.subscribe("orderUpdates", "userHistoricalOrders")
        snapshot = await line.until("userHistoricalOrders")
        assert owed == [one["status"] for one in snapshot["orderHistory"] if one["order"]["oid"] == oid]


def logged(simulator: SimulatorThread, type_: str, oid: int) -> list[str]:
    """The statuses of an order that a stream has sent, or owed."""
    events = [
        event
        for stream in simulator.events()
        if json.loads(stream["subscription"])["type"] == type_
        for event in stream["events"]
    ]
    ids = [one for event in events for one in event["ids"] if isinstance(one, list)]
    return [status for order, status, _ in ids if order == oid]


@contextmanager
def official(simulator: SimulatorThread, key: str, **options: Any) -> Iterator[Any]:
    """The official client, whose sockets are closed at the end."""
    exchange = Exchange(eth_account.Account.from_key(key), simulator.address.http_url, **options)
    try:
        yield exchange
    finally:
        exchange.info.session.close()
        exchange.session.close()


def test_official_client_trades_over_http(simulator: SimulatorThread) -> None:
    """Unchanged but for its base URL: it asks, orders, cancels, opens and closes."""
    with official(simulator, KEY) as exchange:
        info, user = exchange.info, exchange.wallet.address
        info.user_state(user)
        low = float(int(float(info.all_mids()["BTC"]) * 0.9))
        cloid = Cloid.from_str(CLOID)
        placed = exchange.order("BTC", True, 0.001, low, {"limit": {"tif": "Gtc"}}, cloid=cloid)
        oid = placed["response"]["data"]["statuses"][0]["resting"]["oid"]
        assert [oid] == [order["oid"] for order in info.open_orders(user)]
        assert oid == info.query_order_by_cloid(user, cloid)["order"]["order"]["oid"]
        canceled = exchange.cancel_by_cloid("BTC", cloid)
        assert ["success"] == canceled["response"]["data"]["statuses"]
        bought = exchange.market_open("ETH", True, 0.5)
        assert "filled" in bought["response"]["data"]["statuses"][0]
        assert "filled" in exchange.market_close("ETH")["response"]["data"]["statuses"][0]
        assert DONE == exchange.update_leverage(5, "ETH")


def test_official_client_moves_money_and_lets_an_agent_trade(simulator: SimulatorThread) -> None:
    """What the account signs itself; its agent trades for it, and moves nothing."""
    with official(simulator, KEY) as exchange:
        info, user = exchange.info, exchange.wallet.address
        info.user_state(user)
        assert DONE == exchange.usd_transfer(1, "0x" + "5" * 40)
        assert DONE == exchange.usd_class_transfer(5, to_perp=False)
        assert DONE == exchange.approve_builder_fee("0x" + "6" * 40, "0.001%")
        approved, agent_key = exchange.approve_agent("helper")
        assert DONE == approved
        assert ["helper"] == [agent["name"] for agent in info.extra_agents(user)]
    with official(simulator, agent_key, account_address=user) as agent:
        placed = agent.order("BTC", True, 0.001, 50_000, {"limit": {"tif": "Gtc"}})
        assert "resting" in placed["response"]["data"]["statuses"][0]
        assert 1 == len(agent.info.open_orders(user))
        refused = agent.usd_transfer(1, "0x" + "5" * 40)
        assert refused["response"].startswith("Must deposit before performing actions.")
