"""Settings: what the configuration file's table `[daemon]` and the options of `wsmgr daemon run` say.

::

    [daemon]
    http = "127.0.0.1:8080"                  # serve the API over TCP too, to who has a token
    http_hosts = ["wsmgr.example.com"]       # names that requests may ask for: those of a proxy
    http_public = true                       # yes, `http` is an address that others can reach
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from attrs import frozen

from wsmgr.manager.daemon.address import HttpAddress, check_name
from wsmgr.manager.model.errors import ConfigurationError, UsageError
from wsmgr.manager.model.showing import forgetful, shown

TABLE: Final = "daemon"
MAX_CONFIGURATION_BYTES: Final = 1024 * 1024
_KEYS: Final = ("http", "http_hosts", "http_public")


@frozen(kw_only=True)
class HttpSettings:
    """How the API is served over TCP.

    Attributes:
        address: Where.
        directory: The state directory, which has the tokens.
        names: What the machine is called besides its addresses, in small letters.
    """

    address: HttpAddress
    directory: Path
    names: Collection[str] = ()


@forgetful  # of a key in the configuration
def read_table(source: Path | None) -> Mapping[str, Any]:
    """Return the table `[daemon]` of a configuration file; empty where there is none.

    The rest of the file is the manager's matter, as is a file that cannot be read.

    Raises:
        ConfigurationError: The file is too large, or is not TOML, or `daemon` in it is no table.
    """
    if source is None or not source.is_file():
        return {}
    with source.open("rb") as file:
        content = file.read(MAX_CONFIGURATION_BYTES + 1)
    if len(content) > MAX_CONFIGURATION_BYTES:
        raise ConfigurationError(f"the configuration {source} is larger than {MAX_CONFIGURATION_BYTES} bytes")
    try:
        table = tomllib.loads(content.decode()).get(TABLE, {})
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the configuration {source} is not TOML: {error}") from error
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"[{TABLE}] in the configuration is not a table, but {shown(table)}")
    return cast("Mapping[str, Any]", table)


def http_settings(
    table: Mapping[str, Any],
    directory: Path,
    *,
    http: str | None = None,
    hosts: Sequence[str] = (),
    public: bool = False,
) -> HttpSettings | None:
    """Return how the API is served over TCP, or None where it is not asked for.

    Args:
        table: The table `[daemon]`.
        directory: The state directory.
        http: The value of `--http`, which goes over the table's.
        hosts: The values of `--http-host`, which come to the table's.
        public: Whether `--http-public` was given.

    Raises:
        ConfigurationError: The table has a key that there is not, or a value of another kind.
        UsageError: An address or a name cannot be used, or others could reach the address and nobody said that they may.
    """
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_KEYS)}"
            raise ConfigurationError(f"[{TABLE}] has no {shown(key)}{hint}")
    configured = _typed(table, "http", str, "a text", None)
    confirmed = _typed(table, "http_public", bool, "true or false", False) or public
    listed = _typed(table, "http_hosts", list, "a list of texts", [])
    if not all(isinstance(name, str) for name in listed):
        raise ConfigurationError(f"http_hosts of [{TABLE}] is {shown(listed)}, which is no list of texts")
    names = frozenset(map(check_name, (*listed, *hosts)))
    given = http or configured
    if given is None:
        if names or confirmed:
            raise UsageError(
                "http_hosts and http_public are for http, and that is not given: where is it to listen?"
            )
        return None
    address = HttpAddress.parse(given)
    if not address.loopback and not confirmed:
        raise UsageError(
            f"http is {address}, which other machines can reach: whoever listens on the way reads the tokens, for it is plain"
            " HTTP; listen on 127.0.0.1 and put a proxy with TLS before it, or say --http-public (http_public = true)"
        )
    return HttpSettings(address=address, directory=directory, names=names)


def _typed(table: Mapping[str, Any], key: str, kind: type, what: str, default: Any) -> Any:  # noqa: ANN401 - of `kind`
    value = table.get(key, default)
    if value is not default and not isinstance(value, kind):
        raise ConfigurationError(f"{key} of [{TABLE}] is {shown(value)}, which is not {what}")
    return value
