"""Reference: writes `docs/reference/cli.md` from the commands themselves.

`python -m wsmgr.cli.reference > docs/reference/cli.md`; a test fails when the file is not what this would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any, Final

import typer.main

from wsmgr.cli.first_screen import PANELS
from wsmgr.cli.main import make_app
from wsmgr.cli.settings import PANEL

OPENING: Final = """\
# The command line

This page is generated from the commands: `python -m wsmgr.cli.reference > docs/reference/cli.md`.

stdout carries data only; whatever is for people goes to stderr. `--json` gives one JSON document (lists) or JSON lines
(streams). Without it there are tables on a terminal and plain aligned text in a pipe. `NO_COLOR` is honoured. A reader that
closes the pipe ends a command quietly, with exit code 0: it has had enough. Ctrl-C drains and exits 130, a second Ctrl-C
exits at once.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed; also an id that does not exist, and `--duration` over before `--count` messages came |
| 2 | wrong usage: an unknown command, option, type or parameter, or a `--url` that is not the daemon's |
| 3 | no daemon runs, and the command needs one |
| 4 | the venue, its quota or its settings refused |
| 130 | interrupted by Ctrl-C |
"""


def pages() -> str:
    """Return the whole page."""
    group: Any = typer.main.get_command(make_app())
    lines = [OPENING, "## Global options", "", "They stand before or after the command.", ""]
    lines += [*_options(group, of_panel=PANEL), ""]
    for panel in PANELS:
        lines += [f"## {panel}", ""]
        for name, command in group.commands.items():
            if command.rich_help_panel == panel:
                lines += _command(f"wsmgr {name}", command)
    return "\n".join(lines).rstrip() + "\n"


def _command(path: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - typer's command, whose class is not public
    yield from [f"### {path}", ""]
    if hasattr(command, "commands"):
        yield from [_sentences(command.help), ""]
        for name, inner in command.commands.items():
            yield from _command(f"{path} {name}", inner)
        return
    yield from ["```", " ".join([path, *_usage(command)]), "```", ""]
    yield from [_sentences(command.help), ""]
    rows = [*_arguments(command), *_options(command, of_panel=None)]
    if rows:
        yield from [*rows, ""]


def _usage(command: Any) -> Iterator[str]:  # noqa: ANN401 - see above
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper()
            yield name if parameter.required else f"[{name}]"
    yield "[OPTIONS]"


def _arguments(command: Any) -> Iterator[str]:  # noqa: ANN401 - see above
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield f"- `{parameter.metavar or parameter.name.upper()}`: {_sentences(parameter.help)}"


def _options(command: Any, *, of_panel: str | None) -> Iterator[str]:  # noqa: ANN401 - see above
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.rich_help_panel == of_panel:
            yield f"- {_spelling(parameter)}: {_sentences(parameter.help)}{_default(parameter)}"


def _spelling(option: Any) -> str:  # noqa: ANN401 - see above
    names = [*option.opts, *option.secondary_opts]
    if option.is_flag:
        return ", ".join(f"`{name}`" for name in names)
    value = option.metavar or option.name.upper()
    return ", ".join(f"`{name} {value}`" for name in names)


def _default(option: Any) -> str:  # noqa: ANN401 - see above
    shown = option.show_default and not option.is_flag and option.default is not None
    return (
        f" Default: {option.default:g}."
        if shown and isinstance(option.default, float)
        else (f" Default: {option.default}." if shown else "")
    )


def _sentences(text: str | None) -> str:
    """Return help text with one line for each paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", (text or "").strip()))


if __name__ == "__main__":
    sys.stdout.write(pages())
