"""`python -m tests.laws.long --programs 20000 [--seed n]`: the laws over many random programs, with a coverage table.

Exits non-zero when a law is broken or a construct was never suspended in.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.laws.check import Report, check
from tests.laws.constructs import CONSTRUCTS


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-going", type=int, default=20, help="violations after which to stop")
    options = parser.parse_args()
    report = Report()
    began = time.monotonic()
    for seed in range(options.seed, options.seed + options.programs):
        for line in check(seed, report):
            print(line[:600], flush=True)
        if len(report.broken) >= options.keep_going:
            break
    print(f"python {sys.version.split()[0]}, seeds from {options.seed}, {time.monotonic() - began:.0f} s")
    print(
        f"{report.programs} programs ({report.refused} refused: nested too deep for Python), {report.executions} executions, {report.operations} operations,"
    )
    print(f"{report.restarts} restarts, {len(report.broken)} violations")
    missing = sorted(CONSTRUCTS - report.suspended.keys())
    for construct in sorted(CONSTRUCTS | report.suspended.keys()):
        print(f"  {report.suspended[construct]:9} suspended in  {construct}")
    for construct in missing:
        print(f"never suspended in: {construct}")
    return 1 if missing or report.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
