"""`wsmgr sim`: a venue on this machine that speaks, refuses and fails like the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from wsmgr.cli.command import command
from wsmgr.cli.errors import USAGE, CommandError
from wsmgr.cli.settings import Settings

PANEL: Final = "Try it out"
SIMULATED: Final = ("hyperliquid",)


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "sim", panel=PANEL)(simulate)


def simulate(
    _settings: Settings,
    dialect: Annotated[str, typer.Argument(metavar="DIALECT", help="The dialect to simulate: hyperliquid.")],
    *,
    host: Annotated[str, typer.Option(help="The address of this machine to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="R|real",
            help="Frames a second of each stream, or `real` for the venue's cadence. Default: 10; with --replay, the"
            " times in the file.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            metavar="X",
            help="Simulated seconds in a real one: cadences, timeouts and windows scale together.",
        ),
    ] = 1.0,
    mainnet: Annotated[
        bool, typer.Option("--mainnet", help="Take actions signed for the main network.")
    ] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE|real",
            help="A limit of the venue; several may be given; `real` stands for all that it documents. Default: none.",
            show_default=False,
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="A fault: something that it does wrong; several may be given. A name that does not exist lists them.",
            show_default=False,
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write every data frame sent to this file.", show_default=False),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Play this capture file instead of a market.", show_default=False),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Play the file again and again.")] = False,
) -> int:
    """Run a simulated venue until it is stopped; its address is the first line on stdout, as JSON."""
    if dialect not in SIMULATED:
        raise CommandError(
            f"there is no simulator for {dialect!r}; there is one for {', '.join(SIMULATED)}", USAGE
        )
    from wsmgr.manager.venues.hyperliquid.simulator import (
        FaultError,
        SimulatorOptionError,
        SimulatorOptions,
        parse_faults,
        parse_limits,
        run,
    )

    try:
        options = SimulatorOptions(
            host=host,
            port=port,
            seed=seed,
            rate=_rate(rate),
            speed=speed,
            mainnet=mainnet,
            limits=parse_limits(limit or ()),
            faults=parse_faults(fault or ()),
            record=record,
            replay=replay,
            loop=loop,
        )
    except (FaultError, SimulatorOptionError) as error:
        raise CommandError(str(error), USAGE) from error
    return run(options)


def _rate(text: str | None) -> float | Literal["real"] | None:
    if text is None:
        return None
    if text == "real":
        return "real"
    try:
        return float(text)
    except ValueError:
        raise CommandError(
            f"--rate is {text!r}; give frames a second, such as 10, or `real`", USAGE
        ) from None
