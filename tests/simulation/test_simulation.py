"""A fixed range of seeds; the long version is `python -m tests.simulation --seeds 20000`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.generate import case
from tests.simulation.oracle import apart, differ
from tests.simulation.play import Tally, play_case

SEEDS = range(1, 401)
LIVES_MIN = 3_500
"""Lives of an engine that these seeds make; fewer mean that something is not tried any more."""


PROGRAMS = range(1, 1_001)
"""Seeds of programs that are compared with asyncio."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("weft")
    level = logger.level
    logger.setLevel(100)  # planted failures are no news
    yield
    logger.setLevel(level)


def test_whatever_happens_around_random_programs_every_invariant_holds() -> None:
    tally = Tally()
    for seed in SEEDS:
        tally.seeds += 1
        try:
            play_case(case(seed), tally)
        except AssertionError as error:
            error.add_note(f"`python -m tests.simulation --seed {seed} --seeds 1` makes it small")
            raise
    print(tally)
    assert tally.lives >= LIVES_MIN


def test_time_errors_and_cancellation_are_as_in_asyncio() -> None:
    for seed in PROGRAMS:
        assert differ(apart(seed)) is None, (
            f"`python -m tests.simulation --oracle --seed {seed} --seeds 1` makes it small"
        )
    print(f"{len(PROGRAMS):,} programs")
