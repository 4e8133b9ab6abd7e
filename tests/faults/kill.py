"""SIGKILL at random moments, on real processes and a real SQLite file.

`python -m tests.faults.kill --kills 200 --seed 1` kills that often (over as many runs as it takes), and checks after
every death that no committed step is done again and nothing is lost. The test does the same a few times.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.audit import audit
from tests.faults.worker import STEPS, app
from weft_core import Client, RunNotFound

EXPECTED = sum(3 * s if s % 10 == 9 else s for s in range(STEPS))
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Report:
    """What the killing showed."""

    kills: int = 0
    runs: int = 0
    repeated: int = 0
    committed: list[int] = field(default_factory=list)


def kill_one_run(folder: Path, dice: random.Random, kills_max: int, report: Report) -> None:
    """One run from start to result, killed at random moments on the way."""
    store, ledger = folder / f"run{report.runs}.db", folder / f"ledger{report.runs}.db"
    with sqlite3.connect(ledger) as connection:
        connection.execute("create table executions (key text, step int, branch int, life int)")
    life = 0
    floors: list[int] = []
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", str(store), str(ledger), str(life)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        if report.kills < kills_max:
            assert process.stdout.readline() == "running\n"
            try:
                process.wait(timeout=dice.uniform(0.0, 0.15))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                report.kills += 1
                floors.append(asyncio.run(_committed(store)))
                life += 1
                continue
        # Not `communicate`: it looks past what `readline` has buffered, which is all of it when the run was over already.
        output = process.stdout.read()
        process.wait(timeout=120)
        assert process.returncode == 0, output
        expected = f"[{EXPECTED}, {STEPS - 1}]"
        assert output.strip().endswith(expected), f"life {life}: {output!r} instead of {expected}"
        break
    _check_ledger(ledger, floors, report)
    asyncio.run(_audit(store))
    report.runs += 1


async def _committed(store: Path) -> int:
    """The step the run has reached, as of its last commit: all before it are committed."""
    async with await Client.open(f"sqlite:///{store}", app) as client:
        await audit(client.store)
        try:
            return int((await client.handle("count").state()).get("step", 0))
        except RunNotFound:
            return 0


async def _audit(store: Path) -> None:
    async with await Client.open(f"sqlite:///{store}", app) as client:
        await audit(client.store)


def _check_ledger(ledger: Path, floors: list[int], report: Report) -> None:
    with sqlite3.connect(ledger) as connection:
        rows = connection.execute("select key, step, branch, life from executions").fetchall()
    wanted = {(s, b) for s in range(STEPS) for b in range(3 if s % 10 == 9 else 1)}
    assert {(step, branch) for _, step, branch, _ in rows} == wanted, "an effect was lost"
    assert len({key for key, *_ in rows}) == len(wanted), "an effect had two idempotency keys"
    for _, step, _, life in rows:
        assert life == 0 or step >= floors[life - 1], f"step {step} was committed before life {life} and done again"
    report.repeated += len(rows) - len(wanted)


def run(kills: int, seed: int) -> Report:
    """Kill so many times; assert on the way."""
    dice, report = random.Random(seed), Report()
    with tempfile.TemporaryDirectory() as folder:
        while report.kills < kills:
            kill_one_run(Path(folder), dice, kills, report)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    began = time.perf_counter()
    report = run(args.kills, args.seed)
    print(
        f"seed {args.seed}: {report.kills} SIGKILLs over {report.runs} runs of {STEPS} steps; nothing lost, no committed "
        f"step repeated; {report.repeated} uncommitted steps done again; {time.perf_counter() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
