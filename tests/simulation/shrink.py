"""Making a failing case small: leave parts out while it still fails."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.generate import Case
from tests.simulation.play import Tally, play_case

TRIES_MAX = 3_000


def shrunk(case: Case, error: AssertionError) -> tuple[Case, AssertionError]:
    """The smallest case found that fails too, and how."""
    tries, smaller = 0, True
    while smaller:
        smaller = False
        for candidate in _smaller(case):
            tries += 1
            if tries > TRIES_MAX:
                return case, error
            try:
                play_case(candidate, Tally())
            except AssertionError as found:
                if _sort(found) == _sort(error):
                    case, error, smaller = candidate, found, True
                    break
            except Exception:
                continue  # a program that is no program any more
    return case, error


def small_program(program: Any, fails: Callable[[Any], bool]) -> Any:
    """The smallest program found that fails, too."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _without(program):
            try:
                smaller = fails(candidate)
            except Exception:
                continue  # a program that is no program any more
            if smaller:
                program = candidate
                break
    return program


def _sort(error: AssertionError) -> str:
    """What kind of failure it is, without its names and numbers."""
    return "".join(c for c in str(error).split("\n")[0][:60] if not c.isdigit())


def _smaller(case: Case) -> Iterator[Case]:
    for run in list(case.programs) if len(case.programs) > 1 else ():
        made = copy.deepcopy(case)
        del made.programs[run]
        made.script = [action for action in made.script if run not in action]
        yield made
    for name in ("script", "faults"):
        for at in reversed(range(len(getattr(case, name)))):
            made = copy.deepcopy(case)
            del getattr(made, name)[at]
            yield made
    for life in range(len(case.faults)):
        for at in range(len(case.faults[life])):
            made = copy.deepcopy(case)
            del made.faults[life][at]
            yield made
    if case.restart != "never":
        made = copy.deepcopy(case)
        made.restart = "never"
        yield made
    for run, workflow in case.workflows.items():
        if workflow != "main":
            made = copy.deepcopy(case)
            made.workflows[run] = "main"
            yield made
    for run, program in case.programs.items():
        for smaller in _without(program):
            made = copy.deepcopy(case)
            made.programs[run] = smaller
            yield made


def _is_node(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _without(node: Any) -> Iterator[Any]:
    """The node with one part left out, replaced by one of its own parts, or by nothing much."""
    parts = [(at, part) for at, part in enumerate(node) if isinstance(part, list)]
    for _, part in parts:
        if _is_node(part):
            yield part
        else:
            yield from (item for item in part if _is_node(item))
    if parts:
        yield ["log", 0]
    for at, part in parts:
        if _is_node(part):
            for smaller in _without(part):
                yield [*node[:at], smaller, *node[at + 1 :]]
            continue
        for index, item in enumerate(part):
            yield [*node[:at], [*part[:index], *part[index + 1 :]], *node[at + 1 :]]
            if _is_node(item):
                for smaller in _without(item):
                    yield [*node[:at], [*part[:index], smaller, *part[index + 1 :]], *node[at + 1 :]]
