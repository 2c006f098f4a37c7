"""Filters: which subscriptions a list shows; a word that cannot name anything is an error, not an empty list."""

from __future__ import annotations

from typing import Final

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_type import ADDRESS

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
