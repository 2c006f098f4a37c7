"""A secret key is shown nowhere, whatever is done wrong with it.

The key is looked for in all its forms: in the text of errors, in tracebacks with the variables of every frame of ours, in the
repr of whatever can be reached from an error or a client, in logs, in what a process writes, and in files.
"""

from __future__ import annotations

import base64
import logging
import sys
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.cli.running import environment, run
from wsmgr import Account, Answered, Hyperliquid, Manager
from wsmgr.manager.config import load_config
from wsmgr.manager.daemon import process
from wsmgr.manager.daemon.errors import DaemonStartError
from wsmgr.manager.model.errors import ConfigurationError, ParameterError, UsageError
from wsmgr.manager.venues.hyperliquid.exchange import Account as TradingAccount
from wsmgr.manager.venues.hyperliquid.exchange.catalog import CALLS
from wsmgr.manager.venues.hyperliquid.exchange.parameters import read
from wsmgr.manager.venues.hyperliquid.info.queries import QUERIES
from wsmgr.manager.venues.hyperliquid.signing import SecretKey, load_secret, primitives
from wsmgr.manager.venues.hyperliquid.subscriptions.names import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
RAW = bytes.fromhex(KEY)
NUMBER = int(KEY, 16)
ADDRESS = "0x" + "ab" * 20
VARIABLE = "WSMGR_HYPERLIQUID_SECRET_KEY"
SHOWN = 16
"""How many characters of a key are too many."""
ORDER: Any = {"is_buy": True, "size": "0.001", "limit_price": "65000", "order_type": "LIMIT_GTC"}

FORMS = (
    KEY,
    str(NUMBER),
    repr(RAW)[2:-1],
    str(list(RAW))[1:-1],
    base64.b64encode(RAW).decode(),
    base64.urlsafe_b64encode(RAW).decode(),
)
PARTS = tuple(part.lower() for form in FORMS for part in (form[:SHOWN], form[-SHOWN:]))
GIVEN = pytest.mark.parametrize(
    "given", [KEY, f"0x{KEY}", KEY.upper(), NUMBER], ids=["digits", "0x", "upper", "number"]
)
"""What people give where no key belongs; TOML has hexadecimal numbers of any length."""


def shows(found: str | bytes) -> bool:
    """Whether a part of the key is there, in any form."""
    if isinstance(found, bytes) and RAW[:8] in found:
        return True
    text = (found if isinstance(found, str) else found.decode("latin-1")).lower().replace("\\\\", "\\")
    return any(part in text for part in PARTS)


def reachable(root: object) -> Iterator[str]:
    """The reprs of what can be reached from an object by its attributes and items; a `SecretKey` is as far as it goes."""
    seen: dict[int, object] = {}
    left = [root]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        try:
            yield repr(value)
        except AttributeError:  # an object whose making has failed
            yield ""
        left += _inside(value)


