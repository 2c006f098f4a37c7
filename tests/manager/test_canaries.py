"""Canaries: secrets are given wherever a secret can be given, everything is made to go wrong, and they are searched for everywhere.

The daemon is a real process. Its venues are one that answers, one that refuses with 403 and repeats what it was sent, one where
nothing listens, and one behind a proxy that refuses. One of its actors crashes with an address in the variables of its frames.
Whatever the daemon writes, answers, stores and shows of itself is searched for each secret in each of its forms.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from attrs import frozen

from tests.cli.running import environment, run
from tests.manager.daemon.http_kit import said, unix
from wsmgr.manager.daemon import process
from wsmgr.manager.daemon.unix_client import DaemonClient
from wsmgr.manager.testing.scripted_peer import ScriptedPeer
from wsmgr.manager.venues.hyperliquid.signing import SecretKey
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEEN = 12
"""How many characters of a secret, or of one of its forms, are too many."""
KEY_DIGITS = 64
CRASHING = """
import sys
from contextlib import asynccontextmanager
from wsmgr.manager import manager
from wsmgr.cli.main import main

select = manager.select
crashed = []

def crashing():
    connect = select()

    @asynccontextmanager
    async def dialled(dial, on_batch):
        address, proxy = dial.url, dial.proxy
        if not crashed:
            crashed.append(address)
            raise RuntimeError("a bug, on purpose")
        async with connect(dial, on_batch) as opened:
            yield opened

    return dialled

manager.select = crashing
main()
"""
"""The daemon, whose first dial crashes."""


@frozen
class Canary:
    """A secret, where it was given, and the parts of its forms by which it is known."""

    where: str
    text: str
    parts: tuple[bytes, ...]

    def is_in(self, content: bytes) -> bool:
        """Return whether a part of it is there, in any form."""
        lower = content.lower()
        return any(part in lower for part in self.parts)


def canary(where: str, text: str) -> Canary:
    """Return a canary, with the parts of all its forms."""
    raw = text.encode()
    forms = [raw, quote(text, safe="").encode(), raw.hex().encode(), *_in_base64(raw)]
    lists = [repr(list(raw))[1:-1].encode()]
    if len(raw) == KEY_DIGITS:
        number = bytes.fromhex(text)
        forms += [number, str(int(text, 16)).encode(), repr(number)[2:-1].encode(), *_in_base64(number)]
        lists.append(repr(list(number))[1:-1].encode())
    parts = [part for form in forms for part in (form[:SEEN], form[-SEEN:])]
    parts += [part for form in lists for part in (form[: 4 * SEEN], form[-4 * SEEN :])]
    return Canary(where, text, tuple(part.lower() for part in parts))


def _in_base64(raw: bytes) -> list[bytes]:
    """Return base64, in both alphabets; within a longer text (`user:password`) it begins at any of three places."""
    encoded = [
        encode(bytes(shift) + raw)
        for shift in range(3)
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    ]
    return [each.rstrip(b"=")[4:-4] for each in encoded]


def words(where: str) -> Canary:
    """Return a secret as services hand them out, with what an address must encode."""
    return canary(where, f"{secrets.token_urlsafe(12)}/+={secrets.token_urlsafe(12)}")


def key(where: str) -> Canary:
    """Return a secret key, in hexadecimal digits."""
    return canary(where, secrets.token_bytes(32).hex())


CANARIES = {
    given.where: given
    for given in (
        words("address in a variable"),
        words("address in the file"),
        words("address where nothing listens"),
        words("password of a proxy"),
        key("key in a variable"),
        key("key in a file"),
        key("key as a credential"),
        words("wrong token"),
        words("header"),
        words("query"),
        words("body"),
        words("path"),
    )
}
OF_CLIENTS = ("wrong token", "header", "query", "body", "path")
"""What clients say by mistake: it may be in the answer to that client and nowhere else."""


MISTAKE = "a mistake:"


def shown(content: bytes, *, but: tuple[str, ...] = ()) -> list[str]:
    """Return which canaries are in something."""
    return [where for where, given in CANARIES.items() if where not in but and given.is_in(content)]


@pytest.mark.parametrize("where", CANARIES)
def test_a_canary_is_found_in_every_form(where: str) -> None:
    """Everything below can fail."""
    text = CANARIES[where].text
    raw = text.encode()
    forms = [
        text,
        text.upper(),
        quote(text, safe=""),
        raw.hex(),
        repr(list(raw)),
        *(base64.b64encode(b"u" * shift + raw + b"more").decode() for shift in range(3)),
        text[:SEEN],
        text[-SEEN:],
    ]
    if where.startswith("key"):
        number = bytes.fromhex(text)
        forms += [
            str(int(text, 16)),
            repr(number),
            repr(list(number)),
            base64.b64encode(number).decode(),
        ]
        assert [where] == shown(b"..." + number + b"...")
    for form in forms:
        assert [where] == shown(b"..." + form.encode() + b"..."), form
    assert [] == shown(b"a" * 1000)


def configuration(directory: Path, refusing: ScriptedPeer) -> str:
    """Return a configuration with venues that can be of no use, each with its secrets."""
    kept = directory / "key"
    kept.write_text(CANARIES["key in a file"].text)
    kept.chmod(0o600)
    trading = 'trading = true\nnetwork = "testnet"'
    refused, nowhere = (encoded(where) for where in ("address in the file", "address where nothing listens"))
    return f"""
