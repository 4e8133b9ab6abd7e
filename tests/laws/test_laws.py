"""The laws over a few hundred random programs. `python -m tests.laws.long --programs 20000` looks further."""

from __future__ import annotations

import time

import pytest

from tests.laws.check import Report, check

SEEDS = range(0, 100)
SECONDS_MAX = 40


@pytest.mark.parametrize("part", range(4))
def test_compiled_programs_do_what_plain_ones_do_wherever_they_are_torn_down(part: int) -> None:
    """Plain-Python law, restart law, liveness law and drop law."""
    report = Report()
    began = time.monotonic()
    for seed in SEEDS[part::4]:
        check(seed, report, answers=3)
        if time.monotonic() - began > SECONDS_MAX / 4:
            break
    print(f"{report.programs} programs from seed {part}, {report.restarts} restarts")
    assert report.broken == []
    assert report.restarts > 100
