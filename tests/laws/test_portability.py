"""Portability law: what is compiled is the same on every Python, and a frame stored by one is continued by another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")


@cache
def interpreter(version: str) -> str | None:
    """A Python of this version: this one, one named in the environment, or one of pyenv."""
    if sys.version.startswith(version + "."):
        return sys.executable
    named = os.environ.get(f"PYTHON{version.replace('.', '')}")
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return named or (str(found[-1]) if found else None)


@cache
def said(version: str, what: str, given: str | None = None) -> str:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "tests.laws.corpus", what],
        cwd=ROOT, input=given, capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_points_live_sets_digests_and_paths_are_the_same(version: str) -> None:
    there, here = json.loads(said("3.11", "describe")), json.loads(said(version, "describe"))
    for (*mine, codes), (*its, others) in zip(there, here, strict=True):
        assert mine == its
        assert set(others) <= set(codes)  # newer Pythons leave out functions in code that nothing gets to


@pytest.mark.parametrize(("origin", "goal"), [("3.11", "3.13"), ("3.13", "3.11")])
def test_frames_stored_by_one_python_are_continued_by_another(origin: str, goal: str) -> None:
    stored = said(origin, "suspend")
    assert len(stored.splitlines()) > 12
    found = [json.loads(line) for line in said(goal, "resume", stored).splitlines()]
    for expected, got in zip(map(json.loads, stored.splitlines()), found, strict=True):
        assert got["got"] == expected["expected"], expected["seed"]
