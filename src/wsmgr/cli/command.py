"""Command: declares a function as a command that also takes the global options.

A command is a plain function whose first parameter is the `Settings`; the others are declared as typer asks. It returns an
exit code, or None for 0. Library errors become a message and an exit code in one place (`errors`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_type_hints

import typer

from wsmgr.cli import output
from wsmgr.cli.errors import guarded
from wsmgr.cli.first_screen import screen
from wsmgr.cli.settings import OPTIONS, merged

FunctionT = TypeVar("FunctionT", bound=Callable[..., int | None])
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def command(app: typer.Typer, name: str, *, panel: str | None = None) -> Callable[[FunctionT], FunctionT]:
    """Declare a function as the command `name` of `app`; the function itself is left as it is.

    Args:
        app: Where the command belongs.
        name: What people type.
        panel: The group that it stands in on the first screen.
    """

    def declare(function: FunctionT) -> FunctionT:
        app.command(name, rich_help_panel=panel)(_with_global_options(function))
        return function

    return declare


def group(app: typer.Typer, name: str, *, panel: str, summary: str) -> typer.Typer:
    """Declare a group of commands of `app`; typed alone it shows its help, with exit code 0.

    Args:
        app: Where the group belongs.
        name: What people type before its commands.
        panel: The group that it stands in on the first screen.
        summary: What it is for.
    """
    inner = typer.Typer()
    inner.callback(invoke_without_command=True, help=summary)(_showing_help)
    app.add_typer(inner, name=name, rich_help_panel=panel)
    return inner


def _showing_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def keeping_global_options(context: typer.Context, **given: Any) -> None:  # noqa: ANN401 - what the command line says
    """Keep the global options that stand before the command; without a command show the first screen."""
    context.obj = given
    if context.invoked_subcommand is None:
        group: Any = context.command
        output.write_text(screen(group.commands))


def _with_global_options(function: Callable[..., int | None]) -> Callable[..., None]:
    """Return what typer calls: it takes the global options too, and ends with the command's exit code."""

    def run(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - what the command line says
        after = {name: values.pop(name) for name in OPTIONS}
        settings = merged(context.find_root().obj or {}, after)
        whole = bool(values.get("json"))
        raise typer.Exit(guarded(lambda: function(settings, **values), verbose=settings.verbose, whole=whole))

    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]
    run.__doc__ = function.__doc__
    run.__name__ = function.__name__
    _declare(run, [parameter.replace(annotation=hints[parameter.name], kind=_KEYWORD) for parameter in own])
    return run


def _declare(function: Callable[..., None], own: Sequence[inspect.Parameter]) -> None:
    """Give a function the signature that typer reads: the context, its own parameters, the global options."""
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    shared = [
        inspect.Parameter(name, _KEYWORD, default=None, annotation=annotation)
        for name, annotation in OPTIONS.items()
    ]
    parameters = [context, *own, *shared]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(function)["__signature__"] = inspect.Signature(parameters)


_declare(keeping_global_options, ())