[venues.hyperliquid]
{trading}
[venues.refused]
dialect = "hyperliquid"
url = "{refusing.url}/refuse/403/length?X-Api-Key={refused}"
{trading}
secret_key_file = "{kept}"
[venues.nowhere]
dialect = "hyperliquid"
url = "ws://127.0.0.1:9/ws?api_key={nowhere}"
{trading}
[venues.proxied]
dialect = "hyperliquid"
url = "ws://127.0.0.2:9/ws"
proxy = "http://user:{encoded("password of a proxy")}@127.0.0.1:9"
"""


def encoded(where: str) -> str:
    return quote(CANARIES[where].text, safe="")


class Scene:
    """A daemon to which everything happens, and what was seen of it.

    Attributes:
        state: Its state directory.
        environ: Its environment.
        pid: Its process.
        written: What it and commands said, by when.
        command_line: Its command line, as everybody can see it.
        children: Command line and environment of each of its children.
        while_running: The files of its state directory, by their names, before its end.
        after: The same after it.
    """

    def __init__(self, state: Path, environ: Mapping[str, str], pid: int) -> None:
        self.state = state
        self.environ = environ
        self.pid = pid
        self.written: dict[str, bytes] = {}
        self.command_line = b""
        self.children: dict[str, bytes] = {}
        self.while_running: dict[str, bytes] = {}
        self.after: dict[str, bytes] = {}
        self.client = DaemonClient(state / "wsmgr.sock")

    def say(self, name: str, head: str, body: bytes = b"", *, tcp: bool = False) -> None:
        """Say something to the daemon, right or wrong, and keep its answer."""
        length = f"content-length: {len(body)}\r\n" if body else ""
        data = f"{head}\r\nhost: localhost\r\nconnection: close\r\n{length}\r\n".encode() + body
        with self._connection(tcp=tcp) as client:
            answer = said(client, data)
        self.written[f"answer to {name} ({answer.status})"] = answer.body + repr(answer.headers).encode()

    def _connection(self, *, tcp: bool) -> socket.socket:
        if not tcp:
            return unix(self.state / "wsmgr.sock")
        host, _, port = self.client.get("/v1/health")["http"].removeprefix("http://").partition(":")
        return socket.create_connection((host, int(port)), 10)

    def command(self, *arguments: str) -> None:
        """Run a command, and keep what it writes."""
        done = run(*arguments, environ=self.environ)
        self.written[f"wsmgr {' '.join(arguments)}"] = done.out + done.err.encode()

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield every file of the state directory, its name with its content: the database as it lies on the disk."""
        for path in self.state.rglob("*"):
            if path.is_file():
                yield path.name, path.name.encode() + path.read_bytes()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A daemon to which everything has happened."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="wsmgr-test-")))
        state = directory / "state"
        credentials = directory / "credentials"
        credentials.mkdir()
        credential = credentials / "wsmgr.nowhere.secret_key"
        credential.write_text(CANARIES["key as a credential"].text)
        venue = stack.enter_context(SimulatorThread(SimulatorOptions(rate=20)))
        refusing = stack.enter_context(ScriptedPeer())
        config = directory / "wsmgr.toml"
        config.write_text(configuration(directory, refusing))
        environ = {
            **environment(state),
            "WSMGR_HYPERLIQUID_URL": f"{venue.address.url}?api_key={encoded('address in a variable')}",
            "WSMGR_HYPERLIQUID_SECRET_KEY": "0x" + CANARIES["key in a variable"].text,
            "CREDENTIALS_DIRECTORY": str(credentials),
        }
        token = (
            run("daemon", "token", "create", "desk", "--scope", "trade", environ=environ).out.decode().strip()
        )
        CANARIES["token"] = canary("token", token)
        options = ["-v", "--state-dir", str(state), "--config", str(config)]
        command = [sys.executable, "-c", CRASHING, *options, "daemon", "run", "--http", "127.0.0.1:0"]
        started = process.start(state, command, environ=environ)
        try:
            scene = Scene(state, environ, started.pid)
            happen(scene)
            end(scene)
            yield scene
        finally:
            if process.status(state).pid is not None:
                os.kill(started.pid, signal.SIGKILL)


