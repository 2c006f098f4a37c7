"""Nonces rise: across restarts, kills, clock steps, signers and threads."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsmgr.manager.venues.hyperliquid.signing import NonceError, Nonces, nonces
from wsmgr.manager.venues.hyperliquid.signing.nonces import BLOCK, DAY_MS, GivenOut

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000_000
ALICE, BOB = "0x" + "ab" * 20, "0x" + "cd" * 20


class Clock:
    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def of_a_new_process(path: Path | None, clock: Callable[[], int]) -> Nonces:
    """Return what a process has that has given out nothing yet."""
    return Nonces(path, clock, GivenOut())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nonces.json"


@pytest.mark.parametrize("kept", [True, False])
def test_nonce_is_the_time_or_the_last_and_one(path: Path, kept: bool) -> None:
    """In one millisecond they count on; when the clock has caught up they are its time again."""
    clock = Clock()
    source = of_a_new_process(path if kept else None, clock)
    assert [NOW, NOW + 1, NOW + 2] == [source.next(ALICE) for _ in range(3)]
    clock.now += 2
    assert NOW + 3 == source.next(ALICE)
    clock.now += 100
    assert NOW + 102 == source.next(ALICE)


def test_clock_that_is_set_back_does_not_set_back_the_nonces(path: Path) -> None:
    """Almost a day, and they go on."""
    clock = Clock()
    source = of_a_new_process(path, clock)
    assert NOW == source.next(ALICE)
    clock.now -= DAY_MS - 10
    assert NOW + 1 == source.next(ALICE)


def test_signers_have_nonces_of_their_own_whatever_the_case(path: Path) -> None:
    """An address is one signer in any case."""
    source = of_a_new_process(path, Clock())
    assert NOW == source.next(ALICE)
    assert NOW == source.next(BOB)
    assert NOW + 1 == source.next(ALICE.upper().replace("X", "x", 1))


def test_next_process_starts_above_what_the_last_may_have_given_out(path: Path) -> None:
    """The clock stands, and even stepped back: above the mark; for each signer."""
    first = of_a_new_process(path, Clock())
    last = [first.next(ALICE) for _ in range(5)][-1]
    first.next(BOB)
    for step in (0, -60_000):
        second = of_a_new_process(path, Clock(NOW + step)).next(ALICE)
        assert last < second <= last + BLOCK
        last = second
    assert NOW < of_a_new_process(path, Clock()).next(BOB)


def test_next_process_takes_the_time_where_it_is_above_the_mark(path: Path) -> None:
    """Nothing drifts away from the clock."""
    of_a_new_process(path, Clock()).next(ALICE)
    assert NOW + BLOCK + 5 == of_a_new_process(path, Clock(NOW + BLOCK + 5)).next(ALICE)


@pytest.mark.parametrize("kept", [(True, True), (True, False), (False, True), (False, False)])
def test_all_of_one_process_never_give_out_one_nonce_twice(path: Path, kept: tuple[bool, bool]) -> None:
    """Two venues of one manager share a file, two managers share none: the venue knows one signer."""
    process = GivenOut()
    first, second = (
        Nonces(path.with_name(f"{path.name}.{number}") if each else None, Clock(), process)
        for number, each in enumerate(kept)
    )
    assert [NOW, NOW + 1, NOW + 2] == [first.next(ALICE), second.next(ALICE), first.next(ALICE)]
    assert [NOW, NOW + 1] == [second.next(BOB), first.next(BOB)]


def test_two_with_one_file_share_its_marks(path: Path) -> None:
    """Neither writes over what the other has reserved, and neither jumps over a block for the other."""
    process = GivenOut()
    first, second = (Nonces(path, Clock(), process) for _ in range(2))
    assert [NOW, NOW] == [first.next(ALICE), second.next(BOB)]
    third = Nonces(path, Clock(), process)
    assert [NOW + 1, NOW + 2, NOW + 3] == [each.next(ALICE) for each in (third, second, first)]
    assert {ALICE: NOW + BLOCK - 1, BOB: NOW + BLOCK - 1} == json.loads(path.read_text())


def test_a_file_that_another_process_has_used_meanwhile_is_read_again(path: Path) -> None:
    """A state directory may go to another process and come back."""
    process = GivenOut()
    Nonces(path, Clock(), process).next(ALICE)
    elsewhere = of_a_new_process(path, Clock()).next(ALICE)
    assert elsewhere < Nonces(path, Clock(), process).next(ALICE)


def test_without_more_said_it_is_what_this_process_has_given_out() -> None:
    """Whoever makes one need not think of the others."""
    signer = "0x" + os.urandom(20).hex()
    assert [NOW, NOW + 1] == [Nonces(None, Clock()).next(signer) for _ in range(2)]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("take"), st.integers(1, 5)),
            st.tuples(st.just("step"), st.integers(-50_000, 50_000)),
            st.tuples(st.just("restart"), st.just(0)),
            st.tuples(st.just("another"), st.just(0)),
        ),
        max_size=40,
    )
)
@settings(deadline=None, max_examples=60)
def test_no_nonce_is_given_out_twice_and_all_rise(events: list[tuple[str, int]]) -> None:
    """Whatever the clock does, and however often the process ends; and what is on the disk covers them."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nonces.json"
        clock, process = Clock(), GivenOut()
        source = Nonces(path, clock, process)
        given_out = []
        for what, number in events:
            match what:
                case "take":
                    for _ in range(number):
                        given_out.append(source.next(ALICE))
                        assert given_out[-1] >= clock.now
                        assert given_out[-1] <= json.loads(path.read_text())[ALICE]
                case "step":
                    clock.now += number
                case "restart":
                    process = GivenOut()
                    source = Nonces(path, clock, process)
                case _:
                    source = Nonces(path, clock, process)
        assert given_out == sorted(set(given_out))


