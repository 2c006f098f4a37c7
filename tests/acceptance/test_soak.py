"""A daemon that loses sockets again and again stays as large as it is: a moment of `bench/soak.py`, and what judges its hours."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from tests.acceptance.soaking import (
    DESCRIPTOR_SLACK,
    LOG_A_DAY,
    MEMORY_SLACK,
    WARM_UP,
    Sample,
    Soak,
    flapping_hours,
    growth,
    not_flat,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import StartDaemon
    from tests.conftest import StartSimulator

SEED = 1
MOMENT = 6.0
SECONDS = 600
MIB = 2**20


def recorded(grow: Callable[[Sample], Sample] = lambda sample: sample) -> list[Sample]:
    """Samples as a healthy daemon's are: it fills its buffers while it warms up, and its sockets and requests come and go."""
    random = Random(SEED)
    samples: list[Sample] = []
    for second in range(SECONDS):
        warming = min(1.0, second / (WARM_UP * SECONDS))
        sample = Sample(
            at=float(second),
            memory=round((80 + 40 * warming + random.uniform(-1.0, 1.0)) * MIB),
            descriptors=round(random.gauss(70, 8)),
            threads=random.choice((6, 7, 8)),
            database=round(4.1 * MIB) + 100 * second,
            log=400 * second,
            rows=6 * second,
        )
        samples.append(grow(sample))
    return samples


def grown(sample: Sample) -> float:
    """Return how much of the time after the warm-up is over, from 0 to 1."""
    return max(0.0, sample.at / SECONDS - WARM_UP) / (1.0 - WARM_UP)


def test_a_healthy_daemons_samples_are_flat() -> None:
    """Its warm-up does not count, and neither do single peaks."""
    assert [] == not_flat(recorded())
    peaks = [
        evolve(sample, memory=4 * sample.memory, descriptors=900) if sample.at % 50 == 0 else sample
        for sample in recorded()
    ]
    assert [] == not_flat(peaks)


@pytest.mark.parametrize(
    ("what", "leak"),
    [
        ("memory", lambda s: evolve(s, memory=s.memory + round(1.6 * MEMORY_SLACK * grown(s)))),
        (
            "descriptors",
            lambda s: evolve(s, descriptors=s.descriptors + round(3 * DESCRIPTOR_SLACK * grown(s))),
        ),
        ("threads", lambda s: evolve(s, threads=s.threads + round(8 * grown(s)))),
        ("database", lambda s: evolve(s, database=s.database + round(20 * MIB * grown(s)))),
    ],
)
def test_a_leak_is_found_and_named(what: str, leak: Callable[[Sample], Sample]) -> None:
    """Each of them alone."""
    found = not_flat(recorded(leak))
    assert [what] == [words.split()[0] for words in found]


def test_growth_is_that_of_the_middle_slope() -> None:
    """A straight line grows by what lies between its ends; one point that is far off changes nothing."""
    line = [(float(second), 5.0 * second) for second in range(100)]
    assert 495.0 == pytest.approx(growth(line))
    line[50] = (50.0, 1e9)
    assert 495.0 == pytest.approx(growth(line), rel=0.02)


def test_too_few_samples_are_no_verdict() -> None:
    """A soak that ended at once has shown nothing."""
    with pytest.raises(ValueError, match="too few"):
        not_flat(recorded()[:2])


def test_a_moment_of_soaking_loses_sockets_and_leaves_everything_live(
    start_simulator: StartSimulator, start_daemon: StartDaemon
) -> None:
    """The work is done and measured; whether it is flat takes minutes to say."""
    simulator = start_simulator(rate=10, speed=5.0)
    daemon = start_daemon(simulator.address, "asyncio")
    work = Soak(simulator, daemon.state_dir, SEED, spared=0.0)
    samples = work.run(MOMENT)
    daemon.all_live()
    assert work.lost >= 2
    assert work.read > 0
    assert work.changed > 0
    assert samples[-1].rows > samples[0].rows
    assert min(sample.memory for sample in samples) > 10 * MIB
    assert max(sample.descriptors for sample in samples) < 200
    assert max(sample.threads for sample in samples) < 30


def test_a_day_of_flapping_logs_less_than_ten_megabytes(tmp_path: Path) -> None:
    """By two half hours on virtual time: the first has the short delays, the second is as all that follow."""
    found = flapping_hours(1.0, "flap", tmp_path, seed=SEED)
    assert 2 == len(found.log)
    assert found.log[0] > found.log[1] - found.log[0] > 0
    assert found.log_a_day < LOG_A_DAY
    assert found.dials > 100
