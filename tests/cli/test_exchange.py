"""`wsmgr exchange`: actions at a simulated venue, through a real daemon and without one, on a real terminal and without one."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from tests.cli.running import PATIENCE, Outcome, environment, run
from wsmgr.manager.venues.hyperliquid.signing import SecretKey
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Cli, Spawn
    from tests.conftest import StartSimulator

KEY = "c0ffee" * 10 + "beef"
ADDRESS = SecretKey.parse(KEY).address
ORDER = [
    "place_order",
    "-p",
    "asset=BTC",
    "-p",
    "is_buy=true",
    "-p",
    "size=0.001",
    "-p",
    "order_type=LIMIT_GTC",
]
PRICE = 50000
RESTS = [*ORDER, "-p", f"limit_price={PRICE}"]
QUESTION = b"Send it? [y/N] "
BOTH = pytest.mark.parametrize("attached", [True, False], ids=["attached", "embedded"])
ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "wsmgr", *sys.argv[1:]])
"""


@frozen(kw_only=True)
class World:
    """A venue, a configuration that allows trading there, and a daemon that runs with it."""

    venue: SimulatorThread
    config: Path
    state: Path
    forbids: Path

    def options(self, *, attached: bool) -> list[str]:
        return ["--attach"] if attached else ["--no-attach", "--config", str(self.config)]

    def orders(self) -> int:
        """Return how many orders of these tests rest at the venue; the simulator gives the account others too."""
        question = {"type": "openOrders", "user": ADDRESS}
        resting = json.loads(self.venue.request("POST", "/info", question))
        return sum(float(order["limitPx"]) == PRICE for order in resting)


@pytest.fixture(scope="module")
def world(venue: SimulatorThread) -> Iterator[World]:
    with TemporaryDirectory(prefix="wsmgr-test-") as name:
        directory = Path(name)
        key = directory / "key"
        key.write_text(KEY)
        key.chmod(0o600)
        config, forbids = directory / "wsmgr.toml", directory / "forbids.toml"
        lines = [
            "[venues.hyperliquid]",
            f'url = "{venue.address.url}"',
            'network = "testnet"',
            f'secret_key_file = "{key}"',
        ]
        forbids.write_text("\n".join(lines))
        config.write_text("\n".join([*lines, "trading = true", 'max_notional = "1000"']))
        made = World(venue=venue, config=config, state=directory / "state", forbids=forbids)
        environ = environment(made.state)
        del environ["WSMGR_HYPERLIQUID_URL"]
        made.orders()  # an account exists from the moment that somebody looks at it
        started = run("--config", str(config), "daemon", "start", environ=environ)
        assert started.code == 0, started
        try:
            yield made
        finally:
            stopped = run("daemon", "stop", environ=environ)
            assert stopped.code == 0, stopped


@pytest.fixture
def trade(world: World, cli: Cli) -> Callable[..., Outcome]:
    """Runs `wsmgr exchange` in this process, with a daemon or without one."""

    def run_here(*arguments: str, attached: bool, config: Path = world.config) -> Outcome:
        options = ["--attach"] if attached else ["--no-attach", "--config", str(config)]
        return cli("--url", world.venue.address.url, "exchange", *arguments, *options, state_dir=world.state)

    return run_here


class Terminal:
    """A command on a terminal of its own: what it asks is seen, what is typed reaches it, and Ctrl-C is the terminal's."""

    def __init__(self, *arguments: str, environ: dict[str, str]) -> None:
        self._controller, device = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *arguments],
            stdin=device,
            stdout=subprocess.PIPE,
            stderr=device,
            env=environ,
            start_new_session=True,
        )
        os.close(device)
        self.seen = b""
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def read_until(self, words: bytes) -> None:
        while words not in self.seen:
            piece = self._read()
            assert piece, self.seen
            self.seen += piece

    def type(self, text: bytes) -> None:
        os.write(self._controller, text)

    def outcome(self) -> Outcome:
        """Wait for its end; what the terminal was shown counts as stderr."""
        assert self._process.stdout
        out = self._process.stdout.read()
        while piece := self._read():
            self.seen += piece
        return Outcome(self._process.wait(), out, self.seen)

    def close(self) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        os.close(self._controller)

    def _read(self) -> bytes:
        try:
            return os.read(self._controller, 65536)
        except OSError:
            # The other side is closed: on Linux that is an error, not an end.
            return b""


@contextmanager
def terminal(world: World, *arguments: str, options: list[str]) -> Iterator[Terminal]:
    environ = environment(world.state)
    opened = Terminal("--url", world.venue.address.url, "exchange", *arguments, *options, environ=environ)
    try:
        yield opened
    finally:
        opened.close()


