"""Configuration: a TOML file, the environment over it, and a caller's options over both.

::

    [venues.hyperliquid]
    url = "wss://api.hyperliquid-testnet.xyz/ws"
    proxy = "socks5://user:password@127.0.0.1:1080"
    source_address = "10.0.0.2"
    ca_file = "/etc/wsmgr/ca.pem"
    rotate_after = 82800                # seconds after which a socket is replaced, make before break

    account = "0x..."                   # whose streams and requests are meant where a call names nobody
    network = "testnet"                 # what actions are signed for, where the address does not say it
    secret_key_file = "/etc/wsmgr/key"  # mode 0600; else WSMGR_<VENUE>_SECRET_KEY, else a systemd credential
    trading = true                      # actions are refused without it
    transfers = false                   # and transfers, withdrawals and approvals without this
    allowed_actions = ["order", "cancel"]
    max_notional = "10000"

    [venues.hyperliquid.quotas]
    users = 15
    connections = "off"

    [dialects.hyperliquid.types.newStream]
    parameters = [{ name = "coin", required = true }]
    identity = { coin = "coin" }

A secret key has no place in it: whatever looks like one is refused, and not shown. A proxy's address may hold a password, which is not
shown either.

The address of a venue is, in this order: the caller's `url` (where there is one venue), `WSMGR_<VENUE>_URL` (upper case, `-` as
`_`), the file's `url`, the dialect's own.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from attrs import field, frozen

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.showing import forgetful, looks_like_secret_key, shown
from wsmgr.manager.transport.protocol import Dial, check_proxy, check_source_address, redact

DEFAULT_VENUE = "hyperliquid"
LEAST_ROTATION = 60.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_REQUEST_KEYS = (
    "network",
    "secret_key_file",
    "secret_key_variable",
    "trading",
    "transfers",
    "allowed_actions",
    "max_notional",
)
_VENUE_KEYS = (
    *("dialect", "url", "proxy", "source_address", "ca_file", "rotate_after", "account", "quotas"),
    *_REQUEST_KEYS,
)
_DIALECT_KEYS = ("types",)
_TOP_KEYS = ("venues", "dialects", "daemon")
"""`daemon` is read by the daemon (`manager.daemon.settings`)."""
MAX_BYTES = 1024 * 1024
_URL_VARIABLE = re.compile(r"WSMGR_[A-Z0-9_]+_URL")
_DEEPEST = 8


@frozen(kw_only=True)
class VenueConfig:
    """One venue.

    Attributes:
        name: Its name.
        dialect: How it speaks.
        url: Its address, or None for the dialect's own.
        proxy: The proxy that it is dialled through, or None. It may hold a password.
        source_address: The address of this machine that it is dialled from, or None.
        ca_file: The file of certificates that are trusted for it instead of the system's, or None.
        rotate_after: After how many seconds a socket is replaced, make before break, or None for never.
        account: Which account of the service it is, or None.
        quotas: Changes to the dialect's quotas.
        types: Subscription types that are added to the dialect's catalog, or corrected, by name.
        requests: What the dialect's client for requests is told, by the names of the file (`trading`, `max_notional`, ...).
    """

    name: str
    dialect: str
    url: str | None = None
    proxy: str | None = field(default=None, repr=lambda proxy: redact(proxy) if proxy else "None")
    source_address: str | None = None
    ca_file: str | None = None
    rotate_after: float | None = None
    account: str | None = None
    quotas: Mapping[str, object] = field(factory=dict[str, object])
    types: Mapping[str, Mapping[str, object]] = field(factory=dict[str, Mapping[str, object]])
    requests: Mapping[str, object] = field(factory=dict[str, object])


@frozen(kw_only=True)
class Config:
    """A checked configuration.

    Attributes:
        venues: The venues that are used.
    """

    venues: tuple[VenueConfig, ...]


@forgetful  # of the environment, and of a key that was written where none belongs
def load_config(
    source: str | Path | Mapping[str, Any] | None,
    *,
    venues: tuple[str, ...],
    url: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Return the configuration of a manager.

    Args:
        source: A TOML file's path, its content as a mapping, or None.
        venues: The names of the venues that are used; empty for all that the configuration has.
        url: The address of the venue, where there is one only.
        environ: The environment.

    Raises:
        ConfigurationError: The file cannot be read, or something in it is unknown or contradicts itself.
    """
    urls = {variable: found for variable, found in environ.items() if _URL_VARIABLE.fullmatch(variable)}
    del environ  # it may hold a key, and nothing more of it is needed
    document = _read(source)
    _refuse_secrets(document, ())
    _check_keys(document, _TOP_KEYS, "the configuration")
    configured = _table(document.get("venues", {}), "[venues]")
    types = _types(_table(document.get("dialects", {}), "[dialects]"))
    names = venues or tuple(dict.fromkeys((*configured, DEFAULT_VENUE)))
    for name in names:
        if not _NAME.fullmatch(name) or looks_like_secret_key(name):
            raise ConfigurationError(f"{shown(name)} is no venue name; use small letters, digits and hyphens")
    if not names:
        raise ConfigurationError("no venue is named; give at least one, such as 'hyperliquid'")
    if len(set(names)) != len(names):
        raise ConfigurationError(f"a venue is named twice: {', '.join(names)}")
    if url is not None and len(names) != 1:
        raise ConfigurationError(f"url is for a single venue, and there are {len(names)}: {', '.join(names)}")
    return Config(venues=tuple(_venue(name, configured, types, url, urls) for name in names))