def test_mark_is_on_the_disk_before_a_nonce_is_given_out_and_once_for_a_block(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content before its name, then the name; after that a block's nonces cost no write."""
    seen: list[str] = []
    sync, replace = os.fsync, Path.replace

    def spy_sync(descriptor: int) -> None:
        sync(descriptor)
        opened = os.fstat(descriptor)
        places = (path.parent, *path.parent.iterdir())
        seen.extend(f"sync {each.name}" for each in places if os.path.samestat(opened, each.stat()))

    def spy_replace(self: Path, target: Path) -> Path:
        assert NOW + BLOCK - 1 <= json.loads(self.read_text())[ALICE]
        seen.append(f"replace {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    source = of_a_new_process(path, Clock())
    assert [] == seen
    given_out = [source.next(ALICE) for _ in range(BLOCK)]
    assert ["sync nonces.json.new", "replace nonces.json", f"sync {path.parent.name}"] == seen
    assert given_out[-1] == json.loads(path.read_text())[ALICE]
    source.next(ALICE)
    assert 6 == len(seen)


def test_file_is_its_owners_alone(path: Path) -> None:
    """Whatever the umask."""
    before = os.umask(0)
    try:
        of_a_new_process(path, Clock()).next(ALICE)
    finally:
        os.umask(before)
    assert 0o600 == path.stat().st_mode & 0o777
    assert ["nonces.json"] == [each.name for each in path.parent.iterdir()]


def test_mark_that_cannot_be_written_gives_out_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And when the disk has room again, the same nonce is given out: none was lost."""
    source = of_a_new_process(path, Clock())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(NonceError, match=f"{path}: No space left on device; none was given out"):
            source.next(ALICE)
    assert not path.exists()
    assert NOW == source.next(ALICE)
    assert NOW <= json.loads(path.read_text())[ALICE]


def test_nonce_is_never_a_day_ahead_of_the_clock(path: Path) -> None:
    """The venue would refuse it: an error that tells how far, and none was used up."""
    clock = Clock()
    source = of_a_new_process(path, clock)
    source.next(ALICE)
    clock.now = NOW + 2 - DAY_MS
    assert NOW + 1 == source.next(ALICE)
    before = path.read_bytes()
    for again in (source, source, of_a_new_process(path, Clock(NOW - 3 * DAY_MS))):
        with pytest.raises(NonceError, match=r"(1\.0|3\.0) days ahead of the clock.*nonces.json"):
            again.next(ALICE)
    assert before == path.read_bytes()
    clock.now += 1
    assert NOW + 2 == source.next(ALICE)


def test_nonce_in_memory_is_never_a_day_ahead_either() -> None:
    """A step back within one process."""
    clock = Clock()
    source = of_a_new_process(None, clock)
    source.next(ALICE)
    clock.now = NOW + 1 - DAY_MS
    with pytest.raises(NonceError, match="kept in memory"):
        source.next(ALICE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"0xab": "1"}',
        b'{"0xab": 1.5}',
        b'{"0xab": null}',
        b'{"0xab": 1} x',
        b"\xff",
    ],
)
def test_damaged_file_is_an_error_that_names_it(path: Path, content: bytes) -> None:
    """Silence could give out a nonce twice. The file is left as it is; whoever takes no nonce never hears of it."""
    path.write_bytes(content)
    source = of_a_new_process(path, Clock())
    for _ in range(2):
        with pytest.raises(NonceError, match=f"{path} are damaged"):
            source.next(ALICE)
    assert content == path.read_bytes()
    path.unlink()
    assert NOW == source.next(ALICE)


def test_file_that_cannot_be_read_is_an_error_that_names_it(path: Path) -> None:
    """Not the same as none."""
    path.mkdir()
    with pytest.raises(NonceError, match=f"{path} cannot be read: Is a directory"):
        of_a_new_process(path, Clock()).next(ALICE)


@pytest.mark.parametrize("elsewhere", ["other.json", None])
def test_a_wrong_mark_stops_nobody_who_uses_another_file(path: Path, elsewhere: str | None) -> None:
    """A damaged state directory is its own trouble, until a nonce of it was really given out."""
    process, signed = GivenOut(), {ALICE: 9 * 10**18, BOB: NOW + 500}
    path.write_text(json.dumps(signed))
    first = Nonces(path, Clock(), process)
    other = Nonces(None if elsewhere is None else path.with_name(elsewhere), Clock(), process)
    with pytest.raises(NonceError, match="days ahead of the clock"):
        first.next(ALICE)
    assert [NOW, NOW + 1] == [other.next(ALICE), other.next(ALICE)]
    assert [NOW, NOW + 501, NOW + 502] == [other.next(BOB), first.next(BOB), other.next(BOB)]


def test_what_another_process_left_counts_for_all_that_use_its_file(path: Path) -> None:
    """However many of them there are, and whoever has read it before."""
    path.write_text(json.dumps({ALICE: NOW + 500}))
    process = GivenOut()
    Nonces(path, Clock(), process).next(BOB)
    assert NOW + 501 == Nonces(path, Clock(), process).next(ALICE)


def test_directory_that_is_missing_is_an_error(path: Path) -> None:
    """It is made by whoever owns the state directory."""
    lost = path.parent / "none" / "nonces.json"
    with pytest.raises(NonceError, match=f"{lost}: No such file"):
        of_a_new_process(lost, Clock()).next(ALICE)


def test_left_over_of_a_write_that_was_cut_short_is_harmless(path: Path) -> None:
    """Only the name that was replaced counts."""
    last = of_a_new_process(path, Clock()).next(ALICE)
    path.with_name("nonces.json.new").write_bytes(b'{"0x')
    assert last < of_a_new_process(path, Clock()).next(ALICE)


@pytest.mark.parametrize("kept", [True, False])
def test_threads_of_one_process_never_get_one_nonce(
    path: Path, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight threads at once, over the end of many small blocks."""
    monkeypatch.setattr(nonces, "BLOCK", 50)
    source = of_a_new_process(path if kept else None, Clock())
    given_out: list[list[int]] = [[] for _ in range(8)]
    barrier = Barrier(8)

    def take(into: list[int]) -> None:
        barrier.wait()
        into.extend(source.next(ALICE) for _ in range(200))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Thread(target=take, args=(into,)) for into in given_out]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert [NOW + step for step in range(1600)] == sorted(itertools.chain(*given_out))
    assert all(each == sorted(each) for each in given_out)


KILLED = """
import os, signal, sys
from pathlib import Path
from wsmgr.manager.venues.hyperliquid.signing import Nonces, nonces

path, where, now = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
count = 0

def die_at(name, function):
    def call(*arguments):
        global count
        count += 1
        if where == f"before {name}" and count > 3:
            os.kill(os.getpid(), signal.SIGKILL)
        found = function(*arguments)
        if where == f"after {name}" and count > 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    return call

nonces.BLOCK = 10
os.fsync = die_at("fsync", os.fsync)
Path.replace = die_at("replace", Path.replace)
source = Nonces(path, lambda: now)
while True:
    print(source.next("0xab"), flush=True)
    if where == "in a block" and source.next("0xab") > now + 25:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "where", ["before fsync", "after fsync", "before replace", "after replace", "in a block"]
)
def test_process_that_is_killed_between_reserving_and_using_repeats_nothing(path: Path, where: str) -> None:
    """Three processes one after another, the clock standing still; each is killed at the worst moment."""
    given_out: list[int] = []
    for _ in range(3):
        command = [sys.executable, "-c", KILLED, str(path), where, str(NOW)]
        done: Any = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert -signal.SIGKILL == done.returncode, done.stderr
        given_out += [int(line) for line in done.stdout.split()]
    assert len(given_out) >= 10
    assert given_out == sorted(set(given_out))
    assert given_out[-1] < of_a_new_process(path, Clock()).next("0xab")