@BOTH
def test_an_order_is_placed_and_cancelled_without_a_question(
    attached: bool, world: World, trade: Callable[..., Outcome]
) -> None:
    """The venue's answer is one JSON document on stdout; a wire name and a method's name are both taken."""
    before = world.orders()
    placed = trade(*RESTS, "--yes", attached=attached)
    assert 0 == placed.code, placed
    (status,) = placed.document["data"]["statuses"]
    assert before + 1 == world.orders()
    number = status["resting"]["oid"]
    cancelled = trade(
        "cancel", "-p", "asset=BTC", "-p", f"order_id={number}", "--yes", "--json", attached=attached
    )
    assert 0 == cancelled.code, cancelled
    assert {"type": "cancel", "data": {"statuses": ["success"]}} == cancelled.document
    assert before == world.orders()
    first = f"attached to the daemon at {world.state}" if attached else "no daemon is asked: a manager"
    assert [True] == [line.startswith(first) for line in placed.err.splitlines()]


@BOTH
def test_a_dry_run_prints_what_would_be_sent_and_sends_nothing(
    attached: bool, world: World, trade: Callable[..., Outcome]
) -> None:
    """Also of an action that is forbidden, with what forbids it."""
    before = world.orders()
    expires = ["--expires-after", "2030-01-01T00:00:00Z", "--vault", "0x" + "AB" * 20]
    shown = trade(*ORDER, "-p", "limit_price=100000000", *expires, "--dry-run", attached=attached)
    assert 0 == shown.code, shown
    assert "100000" == shown.document["notional"]
    assert (1893456000000, "0x" + "ab" * 20) == (
        shown.document["expiresAfter"],
        shown.document["vaultAddress"],
    )
    assert "`max_notional`" in shown.document["forbidden"]
    assert before == world.orders()


@BOTH
@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ([*ORDER, "-p", "limit_price=100000000"], "max_notional"),
        (["send_usd", "-p", "amount=1", "-p", "destination=0x" + "11" * 20], "transfers = true"),
    ],
)
def test_a_forbidden_action_exits_4_with_the_setting(
    attached: bool, arguments: list[str], setting: str, world: World, trade: Callable[..., Outcome]
) -> None:
    """With --yes, and on a terminal before anybody is asked."""
    outcome = trade(*arguments, "--yes", attached=attached)
    assert (4, b"") == (outcome.code, outcome.out)
    assert setting in outcome.err
    with terminal(world, *arguments, options=world.options(attached=attached)) as opened:
        asked = opened.outcome()
    assert (4, b"") == (asked.code, asked.out)
    assert setting in asked.err
    assert QUESTION.decode() not in asked.err


def test_without_trading_nothing_is_sent_and_no_key_is_needed(
    world: World, trade: Callable[..., Outcome]
) -> None:
    """As wsmgr comes, actions are off."""
    outcome = trade(*RESTS, "--yes", attached=False, config=world.forbids)
    assert (4, b"") == (outcome.code, outcome.out)
    assert "trading = true" in outcome.err


@BOTH
def test_without_a_terminal_and_without_yes_it_exits_2(
    attached: bool, world: World, trade: Callable[..., Outcome]
) -> None:
    """A script must say --yes; nothing is dialled or said before."""
    outcome = trade(*RESTS, attached=attached)
    assert (2, b"", 1) == (outcome.code, outcome.out, outcome.err.count("\n"))
    assert "--yes" in outcome.err
    assert "--dry-run" in outcome.err


@BOTH
@pytest.mark.parametrize("answer", [b"y\n", b"YES\n"])
def test_a_yes_sends_it(attached: bool, answer: bytes, world: World) -> None:
    """What would be sent is shown first; stdout has the answer alone."""
    before = world.orders()
    with terminal(world, *RESTS, options=world.options(attached=attached)) as opened:
        opened.read_until(QUESTION)
        assert before == world.orders()
        opened.type(answer)
        outcome = opened.outcome()
    assert 0 == outcome.code, outcome
    assert "resting" in outcome.document["data"]["statuses"][0]
    assert before + 1 == world.orders()
    for words in ("place_order", "buy 0.001 BTC at 50000", "50 (price x size)", "testnet"):
        assert words in outcome.err


