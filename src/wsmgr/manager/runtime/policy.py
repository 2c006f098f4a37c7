"""A delivery policy as callers name it: checked once, where it comes in."""

from __future__ import annotations

from wsmgr.manager.model.delivery import Policy
from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import shown


def policy_named(policy: str | Policy | None) -> Policy | None:
    """Return a delivery policy by its name; None, for the type's own, stays None.

    Raises:
        UsageError: There is none of this name.
    """
    if policy is None or isinstance(policy, Policy):
        return policy
    try:
        return Policy(policy)
    except ValueError:
        known = ", ".join(choice.value for choice in Policy)
        raise UsageError(f"there is no policy {shown(policy)}; choose one of {known}") from None
