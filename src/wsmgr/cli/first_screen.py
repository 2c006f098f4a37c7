"""First screen: what `wsmgr` alone shows: the commands by what they are for, and what to try first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

PANELS: Final = ("Subscribe", "Look", "Ask and act", "Daemon", "Try it out")
"""The groups of commands, in order."""
FIRST: Final = """\
Try first:
  wsmgr demo

Then, in two terminals:
  wsmgr sim hyperliquid --port 9000
  wsmgr --url ws://127.0.0.1:9000/ws subscribe l2Book --coin BTC

And for good:
  wsmgr daemon start
  wsmgr subscribe l2Book --coin BTC --detach
  wsmgr list
"""


def screen(commands: Mapping[str, Any]) -> str:
    """Return the first screen.

    Args:
        commands: The commands by name, as typer made them; a group of commands has `commands` of its own.
    """
    width = max(len(name) for name in commands)
    lines = ["wsmgr keeps WebSocket subscriptions alive, and says honestly when it could not.", ""]
    for panel in PANELS:
        lines += [f"{panel}:", *_of_panel(panel, commands, width), ""]
    return "\n".join([*lines, FIRST, "wsmgr COMMAND --help tells more; wsmgr --help has the global options."])


def _of_panel(panel: str, commands: Mapping[str, Any], width: int) -> Iterator[str]:
    # Groups of commands first: they are what the others of their panel are about.
    for name, command in sorted(commands.items(), key=lambda item: not hasattr(item[1], "commands")):
        if command.rich_help_panel == panel:
            within = ", ".join(getattr(command, "commands", ()))
            summary = summary_of(command) + (f" {within}" if within else "")
            yield f"  {name:<{width}}  {summary}"


def summary_of(command: Any) -> str:  # noqa: ANN401 - typer's command, whose class is not public
    """Return the first paragraph of a command's help in one line."""
    return " ".join((command.help or "").split("\n\n")[0].split())
