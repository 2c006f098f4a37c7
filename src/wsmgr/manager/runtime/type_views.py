"""What people and programs are shown of a subscription type: the field names are the contract of `wsmgr types --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import SubscriptionType


class TypeView(msgspec.Struct, kw_only=True, rename={"connection_class": "class"}):
    """One subscription type, as `wsmgr types` shows it. `class` in JSON is `connection_class` here."""

    dialect: str
    type: str
    connection_class: str
    params: list[str]
    required: list[str]
    user: str | None
    kind: str
    first_proof: str
    cadence: float | None
    join: str
    merge: str
    promise: str
    healing: str | None
    numbered: bool


def type_view(dialect: str, subscription_type: SubscriptionType) -> TypeView:
    """Return the view of a subscription type."""
    return TypeView(
        dialect=dialect,
        type=subscription_type.name,
        connection_class=subscription_type.connection_class.value,
        params=[parameter.name for parameter in subscription_type.parameters],
        required=list(subscription_type.required),
        user=subscription_type.user,
        kind=subscription_type.kind.value,
        first_proof=subscription_type.first_proof.value,
        cadence=subscription_type.cadence,
        join=subscription_type.join.value,
        merge=subscription_type.merge.value,
        promise=subscription_type.promise,
        healing=subscription_type.healing,
        numbered=subscription_type.numbered,
    )
