"""Session: one socket without its network. Frames from the client in, an outbox of frames to write, faults in between.

It puts together the protocol (what is answered), the hub (what is streamed) and the faults (what goes wrong). Whoever
owns the socket calls :meth:`Session.received`, writes what :meth:`Session.take` gives, and ends the socket when
:attr:`Session.ending` is set. The outbox is bounded: a reader that takes nothing for two seconds no longer holds back the
streams, and is reset when more than `MAX_OUTBOX` bytes wait for it, as a venue does.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.distortion import (
    GARBAGE,
    STRAY_ERROR,
    STRAY_POST,
    is_quiet,
    with_extra_field,
    with_other_case,
)
from wsmgr.manager.venues.hyperliquid.simulator.faults import NO_CLOSE_FRAME
from wsmgr.manager.venues.hyperliquid.simulator.journal import SubscriptionRecord
from wsmgr.manager.venues.hyperliquid.simulator.protocol import Ask, Protocol, Send, Start, Stop, post_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
    from wsmgr.manager.venues.hyperliquid.simulator.faults import Faults
    from wsmgr.manager.venues.hyperliquid.simulator.journal import ConnectionRecord
    from wsmgr.manager.venues.hyperliquid.simulator.quotas import ClientQuotas
    from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

CONGESTED_OUTBOX = 1024 * 1024
MAX_OUTBOX = 16 * 1024 * 1024
_PATIENCE = 2.0
_FORGET_AFTER = 1.0


@attrs.frozen
class Ending:
    """How a socket is to end.

    Attributes:
        how: `reset` (the connection is cut, nothing is said), `cut` (it is closed without a close frame: a client
            sees 1006) or `close` (with a close frame).
        why: For the journal.
        code: The code of the close frame.
    """

    how: Literal["reset", "cut", "close"]
    why: str
    code: int = 1000


class Outgoing(NamedTuple):
    """A frame to be written.

    Attributes:
        text: What goes over the wire.
        is_proof: Whether it is a sign of life, as the idle timeout counts them.
        stream: The key of the subscription whose data it is, None where it is no data.
        n: The tick that it is of.
    """

    text: str
    is_proof: bool
    stream: str | None = None
    n: int | None = None


class Session:
    """One socket.

    Attributes:
        record: Its entry in the journal.
        ending: Set when the socket is to be ended.
        is_silent: Nothing may be written any more, while the socket stays open.
        is_deaf: What comes is to be ignored.
        is_explorer: Whether it is a socket of the explorer host.
    """

    def __init__(
        self, engine: Engine, record: ConnectionRecord, quotas: ClientQuotas, notify: Callable[[], None]
    ) -> None:
        """Make the session of a socket that was just accepted.

        Args:
            engine: The simulator that it belongs to.
            record: Its entry in the journal.
            quotas: What its client's address has used.
            notify: Called when there is something to write, or the socket is to end.
        """
        self.record = record
        self.ending: Ending | None = None
        self.is_silent = False
        self.is_deaf = False
        self._engine = engine
        self._quotas = quotas
        self._notify = notify
        self._outbox: deque[Outgoing] = deque()
        self._outbox_bytes = 0
        self._records: dict[str, SubscriptionRecord] = {}
        self._last_progress = self._last_proof = record.opened_at
        self._was_acknowledged = False
        self._subscribes = 0
        self.is_explorer = record.path.startswith("/explorer")
        self.protocol = Protocol(
            quotas=quotas,
            limits=lambda: engine.limits,
            offers=lambda subscription: engine.offers(subscription, explorer=self.is_explorer),
        )
        quotas.connections += 1
        self._open(record.opened_at)

    def received(self, text: str, now: float) -> None:
        """Take a frame from the client."""
        if self.is_deaf or self.ending is not None:
            return
        self.record.received.append((now, text))
        self._engine.journal.received(now)
        effects = self.protocol.receive(text, now)
        if self._engine.faults.early_data:
            effects.sort(key=lambda effect: not isinstance(effect, Start))
        for effect in effects:
            match effect:
                case Send():
                    self._answer(effect, now)
                case Ask():
                    self._ask(effect, now)
                case Start(subscription):
                    self._after_acknowledgement(now, partial(self._start, subscription))
                case Stop(subscription):
                    self._after_acknowledgement(now, partial(self._stop, subscription))

    def faults_changed(self, now: float) -> None:
        """Take the engine's faults as they are now: what needs no frame counts from now, and ends with its fault."""
        faults, hub = self._engine.faults, self._engine.hub
        self._hush(silent=faults.half_open, deaf=False)
        if faults.blackhole_after is not None:
            hub.call_at(now + faults.blackhole_after, partial(self._blackhole, faults))
        if faults.drop_every is not None:
            hub.call_at(now + faults.drop_every, partial(self._drop, faults))

    def deliver(self, subscription: Subscription, frame: Frame, n: int) -> None:
        """Take a data frame of a stream."""
        faults, engine = self._engine.faults, self._engine
        record = self._records.get(subscription.key)
        if record is None or self.is_silent or self.ending is not None:
            return
        if subscription.rule.channel in faults.mute or (
            faults.quiet and is_quiet(subscription, faults.quiet)
        ):
            return
        if faults.garbage and engine.random.random() < faults.garbage:
            self._put(GARBAGE[engine.random.randrange(len(GARBAGE))], proof=True)
        record.sent += 1
        record.first_n = n if record.first_n is None else record.first_n
        record.last_n = n
        if engine.recorder is not None:
            engine.recorder.write(subscription, frame.text, engine.now() - record.since)
        text = frame.text
        if faults.extra_fields and engine.random.random() < faults.extra_fields:
            text = with_extra_field(text)
        self._put(text, proof=True, stream=subscription.key, n=n)
        if faults.duplicate and engine.random.random() < faults.duplicate:
            self._put(text, proof=True, stream=subscription.key, n=n)

    def is_congested(self, now: float) -> bool:
        """Whether much waits for a reader that does read."""
        return (
            self._outbox_bytes > CONGESTED_OUTBOX
            and now - self._last_progress < _PATIENCE * self._engine.options.speed
        )

    def take(self, now: float, *, max_bytes: int = MAX_OUTBOX) -> list[str]:
        """What is to be written now, in order, and leaves the outbox.

        Args:
            now: Seconds on the simulator's clock. Being asked is the sign that the reader took what was taken before.
            max_bytes: As soon as this is reached no further frame is taken.
        """
        return [frame.text for frame in self.take_outgoing(now, max_bytes=max_bytes)]

    def take_outgoing(self, now: float, *, max_bytes: int = MAX_OUTBOX) -> list[Outgoing]:
        """As :meth:`take`, with what each frame is."""
        self._last_progress = now
        frames: list[Outgoing] = []
        size = 0
        while self._outbox and size < max_bytes:
            frame = self._outbox.popleft()
            if frame.is_proof:
                self._last_proof = now
            frames.append(frame)
            size += len(frame.text)
        self._outbox_bytes -= size
        self.record.sent += len(frames)
        self.record.sent_bytes += size
        return frames

    def end(self, how: Literal["reset", "cut", "close"], why: str, *, code: int | None = None) -> None:
        """Ask for the end of the socket; the first reason stands.

        Args:
            how: See :class:`Ending`; the fault close_code overrules it.
            why: For the journal.
            code: The code of the close frame; with it no fault overrules.
        """
        if self.ending is not None:
            return
        wanted = self._engine.faults.close_code
        if code is None and wanted is not None:
            how, code = ("cut", None) if wanted == NO_CLOSE_FRAME else ("close", wanted)
        self.ending = Ending(how, why, 1000 if code is None else code)
        self._notify()

    def forget(self, key: str) -> bool:
        """Drop a subscription without a word; returns whether there was one."""
        subscription = self.protocol.forget(key, self._engine.now())
        if subscription is None:
            return False
        record = self._records.get(key)
        if record is not None:
            record.until = self._engine.now()
        self._leave(subscription)
        return True

    def closed(self, why: str, now: float) -> None:
        """The socket is gone: its streams end, its quotas are given back."""
        for subscription in list(self.protocol.subscriptions.values()):
            self._engine.hub.leave(subscription, self)
        self._engine.lost(len(self.protocol.subscriptions))
        self._engine.journal.posts -= self.protocol.posts
        self.protocol.close(now)
        self._quotas.connections -= 1
        self._outbox.clear()
        self._engine.journal.closed(self.record, why, now)

    def _open(self, now: float) -> None:
        """What happens to a socket by itself: greeting, idle timeout and the faults that need no frame."""
        faults = self._engine.faults
        if faults.flap:
            self.end("close", "fault: flap")
        if faults.greeting is not None:
            self._put(faults.greeting, proof=False)
        self.faults_changed(now)
        self._engine.hub.call_at(now + self._engine.options.idle_timeout, self._check_idle)

    def _blackhole(self, faults: Faults) -> None:
        if faults is self._engine.faults:
            self._hush(silent=True, deaf=True)

    def _drop(self, faults: Faults) -> None:
        if faults is self._engine.faults:
            self.end("reset", "fault: drop_every")

    def _hush(self, *, silent: bool, deaf: bool) -> None:
        self.is_silent, self.is_deaf = silent, deaf
        if silent:
            self._outbox.clear()
            self._outbox_bytes = 0
        self._notify()

    def _check_idle(self) -> None:
        if self.record.closed_at is not None:
            return
        deadline = self._last_proof + self._engine.options.idle_timeout
        if not self.is_silent and deadline <= self._engine.now():
            self.end("cut", "idle: no data and no pong was sent to it")
        else:
            soonest = self._engine.now() + self._engine.options.idle_timeout / 10
            self._engine.hub.call_at(max(deadline, soonest), self._check_idle)

    def _answer(self, effect: Send, now: float) -> None:
        faults = self._engine.faults
        if effect.channel in faults.mute:
            return
        if effect.channel != "subscriptionResponse":
            self._put(effect.text, proof=effect.channel == "pong")
        elif not faults.lost_ack:
            self._after(faults.slow_ack, now, partial(self._acknowledge, effect.text))

    def _acknowledge(self, text: str, _: float) -> None:
        faults = self._engine.faults
        if faults.stray_error:
            self._put(STRAY_ERROR, proof=False)
        self._put(with_other_case(text, faults.ack_case) if faults.ack_case else text, proof=False)

    def _ask(self, ask: Ask, now: float) -> None:
        """A post is carried out when it comes; only its answer may be late."""
        faults, journal = self._engine.faults, self._engine.journal
        journal.asked()
        answer = post_answer(ask.number, *self._engine.post(ask.kind, ask.payload))
        delay = faults.slow_post + faults.scatter_posts * self._engine.random.random()
        self._after(delay, now, partial(self._answer_post, answer))

    def _answer_post(self, text: str, _: float) -> None:
        if self.record.closed_at is not None:
            return
        faults = self._engine.faults
        self.protocol.answered()
        self._engine.journal.posts -= 1
        if "post" in faults.mute:
            return
        if faults.stray_post:
            self._put(STRAY_POST, proof=False)
        for _copy in range(2 if faults.double_post else 1):
            self._put(text, proof=False)

    def _after_acknowledgement(self, now: float, run: Callable[[float], None]) -> None:
        """Data begins and ends after the acknowledgement, also when that is late; the fault early_data does not wait."""
        faults = self._engine.faults
        self._after(0.0 if faults.early_data else faults.slow_ack, now, run)

    def _after(self, delay: float, now: float, run: Callable[[float], None]) -> None:
        """Do something with the time at which it is done: at once when there is no delay."""
        if delay:
            self._engine.hub.call_at(now + delay, lambda: run(self._engine.now()))
        else:
            run(now)

    def _start(self, subscription: Subscription, now: float) -> None:
        key, faults = subscription.key, self._engine.faults
        if self.record.closed_at is not None or key not in self.protocol.subscriptions:
            return
        self._subscribes += 1
        if self._engine.kills_resubscribe(self.record.connection, self._subscribes):
            self.end("reset", "fault: kill_during_resubscribe")
            return
        if faults.giant_frame and not self._was_acknowledged:
            self._put(f'{{"channel":"giant","data":"{"x" * faults.giant_frame}"}}', proof=False)
        self._was_acknowledged = True
        self._records[key] = SubscriptionRecord(key, now)
        self.record.subscriptions.append(self._records[key])
        self._engine.start(subscription, self, now)
        if subscription.type in faults.forget and self._engine.forgets(key):
            self._engine.hub.call_at(now + _FORGET_AFTER, partial(self.forget, key))

    def _stop(self, subscription: Subscription, now: float) -> None:
        record = self._records.get(subscription.key)
        if record is not None:
            record.until = now
        late = self._engine.faults.late
        if late:
            self._engine.hub.call_at(now + late, lambda: self._leave(subscription))
        else:
            self._leave(subscription)

    def _leave(self, subscription: Subscription) -> None:
        """End the data of a subscription, unless the client has subscribed to it again meanwhile."""
        if subscription.key not in self.protocol.subscriptions:
            self._engine.hub.leave(subscription, self)
            self._records.pop(subscription.key, None)

    def _put(self, text: str, *, proof: bool, stream: str | None = None, n: int | None = None) -> None:
        if self.is_silent or self.ending is not None or self.record.closed_at is not None:
            return
        self._outbox.append(Outgoing(text, proof, stream, n))
        self._outbox_bytes += len(text)
        if self._outbox_bytes > MAX_OUTBOX:
            self.end("reset", "the client reads too slowly")
        elif len(self._outbox) == 1:
            self._notify()
