"""Subscribing: from a caller's wish to a consumer's handle, and a subscription's end for everybody.

What is wanted is on the disk before a caller is told, where it is to be kept; an end is on the disk before it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import anyio
from attrs import frozen

from wsmgr.manager.model.delivery import Policy, default_policy
from wsmgr.manager.model.errors import (
    QuotaError,
    RejectedError,
    SubscriptionClosedError,
    SubscriptionFailedError,
    UsageError,
    WsmgrError,
)
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.placement import Refuse, place
from wsmgr.manager.model.redundancy import has_room_to_make
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_key import format_key, subscription_id
from wsmgr.manager.model.subscription_type import Merge
from wsmgr.manager.runtime.context import VenueContext
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.rows import subscription_row
from wsmgr.manager.runtime.store_client import commit
from wsmgr.manager.store.changes import CloseSubscription, PutSubscription
from wsmgr.manager.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.model.subscription_type import Atom, SubscriptionType
    from wsmgr.manager.runtime.context import Context

Wait = Literal["ack", "live", "none"]
WAITS: Mapping[str, frozenset[State]] = {
    "ack": frozenset({State.ACKNOWLEDGED, State.LIVE, State.STALE}),
    "live": frozenset({State.LIVE}),
}
DEFAULT_TIMEOUT = 30.0
REDUNDANCIES = (1, 2)
BLOCK_OR_TWO = "policy='block' stops a socket, and redundancy=2 wants two that never stop; choose one of them"
HINT_PATIENCE = 2.0


@frozen
class Wish:
    """A subscription that is wanted, and not finished with.

    Attributes:
        venue: Its venue.
        entry: The subscription.
        new: Whether nobody wanted it before.
        handle: The consumer.
    """

    venue: VenueContext
    entry: Entry
    new: bool
    handle: Subscription


class Subscribing:
    """Begins and ends subscriptions for callers.

    Args:
        context: What the actors share.
    """

    def __init__(self, context: Context) -> None:
        """Bind what it works with."""
        self._context = context
        self._ends: dict[str, anyio.Event] = {}

    async def begin(
        self,
        venue: VenueContext,
        type_name: str,
        params: Mapping[str, object],
        *,
        policy: Policy | None = None,
        events: bool = False,
        dedicated: bool = False,
        redundancy: int = 1,
        wait: Wait = "ack",
    ) -> Wish:
        """Want a subscription, or join it where the key is subscribed already; it is asked for while the caller goes on.

        Whoever begins must `finish` the wish, or give its handle back.

        Args:
            venue: The venue.
            type_name: The subscription type.
            params: Its parameters.
            policy: What happens when this consumer is too slow; None for the type's own.
            events: Whether the consumer wants continuity events.
            dedicated: Whether it wants a connection of its own.
            redundancy: On how many sockets it is wanted: 1 or 2.
            wait: How far it will have to come.

        Raises:
            UsageError: The type, a parameter or an option is wrong.
            QuotaError: A quota is used up (not with `wait="none"`).
        """
        if wait != "none" and wait not in WAITS:
            raise UsageError(f"wait={shown(wait)} is not known; choose ack, live or none")
        atom = venue.dialect.atom(type_name, params)
        policy = policy or default_policy(atom.type)
        check_redundancy(atom.type, redundancy, policy)
        entry, new = await self._want(venue, atom)
        choose_socket(
            entry,
            new=new,
            dedicated=dedicated or policy is Policy.BLOCK,
            policy=policy,
            redundancy=redundancy,
        )
        if new and wait != "none":
            self._check_quota(venue, entry)
        handle = Subscription(self._context, entry, policy=policy, events=events, redundancy=redundancy)
        self._context.look(entry.venue)
        return Wish(venue, entry, new, handle)

    async def finish(
        self,
        wish: Wish,
        *,
        keep: bool = False,
        owner: str | None = None,
        wait: Wait = "ack",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Subscription:
        """Wait until a wish has come as far as its caller wants.

        Cancelling it gives the consumer's hold back; a subscription that nobody else holds ends after its linger.

        Args:
            wish: What was begun.
            keep: Whether it stays until someone ends it.
            owner: Who wants it kept.
            wait: How far it must have come before this returns.
            timeout: Seconds to wait for that.

        Raises:
            QuotaError: A quota is used up (not with `wait="none"`).
            RejectedError: The venue refused it.
            SubscribeTimeoutError: It did not come so far in time; the wish is withdrawn unless `keep`.
            StoreError: It is to be kept and could not be written.
        """
        entry, handle = wish.entry, wish.handle
        kept_by_us = keep and not entry.kept
        try:
            if keep:
                await self._keep(entry, owner, handle.buffer.redundancy)
            if wait != "none":
                await handle.wait_for(WAITS[wait], timeout=timeout, over_quota=not wish.new)
        except (RejectedError, QuotaError, SubscriptionFailedError, SubscriptionClosedError) as error:
            handle.release()
            if kept_by_us:
                # The caller hears of the refusal, and so does not want it any more.
                entry.kept = False
            self._withdraw_unwanted(entry, "its refusal")
            raise await self._explained(error, wish.venue, entry.atom) from None
        except WsmgrError:
            handle.release()
            if wish.new:
                self._withdraw_unwanted(entry, "the caller's timeout")
            raise
        except BaseException:
            handle.release()
            raise
        return handle

    async def _want(self, venue: VenueContext, atom: Atom) -> tuple[Entry, bool]:
        """Return the subscription of a wish, and whether it is new; one that is just being ended begins a new life."""
        key = format_key(venue.model.name, atom.type.name, atom.params)
        while (under_way := self._ends.get(subscription_id(key))) is not None:
            await under_way.wait()
        return self._context.registry.want(venue.model.name, atom, wall=self._context.clock.wall())

    def _check_quota(self, venue: VenueContext, entry: Entry) -> None:
        """Refuse a new subscription at once where only an end frees the quota that it needs."""
        now = self._context.clock.monotonic()
        origin = venue.model.origin
        decision = place(entry, venue.model.connections, origin.quotas, origin.usage(now), now)
        if isinstance(decision, Refuse) and not has_room_to_make(origin, decision.quota, entry):
            self._context.registry.forget(entry)
            raise QuotaError(decision.quota, decision.limit, decision.held_by, advice=decision.advice)

    async def _explained(self, error: WsmgrError, venue: VenueContext, atom: Atom) -> WsmgrError:
        """Return an error; the venue's refusal with a hint, unless that cannot be had in time."""
        if isinstance(error, RejectedError):
            with anyio.move_on_after(HINT_PATIENCE):
                try:
                    return RejectedError(error.key, error.words, await venue.desk.hint(atom))
                except WsmgrError as reason:
                    detail = {"error": str(reason)}
                    self._context.note(
                        Fact(kind="no_hint", level="debug", venue=venue.model.name, detail=detail)
                    )
        return error

    async def _keep(self, entry: Entry, owner: str | None, redundancy: int) -> None:
        was_kept, entry.kept = entry.kept, True
        wanted_on, entry.redundancy = entry.redundancy, max(entry.redundancy, redundancy)
        entry.owner = owner if entry.owner is None else entry.owner
        try:
            await commit(
                self._context, [PutSubscription(subscription_row(entry, self._context.clock.wall()))]
            )
        except StoreError:
            # The caller hears that it is not kept, so it must not be; whatever the disk says of it now is put right.
            entry.kept, entry.redundancy = was_kept, wanted_on
            entry.stored = False
            raise

    def _withdraw_unwanted(self, entry: Entry, by: str) -> None:
        """End a subscription that its caller gives up, unless somebody else holds it or keeps it.

        Without waiting: nobody can join it in between. What the disk still says of it is put right by the fact of its end.
        """
        if not entry.kept and not entry.buffers:
            self._context.registry.end(entry, by=by, now=self._context.clock.monotonic())
            self._context.look(entry.venue)

    async def end(self, entry: Entry, by: str) -> None:
        """End a subscription for everybody: on the disk first, so that an end that could not be written can be asked for again.

        Who subscribes to the key meanwhile waits, and begins a new life of it.
        """
        under_way = self._ends.get(entry.id)
        if under_way is not None:
            await under_way.wait()
            return
        self._ends[entry.id] = done = anyio.Event()
        was_kept, entry.kept = entry.kept, False
        try:
            await commit(self._context, [CloseSubscription(id=entry.id, at=self._context.clock.wall())])
        except BaseException:
            entry.kept = was_kept
            entry.stored = False
            raise
        else:
            self._context.registry.end(entry, by=by, now=self._context.clock.monotonic())
            self._context.look(entry.venue)
        finally:
            del self._ends[entry.id]
            done.set()


