"""Many slow consumers together stay within one bound."""

from __future__ import annotations

from tests.manager.model.world import Reader, messages

from wsmgr.manager.model.buffer_pool import LEAST, BufferPool
from wsmgr.manager.model.delivery import MAX_BYTES, Policy

KIB = 1024


def test_together_they_get_fair_shares_and_their_own_bounds_back_when_they_have_read() -> None:
    """Each policy decides as if the buffer had been full; who reads is not touched for long."""
    readers = [Reader(Policy.DROP_OLDEST) for _ in range(4)]
    pool = BufferPool(limit=1024 * KIB)
    frames = messages(*["x" * (100 * KIB)] * 4)
    for reader in readers:
        for message in frames:
            reader.buffer.put(message)
    assert pool.look(reader.buffer for reader in readers)
    assert (True, 1600 * KIB) == (pool.squeezed, pool.bytes)
    assert [256 * KIB] * 4 == [reader.buffer.max_bytes for reader in readers]
    for reader in readers:
        reader.buffer.put(messages("y" * KIB)[0])
        assert reader.buffer.bytes <= 256 * KIB
        assert reader.buffer.dropped == 2
    assert not pool.look(reader.buffer for reader in readers)
    for reader in readers:
        reader.read()
    assert pool.look(reader.buffer for reader in readers)
    assert [MAX_BYTES] * 4 == [reader.buffer.max_bytes for reader in readers]


def test_a_bound_of_its_own_is_never_made_wider() -> None:
    """Neither by a share that is larger, nor when all is well again."""
    small, large = Reader(max_bytes=100 * KIB), Reader()
    pool = BufferPool(limit=1024 * KIB)
    frames = messages(*["x" * (600 * KIB)] * 2)
    for message in frames:
        large.buffer.put(message)
    assert pool.look([small.buffer, large.buffer])
    assert [100 * KIB, 512 * KIB] == [small.buffer.max_bytes, large.buffer.max_bytes]
    large.read()
    assert pool.look([small.buffer, large.buffer])
    assert [100 * KIB, MAX_BYTES] == [small.buffer.max_bytes, large.buffer.max_bytes]


def test_a_share_is_never_too_small_for_a_message() -> None:
    """However many consumers there are."""
    readers = [Reader() for _ in range(100)]
    for reader in readers:
        reader.buffer.put(messages("x" * KIB)[0])
    pool = BufferPool(limit=KIB)
    assert pool.look(reader.buffer for reader in readers)
    assert {LEAST} == {reader.buffer.max_bytes for reader in readers}