def check_url(text: str, *, what: str) -> str:
    """Return a WebSocket address.

    Raises:
        ConfigurationError: It is none.
    """
    if looks_like_secret_key(text):
        raise ConfigurationError(f"{what} is {shown(text)}; an address looks like ws://127.0.0.1:9000/ws")
    try:
        Dial(url=text)
    except ValueError as error:
        raise ConfigurationError(
            f"{what} cannot be used: {error}; an address looks like ws://127.0.0.1:9000/ws"
        ) from error
    return text


def _read(source: str | Path | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return source
    if looks_like_secret_key(Path(source).name):
        raise ConfigurationError(f"config is {shown(str(source))}; give the path of a TOML file")
    try:
        with Path(source).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigurationError(f"the configuration {source} is larger than {MAX_BYTES} bytes")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigurationError(f"the configuration {source} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, or of a number with too many digits
        raise ConfigurationError(f"the configuration {source} is not TOML: {error}") from error


def _refuse_secrets(value: object, place: tuple[str, ...]) -> None:
    """Refuse a key wherever it stands: it would be shown with the configuration, and never be used."""
    if looks_like_secret_key(value):
        raise ConfigurationError(
            f"{'.'.join(place)} in the configuration looks like a secret key, and is not shown; write a key into a file of"
            " mode 0600, and that file's path as secret_key_file"
        )
    if len(place) == _DEEPEST:
        return
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        foreign = table.get("dialect", DEFAULT_VENUE) != DEFAULT_VENUE
        for name, each in table.items():
            if looks_like_secret_key(name):
                _refuse_secrets(name, (*place, "a name"))
            if not (foreign and name == "account"):  # of another service, whose accounts may have such names
                _refuse_secrets(each, (*place, str(name)))
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[object]", value):
            _refuse_secrets(each, (*place, "an item"))


def _types(dialects: Mapping[str, Any]) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """Return the tables of the types that the configuration adds or corrects, by dialect and by type."""
    found: dict[str, Mapping[str, Mapping[str, object]]] = {}
    for name, value in dialects.items():
        where = f"[dialects.{name}]"
        table = _table(value, where)
        _check_keys(table, _DIALECT_KEYS, where)
        types = _table(table.get("types", {}), f"[dialects.{name}.types]")
        found[name] = {
            each: _table(content, f"[dialects.{name}.types.{each}]") for each, content in types.items()
        }
    return found


def _venue(
    name: str,
    configured: Mapping[str, Any],
    types: Mapping[str, Mapping[str, Mapping[str, object]]],
    url: str | None,
    urls: Mapping[str, str],
) -> VenueConfig:
    table = configured.get(name)
    if table is None and name != DEFAULT_VENUE:
        near = difflib.get_close_matches(name, [*configured, DEFAULT_VENUE], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; write [venues.{name}] into the configuration"
        raise ConfigurationError(f"there is no venue {name!r}{hint}")
    table = _table({} if table is None else table, f"[venues.{name}]")
    _check_keys(table, _VENUE_KEYS, f"[venues.{name}]")
    dialect = table.get("dialect", name if name == DEFAULT_VENUE else None)
    if not isinstance(dialect, str):
        raise ConfigurationError(f'[venues.{name}] names no dialect; write dialect = "hyperliquid"')
    quotas = _table(table.get("quotas", {}), f"[venues.{name}.quotas]")
    return VenueConfig(
        name=name,
        dialect=dialect,
        url=_url(name, table, url, urls),
        proxy=_checked(table, "proxy", name, check_proxy),
        source_address=_checked(table, "source_address", name, check_source_address),
        ca_file=_text(table, "ca_file", name),
        rotate_after=_seconds(table, "rotate_after", name),
        account=_text(table, "account", name),
        quotas=quotas,
        types=types.get(dialect, {}),
        requests={key: table[key] for key in _REQUEST_KEYS if key in table},
    )


def _url(name: str, table: Mapping[str, Any], url: str | None, urls: Mapping[str, str]) -> str | None:
    if url is not None:
        return check_url(url, what="url")
    variable = f"WSMGR_{name.upper().replace('-', '_')}_URL"
    if urls.get(variable):
        return check_url(urls[variable], what=variable)
    found = _text(table, "url", name)
    return None if found is None else check_url(found, what=f"url of [venues.{name}]")


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} in the configuration is not a table, but {shown(value)}")
    return cast("Mapping[str, Any]", value)


def _text(table: Mapping[str, Any], key: str, name: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{key} of [venues.{name}] is {shown(value)}, which is no text")
    return value


def _checked(table: Mapping[str, Any], key: str, name: str, check: Callable[[str], str]) -> str | None:
    found = _text(table, key, name)
    if found is None:
        return None
    try:
        return check(found)
    except ValueError as error:
        raise ConfigurationError(f"{key} of [venues.{name}] cannot be used: {error}") from error


def _seconds(table: Mapping[str, Any], key: str, name: str) -> float | None:
    """Return a time in seconds, at least a minute: each use of it costs a dial."""
    value = table.get(key)
    if value is None or value == "off":
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not LEAST_ROTATION <= value < math.inf
    ):
        raise ConfigurationError(
            f"{key} of [venues.{name}] is {shown(value)}; give seconds, {LEAST_ROTATION:g} or more, or 'off'"
        )
    return float(value)


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
            raise ConfigurationError(f"{where} has no {shown(key)}{hint}")
