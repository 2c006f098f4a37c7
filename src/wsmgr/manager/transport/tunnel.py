"""The tunnel through a proxy, which a library opens that need not be installed: python-socks.

The library has a class for each loop; which one is the transport's matter, and so is what becomes of the socket.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wsmgr.manager.transport.errors import TransportUnavailableError
from wsmgr.manager.transport.racing import local_address

if TYPE_CHECKING:
    from collections.abc import Generator

    from wsmgr.manager.transport.attempt import Attempt


@contextmanager
def proxy_library() -> Generator[None]:
    """Import the library inside.

    Raises:
        TransportUnavailableError: It is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise TransportUnavailableError(
            f"dialling through a proxy needs python-socks ({error}); install it with: pip install python-socks"
        ) from error


async def open_tunnel(attempt: Attempt, proxy: Any) -> Any:  # noqa: ANN401 - the library's types are another's for each loop
    """Return the socket that a proxy has connected with the host that is dialled, as the library has it for the running loop.

    Args:
        attempt: The dial.
        proxy: A `Proxy` of python-socks.

    Raises:
        DialError: The proxy cannot be reached, refused, or was too late.
    """
    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError  # noqa: PLC0415

    try:
        return await proxy.connect(
            attempt.dial.host,
            attempt.dial.port,
            # The dial's own deadline comes first, and says in which phase it was.
            timeout=2.0 * attempt.dial.timeout,
            local_addr=local_address(attempt.dial),
        )
    except (ProxyError, ProxyConnectionError, ProxyTimeoutError) as error:
        raise attempt.failed(str(error)) from error
