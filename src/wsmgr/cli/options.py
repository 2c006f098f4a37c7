"""Options: those that several commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

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
Count = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="End after this many messages.", show_default=False)
]
