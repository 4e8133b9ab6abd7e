"""Interleaved rounds, medians and spread, and the table they end in."""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROUNDS_MIN = 5

Side = Callable[[Path], float]
"""One measurement in an empty folder; gives a figure in the case's unit."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Sides that are measured in turns. `baseline` is the side that the others are compared with."""

    title: str
    unit: str
    sides: dict[str, Side]
    baseline: str
    goal: str = ""
    rounds: int = ROUNDS_MIN


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One side's median and spread, and its ratio to the baseline: the median of the ratios of each round."""

    side: str
    median: float
    least: float
    most: float
    ratio: float
    rounds: list[float] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A measured case."""

    title: str
    unit: str
    goal: str
    figures: list[Figure]


def measure(case: Case) -> Outcome:
    """All rounds of a case: in each, every side once, first forwards, then backwards, so that drift hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in case.sides}
    names = list(case.sides)
    for number in range(max(ROUNDS_MIN, case.rounds)):
        for name in names if number % 2 == 0 else reversed(names):
            with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
                gc.collect()
                found[name].append(case.sides[name](Path(folder)))
    base = found[case.baseline]
    figures = [
        Figure(
            side=name,
            median=statistics.median(values),
            least=min(values),
            most=max(values),
            ratio=statistics.median(value / raw for value, raw in zip(values, base, strict=True)),
            rounds=values,
        )
        for name, values in found.items()
    ]
    return Outcome(title=case.title, unit=case.unit, goal=case.goal, figures=figures)


def show(outcome: Outcome) -> None:
    """The case as a table."""
    print(f"\n{outcome.title}  [{outcome.unit}]" + (f"   goal: {outcome.goal}" if outcome.goal else ""))
    width = max(len(figure.side) for figure in outcome.figures)
    for figure in outcome.figures:
        spread = f"{_number(figure.least)} … {_number(figure.most)}"
        print(
            f"  {figure.side:<{width}}  {_number(figure.median):>12}   {spread:<27}  × {figure.ratio:.3g}", flush=True
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.3g}"


def save(outcomes: list[Outcome], path: Path) -> None:
    """The figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n", "utf-8")