def _inside(value: object) -> list[object]:
    if isinstance(
        value, SecretKey | type | ModuleType | FunctionType | BuiltinFunctionType | str | bytes | int
    ):
        return []
    if isinstance(value, MethodType):
        return [value.__self__]
    found: list[object] = []
    if isinstance(value, Mapping):
        found += [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        found += value
    if isinstance(value, BaseException):
        found += [value.args, value.__cause__, value.__context__, getattr(value, "__notes__", ())]
    found += vars(value).values() if hasattr(value, "__dict__") else ()
    slots = {name for kind in type(value).__mro__ for name in _names(getattr(kind, "__slots__", ()))}
    return found + [
        getattr(value, name) for name in slots if not name.startswith("__") and hasattr(value, name)
    ]


def _names(slots: str | tuple[str, ...]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def spilled(error: BaseException, *, frames: bool = True) -> list[str]:
    """Return the lines that show the key, of all that an error shows; `frames`: of the variables of our frames too."""
    own = error.__traceback__
    while own is not None and own.tb_frame.f_code.co_filename == __file__:
        own = own.tb_next
    told = traceback.TracebackException(type(error), error, own, capture_locals=frames)
    lines = [*"".join(told.format()).splitlines(), *(reachable(error) if frames else ())]
    return [line[:200] for line in lines if shows(line)]


def refused(call: Callable[[], object], error: type[Exception] = UsageError) -> Exception:
    """Return the error of a call, which must be ours."""
    with pytest.raises(error) as raised:
        call()
    return raised.value


@pytest.fixture(autouse=True)
def key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is wrong, the environment has the key."""
    monkeypatch.setenv(VARIABLE, f"0x{KEY}")


@pytest.mark.parametrize("form", [*FORMS, f"0x{KEY}", KEY.upper(), f"WSMGR={KEY[:20]}"])
def test_a_key_that_is_shown_is_found(form: str) -> None:
    """Every test below can fail: as a text, in a variable, in an object, in a cause."""
    assert shows(form)
    assert shows(form.encode())
    assert shows(b"..." + RAW)

    def raising(_variable: str) -> None:
        raise UsageError("no")

    def outer() -> None:
        try:
            int(form + "x")
        except ValueError as error:
            raise UsageError("no") from error

    assert spilled(refused(outer))
    assert spilled(UsageError(form), frames=False)
    assert [""] != [line for line in reachable({"deep": [(SecretKey.parse(KEY), form)]}) if shows(line)]
    code = compile("def inner(call, it):\n    call(it)\n", "elsewhere", "exec")
    made: dict[str, Any] = {}
    exec(code, made)  # a frame of another file
    assert spilled(refused(lambda: made["inner"](raising, form)))


SETTINGS = (
    "dialect", "url", "account", "network", "secret_key_file", "secret_key_variable", "trading", "transfers",
    "allowed_actions", "max_notional", "quotas", "secret_key", "tradng",
)  # fmt: skip


def toml(value: object) -> str:
    return f"0x{value:x}" if isinstance(value, int) else f'"{value}"'


@GIVEN
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_key_is_no_setting(tmp_path: Path, setting: str, given: str | int) -> None:
    """It is refused before anything else reads the setting, in a file and in a mapping."""
    file = tmp_path / "wsmgr.toml"
    file.write_text(f"[venues.hyperliquid]\n{setting} = {toml(given)}\n")
    error = refused(lambda: Manager(config=file), ConfigurationError)
    assert f"venues.hyperliquid.{setting} in the configuration looks like a secret key" in str(error)
    assert [] == spilled(error)
    config = {"venues": {"hyperliquid": {setting: given}}}
    assert [] == spilled(refused(lambda: load_config(config, venues=()), ConfigurationError))
    assert [] == spilled(refused(lambda: Manager(config=config), ConfigurationError), frames=False)


@GIVEN
def test_a_key_has_no_place_in_a_configuration(given: str | int) -> None:
    """Not as a name, not as an item of a list, not in another table, and not as a whole."""
    name = str(given)
    trading: list[Any] = [["order", given], {"order": given}]
    quotas: list[Any] = [{"users": given}, {name: 5}]
    configs: list[Any] = [
        {name: {}},
        {"venues": given},
        {"venues": {name: {}}},
        {"venues": {"hyperliquid": given}},
        {"venues": {"hyperliquid": {name: True}}},
        *({"venues": {"hyperliquid": {"trading": True, "allowed_actions": each}}} for each in trading),
        *({"venues": {"hyperliquid": {"quotas": each}}} for each in quotas),
        {"dialects": {"hyperliquid": {"types": {"new": {"channel": given}}}}},
        {"dialects": {"hyperliquid": {"types": {"new": {"parameters": [{"name": given}]}}}}},
        {"dialects": {name: {"types": {}}}},
        name,
        Path(f"/etc/{name}"),
    ]
    for config in configs:
        error = refused(partial(load_config, config, venues=()), ConfigurationError)
        assert [] == spilled(error), config


def test_an_account_of_another_service_may_look_like_a_key() -> None:
    """Accounts of 32 bytes are common elsewhere."""
    config = {"venues": {"desk": {"dialect": "other", "account": f"0x{KEY}"}}}
    (venue,) = load_config(config, venues=("desk",)).venues
    assert f"0x{KEY}" == venue.account


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"venues": {"hyperliquid": {"tradng": True}}}, {}),
        ({"venues": {"hyperliquid": {"url": "http://x"}}}, {}),
        ({"venus": {}}, {}),
        ({}, {"venues": ("nosuch",)}),
        ({}, {"venues": ("hyperliquid", "hyperliquid")}),
        ({}, {"url": "http://x"}),
        ("/nowhere/wsmgr.toml", {}),
    ],
)
def test_the_environment_is_in_no_frame_of_a_configurations_error(config: Any, options: Any) -> None:
    """A misspelt setting is enough to have a traceback collected, and the environment has the key."""
    assert [] == spilled(refused(lambda: Manager(config=config, **options), ConfigurationError))


@GIVEN
def test_a_key_is_no_address_of_a_venue_and_no_venue(given: str | int) -> None:
    """In the environment, as an option, as a name."""
    text = str(given)
    for call in (
        lambda: load_config(None, venues=(), environ={"WSMGR_HYPERLIQUID_URL": text, VARIABLE: KEY}),
        lambda: load_config(None, venues=("hyperliquid",), url=text),
        lambda: load_config(None, venues=(text,)),
        lambda: load_config(None, venues=(text, text)),
        lambda: load_config(None, venues=("hyperliquid", text), url="ws://127.0.0.1:9/ws"),
    ):
        assert [] == spilled(refused(call, ConfigurationError))


def key_file(directory: Path, content: str, mode: int = 0o600) -> Path:
    path = directory / "key"
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["mode", "digits", "bytes", "missing"])
async def test_a_key_file_that_cannot_be_used_shows_nothing_of_it(tmp_path: Path, fault: str) -> None:
    """From the start of a manager on."""
    path = {
        "mode": lambda: key_file(tmp_path, KEY, 0o644),
        "digits": lambda: key_file(tmp_path, f"{KEY}0"),
        "bytes": lambda: key_file(tmp_path, str(list(RAW))),
        "missing": lambda: tmp_path / "none",
    }[fault]()
    config = {"venues": {"hyperliquid": {"trading": True, "secret_key_file": str(path)}}}
    with pytest.raises(ConfigurationError, match=str(path)) as raised:
        async with Manager(config=config):
            pass
    assert [] == spilled(raised.value)


@GIVEN
def test_a_key_is_not_the_place_of_a_key(given: str | int) -> None:
    """Not a file's name, and not a variable's."""
    text = str(given)
    for call in (
        lambda: load_secret("hyperliquid", file=Path(text)),
        lambda: load_secret("hyperliquid", file=Path("/etc") / text),
        lambda: load_secret("hyperliquid", variable=text),
        lambda: load_secret("hyperliquid", environ={VARIABLE: f"{KEY}0"}),
    ):
        assert [] == spilled(refused(call, ConfigurationError))


ACCOUNTS: dict[str, Callable[[], object]] = {
    "a digit too many": lambda: Account(ADDRESS, f"{KEY}0"),
    "a digit too few": lambda: Account(secret_key=KEY[:-1]),
    "a number": lambda: Account(ADDRESS, NUMBER),  # type: ignore[arg-type]  # a mistake
    "bytes": lambda: Account(ADDRESS, RAW),  # type: ignore[arg-type]  # a mistake
    "from_key, a digit too many": lambda: Account.from_key(f"{KEY}0", address=ADDRESS),
    "alone": lambda: Account(f"0x{KEY}"),
    "swapped": lambda: Account(KEY, ADDRESS),
    "twice": lambda: Account(KEY, KEY),
    "as the vault": lambda: Account(ADDRESS, KEY, KEY),
    "beside a bad address": lambda: Account("0x12", KEY),
    "beside a bad vault": lambda: Account(ADDRESS, KEY, "0x12"),
    "from_key, beside a bad address": lambda: Account.from_key(KEY, address="0x12"),
    "from_key, as the address": lambda: Account.from_key(KEY, address=KEY),
    "from_key, as the vault": lambda: Account.from_key(KEY, vault_address=KEY),
    "trading, a digit too many": lambda: TradingAccount.from_key(f"{KEY}0"),
    "trading, beside a bad address": lambda: TradingAccount.from_key(KEY, address="0x12"),
    "trading, as the address": lambda: TradingAccount(key=SecretKey.parse(KEY), address=KEY),
    "trading, as the vault": lambda: TradingAccount(key=SecretKey.parse(KEY), vault_address=KEY),
    "trading, as the key": lambda: TradingAccount(key=KEY),  # type: ignore[arg-type]  # a mistake
    "parsed": lambda: SecretKey.parse(f"{KEY}0"),
}


@pytest.mark.parametrize("what", ACCOUNTS)
def test_an_account_that_cannot_be_made_shows_nothing_of_the_key(what: str) -> None:
    """Whichever argument is wrong, and wherever the key was given."""
    assert [] == spilled(refused(ACCOUNTS[what]))


def test_an_option_that_an_account_does_not_have_shows_nothing_of_the_key() -> None:
    """Python's own error about a call."""
    wrong: Any = Account
    assert [] == spilled(refused(lambda: wrong(ADDRESS, KEY, secret=KEY), TypeError))
    assert [] == spilled(refused(lambda: wrong.from_key(KEY, addres=ADDRESS), TypeError))


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where the extra `trading` is not installed."""
    primitives._libraries.cache_clear()
    monkeypatch.setitem(sys.modules, "coincurve", None)
    yield
    primitives._libraries.cache_clear()


@pytest.mark.usefixtures("without_the_extra")
def test_without_the_extra_the_key_is_in_no_frame() -> None:
    """The first thing that most people see of signing."""
    key = SecretKey.parse(KEY)
    for call in (
        lambda: key.address,
        lambda: key.sign(bytes(32)),
        lambda: Account(secret_key=KEY),
        lambda: Account.from_key(KEY),
        lambda: TradingAccount(key=key).acting,
        lambda: TradingAccount.from_key(KEY).acting,
    ):
        error = refused(call, ConfigurationError)
        assert "pip install 'wsmgr[trading]'" in str(error)
        assert [] == spilled(error)


@GIVEN
def test_a_key_is_no_value_of_any_parameter(given: str | int) -> None:
    """Of no action, no question and no stream: it would be sent, logged and stored. The errors show nothing of it."""
    readers: dict[str, Callable[[], object]] = {}
    for call in CALLS.values():
        for parameter in call.parameters:
            told = {parameter.name: given}
            readers[f"{call.name} {parameter.name}"] = partial(read, "it", (parameter,), told)
    for query in QUERIES.values():
        for one in query.parameters:
            readers[f"{query.method} {one.name}"] = partial(one.parse, "it", given)
    for stream in METHODS.values():
        for each in stream.parameters:
            readers[f"{stream.name} {each.name}"] = partial(each.parse, "it", given)
    assert len(readers) > 100
    for name, reader in readers.items():
        error = refused(reader)
        assert [] == spilled(error, frames=False), name


@GIVEN
def test_a_key_is_no_parameter(given: str | int) -> None:
    """Not the name of one either."""
    for call in (
        lambda: read("it", CALLS["place_order"].parameters, {str(given): 1}),
        lambda: METHODS["l2_book"].canonical({str(given): 1}),
    ):
        assert [] == spilled(refused(call, ParameterError), frames=False)


def files(directory: Path) -> Iterator[tuple[str, bytes]]:
    """The files under a directory, their names with them."""
    for path in directory.rglob("*"):
        yield str(path), str(path).encode() + (path.read_bytes() if path.is_file() else b"")


@pytest.mark.anyio
async def test_a_client_that_trades_shows_the_key_nowhere(
    simulator: SimulatorThread, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in what it keeps, logs and sends, nor in what can be reached from it; also where the key was given as something else."""
    caplog.set_level(logging.DEBUG)
    with TemporaryDirectory(prefix="wsmgr-test-") as name, anyio.fail_after(30):
        directory = Path(name) / "state"
        client = Hyperliquid(
            url=simulator.address.url, network="testnet", trading=True, account=Account(secret_key=KEY), state_dir=directory
        )  # fmt: skip
        async with client.run():
            assert isinstance(await client.info.user_state(), Answered)
            await client.subscriptions.l2_book(coin="BTC")
            await client.subscriptions.order_updates()
            assert isinstance(await client.exchange.place_order(asset="BTC", **ORDER), Answered)
            for call in _misuses(client):
                with pytest.raises(UsageError) as raised:
                    await call()
                assert [] == spilled(raised.value, frames=False)
            assert [] == [line[:200] for line in reachable(client) if shows(line)]
            while_running = [path for path, content in files(directory) if shows(content)]
        assert [] == while_running
        kept = dict(files(directory))
        assert any(path.endswith(".db") or "sqlite" in path for path in kept), list(kept)
        assert [] == [path for path, content in kept.items() if shows(content)]
    assert caplog.records
    assert [] == [record.getMessage() for record in caplog.records if shows(repr(vars(record)))]
    written = capfd.readouterr()
    assert not shows(written.out + written.err)
    received = [
        frame["text"] for connection in simulator.log()["connections"] for frame in connection["received"]
    ]
    assert any('"order"' in text for text in received)
    assert [] == [text for text in received if shows(text)]


def _misuses(client: Hyperliquid) -> list[Callable[[], Any]]:
    subscriptions, info, exchange = client.subscriptions, client.info, client.exchange
    key: Any = KEY
    given: dict[str, Any] = {**ORDER, "asset": "BTC"}
    return [
        lambda: subscriptions.l2_book(coin=key),
        lambda: subscriptions.l2_book(asset=key),
        lambda: subscriptions.user_fills(address=key),
        lambda: client.manager.subscribe("l2Book", coin=key, keep=True),
        lambda: client.manager.subscribe("userFills", user=key, keep=True),
        lambda: info.user_state(address=key),
        lambda: info.l2_book(asset=key),
        lambda: exchange.cancel_order(asset=key, order_id=1),
        lambda: exchange.cancel_order(asset="BTC", order_id=NUMBER),
        lambda: exchange.cancel_order(asset="BTC", order_id=1, vault_address=key),
        lambda: exchange.cancel_order(asset="BTC", order_id=1, expires_after=key),
        *(partial(exchange.place_order, **{**given, name: key}) for name in (*given, "cloid")),
    ]


def test_a_daemon_that_cannot_be_started_leaves_the_environment_in_no_frame(tmp_path: Path) -> None:
    """It gets this process's environment, and the key with it."""
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    error = refused(lambda: process.start(tmp_path / "state", command), DaemonStartError)
    assert "exit code 3" in str(error)
    assert [] == spilled(error)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (f'secret_key_file = "0x{KEY}"', "looks like a secret key"),
        (f"secret_key_file = 0x{KEY}", "looks like a secret key"),
        (f'account = "{KEY}"', "looks like a secret key"),
        ('secret_key_file = "key"', "has the mode 0644"),
        ("tradng = true", "did you mean 'trading'"),
    ],
)
def test_a_daemon_that_cannot_start_shows_the_key_nowhere(setting: str, words: str) -> None:
    """Neither on a terminal nor in its log; with `-v` it says more, but not this."""
    with TemporaryDirectory(prefix="wsmgr-test-") as name:
        directory = Path(name) / "state"
        kept = key_file(Path(name), KEY, 0o644)
        config = Path(name) / "wsmgr.toml"
        setting = setting.replace('"key"', f'"{kept}"')
        config.write_text(f"[venues.hyperliquid]\ntrading = true\n{setting}\n")
        environ = {**environment(directory), VARIABLE: f"0x{KEY}"}
        done = run("-v", "--config", str(config), "daemon", "start", environ=environ)
        assert done.code != 0
        assert words in done.err
        assert not shows(done.out + done.err.encode())
        assert [] == [path for path, content in files(directory) if shows(content)]
