"""Parameters as they are written on the command line."""

from __future__ import annotations

import pytest

from wsmgr.cli.errors import CommandError
from wsmgr.cli.wish import params_of


def test_parameters_come_from_options_and_pairs() -> None:
    """A value may hold an equals sign; an option that was not given is no parameter."""
    found = params_of({"coin": "BTC", "user": None}, ["nSigFigs=5", "note=a=b", "empty="])
    assert {"coin": "BTC", "nSigFigs": "5", "note": "a=b", "empty": ""} == found


@pytest.mark.parametrize(
    ("pair", "words"),
    [("nSigFigs", "name=value"), ("=5", "name=value"), ("coin=ETH", "'coin' is given twice")],
)
def test_a_pair_that_cannot_be_meant_is_refused(pair: str, words: str) -> None:
    """Nothing is guessed, and nothing is silently overwritten."""
    with pytest.raises(CommandError, match=words) as refused:
        params_of({"coin": "BTC"}, [pair])
    assert 2 == refused.value.code
