"""Calls by name: from what somebody wrote to a checked call.

A call may be named as a method, `place_order`, or as the wire names its action, `order`. Where several methods share a
wire name, a list of requests chooses the method of many, and single parameters the method of one.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.hyperliquid.exchange.call import Call, CallSpec
from wsmgr.manager.venues.hyperliquid.exchange.catalog import BY_WIRE_NAME, CALLS
from wsmgr.manager.venues.hyperliquid.exchange.parameters import read
from wsmgr.manager.venues.hyperliquid.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTS: Final = {Kind.ORDERS, Kind.MODIFIES, Kind.CANCELS, Kind.CANCELS_BY_ID}


class UnknownActionError(UsageError):
    """The exchange has no call of this name."""


def parse_call(name: str, params: Mapping[str, object]) -> Call:
    """Return the call of a name and its parameters.

    Args:
        name: A method's name, or a wire name.
        params: Texts, as a command line has them, or typed values; a list of requests may be JSON in a text.

    Raises:
        UnknownActionError: There is no such call; the message names the nearest ones.
        ParameterError: A parameter is unknown, missing or malformed; an amount is a float.
    """
    spec = CALLS.get(name) or _of_wire_name(name, params)
    return Call(spec=spec, arguments=read(spec.name, spec.parameters, params))


def _of_wire_name(name: str, params: Mapping[str, object]) -> CallSpec:
    sharing = BY_WIRE_NAME.get(name)
    if sharing is None:
        known = {each.lower(): each for each in [*CALLS, *BY_WIRE_NAME]}
        near = difflib.get_close_matches(name.lower(), known)
        hint = f"; did you mean {' or '.join(known[each] for each in near)}?" if near else ""
        raise UnknownActionError(f"Hyperliquid's exchange has no action {shown(name)}{hint}")
    one, *many = sharing
    lists = {parameter.name for spec in many for parameter in spec.parameters if parameter.kind in _LISTS}
    return many[0] if lists & params.keys() else one
