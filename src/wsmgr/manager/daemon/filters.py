"""Filters: which subscriptions and events a list shows; a word that cannot name anything is an error, not an empty list."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import ADDRESS
from wsmgr.manager.runtime.history_views import EventView
from wsmgr.manager.store.rows import EventRow

STOPPED: Final = "stopped"
"""The state of every subscription that is read from a database while no daemon runs."""


def check_user(user: str | None) -> None:
    """Refuse a user that is no address.

    Raises:
        UsageError: It is none.
    """
    if user is not None and not ADDRESS.fullmatch(user):
        raise UsageError(f"user is {shown(user)}; give an address: 0x and 40 hexadecimal digits")


def check_state(state: str | None) -> None:
    """Refuse a state that there is not.

    Raises:
        UsageError: There is none of this name.
    """
    states = [*(each.value for each in State), STOPPED]
    if state is not None and state not in states:
        raise UsageError(f"there is no state {shown(state)}; choose one of {', '.join(states)}")


Level = Literal["info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("info", "warning", "error")
"""How much an event matters, rising."""


@frozen(kw_only=True)
class EventFilter:
    """Which events are shown; None for any.

    Attributes:
        subscription: The id of the subscription that they are about.
        kind: What happened.
        level: How much they matter at least.
    """

    subscription: str | None = None
    kind: str | None = None
    level: Level | None = None

    def __call__(self, event: EventRow | EventView) -> bool:
        """Whether an event is to be shown."""
        levels = LEVELS if self.level is None else LEVELS[LEVELS.index(self.level) :]
        return (
            self.subscription in {None, event.subscription_id}
            and self.kind in {None, event.kind}
            and event.level in levels
        )
