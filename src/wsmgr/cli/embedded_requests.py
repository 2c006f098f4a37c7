"""Embedded requests: made by a manager that runs in this process, in memory, until the answer is there."""

from __future__ import annotations

from typing import Any

import anyio
from anyio import to_thread

from wsmgr.cli import output, requesting
from wsmgr.cli.confirming import LEFT_OPEN, NOTHING_SENT, conclude, confirm
from wsmgr.cli.errors import DONE, say
from wsmgr.cli.requesting import BESIDE, DIALECT, Request
from wsmgr.cli.settings import Settings
from wsmgr.manager.config import DEFAULT_VENUE, load_config
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.outcome import Outcome
from wsmgr.manager.venues.hyperliquid.exchange import parse_call
from wsmgr.manager.venues.hyperliquid.info import find_query


def check(settings: Settings, request: Request) -> None:
    """Refuse what can be known to be wrong before anything runs: the configuration, the name, the parameters.

    Raises:
        UsageError: One of them is wrong; nothing has been started or said.
    """
    (venue,) = load_config(settings.config, venues=(_venue(request),), url=settings.url).venues
    if venue.dialect != DIALECT:
        return
    if request.kind == "action":
        parse_call(
            request.type, {name: value for name, value in request.params.items() if name not in BESIDE}
        )
        return
    query = find_query(request.type)
    names = {parameter.name: parameter.keyword for parameter in query.parameters}
    left_out = not {"user", names.get("user")} & request.params.keys()
    account = {"user": venue.account} if "user" in names and left_out else {}
    query.payload({**request.params, **account})


async def info(settings: Settings, request: Request) -> int:
    """Ask, and print the answer; returns the exit code.

    Raises:
        WsmgrError: What `Manager.request` raises, and what `unwrap` raises of its outcome.
    """
    async with _manager(settings, request) as manager:
        outcome = await _sent(manager, request)
    output.write_json(outcome.unwrap())
    return DONE


async def preview(settings: Settings, request: Request) -> int:
    """Print what an action would send; returns the exit code. Raises what `Engine.preview` raises."""
    async with _manager(settings, request) as manager:
        found = await manager.engine.preview(request.payload, venue=request.venue)
    output.write_json(found)
    return DONE


async def act(settings: Settings, request: Request, *, ask: bool) -> int:
    """Carry an action out, and print the answer; returns the exit code.

    Args:
        settings: Backend, address and configuration.
        request: The action.
        ask: Whether it is shown and asked for first.

    Raises:
        CommandError: The answer was not yes.
        WsmgrError: What `Manager.request` raises, and what `unwrap` raises of its outcome.
    """
    async with _manager(settings, request) as manager:
        words = NOTHING_SENT
        try:
            if ask:
                found = await manager.engine.preview(request.payload, venue=request.venue)
                await to_thread.run_sync(confirm, found, _venue(request), abandon_on_cancel=True)
            words = LEFT_OPEN
            outcome = await _sent(manager, request)
        except anyio.get_cancelled_exc_class():
            say(f"\nwsmgr: {words}")
            raise
    return conclude(outcome.unwrap())


async def _sent(manager: Manager, request: Request) -> Outcome[Any]:
    return await manager.request(
        request.kind, request.payload, venue=request.venue, timeout=requesting.TIMEOUT
    )


def _manager(settings: Settings, request: Request) -> Manager:
    return Manager((_venue(request),), url=settings.url, config=settings.config)


def _venue(request: Request) -> str:
    return request.venue or DEFAULT_VENUE
