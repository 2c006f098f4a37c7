"""An actor that does what a test sends it, and hands over what others send it, one by one."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, overload

import anyio

from wsmgr.actors.actor import Actor
from wsmgr.actors.messages import Continue, Ignore, NoReply, Reply, Stop

from .news import News

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wsmgr.actors.process.calls import ReplyTo
    from wsmgr.actors.reasons import ExitReason

M = TypeVar("M")


class Probe(Actor[Any]):
    """An actor that stands in for another one: it writes down what happens to it, and a test expects it.

    A call or cast that is a function runs in the actor, as `await fn(probe)`. Anything else that it gets, `Down`,
    `ExitSignal` and `Timer` too, is written into the journal and waits for the test to receive it. What the function
    or `answer` returns is the answer to a call, unless it is `Reply`, `NoReply` or `Stop` already.

    Attributes:
        name: The first member of each entry of the journal.
        journal: Entries `(name, "init")`, `(name, message)` and `(name, "terminate", reason)`; may be shared.
        answer: Makes the answer of a request; by default the request itself. It may raise `RejectError`.
    """

    def __init__(
        self,
        name: str = "probe",
        journal: list[tuple[object, ...]] | None = None,
        *,
        answer: Callable[[Any], object] = lambda request: request,
    ) -> None:
        self.name = name
        self.journal: list[tuple[object, ...]] = [] if journal is None else journal
        self.answer = answer
        self._unread: deque[object] = deque()
        self._news = News()

    # -- for the test ----------------------------------------------------------------------------------------------

    @property
    def unread(self) -> tuple[object, ...]:
        """What it got and nobody has received yet, oldest first."""
        return tuple(self._unread)

    async def receive(self, *, timeout: float = 10.0) -> Any:  # noqa: ANN401 - a message is Any by nature
        """Return the next message, waiting for it. Cancelling it takes none.

        Raises:
            TimeoutError: None came within `timeout` seconds.
        """
        if not await self._has_mail(timeout):
            raise TimeoutError(f"{self.name!r} got no message within {timeout:g} s")
        return self._unread.popleft()

    @overload
    async def expect(self, wanted: type[M], *, timeout: float = 10.0) -> M: ...

    @overload
    async def expect(self, wanted: object, *, timeout: float = 10.0) -> Any: ...  # noqa: ANN401 - see `receive`

    async def expect(self, wanted: object, *, timeout: float = 10.0) -> object:
        """Return the next message, which must be `wanted`: an instance of that class, or equal to that value.

        Raises:
            AssertionError: Another message came. It counts as received.
            TimeoutError: None came within `timeout` seconds.
        """
        if not await self._has_mail(timeout):
            raise TimeoutError(
                f"{self.name!r} expected {_name_of(wanted)}, and nothing came within {timeout:g} s"
            )
        message = self._unread.popleft()
        if not _fits(wanted, message):
            raise AssertionError(f"{self.name!r} expected {_name_of(wanted)} and got {message!r}")
        return message

    @overload
    async def wait_for(
        self, wanted: type[M], *, where: Callable[[M], bool] = ..., timeout: float = 10.0
    ) -> M: ...

    @overload
    async def wait_for(
        self, wanted: object, *, where: Callable[[Any], bool] = ..., timeout: float = 10.0
    ) -> Any: ...  # noqa: ANN401 - see `receive`

    async def wait_for(
        self, wanted: object, *, where: Callable[[Any], bool] = lambda _: True, timeout: float = 10.0
    ) -> object:
        """Return the next message that is `wanted`, as in `expect`, and for which `where` holds.

        Those before it count as received.

        Raises:
            TimeoutError: None came within `timeout` seconds; it says what came instead.
        """
        passed: list[object] = []
        with anyio.move_on_after(timeout):
            while await self._has_mail(math.inf):
                message = self._unread.popleft()
                if _fits(wanted, message) and where(message):
                    return message
                passed.append(message)
        raise TimeoutError(
            f"{self.name!r} got no {_name_of(wanted)} that fits within {timeout:g} s, but {passed}"
        )

    async def expect_nothing(self, duration: float = 1.0) -> None:
        """Wait for `duration` seconds, in which no message may come; none may be waiting already.

        Raises:
            AssertionError: One came. It can still be received.
        """
        if await self._has_mail(duration):
            raise AssertionError(
                f"{self.name!r} expected nothing for {duration:g} s and got {self._unread[0]!r}"
            )

    # -- callbacks -------------------------------------------------------------------------------------------------

    async def init(self) -> Continue | Ignore | Stop | None:
        """Write it down."""
        self.journal.append((self.name, "init"))
        return None

    async def handle_call(self, request: object, reply_to: ReplyTo) -> Reply | NoReply | Stop:
        """Run, or keep and answer."""
        del reply_to
        if _is_function(request):
            result = await request(self)
        else:
            self._keep(request)
            result = self.answer(request)
        return result if isinstance(result, (Reply, NoReply, Stop)) else Reply(result)

    async def handle_cast(self, message: object) -> Stop | None:
        """Run, or keep."""
        if not _is_function(message):
            self._keep(message)
            return None
        result = await message(self)
        return result if isinstance(result, Stop) else None

    async def handle_info(self, message: object) -> Stop | None:
        """Keep it."""
        self._keep(message)
        return None

    async def terminate(self, reason: ExitReason) -> None:
        """Write it down."""
        self.journal.append((self.name, "terminate", reason))

    async def _has_mail(self, timeout: float) -> bool:
        with anyio.move_on_after(timeout):
            while not self._unread:
                await self._news.wait()
        return bool(self._unread)

    def _keep(self, message: object) -> None:
        self.journal.append((self.name, message))
        self._unread.append(message)
        self._news.tell()


class TrappingProbe(Probe):
    """A `Probe` that traps exits."""

    trap_exit = True


def _is_function(message: object) -> TypeGuard[Callable[[Probe], Awaitable[object]]]:
    # A class is a message like any other.
    return callable(message) and not isinstance(message, type)


def _fits(wanted: object, message: object) -> bool:
    return isinstance(message, wanted) if isinstance(wanted, type) else bool(wanted == message)


def _name_of(wanted: object) -> str:
    return wanted.__name__ if isinstance(wanted, type) else repr(wanted)
