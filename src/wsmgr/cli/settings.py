"""Settings: the global options, which stand before or after the command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from attrs import frozen

Backend = Literal["asyncio", "trio"]
DEFAULT_BACKEND: Final[Backend] = "asyncio"
PANEL: Final = "Global options"
OWN_COMMAND: Final = (sys.executable, "-P", "-m", "wsmgr")
"""How a process of this `wsmgr` is started; -P: what lies in the working directory is not taken for a package of ours."""


@frozen(kw_only=True)
class Settings:
    """What the global options say.

    Attributes:
        state_dir: The state directory that was named, or None.
        config: The configuration file, or None.
        backend: The event loop of a manager that runs in this process.
        url: The address of the one venue in use, or None for the configured one.
        attach: True: only a running daemon will do; False: a daemon is not looked for; None: a daemon if one runs.
        verbose: Whether logs, and the traceback of a bug, are shown.
    """

    state_dir: Path | None = None
    config: Path | None = None
    backend: Backend = DEFAULT_BACKEND
    url: str | None = None
    attach: bool | None = None
    verbose: bool = False

    @property
    def state_directory(self) -> Path:
        """The state directory that a daemon is started in, and that is read where none runs."""
        from wsmgr.manager.store.state_directory import default_state_directory

        return (self.state_dir or default_state_directory()).expanduser().absolute()

    @property
    def environ(self) -> dict[str, str]:
        """The environment."""
        return dict(os.environ)

    def arguments(self) -> list[str]:
        """Return the options that a process started by this one needs to mean the same; paths are made absolute."""
        given = ["--state-dir", str(self.state_directory), "--backend", self.backend]
        if self.config is not None:
            given += ["--config", str(self.config.absolute())]
        if self.url is not None:
            given += ["--url", self.url]
        return given + ["--verbose"] * self.verbose


def show_version(wanted: bool) -> None:
    """Print the version and end, where it is asked for."""
    if wanted:
        from wsmgr.manager.version import version

        typer.echo(f"wsmgr {version()}")
        raise typer.Exit


OPTIONS: Final[dict[str, Any]] = {
    "state_dir": Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            metavar="DIR",
            help="The state directory, where a daemon keeps its state. Default: $WSMGR_STATE_DIR,"
            " else $XDG_STATE_HOME/wsmgr.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
    "config": Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="A TOML file with venues.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
    "backend": Annotated[
        Backend | None,
        typer.Option(
            "--backend",
            metavar="asyncio|trio",
            help="The event loop of a manager that runs in this process: asyncio (on uvloop), or trio. A command"
            " that attaches to a daemon ignores it. Default: asyncio.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
    "url": Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="The address of the one venue in use: a simulator, a testnet, a proxy."
            " Where a daemon is attached to, it must be the daemon's.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
    "attach": Annotated[
        bool | None,
        typer.Option(
            "--attach/--no-attach",
            help="Use only a running daemon, or look for none. Default: a daemon where one runs.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
    "verbose": Annotated[
        bool | None,
        typer.Option(
            "--verbose",
            "-v",
            help="Show logs, and the traceback of a bug, on stderr.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
    "version": Annotated[
        bool | None,
        typer.Option(
            "--version",
            callback=show_version,
            is_eager=True,
            help="Print the version and end.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ],
}
"""The declarations, by parameter name; typer reads them."""


def merged(before: dict[str, Any], after: dict[str, Any]) -> Settings:
    """Return the settings of a command from what stood before it and what stood after it, which wins."""
    given = {name: value for name, value in before.items() if value is not None}
    given |= {name: value for name, value in after.items() if value is not None}
    given.pop("version", None)
    return Settings(**given)
