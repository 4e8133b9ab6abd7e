"""`python -m tests.simulation --seeds N --seed S` plays the cases of N seeds from S on and prints how much that was."""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback

from tests.simulation.generate import Case, case
from tests.simulation.oracle import apart, differ
from tests.simulation.play import Tally, play_case
from tests.simulation.shrink import shrunk, small_program


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", type=int, default=1, help="stop after so many")
    parser.add_argument("--kind", choices=("wild", "timed", "steps"), default=None)
    parser.add_argument(
        "--oracle", action="store_true", help="compare programs with what asyncio makes of them, instead"
    )
    args = parser.parse_args(argv)
    logging.getLogger("weft").setLevel(100)  # planted failures are no news
    tally, failures, began = Tally(), 0, time.perf_counter()
    seeds = range(args.seed, args.seed + args.seeds)
    if args.oracle:
        return _compare(seeds, args.failures)
    for seed in seeds:
        made = case(seed, args.kind)
        tally.seeds += 1
        try:
            play_case(made, tally)
        except AssertionError as error:
            failures += 1
            _tell(made, error)
            if failures >= args.failures:
                break
    print(f"{tally}; {failures} failures; {time.perf_counter() - began:.0f} s", flush=True)
    return 1 if failures else 0


def _compare(seeds: range, failures_max: int) -> int:
    failures, began = 0, time.perf_counter()
    for seed in seeds:
        program = apart(seed)
        found = differ(program)
        if found is None:
            continue
        failures += 1
        program = small_program(program, lambda smaller: differ(smaller) is not None)
        right, wrong = differ(program) or found
        print(f"seed {seed} differs: {program}\n  asyncio {right}\n  weft    {wrong}", flush=True)
        if failures >= failures_max:
            break
    print(f"{len(seeds):,} programs, {failures} differ from asyncio; {time.perf_counter() - began:.0f} s")
    return 1 if failures else 0


def _tell(made: Case, error: AssertionError) -> None:
    print(f"seed {made.seed} fails: {error}")
    small, last = shrunk(made, error)
    print(f"  as small as it gets: {last}\n  {small}", flush=True)
    where = traceback.extract_tb(last.__traceback__)[-3:]
    print("".join(traceback.format_list(where)))


if __name__ == "__main__":
    sys.exit(main())