def check_redundancy(subscription_type: SubscriptionType, redundancy: int, policy: Policy) -> None:
    """Check that a type can be had on so many sockets.

    Raises:
        UsageError: It cannot: its frames have nothing by which those of two sockets could be told apart or put in order; or the consumer
            would stop one of the two.
    """
    if redundancy not in REDUNDANCIES:
        raise UsageError(f"redundancy={shown(redundancy)} is not possible; choose 1 or 2 sockets")
    if redundancy > 1 and subscription_type.merge is Merge.NONE:
        raise UsageError(
            f"{subscription_type.name} cannot be had on two sockets: nothing in its frames tells which of them were delivered"
            " already; `wsmgr types` shows how each type is merged"
        )
    if redundancy > 1 and policy is Policy.BLOCK:
        raise UsageError(BLOCK_OR_TWO)


def choose_socket(entry: Entry, *, new: bool, dedicated: bool, policy: Policy, redundancy: int = 1) -> None:
    """Give a new subscription a connection of its own, where that is wanted.

    Raises:
        UsageError: It is wanted, and the subscription runs on a shared one already; or one consumer would stop a socket and another one
            wants two that never stop.
    """
    blocks = any(buffer.policy is Policy.BLOCK for buffer in entry.buffers)
    if (redundancy > 1 and blocks) or (policy is Policy.BLOCK and entry.sides_wanted > 1):
        raise UsageError(f"{entry.key}: {BLOCK_OR_TWO}")
    if not dedicated or entry.dedicated:
        return
    if not new:
        why = "policy='block'" if policy is Policy.BLOCK else "connection='dedicated'"
        raise UsageError(f"{entry.key} runs on a shared connection already; end it before you ask for {why}")
    entry.dedicated = True
