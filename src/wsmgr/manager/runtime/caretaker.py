"""The caretaker: starts every venue that is wanted and not running, and keeps the second's beat.

A venue that gave up is parked with its reason and tried again later and later; the others never notice. The beat closes
one second of every counter's rate, and shows by its lateness how long the loop was blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from wsmgr.actors import Actor, ActorRef, CallExitError, ChildSpec, Continue, Down, SupervisorError, Timer
from wsmgr.manager.model import progress
from wsmgr.manager.model.fact import Fact

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.runtime.context import Context, VenueContext

BEAT = 1.0
LATE = 1.0
RETRIES = (5.0, 60.0, 300.0, 900.0, 3600.0)
HEALTHY = 600.0


@frozen
class _Beat:
    """A second has passed."""


@frozen
class _Retry:
    """A parked venue is tried again."""

    venue: str


class Caretaker(Actor[Any]):
    """Starts the venues and keeps the beat.

    Args:
        context: What the actors share.
        venue_spec: Returns the child specification of a venue's supervisor.
    """

    def __init__(self, context: Context, venue_spec: Callable[[VenueContext], ChildSpec]) -> None:
        """Bind what the caretaker works with."""
        self._context = context
        self._venue_spec = venue_spec
        self._running: dict[int, str] = {}
        self._beat_at: float | None = None

    async def init(self) -> Continue:
        """Start at once; the venues are for later."""
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Adopt the venues that run, start the others, and begin the beat."""
        self.send_interval(BEAT, _Beat())
        for venue in self._context.venues.values():
            if venue.running is not None and venue.running.alive:
                self._watch(venue, venue.running)
            else:
                await self._start(venue)

    async def handle_info(self, message: object) -> None:
        """Keep the beat; try a venue again that gave up."""
        match message:
            case Timer(message=_Beat()):
                self._beat()
            case Down():
                self._gave_up(message)
            case Timer(message=_Retry(name)):
                await self._start(self._context.venues[name])
            case _:
                pass

    async def _start(self, venue: VenueContext) -> None:
        supervisor = self._context.venue_supervisor
        if supervisor is None:
            return
        try:
            running: ActorRef[Any] = await supervisor.start_child(self._venue_spec(venue))
        except (SupervisorError, CallExitError) as error:
            self._park(venue.model.name, str(error))
            return
        venue.model.error = None
        venue.running = running
        venue.started_at = self._context.clock.monotonic()
        self._watch(venue, running)

    def _watch(self, venue: VenueContext, running: ActorRef[Any]) -> None:
        self._running[running.id] = venue.model.name
        self.monitor(running)

    def _gave_up(self, down: Down) -> None:
        name = self._running.pop(down.ref.id, None)
        if name is not None and not self._context.draining:
            self._park(name, str(down.reason))

    def _park(self, name: str, why: str) -> None:
        venue = self._context.venues[name]
        clock = self._context.clock
        venue.running = None
        if venue.started_at is not None and clock.monotonic() - venue.started_at > HEALTHY:
            venue.failures = 0
        delay = RETRIES[min(venue.failures, len(RETRIES) - 1)]
        venue.failures += 1
        venue.model.error = why
        for connection in venue.model.connections:
            if connection.usable:
                # Whoever would have said so is gone with the venue's tree.
                progress.lost(
                    self._context.registry,
                    connection,
                    reason=f"the venue was parked: {why}",
                    now=clock.monotonic(),
                    wall=clock.wall(),
                )
                connection.next_attempt_at = clock.wall() + delay
        self._context.note(
            Fact(
                kind="venue_parked",
                level="error",
                venue=name,
                actor="caretaker",
                detail={"why": why, "retry_in": delay},
            )
        )
        self.send_after(delay, _Retry(name))

    def _beat(self) -> None:
        now = self._context.clock.monotonic()
        late = 0.0 if self._beat_at is None else now - self._beat_at - BEAT
        self._beat_at = now
        if late > LATE:
            self._context.note(
                Fact(
                    kind="loop_blocked",
                    level="warning",
                    actor="caretaker",
                    detail={"seconds": round(late, 3)},
                )
            )
        for entry in self._context.registry.entries.values():
            entry.counters.sample()
        for ref, handle in list(self._context.consumers.items()):
            if not ref.alive:
                # It was killed, and so could not say goodbye itself.
                del self._context.consumers[ref]
                handle.release()
                detail = {"error": f"its actor ended: {ref.exit_reason}", "dropped": handle.dropped}
                self._context.note(
                    Fact(kind="consumer_failed", level="error", subscription_id=handle.id, detail=detail)
                )
