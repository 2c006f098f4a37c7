"""Sets up the venues of a configuration: their dialects, addresses and origins."""

from __future__ import annotations

from hashlib import sha256
from ssl import SSLError
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wsmgr.manager.model.dialling import Dialling
from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.registry import Origin, Venue
from wsmgr.manager.model.requests import Requests
from wsmgr.manager.runtime.context import Context, OriginContext, VenueContext
from wsmgr.manager.runtime.requests import VenueRequester
from wsmgr.manager.transport.attempt import client_context
from wsmgr.manager.transport.protocol import Dial, redact
from wsmgr.manager.venues.dialect import DeskSettings
from wsmgr.manager.venues.dialects import dialect_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from ssl import SSLContext

    from wsmgr.manager.config import Config, VenueConfig
    from wsmgr.manager.model.joining import Compose
    from wsmgr.manager.model.subscription_type import SubscriptionType
    from wsmgr.manager.venues.dialect import Dialect


_PORTS = {"ws": 80, "wss": 443}
_HIGHEST_START = 2.0**31


def add_venues(context: Context, config: Config, directory: Path | None) -> None:
    """Add the configured venues to a context.

    Args:
        context: What the actors share.
        config: The configuration.
        directory: Where venues keep files, or None to keep nothing on disk.

    Raises:
        ConfigurationError: A dialect is unknown, a type, a setting for requests or a file of certificates cannot be used, two
            venues are the same account of the same host, or two of one origin have different quotas.
    """
    seen: dict[tuple[str, str, str], str] = {}
    for venue in config.venues:
        dialect = dialect_named(venue.dialect, venue.types)
        url = venue.url or dialect.default_url
        identity = (venue.dialect, _host(url), (venue.account or "").lower())
        if identity in seen:
            raise ConfigurationError(
                f"the venues {seen[identity]!r} and {venue.name!r} are the same account of {identity[1]}; keep one"
            )
        seen[identity] = venue.name
        context.venues[venue.name] = _venue(context, venue, dialect, url, directory)


def _venue(
    context: Context, config: VenueConfig, dialect: Dialect, url: str, directory: Path | None
) -> VenueContext:
    hosts = {subscription_type.host for subscription_type in dialect.catalog.values()}
    origin = _origin(context, config, dialect, url)
    model = Venue(
        name=config.name,
        origin=origin.origin,
        rotate_after=config.rotate_after,
        request_host=dialect.request_host,
        # Where the numbers begin is anybody's guess: an answer that a venue makes up hits nobody.
        requests=Requests(number=int(context.uniform(0, _HIGHEST_START))),
        decode=dialect.payload,
        read_items=dialect.items,
        with_items=dialect.with_items,
        compose=lambda found: _compose(dialect, found),
    )
    context.registry.venues[config.name] = model
    urls = {host: dialect.url(url, host) for host in hosts}
    venue = VenueContext(
        model=model,
        dialect=dialect,
        url=redact(url),
        shown_urls={host: redact(found) for host, found in urls.items()},
        dials={host: _dial(config, found) for host, found in urls.items()},
        origin=origin,
    )
    settings = DeskSettings(
        venue=config.name,
        url=venue.url,
        source=f"sha256:{sha256(url.encode()).hexdigest()}",
        account=config.account,
        options=config.requests,
        directory=directory,
        wall=context.clock.wall,
        note=context.note,
        record=context.record,
    )
    venue.make_desk = lambda: dialect.desk(VenueRequester(context, venue), settings)
    if config.requests:
        # What is wrong with these settings is said at the start; most programs only subscribe, and load nothing for it.
        _ = venue.desk
    return venue


def _origin(context: Context, config: VenueConfig, dialect: Dialect, url: str) -> OriginContext:
    name = f"{dialect.name}:{_host(url)}{_way(config)}"
    quotas = dialect.quotas.override(config.quotas)
    found = context.origins.get(name)
    if found is None:
        origin = Origin(name=name, quotas=quotas)
        found = OriginContext(origin=origin, dialling=Dialling(origin.dials, context.uniform))
        context.origins[name] = found
    elif found.origin.quotas != quotas:
        other = found.origin.venues[0].name
        raise ConfigurationError(
            f"the venues {other!r} and {config.name!r} share the quotas of {_host(url)}, and their settings differ;"
            f" write the same [venues.{config.name}.quotas] for both"
        )
    return found


def _way(config: VenueConfig) -> str:
    """Return what tells apart the addresses that a host sees: those of a proxy, or of this machine; nothing for its usual one.

    One proxy is one address, whoever its user is: where that is wrong, a quota is kept too well.
    """
    if config.proxy is not None:
        return f"@{redact(config.proxy).lower().rstrip('/')}"
    return "" if config.source_address is None else f"@{config.source_address}"


def _dial(config: VenueConfig, url: str) -> Dial:
    context = None if config.ca_file is None else _trusting(config.ca_file, config.name)
    if context is not None and not url.startswith("wss:"):
        raise ConfigurationError(
            f"ca_file of [venues.{config.name}] is for wss:// addresses, and {redact(url)} is none; leave it out"
        )
    return Dial(url=url, proxy=config.proxy, source_address=config.source_address, ssl_context=context)


def _trusting(ca_file: str, name: str) -> SSLContext:
    """Return a context that trusts the certificates of a file."""
    try:
        return client_context(ca_file)
    except SSLError as error:
        raise ConfigurationError(
            f"ca_file of [venues.{name}]: {ca_file} holds no certificate in PEM form"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"ca_file of [venues.{name}]: {ca_file} cannot be read: {error.strerror}"
        ) from error


def _compose(dialect: Dialect, subscription_type: SubscriptionType) -> Compose:
    def compose(frames: Sequence[bytes]) -> bytes:
        return dialect.compose(subscription_type, frames)

    return compose


def _host(url: str) -> str:
    """Return the host of an address, and its port where that is not the scheme's own."""
    parts = urlsplit(url)
    name = (parts.hostname or "").removesuffix(".")
    return name if parts.port in {None, _PORTS.get(parts.scheme)} else f"{name}:{parts.port}"
