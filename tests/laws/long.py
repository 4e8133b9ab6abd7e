"""`python -m tests.laws.long --programs 20000 [--seed n] [--jobs n]`: the laws over many random programs.

Says every so often how far it is, and in the end what was covered. Exits non-zero when a law is broken or a construct was
never suspended in.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator

from tests.laws.check import Report, check
from tests.laws.constructs import CONSTRUCTS

PORTION = 10
"""Programs that a process checks before it reports."""

PORTIONS_MAX = 50
"""Portions for one process; then another takes over."""

SECONDS_BETWEEN_LINES = 10.0


def check_some(seeds: range) -> Report:
    report = Report()
    for seed in seeds:
        check(seed, report)
    return report


def prepare() -> None:
    # Nearly all garbage here is trees and code, and little of it lives long: look for cycles less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def reports(portions: list[range], jobs: int) -> Iterator[Report]:
    # Units live as long as their process, so no process gets too many.
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=prepare, maxtasksperchild=PORTIONS_MAX) as pool:
        yield from pool.imap_unordered(check_some, portions)


class Progress:
    """Lines on the way, each with what a reader wants to know before the end."""

    def __init__(self, programs: int) -> None:
        self.programs = programs
        self.began = self.said = time.monotonic()

    def line(self, report: Report) -> str:
        seconds = max(time.monotonic() - self.began, 0.001)
        covered = len(CONSTRUCTS & report.suspended.keys())
        return (
            f"{report.programs} of {self.programs} programs, {report.restarts} restarts, {len(report.broken)} violations, "
            f"suspended in {covered} of {len(CONSTRUCTS)} constructs, {seconds:.0f} s, "
            f"{report.programs / seconds:.1f} programs/s"
        )

    def say(self, report: Report) -> None:
        if time.monotonic() - self.said > SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            print(self.line(report), flush=True)


def gather(found: Iterable[Report], progress: Progress, violations_max: int) -> Report:
    report = Report()
    for part in found:
        for line in part.broken:
            print(line[:600], flush=True)
        report.add(part)
        progress.say(report)
        if len(report.broken) >= violations_max:
            break
    return report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; as many as cores by default")
    parser.add_argument("--keep-going", type=int, default=20, help="violations after which to stop")
    options = parser.parse_args()
    end = options.seed + options.programs
    portions = [range(first, min(first + PORTION, end)) for first in range(options.seed, end, PORTION)]
    progress = Progress(options.programs)
    report = gather(reports(portions, options.jobs), progress, options.keep_going)
    for construct in sorted(CONSTRUCTS | report.suspended.keys()):
        print(f"  {report.suspended[construct]:9} suspended in  {construct}")
    missing = sorted(CONSTRUCTS - report.suspended.keys())
    for construct in missing:
        print(f"never suspended in: {construct}")
    print(f"python {sys.version.split()[0]}, seeds from {options.seed}, {options.jobs} processes")
    print(
        f"{report.executions} executions, {report.operations} operations, "
        f"{report.refused} programs refused: nested too deep for Python"
    )
    print(progress.line(report))
    return 1 if missing or report.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
