"""Options: those that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer


def check_count(count: int | None) -> int | None:
    """Return the value of `--count`; one that nothing can satisfy is a usage error."""
    if count is not None and count < 1:
        raise typer.BadParameter(f"{count} messages cannot be waited for; give a whole number from 1 up")
    return count


def check_duration(seconds: float | None) -> float | None:
    """Return the value of `--duration`; one that is no time to wait is a usage error."""
    if seconds is not None and not seconds >= 0:
        raise typer.BadParameter(f"{seconds:g} seconds cannot be waited; give seconds from 0 up, such as 30")
    return seconds


Json = Annotated[
    bool, typer.Option("--json", help="JSON on stdout: one document; JSON lines where it is a stream.")
]
All = Annotated[bool, typer.Option("--all", help="Every row: without it a terminal is shown 200.")]
AllOfThem = Annotated[bool, typer.Option("--all", help="All that the database holds, not the newest 250.")]
SubscriptionId = Annotated[
    str, typer.Argument(metavar="ID", help="A subscription's id, as `wsmgr list` shows it.")
]
OptionalId = Annotated[
    str | None, typer.Argument(metavar="ID", help="Only of this subscription.", show_default=False)
]
Coin = Annotated[str | None, typer.Option(help="The parameter `coin`.", show_default=False)]
User = Annotated[str | None, typer.Option(metavar="0x..", help="The parameter `user`.", show_default=False)]
Interval = Annotated[
    str | None, typer.Option(metavar="1m", help="The parameter `interval`.", show_default=False)
]
Count = Annotated[
    int | None,
    typer.Option(callback=check_count, metavar="N", help="End after this many messages.", show_default=False),
]
