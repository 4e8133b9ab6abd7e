"""A checkpoint made on one Python continues on another: what it refers to does not depend on the version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.unit.resume.corpus import CORPUS
from weft_core.resume import compile_unit

EXPECTED = Path(__file__).with_name("corpus.json")
"""Written once (`python -m tests.unit.resume.test_versions`), compared on every version. A change to it breaks stored
checkpoints: raise `FORMAT` in weft_core/resume/unit.py with it."""


def described() -> dict[str, Any]:
    units = {function.__name__: compile_unit(function) for function in CORPUS}
    return {
        name: {
            "digest": unit.digest,
            "points": [[p.number, p.name, p.line - unit.first_line, p.column, list(p.live)] for p in unit.points],
            "codes": {path: list(code.co_freevars) for path, code in unit.local_codes.items()},
        }
        for name, unit in units.items()
    }


def test_points_live_names_digests_and_nested_codes_are_the_same_on_every_version() -> None:
    assert described() == json.loads(EXPECTED.read_text("utf-8"))


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps(described(), indent=1) + "\n", "utf-8")
