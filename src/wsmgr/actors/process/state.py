"""The state of an actor as data: its attributes, without what the runtime put there; for a state machine `state`, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors.actor import Actor


def state_of(actor: Actor[Any]) -> dict[str, Any]:
    """Return the attributes of `actor` by name, from `__dict__` and `__slots__`."""
    names = dict.fromkeys(vars(actor))
    for cls in type(actor).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        names.update(dict.fromkeys((slots,) if isinstance(slots, str) else slots))
    names.pop("actor_process", None)
    found = {name: getattr(actor, name) for name in names if hasattr(actor, name)}
    process = actor.actor_process
    return found if process is None or process.state is None else {"state": process.state} | found


def shown(actor: Actor[Any]) -> dict[str, Any]:
    """Return the state with what is private (`_name`) as the name of its class only."""
    return {
        name: f"<{type(value).__name__}>" if name.startswith("_") else value
        for name, value in state_of(actor).items()
    }


def replace_state(actor: Actor[Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Set the attributes that `change` returns, all or none, and return the new state.

    Raises:
        TypeError: It returned no mapping.
        ValueError: It returned attributes that the actor does not have.
    """
    before = state_of(actor)
    answer = change(dict(before))
    if not isinstance(answer, Mapping):
        raise TypeError(
            f"replace_state needs a function that returns the new state, a mapping, not {type(answer).__name__}"
        )
    wanted = cast(Mapping[str, object], answer)
    unknown = [name for name in wanted if name not in before]
    if unknown:
        raise ValueError(f"{type(actor).__qualname__} has no attribute {', '.join(map(repr, unknown))}")
    done: list[str] = []
    try:
        for name, value in wanted.items():
            if value is not before[name]:
                _set(actor, name, value)
                done.append(name)
    except BaseException:
        for name in done:
            _set(actor, name, before[name])
        raise
    return state_of(actor)


def _set(actor: Actor[Any], name: str, value: object) -> None:
    process = actor.actor_process
    if name == "state" and process is not None and process.state is not None:
        process.next_state(value, None)
    else:
        setattr(actor, name, value)
