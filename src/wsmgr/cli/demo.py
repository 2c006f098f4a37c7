"""`wsmgr demo`: the main job, played: subscriptions on a simulated venue, a killed connection, and its return."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import typer

from wsmgr.cli import cells, output
from wsmgr.cli.command import command
from wsmgr.cli.demo_story import Look, Story
from wsmgr.cli.errors import DONE, FAILED, CommandError, say
from wsmgr.cli.settings import Settings
from wsmgr.cli.tables import Column, console, fitting, plain, table

if TYPE_CHECKING:
    from rich.live import Live

    from wsmgr.cli.demo_stage import Stage

PANEL: Final = "Try it out"
USER: Final = "0x00000000000000000000000000000000000000d3"
"""The demonstration's account: the simulator has one for any address."""
WISHES: Final[tuple[dict[str, Any], ...]] = (
    {"type": "allMids", "params": {}},
    {"type": "l2Book", "params": {"coin": "BTC"}},
    {"type": "l2Book", "params": {"coin": "BTC", "nSigFigs": 3}},
    {"type": "userFills", "params": {"user": USER}},
)
BOOKS: Final = (1, 2)
"""Which of the wishes must not share a connection."""
COLUMNS: Final = (
    Column("SUBSCRIPTION", "key", cells.key, folds=True),
    Column("CLASS", "class", rank=2),
    Column("CONN", "connection"),
    Column("STATE", "state"),
    Column("MESSAGES", "message_count", cells.number, right=True),
    Column("PER MIN", "messages_per_minute", cells.number, right=True, rank=3),
    Column("GAPS", "gaps", cells.number, right=True),
    Column("RECONNECTS", "reconnects", cells.number, right=True),
)
_KILL_AFTER: Final = 8.0
_KILL_SHARE: Final = 0.35
_ON_TERMINAL, _IN_PIPE = 0.5, 2.0
_LOOK_OFTEN: Final = 0.1
_SIGNALLED: Final = 128


class Screen(Protocol):
    """Where the demonstration is shown."""

    def show(self, look: Look, clock: str, words: str) -> None:
        """Show a look at the daemon, the time, and what is going on in words."""
        ...


def declare(app: typer.Typer) -> None:
    """Declare the command."""
    command(app, "demo", panel=PANEL)(demo)


def demo(
    settings: Settings,
    *,
    duration: Annotated[
        float, typer.Option(min=3.0, max=3600.0, metavar="SECONDS", help="How long it runs.")
    ] = 30.0,
) -> int:
    """Run the main job on this machine: a simulated venue, a daemon, and a connection that is killed and comes back.

    Exit code 0 means that every subscription is live at the end, that the killed connection came back, that no
    counter fell, and that the two books never shared a connection. Nothing is left behind.
    """
    from wsmgr.cli.demo_stage import stage

    with unwinding():
        say("starting a simulated venue and a daemon in a directory of their own ...")
        with stage(settings.backend) as played:
            say(f"the venue is at {played.url}, the daemon is process {played.daemon_pid}")
            with _screen() as screen:
                story = _play(played, duration, screen)
        passed, words = story.verdict()
        output.write_text(words)
        return DONE if passed else FAILED


def _play(played: Stage, duration: float, screen: Screen) -> Story:
    began = time.monotonic()
    ids = [str(played.client.subscribe({**wish, "keep": True, "wait": "live"})["id"]) for wish in WISHES]
    story = Story(books=[ids[place] for place in BOOKS], wanted=ids)
    interval = _ON_TERMINAL if output.on_terminal() else _IN_PIPE
    kill_at = min(_KILL_AFTER, duration * _KILL_SHARE)
    while (elapsed := time.monotonic() - began) < duration:
        look = _look(played, elapsed)
        story.look(look)
        screen.show(look, _clock(look, duration), _words(story, kill_at))
        if story.killed is None and elapsed >= kill_at:
            _kill(played, story, ids[BOOKS[0]])
            time.sleep(_LOOK_OFTEN)
            continue
        soon = kill_at if story.killed is None else duration
        hurried = story.killed is not None and story.back_at is None
        time.sleep(min(_LOOK_OFTEN if hurried else interval, max(0.01, soon - elapsed)))
    last = _look(played, time.monotonic() - began)
    story.look(last)
    screen.show(last, _clock(last, duration), _words(story, kill_at))
    story.gaps = [gap for id_ in ids for gap in played.client.items("/v1/gaps", {"subscription": id_})]
    return story


def _look(played: Stage, at: float) -> Look:
    client = played.client
    return Look(
        at=at,
        subscriptions={row["id"]: row for row in client.items("/v1/subscriptions")},
        connections={row["id"]: row for row in client.items("/v1/connections")},
    )


def _kill(played: Stage, story: Story, book: str) -> None:
    """Kill the socket that carries the first book."""
    connection = story.looks[-1].connection_of(book)
    wanted = {"type": "l2Book", "coin": "BTC"}
    for socket in played.open_sockets():
        if any(_is(entry, wanted) for entry in socket["subscriptions"]):
            if connection is not None:
                story.kill(connection)
                played.kill(socket["connection"])
            return
    raise CommandError(f"the venue has no open socket for {story.looks[-1].subscriptions[book]['key']}")


def _is(entry: dict[str, Any], wanted: dict[str, str]) -> bool:
    import msgspec

    return entry["until"] is None and msgspec.json.decode(entry["subscription"]) == wanted


def _clock(look: Look, duration: float) -> str:
    return f"{look.at:4.1f} of {duration:.0f} s"


def _words(story: Story, kill_at: float) -> str:
    if story.killed is None:
        return f"all is quiet; at {kill_at:.0f} s a connection will be killed"
    if story.back_at is None or story.before is None:
        return f"{story.killed} was killed"
    at, took = story.before.at, story.back_at - story.before.at
    return f"{story.killed} was killed at {at:.1f} s; all was live again within {took:.1f} s"


@contextmanager
def _screen() -> Generator[Screen]:
    if not output.on_terminal():
        yield _Pipe()
        return
    from rich.live import Live

    with Live(console=console(), auto_refresh=False) as live:
        yield _Terminal(live)


class _Pipe:
    """Blocks of plain text, one after the other: where there is news, and every few seconds."""

    def __init__(self) -> None:
        self._shown: tuple[object, ...] = ()
        self._at = -_IN_PIPE

    def show(self, look: Look, clock: str, words: str) -> None:
        """Write a block."""
        rows = list(look.subscriptions.values())
        news = (words, *((row["state"], row["connection"]) for row in rows))
        if news == self._shown and look.at - self._at < _IN_PIPE:
            return
        self._shown, self._at = news, look.at
        output.write(f"{clock}: {words}\n{plain(COLUMNS, rows)}\n".encode())


class _Terminal:
    """A table that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, look: Look, clock: str, words: str) -> None:
        """Redraw the table."""
        rows = list(look.subscriptions.values())
        columns = fitting(COLUMNS, rows, self._live.console.width)
        self._live.update(table(columns, rows, title=f"{clock}: {words}"), refresh=True)


@contextmanager
def unwinding() -> Generator[None]:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, unwind like Ctrl-C: they leave nothing behind either.

    The exit code is then 128 and the signal's number (1 where the screen was on a terminal that is gone). Signals that
    follow are ignored: the first is on its way out. A SIGHUP that was ignored already (nohup) stays so.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def unwind(number: int, _frame: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(_SIGNALLED + number)

    try:
        for number in handled:
            signal.signal(number, unwind)
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
