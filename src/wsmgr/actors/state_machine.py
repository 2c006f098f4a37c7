"""An actor whose reactions depend on a state: OTP's gen_statem, as far as it needs no own engine."""

from __future__ import annotations

from typing import Generic, TypeVar

from .actor import Actor, running
from .validation import check_seconds

Msg = TypeVar("Msg")


class StateMachine(Actor[Msg], Generic[Msg]):
    """An `Actor` with a `state`, a timeout per state, and messages that wait for another state.

    Choose the first state with `next_state` in `init`. States are compared by equality: enum members, strings or
    frozen values. In the callbacks, `match self.state` comes first.
    """

    @property
    def state(self) -> object:
        """The state; None before the first `next_state`."""
        return None if self.actor_process is None else self.actor_process.state

    def next_state(self, state: object, *, timeout: float | None = None) -> None:
        """Go to `state`.

        A change cancels the timeout of the state that is left, and delivers what was postponed again, in order, ahead
        of other mail, once the callback has returned. Going to the state that it is in is no change: a timeout given
        then replaces the one that runs, none given leaves it.

        Args:
            state: Where to.
            timeout: Seconds after which `handle_info` gets `StateTimeout(state)`, if it is still in it.
        """
        if timeout is not None:
            check_seconds("timeout", timeout)
        running(self).next_state(state, timeout)

    def postpone(self) -> None:
        """Let the message that is being handled come again after the next change of state.

        For a call, return `NoReply()`: its caller goes on waiting. Postponed messages count against the mailbox.
        """
        running(self).dispatcher.postpone()
