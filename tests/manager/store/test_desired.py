"""desired.json: whole, or refused."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import desired
from wsmgr.manager.store.desired import DesiredSubscription, read_desired, write_desired

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeSubscription


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desired.json"


def test_what_is_written_is_what_is_read(file: Path, subscription: MakeSubscription) -> None:
    """Everything that is needed to subscribe again under the same id and go on with its epochs."""
    rows = [
        subscription("a", params={"coin": "BTC", "nSigFigs": 5}, owner="uid:1000", epoch=3, state="live"),
        subscription("b", updated_at=1500.0),
    ]

    write_desired(file, map(DesiredSubscription.of, rows))

    found = read_desired(file)
    assert found is not None
    assert [one.row(9.0) for one in found] == [
        subscription("a", params={"coin": "BTC", "nSigFigs": 5}, owner="uid:1000", epoch=3, updated_at=9.0),
        subscription("b", updated_at=9.0),
    ]


def test_no_file_is_not_an_empty_file(file: Path) -> None:
    """Nobody wanting anything and nobody knowing what was wanted are different things."""
    assert None is read_desired(file)
    write_desired(file, ())
    assert () == read_desired(file)


def test_the_file_is_its_owners_alone(file: Path) -> None:
    """It names accounts."""
    write_desired(file, ())

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_a_write_that_fails_leaves_the_old_file(
    file: Path, subscription: MakeSubscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the news, never the list."""
    write_desired(file, [DesiredSubscription.of(subscription())])
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_desired(file, ())

    assert before == file.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"format": 1}',
        b'{"format": 1, "subscriptions": [{"id": "a"}]}',
        b'{"format": "1", "subscriptions": []}',
    ],
)
def test_a_file_that_is_not_one_is_refused_with_its_name(file: Path, content: bytes) -> None:
    """Half a list is never taken for the list."""
    file.write_bytes(content)

    with pytest.raises(StateDirectoryError, match=r"desired\.json is not a list"):
        read_desired(file)


def test_a_file_of_a_newer_format_is_refused(file: Path) -> None:
    """What a newer version wrote is not guessed."""
    file.write_text(json.dumps({"format": desired.FORMAT + 1, "wishes": []}))

    with pytest.raises(StateDirectoryError, match="a newer one"):
        read_desired(file)


@pytest.mark.parametrize("name", ["id", "key"])
def test_a_file_that_names_one_subscription_twice_is_refused(
    file: Path, subscription: MakeSubscription, name: str
) -> None:
    """Two entries for one subscription cannot both be right."""
    rows = [subscription("a"), subscription("b", **{name: getattr(subscription("a"), name)})]
    write_desired(file, map(DesiredSubscription.of, rows))

    with pytest.raises(StateDirectoryError, match=f"the {name} .* stands in it 2 times"):
        read_desired(file)