def happen(scene: Scene) -> None:
    """Let everything happen."""
    wishes = {
        venue: scene.client.subscribe(
            {"type": "l2Book", "venue": venue, "params": {"coin": "BTC"}, "keep": True, "wait": "none"}
        )
        for venue in ("hyperliquid", "refused", "nowhere", "proxied")
    }
    owner = SecretKey.parse(CANARIES["key in a variable"].text).address
    known = {"type": "user_state", "user": owner}
    scene.client.request({"kind": "info", "venue": "hyperliquid", "payload": known})
    order = {
        "type": "place_order", "asset": "BTC", "is_buy": True, "size": "0.001", "limit_price": "50000",
        "order_type": "LIMIT_GTC",
    }  # fmt: skip
    for venue in ("hyperliquid", "refused", "nowhere"):
        for more in ({"preview": True}, {}):
            body = json.dumps(
                {"kind": "action", "venue": venue, "payload": order, "timeout": 2.0, **more}
            ).encode()
            scene.say(f"an action at {venue}", "POST /v1/requests HTTP/1.1", body)
    misbehave(scene)
    look(scene, [row["id"] for row in wishes.values()])


def end(scene: Scene) -> None:
    """Keep what is to be seen of the process and of its files, end it, and look at what is left."""
    scene.command_line = Path(f"/proc/{scene.pid}/cmdline").read_bytes()
    for task in Path(f"/proc/{scene.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            place = Path(f"/proc/{child}")
            scene.children[child] = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
    scene.while_running = dict(scene.files())
    assert process.stop(scene.state) == scene.pid
    scene.command("list", "--json")
    scene.command("events", "--json")
    scene.after = dict(scene.files())


def misbehave(scene: Scene) -> None:
    """Say to the daemon what is wrong, with secrets in it."""
    token, wrong, header, query, path = (
        CANARIES[where].text for where in ("token", "wrong token", "header", "query", "path")
    )
    body, stolen = CANARIES["body"].text, CANARIES["key in a variable"].text
    for tcp in (False, True):
        for head in (
            f"GET /v1/health HTTP/1.1\r\nauthorization: Bearer {token}",
            f"GET /v1/health HTTP/1.1\r\nauthorization: Bearer {wrong}",
            f"GET /v1/health HTTP/1.1\r\nauthorization: Basic {base64.b64encode(f'u:{wrong}'.encode()).decode()}",
            f"GET /v1/health HTTP/1.1\r\norigin: http://{header}\r\nauthorization: Bearer {token}\r\nx-key: {header}",
            f"GET /v1/gaps?after={quote(query)}&token={quote(token)} HTTP/1.1\r\nauthorization: Bearer {token}",
            f"GET /v1/{quote(path, safe='')} HTTP/1.1\r\nauthorization: Bearer {token}",
            f"DELETE /v1/subscriptions/{quote(path, safe='')} HTTP/1.1\r\nauthorization: Bearer {token}",
            f"GET /v1/health?{quote(query) * 400} HTTP/1.1\r\nauthorization: Bearer {token}",
        ):
            scene.say(f"{MISTAKE} {head[:20]!r} {tcp}", head, tcp=tcp)
        for document in (
            b"{" + body.encode(),
            json.dumps({"kind": body, "payload": {}}).encode(),
            json.dumps({"kind": "info", "payload": {"type": body}}).encode(),
            json.dumps({"kind": "info", "payload": {"type": "user_state", "user": stolen}}).encode(),
            json.dumps({"kind": "action", "payload": {"type": "place_order", "asset": stolen}}).encode(),
            json.dumps({"kind": "action", "payload": {"type": stolen}}).encode(),
            json.dumps({"type": "l2Book", "params": {"coin": stolen}, "keep": True, "wait": "none"}).encode(),
        ):
            where = "subscriptions" if b"l2Book" in document else "requests"
            head = f"POST /v1/{where} HTTP/1.1\r\nauthorization: Bearer {token}"
            scene.say(f"{MISTAKE} {document[:20]!r} {tcp}", head, document, tcp=tcp)


def look(scene: Scene, ids: list[str]) -> None:
    """Ask the daemon for everything that it tells of itself, in every way."""
    paths = scene.client.get("/openapi.json")["paths"]
    looked = [
        path.replace("{id}", each)
        for path, methods in paths.items()
        if "get" in methods and not path.endswith("/stream")
        for each in (ids if "{id}" in path else ids[:1])
    ]
    for path in looked:
        scene.say(path, f"GET {path} HTTP/1.1")
    for arguments in (["daemon", "status"], ["events"], ["connections", "--json"], ["-v", "list"]):
        scene.command(*arguments)


def test_everything_did_go_wrong(scene: Scene) -> None:
    """The search below is worth something: there was a crash with a traceback, a refusal, a dial in vain, and an action."""
    log = scene.after["wsmgr.log"].decode()
    assert "RuntimeError: a bug, on purpose" in log
    assert "Traceback (most recent call last)" in log
    assert "api_refused" in log
    assert "refused with HTTP 403" in log
    assert "connection refused" in log
    events = json.loads(scene.written["wsmgr events --json"].splitlines()[0])
    outcomes = {row["detail"]["outcome"] for row in events if row["kind"] == "action"}
    assert "answered" in outcomes
    statuses = {int(name.rpartition("(")[2][:3]) for name in scene.written if name.startswith("answer")}
    assert {200, 400, 401, 403, 404, 414, 422} <= statuses


def test_no_secret_is_in_the_log(scene: Scene) -> None:
    """With `-v`, and with the traceback of a frame that had an address in its variables."""
    assert [] == shown(scene.after["wsmgr.log"])


def test_no_secret_is_in_any_answer(scene: Scene) -> None:
    """A client is told what was wrong with its own words; nobody is told another's, and a key is not repeated to anybody."""
    for name, content in scene.written.items():
        assert [] == shown(content, but=OF_CLIENTS), name


def test_no_secret_is_in_what_others_look_at(scene: Scene) -> None:
    """Lists, events, counters, the tree, what commands print: also nothing of what a client said by mistake."""
    looked = {name: content for name, content in scene.written.items() if MISTAKE not in name}
    assert len(looked) > 20
    for name, content in looked.items():
        assert [] == shown(content), name


def test_no_secret_is_on_a_command_line_or_with_a_child(scene: Scene) -> None:
    """The daemon's own environment holds what was given in it; no child's does, and no command line."""
    assert b"daemon\0run" in scene.command_line
    assert [] == shown(scene.command_line)
    assert {} == {child: found for child, content in scene.children.items() if (found := shown(content))}


@pytest.mark.parametrize("when", ["while_running", "after"])
def test_no_secret_is_in_a_file(scene: Scene, when: str) -> None:
    """The database and its log byte for byte, the copy of what is wanted, nonces, tokens."""
    files: dict[str, bytes] = getattr(scene, when)
    assert {"wsmgr.db", "desired.json", "tokens.json", "wsmgr.log"} <= set(files)
    assert "wsmgr.db-wal" in scene.while_running
    assert b"l2Book?coin=BTC" in files["wsmgr.db"] + files.get("wsmgr.db-wal", b"")
    assert {} == {name: found for name, content in files.items() if (found := shown(content))}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('url = "http://127.0.0.1:9/ws?api_key={address}"', "must be ws://"),
        ('url = "ws://127.0.0.1:99999/ws?api_key={address}"', "port"),
        ('url = "ws://user:{address}@127.0.0.1:9/ws"', "user"),
        ('url = "ws://127.0.0.1:9/ws?api_key={address}#part"', "fragment"),
        ('proxy = "ftp://user:{proxy}@127.0.0.1:9"', "proxy"),
        ('proxy = "http://user:{proxy}@127.0.0.1"', "port"),
        ("url = ws://127.0.0.1:9/ws?api_key={address}", "not TOML"),
        ('secret_key_file = "{key}"', "looks like a secret key"),
        ('account = "{key}"', "looks like a secret key"),
    ],
)
def test_a_configuration_that_cannot_be_used_shows_no_secret(setting: str, words: str) -> None:
    """Neither on the terminal, with `-v`, nor in the log that the daemon has written before it gave up."""
    given = setting.format(
        address=encoded("address in the file"),
        proxy=encoded("password of a proxy"),
        key=CANARIES["key in a file"].text,
    )
    with TemporaryDirectory(prefix="wsmgr-test-") as name:
        state = Path(name) / "state"
        config = Path(name) / "wsmgr.toml"
        config.write_text(f'[venues.desk]\ndialect = "hyperliquid"\n{given}\n')
        done = run("-v", "--config", str(config), "daemon", "start", environ=environment(state))
        assert done.code != 0
        assert words in done.err
        assert [] == shown(done.out + done.err.encode())
        written = {path.name: shown(path.read_bytes()) for path in state.rglob("*") if path.is_file()}
        assert not any(written.values()), written
