"""A checkpoint made on one Python goes on in any other: a program is passed round all that are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def pythons() -> list[str]:
    """One interpreter of each supported version that this machine has."""
    found: dict[tuple[int, int], str] = {sys.version_info[:2]: sys.executable}
    places = [*map(Path, os.environ.get("PATH", "").split(os.pathsep)), *Path.home().glob(".pyenv/versions/*/bin")]
    for minor in range(11, 16):
        for place in places:
            candidate = place / f"python3.{minor}"
            if (3, minor) not in found and candidate.exists():
                check = subprocess.run([candidate, "-c", "print(1)"], capture_output=True, check=False)
                if check.returncode == 0:
                    found[3, minor] = str(candidate)
    return [found[version] for version in sorted(found)]


PYTHONS = pythons()


def run(python: str, step: str, text: str = "") -> str:
    done = subprocess.run(
        [python, "-m", "tests.unit.values.portable", step],
        input=text,
        capture_output=True,
        text=True,
        encoding="ascii",
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, f"{python}: {done.stderr}"
    return done.stdout


@pytest.mark.skipif(len(PYTHONS) < 2, reason="only one Python here")
def test_a_program_is_passed_from_python_to_python() -> None:
    def alone(python: str) -> str:
        text = run(python, "start")
        while not text.startswith("="):
            text = run(python, "go", text)
        return text

    expected = alone(PYTHONS[0])
    for first in range(len(PYTHONS)):
        for stride in (1, len(PYTHONS) - 1):
            at = first
            text = run(PYTHONS[at], "start")
            while not text.startswith("="):
                at = (at + stride) % len(PYTHONS)
                text = run(PYTHONS[at], "go", text)
            assert text == expected, (PYTHONS[first], stride)


def test_every_python_writes_the_same_text() -> None:
    assert len({run(python, "start") for python in PYTHONS}) == 1
