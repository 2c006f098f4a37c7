"""A batch: several subscriptions wanted at once, so that they are placed together and asked for together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.runtime.handle import Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsmgr.manager.runtime.context import VenueContext
    from wsmgr.manager.runtime.subscribing import Subscribing, Wait, Wish


async def subscribe_all(
    subscribing: Subscribing,
    venue: VenueContext,
    wishes: Iterable[tuple[str, Mapping[str, object]]],
    *,
    events: bool,
    keep: bool,
    wait: Wait,
    timeout: float,
) -> list[Subscription | WsmgrError]:
    """Subscribe to several at once; returns for each wish, in order, its handle or its error.

    Cancelling it gives back the holds of all of them.

    Args:
        subscribing: What begins and finishes each.
        venue: The venue.
        wishes: Type and parameters of each.
        events: Whether the consumers want continuity events.
        keep: Whether they stay until someone ends them.
        wait: How far each must have come.
        timeout: Seconds to wait for that.
    """
    results: list[Subscription | WsmgrError] = []

    async def finish(index: int, wish: Wish) -> None:
        try:
            await subscribing.finish(wish, keep=keep, wait=wait, timeout=timeout)
        except WsmgrError as error:
            results[index] = error

    try:
        async with anyio.create_task_group() as group:
            # All are wanted in their order before anything is asked for, so that they are placed together.
            for type_name, params in wishes:
                try:
                    wish = await subscribing.begin(venue, type_name, params, events=events, wait=wait)
                except WsmgrError as error:
                    results.append(error)
                else:
                    results.append(wish.handle)
                    group.start_soon(finish, len(results) - 1, wish)
    except BaseException:
        # The caller gets none of them, so nobody would ever give their holds back.
        for handle in results:
            if isinstance(handle, Subscription):
                handle.release()
        raise
    return results
