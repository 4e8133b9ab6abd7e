"""The laws for one program: `check(seed)` says what is broken, in one line, or nothing."""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from textwrap import dedent
from types import ModuleType

from tests.laws.apart import as_it_says
from tests.laws.generate import Program, program
from tests.laws.run import COMPILED, PLAIN, Outcome, run
from weft_core.errors import UnsupportedConstruct

ANSWERS = 4
"""Scripts of answers per program."""

TRACEBACKS_WAVER = sys.version_info < (3, 12)
"""Python 3.11 forgets traceback entries of an error thrown into a coroutine that awaits in an `except` block; which ones
hangs on the innermost frame that looked at the error, and a comprehension that awaits has a frame less when compiled. And
it names another line for the same error once the code has run a few times. So there, tracebacks that differ are compared
again, with the error raised at the innermost await and the interpreter kept from optimising. (See `test_tracebacks.py`.)
"""


@dataclass
class Report:
    """What checking covered."""

    programs: int = 0
    refused: int = 0
    executions: int = 0
    restarts: int = 0
    operations: int = 0
    suspended: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        for name in ("programs", "refused", "executions", "restarts", "operations", "suspended", "broken"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def check(seed: int, report: Report, *, answers: int = ANSWERS) -> list[str]:
    """Every law for the program of a seed. Adds to the report; gives the violations."""
    return check_program(program(seed), report, answers=answers)


def holds(source: str) -> None:
    """Fail unless every law holds for a program that is written out."""
    report = Report()
    check_program(Program(0, dedent(source), {}), report, answers=60)
    assert report.broken == []
    assert report.executions == 60


def check_program(made: Program, report: Report, *, answers: int = ANSWERS) -> list[str]:
    """Every law for one program. Adds to the report; gives the violations."""
    broken = [f"program {made.seed}: {what}" for what in _check(made, report, answers)]
    report.programs += 1
    report.broken += broken
    return broken


def _check(made: Program, report: Report, answers: int) -> list[str]:
    plain = PLAIN.load(made)
    try:
        compiled = COMPILED.load(made)
    except UnsupportedConstruct as error:
        if "nested this deep" not in str(error) and "a comprehension that awaits" not in str(error):
            return [f"refused: {error}"]
        report.refused += 1
        return []
    except Exception as error:
        return [f"does not compile: {type(error).__name__}: {error}"]
    broken = []
    for answer in range(answers):
        chooser = random.Random(f"{made.seed} {answer}")
        expected = run(PLAIN, plain, made, answer)
        report.executions += 1
        report.operations += len(expected.operations)
        for site in map(_site, expected.operations):
            report.suspended.update(made.sites.get(site, ()))
        subset = {n for n in range(-1, 200) if chooser.random() < 0.3}
        laws = [("plain", None), ("restart", lambda n: True), ("some restarts", subset.__contains__)]
        for law, restart in laws:
            try:
                actual = run(COMPILED, compiled, made, answer, restart=restart)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                broken.append(f"answers {answer}, {law}: {type(error).__name__}: {error}")
                break
            report.restarts += len(actual.restarts)
            found = expected.difference(actual, tracebacks=restart is None and not TRACEBACKS_WAVER)
            if found is None and restart is None and TRACEBACKS_WAVER:
                found = _tracebacks(expected, actual, compiled, plain, made, answer)
            if found is not None:
                # Does the Python at hand, rather, not do what the program says? Nothing but that can differ here.
                said = run(PLAIN, PLAIN.load(made, as_it_says), made, answer)
                if said.difference(actual, tracebacks=restart is None and not TRACEBACKS_WAVER) is None:
                    expected, found = said, None
            if found is not None:
                broken.append(f"answers {answer}, {law}: {found}")
                break
    return broken


def _tracebacks(
    expected: Outcome, actual: Outcome, compiled: ModuleType, plain: ModuleType, made: Program, answer: int
) -> str | None:
    """The difference of two tracebacks, if there is one still when they are exact."""
    if expected.traceback == actual.traceback:
        return None
    tracing = sys.gettrace()
    sys.settrace(lambda *_: None)  # what is traced is not optimised
    try:
        exactly = run(PLAIN, plain, made, answer, raising=True)
        return exactly.difference(run(COMPILED, compiled, made, answer, raising=True), tracebacks=True)
    finally:
        sys.settrace(tracing)


def _site(operation: str) -> int:
    return int(operation.split()[1])


__all__ = ["Outcome", "Report", "check", "check_program", "holds"]
