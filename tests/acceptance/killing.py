"""`kill -9` of a daemon at random moments, while clients subscribe and unsubscribe; what it acknowledged is the truth.

Each round starts the daemon in the foreground and kills it: sometimes while it starts, mostly while it serves. Between two rounds nobody
asks for anything, and the database is read as the dead process left it. A request that was under way when its daemon died was not
acknowledged: either outcome is right, and what the database says counts from then on.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import define, field, frozen

from tests.acceptance.clients import BASE, POLL, SHARED_OUT, Client, Talk, Wish
from tests.cli.running import environment
from wsmgr.manager.daemon.unix_client import DaemonClient, path_of
from wsmgr.manager.store.rows import CLOSED
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS = 4
PATIENCE = 20.0
STARTING = 0.2
"""The share of the kills that come while the daemon starts, counted from the start of its process."""
STARTS_WITHIN = 1.2
SERVES_AT_MOST = 2.5


@define
class Stored:
    """A row of the subscriptions that the dead process left."""

    kept: bool
    epoch: int


@frozen
class Killed:
    """One kill.

    Attributes:
        number: Which daemon it was, from 1.
        at: When, in unix seconds.
        live: The subscriptions that it had said to be live, and that nobody was ending.
    """

    number: int
    at: float
    live: frozenset[str]


@define
class Report:
    """What came of it.

    Attributes:
        seed: What decided the moments and what the clients did.
        kills: How often a daemon was killed.
        starting: How many of them were not serving yet.
        interrupted: Pairs of a kill and a subscription that was live then; each must have its gap.
        counts: Requests that were acknowledged (`subscribed`, `unsubscribed`), or died with their daemon (`undecided`).
        broken: What broke a promise, in words.
    """

    seed: int
    kills: int = 0
    starting: int = 0
    interrupted: int = 0
    counts: Counter[str] = field(factory=Counter[str])
    broken: list[str] = field(factory=list[str])

    @property
    def line(self) -> str:
        return (
            f"seed {self.seed}: {self.kills} kills ({self.starting} while starting); acknowledged: {self.counts['subscribed']} subscribes,"
            f" {self.counts['unsubscribed']} unsubscribes; {self.counts['undecided']} requests died with the daemon;"
            f" {self.interrupted} live subscriptions interrupted; {len(self.broken)} promises broken"
        )


class Drill:
    """A state directory whose daemons are killed.

    Args:
        url: The venue.
        seed: Decides the moments and what the clients do.
        directory: An empty directory.
        backends: What the daemons run on, in turn.
        say: Called with a line about each kill.
    """

    def __init__(
        self,
        url: str,
        seed: int,
        directory: Path,
        *,
        backends: tuple[str, ...] = ("asyncio", "trio"),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.state = StateDirectory(directory / "state")
        self._talk = Talk(DaemonClient(self.state.socket(), timeout=PATIENCE))
        self._ids = self._talk.ids
        self.report = Report(seed, counts=self._talk.counts)
        self._directory = directory
        self._url = url
        self._backends = backends
        self._say = say
        self._random = Random(seed)
        self._kills: list[Killed] = []
        self._epochs: dict[str, int] = {}
        self._clients = [
            Client(self._talk, SHARED_OUT[number::CLIENTS], f"{seed}.{number}") for number in range(CLIENTS)
        ]

    def run(self, kills: int) -> Report:
        """Kill a daemon so many times, start it once more, and compare the ledger with what was interrupted."""
        for client in self._clients:
            client.start()
        try:
            for number in range(1, kills + 1):
                self._round(number)
            self._last()
        finally:
            self._talk.over.set()
            for client in self._clients:
                client.join(PATIENCE)
        return self.report

    def _round(self, number: int) -> None:
        starting = number > 1 and self._random.random() < STARTING
        delay = self._random.uniform(0.0, STARTS_WITHIN if starting else SERVES_AT_MOST)
        daemon = self._start(number)
        try:
            deadline = time.monotonic() + delay
            if starting:
                time.sleep(delay)
            else:
                self._wait_until_it_answers(daemon)
                self._compare_list(number)
                deadline = time.monotonic() + delay
                self._serve(number, deadline)
        finally:
            daemon.kill()
            at = time.time()
            self._talk.serving.clear()
            daemon.wait()
        self._settle()
        # One that was perhaps being ended when the daemon died need not have been live then.
        undecided = {self._ids.get(wish) for client in self._clients for wish in client.undecided}
        live = self._talk.live.take() - undecided
        self.report.kills += 1
        self.report.starting += starting
        self.report.interrupted += len(live)
        self._kills.append(Killed(number, at, live))
        self._examine(number)
        self._say(
            f"kill {number}: {'starting' if starting else 'serving'}, {delay:.2f} s, {len(live)} live,"
            f" {len(self.report.broken)} broken so far"
        )

    def _serve(self, number: int, deadline: float) -> None:
        """Let the clients work until the deadline, and note what the daemon says to be live."""
        if number == 1:
            for wish in BASE:
                self._ids[wish] = self._talk.client.subscribe(wish.body)["id"]
                self._talk.count("subscribed")
        self._talk.serving.set()
        while time.monotonic() < deadline:
            self._talk.live.look(lambda: [row["id"] for row in self._list("live")])
            time.sleep(POLL)

    def _last(self) -> None:
        """Start it once more, wait until all is live, and look into the ledger."""
        daemon = self._start(len(self._kills) + 1)
        try:
            self._wait_until_it_answers(daemon)
            self._compare_list(len(self._kills) + 1)
            deadline = time.monotonic() + PATIENCE
            while states := [row["state"] for row in self._list() if row["state"] != "live"]:
                if time.monotonic() > deadline:
                    self._broken(
                        f"{len(states)} subscriptions are not live {PATIENCE} s after the last start"
                    )
                    break
                time.sleep(POLL)
            gaps = list(self._talk.client.items("/v1/gaps"))
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE)
        self._compare_ledger(gaps)

    def _compare_ledger(self, gaps: list[dict[str, Any]]) -> None:
        periods: dict[str, list[tuple[float, float]]] = {}
        for gap in gaps:
            ended = gap["ended_at"]
            periods.setdefault(gap["subscription_id"], []).append(
                (_unix(gap["started_at"]), time.time() if ended is None else _unix(ended))
            )
        for kill in self._kills:
            for id_ in sorted(kill.live):
                if not any(begin <= kill.at <= end for begin, end in periods.get(id_, ())):
                    self._broken(f"kill {kill.number}: {id_} was live and has no gap over {kill.at:.3f}")

    def _compare_list(self, number: int) -> None:
        """Compare what the daemon serves after its start with what was acknowledged before."""
        listed = {row["id"] for row in self._list()}
        expected = {self._ids[wish] for wish, wanted in self._truth() if wanted}
        self._compare(f"start {number}", listed, expected)
        for id_ in listed:
            last = self._talk.client.get(path_of(id_, "last"))
            if last is not None and last["epoch"] <= self._epochs.get(id_, -1):
                self._broken(f"start {number}: {id_} goes on with the epoch {last['epoch']} of a dead daemon")

    def _list(self, state: str | None = None) -> list[dict[str, Any]]:
        return list(self._talk.client.items("/v1/subscriptions", {"state": state}))

    def _examine(self, number: int) -> None:
        """Look at the database that the dead process left, in a copy: reading would change it."""
        rows = self._rows(number)
        kept = {id_ for id_, row in rows.items() if row.kept}
        for client in self._clients:
            for wish in client.undecided:
                # Nobody knows whether it was carried out: from now on it is what the database says.
                client.wanted[wish] = wish in self._ids and self._ids[wish] in kept
                if wish not in self._ids:
                    self._adopt(client, wish)
            client.undecided.clear()
        expected = {self._ids[wish] for wish, wanted in self._truth() if wanted}
        self._compare(f"kill {number}, database", kept, expected)
        for id_, row in rows.items():
            if row.epoch < self._epochs.get(id_, 0):
                self._broken(f"kill {number}: the epoch of {id_} went back to {row.epoch}")
            self._epochs[id_] = row.epoch

    def _adopt(self, client: Client, wish: Wish) -> None:
        """Find the id of a wish whose first subscribe was not answered."""
        with closing(self._copied()) as database:
            query = "SELECT id, kept, state FROM subscriptions WHERE type = ? AND params = ?"
            params = msgspec.json.encode(wish.params).decode()
            for id_, kept, state in database.execute(query, (wish.type, params)):
                self._ids[wish] = id_
                client.wanted[wish] = bool(kept) and state != CLOSED

    def _truth(self) -> Iterator[tuple[Wish, bool]]:
        if self._kills:
            yield from ((wish, True) for wish in BASE)
        for client in self._clients:
            yield from client.wanted.items()

    def _compare(self, where: str, found: set[str], expected: set[str]) -> None:
        names = {id_: wish for wish, id_ in self._ids.items()}
        for id_ in expected - found:
            self._broken(f"{where}: the subscribe of {names.get(id_, id_)} was acknowledged and is lost")
        for id_ in found - expected:
            self._broken(f"{where}: the end of {names.get(id_, id_)} was acknowledged and it is back")

    def _rows(self, number: int) -> dict[str, Stored]:
        if not self.state.database.exists():
            return {}
        with closing(self._copied()) as database:
            (whole,) = database.execute("PRAGMA integrity_check").fetchone()
            if whole != "ok":
                self._broken(f"kill {number}: integrity_check says {whole}")
            query = "SELECT id, kept, state, epoch FROM subscriptions"
            return {
                id_: Stored(bool(kept) and state != CLOSED, epoch)
                for id_, kept, state, epoch in database.execute(query)
            }

    def _copied(self) -> sqlite3.Connection:
        with TemporaryDirectory(dir=self._directory) as name:
            for suffix in ("", "-wal"):
                file = Path(f"{self.state.database}{suffix}")
                if file.exists():
                    shutil.copy(file, Path(name) / file.name)
            memory = sqlite3.connect(":memory:")
            with closing(sqlite3.connect(Path(name) / self.state.database.name)) as source:
                source.backup(memory)
        return memory

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        backend = self._backends[number % len(self._backends)]
        command = [sys.executable, "-m", "wsmgr", "--backend", backend, "--url", self._url, "daemon", "run"]
        with (self._directory / "daemon.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(self.state.path)
            )

    def _wait_until_it_answers(self, daemon: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._talk.client.answers():
            if daemon.poll() is not None or time.monotonic() > deadline:
                tail = (self._directory / "daemon.log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"the daemon does not answer (exit code {daemon.poll()}): {tail}")
            time.sleep(POLL)

    def _settle(self) -> None:
        """Wait until every client has heard of the end of its daemon."""
        for client in self._clients:
            if not client.idle.wait(PATIENCE):
                raise AssertionError("a client still waits for a daemon that is dead")
            if client.error is not None:
                raise client.error

    def _broken(self, words: str) -> None:
        self.report.broken.append(words)


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
