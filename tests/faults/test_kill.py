"""Real SIGKILLs; the long version is `python -m tests.faults.kill --kills 200`."""

from __future__ import annotations

from tests.faults.kill import run

SEED = 20261123
KILLS = 6


def test_a_killed_process_loses_nothing_and_repeats_no_committed_step() -> None:
    report = run(KILLS, SEED)
    print(f"seed {SEED}: {report.kills} kills, {report.repeated} uncommitted steps done again")
    assert report.kills == KILLS
