"""The tree as it is drawn."""

from __future__ import annotations

from typing import Any

from wsmgr.cli.single import drawn


def node(name: str, *children: dict[str, Any], restarts: int = 0) -> dict[str, Any]:
    kind = "supervisor" if children else "worker"
    return {"id": name, "type": kind, "status": "running", "restarts": restarts, "children": list(children)}


def test_the_tree_is_drawn_with_a_line_for_each_actor() -> None:
    """Who supervises whom is seen at a glance, and so is who was restarted."""
    tree = node("root", node("store", node("writer", restarts=2)), node("core", node("a"), node("b")))
    assert [
        "root  (supervisor, running)",
        "├── store  (supervisor, running)",
        "│   └── writer  (worker, running, restarted 2 times)",
        "└── core  (supervisor, running)",
        "    ├── a  (worker, running)",
        "    └── b  (worker, running)",
    ] == list(drawn(tree))
