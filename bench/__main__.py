"""`python -m bench [CASE …]`: measure, print tables, write build/bench.json."""

from __future__ import annotations

import platform
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.cases import CASES
from bench.measure import measure, save, show

ROOT = Path(__file__).resolve().parents[1]
WHEEL_BYTES_GOAL = 150_000


def wheel_sizes() -> tuple[int, int]:
    """Bytes of the wheel for pages and of the ordinary one, built anew."""
    from scripts import page_wheel  # needs the development tools, nothing else here does

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)]
        subprocess.run(command, check=True, capture_output=True)
        (ordinary,) = Path(folder).glob("*.whl")
        return page_wheel.build(Path(folder)).stat().st_size, ordinary.stat().st_size


def main() -> int:
    """The exit code; 2 for a case that is not there."""
    wanted = sys.argv[1:] or [*CASES, "wheel"]
    unknown = set(wanted) - set(CASES) - {"wheel"}
    if unknown:
        print(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}, wheel", file=sys.stderr)
        return 2
    print(
        f"python {platform.python_version()}, sqlite {sqlite3.sqlite_version}; median, spread, ratio to the first line"
    )
    outcomes = []
    for name in wanted:
        if name == "wheel":
            page, ordinary = wheel_sizes()
            print(f"\nwheel  [bytes]   goal: ≤ {WHEEL_BYTES_GOAL:,} for pages")
            print(f"  for pages  {page:>12,}\n  ordinary   {ordinary:>12,}")
            continue
        outcome = measure(CASES[name])
        show(outcome)
        outcomes.append(outcome)
    save(outcomes, ROOT / "build" / "bench.json")
    print("\nbuild/bench.json has every round")
    return 0


if __name__ == "__main__":
    sys.exit(main())