@BOTH
@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"n\n", 1), (b"\n", 1), (b"perhaps\n", 1), (b"\x04", 1), (b"\x03", 130)],
    ids=["no", "nothing", "perhaps", "end", "ctrl-c"],
)
def test_anything_but_a_yes_sends_nothing(attached: bool, answer: bytes, code: int, world: World) -> None:
    """Also Ctrl-C, typed on the terminal: exit code 130."""
    before = world.orders()
    with terminal(world, *RESTS, options=world.options(attached=attached)) as opened:
        opened.read_until(QUESTION)
        opened.type(answer)
        outcome = opened.outcome()
    assert (code, b"") == (outcome.code, outcome.out), outcome
    assert "nothing was sent" in outcome.err.splitlines()[-1]
    assert before == world.orders()


def test_ctrl_c_at_the_question_ends_a_manager_on_trio_too(world: World) -> None:
    """The question waits in a thread, whatever the loop."""
    options = [*world.options(attached=False), "--backend", "trio"]
    with terminal(world, *RESTS, options=options) as opened:
        opened.read_until(QUESTION)
        opened.type(b"\x03")
        assert 130 == opened.outcome().code


@BOTH
def test_refused_parts_are_told_and_fail_only_all_together(
    attached: bool, world: World, trade: Callable[..., Outcome]
) -> None:
    """The whole answer is on stdout either way."""
    placed = trade(*RESTS, "--yes", attached=attached)
    good = placed.document["data"]["statuses"][0]["resting"]["oid"]
    for orders, code in (([1, good], 0), ([1, 2], 4)):
        requests = json.dumps([{"asset": "BTC", "order_id": order} for order in orders])
        outcome = trade("cancel", "-p", f"cancel_requests={requests}", "--yes", attached=attached)
        assert code == outcome.code, outcome
        assert 2 == len(outcome.document["data"]["statuses"])
        assert len(orders) - (good in orders) == outcome.err.count(
            "the venue refused: Order was never placed"
        )


@BOTH
def test_a_refusal_exits_4_with_the_words_of_the_venue(
    attached: bool, world: World, trade: Callable[..., Outcome]
) -> None:
    """The venue knows no such vault."""
    vault = ["--vault", "0x" + "0d" * 20]
    outcome = trade(*RESTS, *vault, "--yes", attached=attached)
    assert (4, b"") == (outcome.code, outcome.out), outcome
    assert "the venue refused the request: " in outcome.err


@BOTH
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["place_ordr", "--yes"], "place_order"),
        (["cancel", "-p", "asset=BTC", "--yes"], "order_id"),
        (["cancel", "-p", "asset=BTC", "-p", "order_id=x", "--yes"], "order_id"),
        ([*ORDER, "-p", "limit_price=1.234.5", "--yes"], "limit_price"),
        ([*RESTS, "-p", "asset=ETH", "--yes"], "twice"),
        ([*RESTS, "-p", "type=cancel", "--yes"], "ACTION"),
        ([*RESTS, "-p", "vault_address=0x1", "--yes"], "--vault"),
        ([*RESTS, "-p", "expires_after=1", "--yes"], "--expires-after"),
        ([*RESTS, "--yes", "--dry-run"], "one of them"),
        ([*RESTS, "--yes", "--venue", "elsewhere"], "elsewhere"),
        (["--yes"], "name an ACTION"),
        (["-p", "asset=BTC"], "name an ACTION"),
        (["--vault", "0x1"], "name an ACTION"),
    ],
)
def test_a_usage_error_says_what_would_be_right_and_exits_2(
    attached: bool, arguments: list[str], words: str, world: World, trade: Callable[..., Outcome]
) -> None:
    """Nothing is signed; without a daemon, nobody is told that a manager asks."""
    before = world.orders()
    outcome = trade(*arguments, attached=attached)
    assert (2, b"") == (outcome.code, outcome.out), outcome
    assert words in outcome.err.splitlines()[-1]
    if not attached:
        assert 1 == outcome.err.count("\n")
    assert before == world.orders()


@BOTH
@pytest.mark.parametrize("arguments", [[*RESTS, "--yes"], [*RESTS, "--dry-run"], ["cancel", "--yes"]])
def test_the_key_is_nowhere_to_be_seen(
    attached: bool, arguments: list[str], trade: Callable[..., Outcome]
) -> None:
    """Not with -v either."""
    outcome = trade(*arguments, "-v", attached=attached)
    assert KEY[:12] not in outcome.err
    assert KEY[:12].encode() not in outcome.out


def test_a_venue_without_a_key_says_where_one_is_looked_for(
    world: World, trade: Callable[..., Outcome], tmp_path: Path
) -> None:
    """There is no option for it."""
    config = tmp_path / "wsmgr.toml"
    lines = [line for line in world.config.read_text().splitlines() if "secret_key_file" not in line]
    config.write_text("\n".join(lines))
    outcome = trade(*RESTS, "--yes", attached=False, config=config)
    assert (2, b"") == (outcome.code, outcome.out)
    assert "WSMGR_HYPERLIQUID_SECRET_KEY" in outcome.err


