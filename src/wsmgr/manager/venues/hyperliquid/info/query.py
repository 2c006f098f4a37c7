"""A query: what it is called, what it takes, and how it stands on the wire."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from attrs import frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.hyperliquid.order_ids import Cloid
from wsmgr.manager.venues.hyperliquid.values import READERS, Kind, read_value

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class QueryParameter:
    """One parameter of a query.

    Attributes:
        name: As the venue spells it.
        keyword: As the method spells it.
        doc: What it is, in one line.
        kind: What values it takes.
        required: Whether the query needs it.
        default: The value that is the same to the venue as leaving it out; it is left out.
        choices: The only values allowed; empty for any.
        only_with: Another parameter and the value it must have for this one to be allowed, or None.
    """

    name: str
    keyword: str
    doc: str
    kind: Kind = Kind.TEXT
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    only_with: tuple[str, Any] | None = None

    def parse(self, query: str, value: object) -> Any:  # noqa: ANN401 - a parameter's value is text, int or bool
        """Return the value as it stands on the wire.

        Raises:
            ParameterError: It is not of this parameter's kind, or not one of its choices.
        """
        found = read_value(f"{query}: {self.name}", value, self.kind, READERS[self.kind], self.choices)
        return found.raw if isinstance(found, Cloid) else found


@frozen(kw_only=True)
class Query:
    """One question that the venue answers.

    Attributes:
        method: The facade's method.
        type: What the venue calls it.
        doc: What it answers, in one line.
        parameters: What it takes.
        inside: The member of the payload that holds the parameters, or None where they stand beside `type`.
    """

    method: str
    type: str
    doc: str
    parameters: tuple[QueryParameter, ...] = ()
    inside: str | None = None

    def payload(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Return the query as it stands on the wire.

        Args:
            values: By the venue's names or by the method's keywords; None is the same as leaving it out.

        Raises:
            ParameterError: One is unknown, missing, malformed, given twice, or not allowed beside the others.
        """
        found: dict[str, Any] = {}
        given = self._by_name(values)
        for parameter in self.parameters:
            value = given.get(parameter.name)
            if value is None and parameter.required:
                raise ParameterError(
                    f"{self.type}: the parameter {parameter.name!r} is missing: {parameter.doc}"
                )
            if value is None or (value == "" and parameter.default == ""):
                continue
            parsed = parameter.parse(self.type, value)
            if parsed != parameter.default:
                found[parameter.name] = parsed
        self._check_together(found)
        return {"type": self.type, **(found if self.inside is None else {self.inside: found})}

    def _by_name(self, values: Mapping[str, object]) -> dict[str, object]:
        names = {name: one.name for one in self.parameters for name in (one.keyword, one.name)}
        found: dict[str, object] = {}
        for given, value in values.items():
            name = names.get(given)
            if name is None:
                takes = ", ".join(one.name for one in self.parameters) or "no parameters"
                near = difflib.get_close_matches(given, names, n=1)
                meant = f"did you mean {near[0]!r}? " if near else ""
                raise ParameterError(
                    f"{self.type}: there is no parameter {shown(given)}; {meant}it takes {takes}"
                )
            if name in found:
                raise ParameterError(f"{self.type}: the parameter {name!r} is given twice")
            found[name] = value
        return found

    def _check_together(self, found: Mapping[str, Any]) -> None:
        for parameter in self.parameters:
            if parameter.only_with is None or parameter.name not in found:
                continue
            other, wanted = parameter.only_with
            if found.get(other) != wanted:
                raise ParameterError(f"{self.type}: {parameter.name} is only allowed with {other}={wanted}")
        start, end = found.get("startTime"), found.get("endTime")
        if start is not None and end is not None and end < start:
            raise ParameterError(f"{self.type}: endTime={end} is before startTime={start}")
