"""What a supervisor does when a child has ended. Pure decisions, in the words of OTP.

| reason | permanent | transient | temporary |
|---|---|---|---|
| `Normal`, `Shutdown` | restart | keep the spec | forget the child |
| `Killed`, `Crash`, `NoProc` | restart | restart | forget the child |
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Literal

from wsmgr.actors.reasons import ExitReason, Killed, Normal, Shutdown, is_expected

if TYPE_CHECKING:
    from collections.abc import Sequence

Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]

RESTARTS: Final = ("permanent", "transient", "temporary")
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS: Final = ("never", "any_significant", "all_significant")


class Verdict(Enum):
    """What becomes of a child that ended by itself."""

    RESTART = "it is started again"
    KEEP = "it stays known, and can be started by restart_child"
    FORGET = "it is removed"


def judge(restart: Restart, reason: ExitReason) -> Verdict:
    """Return what becomes of a child with this restart type that ended with `reason`."""
    if restart == "temporary":
        return Verdict.FORGET
    if restart == "permanent" or not is_expected(reason):
        return Verdict.RESTART
    return Verdict.KEEP


def group_of(strategy: Strategy, ids: Sequence[object], failed: object) -> list[object]:
    """Return the ids that are restarted together with `failed`, itself included, in start order."""
    match strategy:
        case "one_for_one":
            return [failed]
        case "one_for_all":
            return list(ids)
        case "rest_for_one":
            return list(ids[ids.index(failed) :])


def ended_as_told(restart: Restart, reason: ExitReason, *, brutally: bool) -> bool:
    """Return whether a child that its supervisor told to end did so, or a `ShutdownError` is due."""
    if isinstance(reason, Killed):
        return brutally
    if reason == Shutdown():
        return not brutally or restart != "permanent"
    return restart != "permanent" and isinstance(reason, (Normal, Shutdown))


def shuts_down(auto_shutdown: AutoShutdown, *, significant: bool, others_running: bool) -> bool:
    """Return whether a supervisor ends because a child ended by itself and is not restarted.

    Args:
        auto_shutdown: The supervisor's setting.
        significant: Whether that child is.
        others_running: Whether another significant child is left.
    """
    if not significant or auto_shutdown == "never":
        return False
    return auto_shutdown == "any_significant" or not others_running
