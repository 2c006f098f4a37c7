"""The client, against a peer that behaves badly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError
from wsmgr.manager.daemon.unix_client import DaemonClient, path_of

if TYPE_CHECKING:
    from pathlib import Path

Peer = Callable[..., DaemonClient]
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def peer(directory: Path) -> Iterator[Peer]:
    """Serve fixed bytes to one request: `peer(b"HTTP/1.1 ...")`; with `hold` it then keeps the connection open."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "s"))
    listener.listen()
    done = threading.Event()
    threads: list[threading.Thread] = []

    def serve(answer: bytes, hold: bool) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)
            if hold:
                done.wait()

    def start(answer: bytes, *, hold: bool = False, timeout: float = 0.3) -> DaemonClient:
        threads.append(threading.Thread(target=serve, args=(answer, hold)))
        threads[-1].start()
        return DaemonClient(directory / "s", timeout=timeout)

    yield start
    done.set()
    for thread in threads:
        thread.join()
    listener.close()


def test_where_nothing_listens_the_error_names_the_socket(directory: Path) -> None:
    """Who asks a daemon that does not run learns where it was looked for, and what to do."""
    client = DaemonClient(directory / "none")
    assert not client.answers()
    with pytest.raises(DaemonUnreachableError, match=r"none.*wsmgr daemon status"):
        client.get("/v1/health")


def test_a_daemon_that_does_not_answer_is_given_up_on(peer: Peer) -> None:
    """A hung daemon does not hang its clients."""
    client = peer(b"", hold=True)
    with pytest.raises(DaemonUnreachableError, match=r"did not answer within 0\.3 s"):
        client.get("/v1/health")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"what?\r\n\r\n"])
def test_an_answer_that_breaks_off_is_no_answer(peer: Peer, answer: bytes) -> None:
    """A daemon that was killed while it answered is unreachable; half a document is never taken for one."""
    with pytest.raises(DaemonUnreachableError):
        peer(answer).get("/v1/health")


def test_an_error_that_is_no_problem_document_is_still_one(peer: Peer) -> None:
    """Whatever answers, the status reaches the caller."""
    with pytest.raises(DaemonError, match="500 Oops") as caught:
        peer(b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nbang").get("/v1/health")
    assert 500 == caught.value.status


def test_a_stream_that_breaks_off_is_told_from_one_that_ends(peer: Peer) -> None:
    """A reader knows a daemon that died from a subscription that was ended."""
    chunk = b"5\r\n{}\n{}\r\n"
    with peer(HEAD + chunk + b"1\r\n\n\r\n0\r\n\r\n").stream_lines("x") as stream:
        assert [[b"{}"], [b"{}"]] == list(stream)
    with (
        peer(HEAD + chunk).stream_lines("x") as stream,
        pytest.raises(DaemonUnreachableError, match="broke off"),
    ):
        list(stream)


def test_a_stream_ends_at_the_callers_deadline(peer: Peer) -> None:
    """`--duration` ends a silent stream."""
    began = time.monotonic()
    with peer(HEAD, hold=True).stream_lines("x", deadline=began + 0.2) as stream, pytest.raises(TimeoutError):
        list(stream)
    assert time.monotonic() - began >= 0.2


def test_a_read_that_waits_ends_when_the_stream_is_stopped(peer: Peer) -> None:
    """A stream may be silent for longer than an answer may take; another thread can end its reader at any time."""
    with peer(HEAD, hold=True, timeout=0.1).stream_lines("x") as stream:
        stopping = threading.Timer(0.25, stream.stop)
        stopping.start()
        assert [] == list(stream)
        stopping.join()
        assert [] == list(stream)


def test_an_id_is_quoted_in_a_path() -> None:
    """Whatever a user types as an id stays one segment of the path."""
    assert "/v1/subscriptions/a%2Fb%3F/last" == path_of("a/b?", "last")
