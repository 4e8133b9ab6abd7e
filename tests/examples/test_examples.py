"""Every example runs as its reader would run it: as a script, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SAYS = {
    "hello.py": ["hello, Ada; hello, ADA"],
    "retry.py": ["charged 995 with key", "attempt 3"],
    "signals.py": ["{'items': ['tea', 'cups'], 'approved_by': 'Grace'}"],
    "parallel.py": ["'both': [100, 400]", "'every': [100, 200, 300]", "'winner': 400", "'loser': 'cleaned up'"],
    "timeout.py": ["'the activity took too long, twice', 'the block took too long', 'nobody called'"],
}
NOT_SCRIPTS = {"import_airports.py", "airport_database.py", "demo_server.py"}
"""Tested in a file of their own."""


def run(name: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SAYS)
def test_an_example_says_what_it_should(name: str, tmp_path: Path) -> None:
    said = run(name, tmp_path)
    for words in SAYS[name]:
        assert words in said


def test_hello_run_again_gives_its_result_and_does_nothing_twice(tmp_path: Path) -> None:
    first = run("hello.py", tmp_path)
    again = run("hello.py", tmp_path)
    assert first.count("(greeting") == 2
    assert again == "hello, Ada; hello, ADA\n"


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS) | NOT_SCRIPTS
