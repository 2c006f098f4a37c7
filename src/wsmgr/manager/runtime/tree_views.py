"""What people and programs are shown of the supervision tree: the field names are the contract of `wsmgr tree --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from wsmgr.actors import ChildInfo


class TreeView(msgspec.Struct, kw_only=True):
    """One node of the supervision tree."""

    id: str
    type: str
    status: str
    restarts: int
    children: list[TreeView]


def tree_view(node: ChildInfo) -> TreeView:
    """Return the view of a node and of all below it."""
    return TreeView(
        id=str(node.id),
        type=node.type,
        status=node.status.value,
        restarts=node.restarts,
        children=[tree_view(child) for child in node.children],
    )
