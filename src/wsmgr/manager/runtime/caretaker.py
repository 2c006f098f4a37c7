"""The caretaker: starts the dialers, and every venue that is wanted and not running.

A dialer that has run is restarted by its supervisor; one that cannot even be started is tried again by the same backoff. A
venue that gave up is parked with its reason and tried again later and later. The others never notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from wsmgr.actors import Actor, ActorRef, CallExitError, ChildSpec, Continue, Down, SupervisorError, Timer
from wsmgr.actors.reasons import describe
from wsmgr.manager.model import progress
from wsmgr.manager.model.connection import ConnectionState
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.runtime.dialer import RESTARTS, dialer_failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors import DynamicSupervisor
    from wsmgr.manager.runtime.context import Context, OriginContext, VenueContext

RETRIES = (5.0, 60.0, 300.0, 900.0, 3600.0)
HEALTHY = 600.0


@frozen
class _Retry:
    """A parked venue is tried again."""

    venue: str


@frozen
class _RetryDialer:
    """A dialer that could not be started is tried again; `attempt` counts from 1."""

    origin: str
    attempt: int


class Caretaker(Actor[Any]):
    """Starts the dialers and the venues.

    Args:
        context: What the actors share.
        origins: The supervisor of the dialers; it runs for as long as this caretaker.
        dialer_spec: Returns the child specification of an origin's dialer.
        venue_spec: Returns the child specification of a venue's supervisor.
    """

    def __init__(
        self,
        context: Context,
        origins: DynamicSupervisor,
        dialer_spec: Callable[[OriginContext], ChildSpec],
        venue_spec: Callable[[VenueContext], ChildSpec],
    ) -> None:
        """Bind what the caretaker works with."""
        self._context = context
        self._origins = origins
        self._dialer_spec = dialer_spec
        self._venue_spec = venue_spec
        self._running: dict[int, str] = {}

    async def init(self) -> Continue:
        """Start at once; the dialers and the venues are for later."""
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Adopt what runs, and start the rest."""
        known = {child.id for child in self._origins.which_children()}
        for origin in self._context.origins.values():
            if self._dialer_spec(origin).id not in known:
                await self._start_dialer(origin, attempt=1)
        for venue in self._context.venues.values():
            if venue.running is not None and venue.running.alive:
                self._watch(venue, venue.running)
            else:
                await self._start(venue)

    async def handle_info(self, message: object) -> None:
        """Try again what gave up or could not be started."""
        match message:
            case Down():
                self._gave_up(message)
            case Timer(message=_Retry(name)):
                await self._start(self._context.venues[name])
            case Timer(message=_RetryDialer(name, attempt)):
                await self._start_dialer(self._context.origins[name], attempt=attempt)
            case _:
                pass

    async def _start_dialer(self, origin: OriginContext, *, attempt: int) -> None:
        try:
            await self._origins.start_child(self._dialer_spec(origin))
        except CallExitError:
            # The supervisor of the dialers is ending; the caretaker that follows starts them.
            return
        except SupervisorError as error:
            self._context.note(dialer_failed(origin, str(error)))
            self.send_after(RESTARTS.delay(attempt), _RetryDialer(origin.origin.name, attempt + 1))

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
            # Where the venue gave up, its record says why already.
            self._park(name, self._context.venues[name].model.error or describe(down.reason))

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
            if connection.state is not ConnectionState.PARKED:
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
