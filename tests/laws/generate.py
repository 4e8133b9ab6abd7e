"""Random workflows: source text of `async def`s with awaits wherever an await may stand.

Deterministic in the seed. `Program.sites` says for every operation inside which constructs it stands, so that a run can
count where it was suspended.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.laws.compound import Compound

DEPTH_MAX = 4
STATEMENTS_MAX = 4
BUDGET = 12
"""Statements in a function, about."""


@dataclass(frozen=True)
class Program:
    """A module's source: its entry is `main(p0, p1, *rest, q0=…, **kw)`."""

    seed: int
    source: str
    sites: dict[int, frozenset[str]]


def program(seed: int) -> Program:
    return Generator(seed).program()


class Generator(Compound):
    """Writes one module."""

    def __init__(self, seed: int) -> None:
        super().__init__(random.Random(f"program {seed}"))
        self.seed = seed
        self.lines: list[str] = []
        self.indent = 0
        self.loops = 0
        self.starred = 0
        self.handlers: list[str | None] = []
        self.declared: set[str] = set()
        self.annotated: set[str] = set()
        self.budget = 0

    # --- module ---------------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        self.line("from __future__ import annotations") if self.maybe(0.3) else None
        self.line("g0, g1 = 5, 6")
        for index in reversed(range(self.random.randrange(3))):
            self.line("")
            self.function(f"f{index}")
            self.units.append(f"f{index}")
        if self.maybe(0.35):
            self.klass()
        self.line("")
        self.function("main")
        return Program(self.seed, "\n".join(self.lines) + "\n", self.sites)

    def klass(self) -> None:
        self.line("")
        self.line("@dataclass")
        self.line("class K(Parent):")
        with self.block("method"):
            self.line("__secret: int = 4")
            self.line("__shared = 8")
            self.self_name = "self"
            self.function("m", method=True)
            self.self_name = None
        self.has_class = True

    def function(self, name: str, method: bool = False) -> None:
        self.begin_function()
        self.line("@unit")
        star = "*rest" if self.maybe(0.8) else "*"
        default = self.random.choice(["", "=g0", "=7"])
        parameters = f"p0, p1{default or '=2'}, {star}, q0{default or '=3'}, **kw"
        if self.maybe(0.3):
            parameters = "p0, /, " + parameters[4:]
        if method:
            parameters = f"self, {parameters}"
        self.current = None if method else name
        self.line(f"async def {name}({parameters}):")
        outer = self.loops, self.handlers
        self.loops, self.handlers = 0, []
        with self.block("function"):
            if self.maybe(0.3):
                self.line("'''A docstring.'''")
            if self.maybe(0.25):
                self.line("global g0")
                self.globals_here = True
                self.hit("global")
            for i in range(self.random.choice((2, 3, 3))):
                self.line(f"x{i} = {self.random.choice(['p0', 'q0', str(i), 't(%d)' % self.site()])}")
            self.line(f"if more({self.site()}): x2 = 9")
            self.line("l0 = [1, 2, 3]")
            self.line("l1 = list(kw.values())")
            self.line("b0 = Box(1, [4, 5])")
            self.part()
            if self.maybe(0.3):
                self.nested_function()
            self.part()
            if self.maybe(0.9):
                self.line(
                    f"return ({self.some_int(2)}, {', '.join(self.random.sample(['x0', 'x1', 'x2', 'p0', 'q0'], 2))}, l0, b0)"
                )
        self.loops, self.handlers = outer
        self.globals_here = False

    def part(self) -> None:
        """Half of a function; often what it raises is caught, so that the other half is reached too."""
        if self.has_class and self.maybe(0.6):
            self.line("x1 = first(await K().m(x0, q0=x1))")
        self.budget = (BUDGET if self.current == "main" else BUDGET // 2) // 2
        if self.self_name:
            self.line(f"x0 = {self.own(2)}")
        if self.maybe(0.3):
            return self.statements(DEPTH_MAX)
        for _ in range(2):
            self.line("try:")
            self.body(DEPTH_MAX, "try")
            self.line("except (Exception, Cancelled) as e9:")
            with self.block("except as"):
                self.handlers.append("e9")
                self.line(f"note({self.site()}, e9)")
                if self.maybe(0.3):
                    self.statement(1)
                self.handlers.pop()

    # --- statements -----------------------------------------------------------------------------------------------------

    def statements(self, depth: int) -> None:
        for index in range(self.random.randint(1, STATEMENTS_MAX)):
            if index == 0 or self.budget > 0:
                self.statement(depth)

    def statement(self, depth: int) -> None:
        simple: list[Callable[[int], None]] = [
            self.assignment, self.assignment, self.target, self.augmented, self.expression, self.expression, self.unpack,
            self.annotated_assignment, self.chained_targets, self.delete, self.assertion, self.walrus, self.raising,
            self.stored_call, self.leave, self.comprehension_statement, self.import_, self.formatted,
        ]  # fmt: skip
        compound: list[Callable[[int], None]] = [
            self.if_, self.while_, self.for_, self.for_, self.async_for, self.try_, self.try_, self.try_finally, self.try_star,
            self.with_, self.async_with, self.match, self.nested_function_, self.while_true,
        ]  # fmt: skip
        self.budget -= 1
        if depth > 0 and self.budget > 0 and self.maybe(0.5):
            self.random.choice(compound)(depth - 1)
        else:
            self.random.choice(simple)(2)

    # --- simple statements ----------------------------------------------------------------------------------------------

    def assignment(self, depth: int) -> None:
        if self.globals_here and self.maybe(0.5):
            with self.inside("global"):
                return self.line(f"g0 = {self.some_int(depth)}")
        with self.inside("assign"):
            self.line(f"{self.some_name()} = {self.some_int(depth)}")

    def target(self, depth: int) -> None:
        with self.inside("assign to attribute or item"):
            where = self.some_target(depth)
            self.line(f"{where} = {self.some_int(depth)}")

    def some_target(self, depth: int) -> str:
        match self.random.randrange(5):
            case 0:
                return "b0.v"
            case 1:
                with self.inside("target that awaits"):
                    return f"t({self.site()}, b0)[{self.some_int(depth)}]"
            case 2:
                with self.inside("target that awaits"):
                    return f"boxed({self.awaited('int')}).v"
            case 3:
                with self.inside("slice target"):
                    return f"V({self.site()})[{self.some_int(1)}:{self.some_int(1)}]"
            case _:
                return f"l0[{self.some_int(depth)} % 3]"

    def augmented(self, depth: int) -> None:
        with self.inside("augmented assignment"):
            operator = self.random.choice(["+=", "-=", "*=", "+=", "|="])
            match self.random.randrange(5):
                case 0 | 1:
                    self.line(f"{self.some_name()} {operator} {self.some_int(depth)}")
                case 2:
                    self.line(f"b0.v {operator} {self.some_int(depth)}")
                case 3:
                    self.line(f"{self.some_target(depth)} {operator} {self.some_int(depth)}")
                case _:
                    self.line(f"l0 += {self.some_list(depth)}")

    def expression(self, depth: int) -> None:
        with self.inside("expression statement"):
            self.line(self.random.choice([self.some_int, self.some_any, self.awaited_int])(depth))

    def walrus(self, depth: int) -> None:
        with self.inside("walrus"):
            self.line(f"({self.some_name(walrus=True)} := {self.some_int(depth)})")

    def unpack(self, depth: int) -> None:
        with self.inside("unpacking"):
            a, b = self.some_name(), self.some_name()
            match self.random.randrange(4):
                case 0:
                    self.line(f"{a}, {b} = {self.some_int(depth)}, {self.some_int(depth)}")
                case 1:
                    self.line(f"{a}, *l1 = {self.some_list(depth)}")
                case 2:
                    with self.inside("target that awaits"):
                        self.line(f"{a}, t({self.site()}, b0)[{self.awaited('int')}], *l1 = {self.some_list(depth)}")
                case _:
                    self.line(f"[{a}, (*l1, {b})] = {self.some_int(depth)}, {self.some_list(depth)}")

    def annotated_assignment(self, depth: int) -> None:
        with self.inside("annotated assignment"):
            name = self.random.choice(["a0", "a1"])
            self.line(
                f"{name}: int = {self.some_int(depth)}" if self.maybe(0.7) else f"b0.v: int = {self.some_int(depth)}"
            )

    def chained_targets(self, depth: int) -> None:
        with self.inside("several targets"):
            self.line(f"{self.some_name()} = {self.some_target(1)} = {self.some_name()} = {self.some_int(depth)}")

    def delete(self, depth: int) -> None:
        with self.inside("del"):
            match self.random.randrange(4):
                case 0:
                    self.line(f"del {self.some_name()}")
                case 1:
                    self.line(f"del t({self.site()}, b0)[{self.some_int(depth)}]")
                case 2:
                    self.line(f"del V({self.awaited('int')})[{self.some_int(1)}], l1[{self.some_int(1)}:]")
                case _:
                    self.line(f"del (b0[{self.some_int(1)}], b0[{self.awaited('int')}])")

    def assertion(self, depth: int) -> None:
        with self.inside("assert"):
            message = f", {self.some_any(depth)}" if self.maybe(0.6) else ""
            self.line(f"assert {self.some_test(depth)}{message}")

    def raising(self, depth: int) -> None:
        if not self.maybe(0.45):
            return self.expression(depth)
        name = next((h for h in reversed(self.handlers) if h), None)
        with self.inside("raise"):
            kind = self.random.choice(["Problem", "Worse", "ValueError", "Cancelled"])
            match self.random.randrange(5):
                case 0 if self.handlers:
                    self.line("raise")
                case 1 if name:
                    with self.inside("raise from"):
                        self.line(f"raise {kind}({self.some_int(depth)}) from {name}")
                case 2:
                    with self.inside("raise from"):
                        self.line(f"raise {kind}({self.some_int(1)}) from Problem({self.some_int(1)})")
                case 3:
                    self.line(f"if {self.some_test(1)}: raise {kind}")
                case _:
                    self.line(f"if {self.some_test(1)}: raise {kind}({self.some_int(depth)})")

    def stored_call(self, depth: int) -> None:
        if not self.units:
            return self.assignment(depth)
        with self.inside("unstarted call in a local"):
            self.line(f"c0 = {self.random.choice(self.units)}({self.some_int(1)})")
            self.line(f"{self.some_name()} = {self.awaited('int')}")
            self.line(f"{self.some_name()} = first(await c0)")

    def leave(self, depth: int) -> None:
        kinds = []
        if self.starred == 0:
            kinds.append("return")
            if self.loops:
                kinds += ["break", "continue", "break", "continue"]
        if not kinds:
            return self.assignment(depth)
        kind = self.random.choice(kinds)
        with self.inside(kind):
            test = self.some_test(1)
            value = f" {self.some_int(depth)}" if kind == "return" and self.maybe(0.8) else ""
            self.line(f"if {test}:")
            with self.block("if"):
                self.line(f"{kind}{value}")

    def comprehension_statement(self, depth: int) -> None:
        self.line(f"l1 = {self.some_list(depth)}")

    def import_(self, depth: int) -> None:
        with self.inside("import"):
            self.line("import math as x3m" if self.maybe(0.5) else "from operator import add as adder")
            self.line(f"{self.some_name()} = {self.some_int(1)}")

    def formatted(self, depth: int) -> None:
        self.line(f"show({self.site()}, {self.some_str(depth)})")
