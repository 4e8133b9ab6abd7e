"""A fixed range of seeds; the long version is `python -m tests.simulation --seeds 20000`."""

from __future__ import annotations

import logging

from tests.simulation.generate import case
from tests.simulation.play import Tally, play_case

SEEDS = range(1, 401)
LIVES_MIN = 3_500
"""Lives of an engine that these seeds make; fewer mean that something is not tried any more."""


def test_whatever_happens_around_random_programs_every_invariant_holds() -> None:
    logger, tally = logging.getLogger("weft"), Tally()
    level = logger.level
    logger.setLevel(100)  # planted failures are no news
    try:
        for seed in SEEDS:
            tally.seeds += 1
            try:
                play_case(case(seed), tally)
            except AssertionError as error:
                error.add_note(f"seed {seed}: python -m tests.simulation --seed {seed} --seeds 1 makes it small")
                raise
    finally:
        logger.setLevel(level)
    print(tally)
    assert tally.lives >= LIVES_MIN