def test_ctrl_c_while_the_answer_is_awaited_says_that_nothing_is_known(
    world: World, start_simulator: StartSimulator, spawn: Spawn, tmp_path: Path
) -> None:
    """The action is at the venue: who interrupts must look before sending it again."""
    simulator = start_simulator("slow_post=60")
    config = tmp_path / "wsmgr.toml"
    config.write_text(world.config.read_text().replace(world.venue.address.url, simulator.address.url))
    process = spawn(
        "exchange",
        "scheduleCancel",
        "--yes",
        "--no-attach",
        "--config",
        str(config),
        "--url",
        simulator.address.url,
    )
    assert b"a manager of this process asks" in process.stderr.readline()
    wait_for(lambda: simulator.log()["posts"])
    process.signal(signal.SIGINT)
    outcome = process.outcome()
    assert (130, b"") == (outcome.code, outcome.out)
    assert "its outcome is unknown" in outcome.err


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_daemon_that_says_nothing_more_leaves_the_outcome_unknown(
    interrupted: bool, state_dir: Path, spawn: Spawn
) -> None:
    """It went away, or the wait for it was interrupted: either way the action may have been carried out."""
    state_dir.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(str(state_dir / "wsmgr.sock"))
        listener.listen()
        process = spawn("exchange", "cancel", "-p", "asset=BTC", "-p", "order_id=1", "--yes")
        listener.accept()[0].close()  # it looks whether somebody is there
        daemon, _ = listener.accept()
        with daemon:
            assert b"POST /v1/requests" in daemon.recv(65536)
            if interrupted:
                process.signal(signal.SIGINT)
                process.code()
    outcome = process.outcome()
    assert (130 if interrupted else 1, b"") == (outcome.code, outcome.out)
    assert "its outcome is unknown" in outcome.err


FORGED = "\x1b[2J\x1b]0;pwned\x07no\nwsmgr: sent ok\r\u202e\x9b\x00" + "x" * 20_000


@pytest.mark.parametrize("json_wanted", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": "refused", "words": FORGED},
        {"outcome": "unknown", "why": FORGED},
        {"outcome": "answered", "data": {"type": "order", "data": {"statuses": [{"error": FORGED}]}}},
    ],
    ids=lambda answer: answer["outcome"],
)
def test_the_words_of_a_venue_cannot_forge_a_line_or_steer_the_terminal(
    answer: dict[str, Any], json_wanted: bool, state_dir: Path, spawn: Spawn
) -> None:
    """They are one line of 500 characters at most; `--json` has all of them, on stdout or on stderr."""
    state_dir.mkdir(mode=0o700)
    body = json.dumps(answer).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    options = ["--json"] if json_wanted else []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(PATIENCE)
        listener.bind(str(state_dir / "wsmgr.sock"))
        listener.listen()
        process = spawn("exchange", "cancel", "-p", "asset=BTC", "-p", "order_id=1", "--yes", *options)
        listener.accept()[0].close()  # it looks whether somebody is there
        daemon, _ = listener.accept()
        with daemon:
            assert b"POST /v1/requests" in daemon.recv(65536)
            daemon.sendall(head + body)
            outcome = process.outcome()
    _, words = outcome.err.rstrip("\n").split("\n")
    assert words.isprintable()
    assert r"\x1b[2J\x1b]0;pwned\x07no\nwsmgr: sent ok" in words
    if outcome.out:
        assert answer["data"] == outcome.document
    assert (json_wanted and not outcome.out) == (len(words) > 600)


def test_alone_it_lists_what_can_be_done(cli: Cli) -> None:
    """Every action, by both of its names, with its parameters and whether it needs `transfers`."""
    rows = {row["method"]: row for row in cli("exchange", "--json").document}
    assert {"action", "method", "params", "required", "transfers", "doc"} == set(rows["place_order"])
    assert (False, True) == (rows["place_order"]["transfers"], rows["withdraw_funds"]["transfers"])
    lines = cli("exchange").out.decode().splitlines()
    assert 31 == len(rows) == len(lines) - 1
    marked = {line.split()[0] for line in lines[1:] if "  transfers  " in line}
    assert {name for name, row in rows.items() if row["transfers"]} == marked
    assert any("asset order_id" in line for line in lines)


def wait_for(holds: Callable[[], Any]) -> None:
    """Wait until something holds at the simulator, which tells nobody of it."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
