"""Random workflows: source text of `async def`s with awaits wherever an await may stand.

Deterministic in the seed. `Program.sites` says for every operation inside which constructs it stands, so that a run can
count where it was suspended.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.laws.expressions import Expressions

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


class Generator(Expressions):
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

    # --- writing --------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    @contextmanager
    def block(self, construct: str) -> Iterator[None]:
        self.indent += 1
        self.stack.append(construct)
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self.stack.pop()
        self.indent -= 1

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

    # --- compound statements --------------------------------------------------------------------------------------------

    def body(self, depth: int, construct: str) -> None:
        with self.block(construct):
            self.statements(depth)

    def if_(self, depth: int) -> None:
        with self.inside("if test"):
            test = self.some_test(2)
        self.line(f"if {test}:")
        self.body(depth, "if")
        for _ in range(self.random.choice((0, 0, 1, 2))):
            with self.inside("elif test"):
                test = self.some_test(2)
            self.line(f"elif {test}:")
            self.body(depth, "elif")
        if self.maybe(0.5):
            self.line("else:")
            self.body(depth, "else")

    def loop_else(self, depth: int, kind: str) -> None:
        if self.maybe(0.4):
            self.line("else:")
            self.body(depth, f"{kind}/else")

    @contextmanager
    def looping(self) -> Iterator[None]:
        self.loops += 1
        starred, self.starred = self.starred, 0
        before = self.no_return
        self.no_return = before or starred > 0
        yield
        self.loops -= 1
        self.starred = starred
        self.no_return = before

    no_return = False

    def while_(self, depth: int) -> None:
        with self.inside("while test"):
            test = f" and {self.some_test(2)}" if self.maybe(0.6) else ""
        self.line(f"while more({self.site()}){test}:")
        self.loops += 1
        self.body(depth, "while")
        self.loops -= 1
        self.loop_else(depth, "while")

    def while_true(self, depth: int) -> None:
        self.line("while True:")
        with self.block("while True"):
            self.line(f"if not more({self.site()}): break")
            self.loops += 1
            self.statements(depth)
            self.loops -= 1

    def for_(self, depth: int) -> None:
        with self.inside("for iterable"):
            iterable, target = self.some_iterable(2)
        if target is None:
            target = self.random.choice([self.some_name(), self.some_name(), "y0", "b0.v", f"b0[{self.some_int(1)}]"])
        self.line(f"for {target} in {iterable}:")
        self.loops += 1
        self.body(depth, "for")
        self.loops -= 1
        self.loop_else(depth, "for")

    def async_for(self, depth: int) -> None:
        kind = self.random.choice(["UnitTurns", "OpTurns"])
        target = self.random.choice([self.some_name(), "y0", "b0.v", f"b0[{self.some_int(1)}]"])
        self.line(f"async for {target} in {kind}({self.op_site('async for header')}, {self.random.randrange(4)}):")
        self.loops += 1
        self.body(depth, "async for")
        self.loops -= 1
        self.loop_else(depth, "async for")

    def try_(self, depth: int) -> None:
        self.line("try:")
        self.body(depth, "try")
        self.except_clauses(depth)
        if self.maybe(0.3):
            self.line("else:")
            self.body(depth, "try/else")
        if self.maybe(0.3):
            self.finally_(depth)

    def try_finally(self, depth: int) -> None:
        self.line("try:")
        self.body(depth, "try")
        self.finally_(depth)

    def finally_(self, depth: int) -> None:
        self.line("finally:")
        self.body(depth, "finally")

    def except_clauses(self, depth: int) -> None:
        for index in range(self.random.choice((1, 1, 2))):
            name = self.random.choice([None, "e0", "e1", "x0"])
            kind = self.random.choice(
                ["Problem", "Worse", "(Worse, ValueError)", "Exception", "BaseException", f"t({self.site()}, Problem)"]
            )
            if self.maybe(0.15):
                with self.inside("handler type that awaits"):
                    kind = f"({self.awaited('int')}, Exception)[1]"
            bare = index == 1 and self.maybe(0.3) and name is None
            self.line("except:" if bare else f"except {kind}{f' as {name}' if name else ''}:")
            with self.block("except as" if name else "except"):
                self.handlers.append(name)
                if name:
                    self.line(f"note({self.site()}, {name})")
                self.statements(depth)
                if name and name.startswith("e") and self.maybe(0.5):
                    self.line(f"note({self.site()}, {name})")
                self.handlers.pop()

    def try_star(self, depth: int) -> None:
        self.line("try:")
        with self.block("try of except*"):
            self.statements(depth)
            if self.maybe(0.6):
                inner = ", ".join(
                    self.random.sample(
                        [
                            "Problem(1)",
                            "Worse(2)",
                            "ValueError(3)",
                            "KeyError(4)",
                            "ExceptionGroup('i', [Worse(5), OSError(6)])",
                        ],
                        self.random.randint(1, 4),
                    )
                )
                self.line(f"if {self.some_test(1)}: raise ExceptionGroup('g', [{inner}])")
        for _ in range(self.random.choice((1, 1, 2))):
            name = self.random.choice([None, "e0", "e1"])
            kind = self.random.choice(["Problem", "Worse", "(Worse, ValueError)", "Exception", "ValueError"])
            if self.maybe(0.1):
                with self.inside("handler type that awaits"):
                    kind = f"({self.awaited('int')}, Exception)[1]"
            self.line(f"except* {kind}{f' as {name}' if name else ''}:")
            loops, self.loops = self.loops, 0
            self.starred += 1
            with self.block("except*"):
                self.handlers.append(name)
                if name:
                    self.line(f"note({self.site()}, {name})")
                self.statements(depth)
                self.handlers.pop()
            self.starred -= 1
            self.loops = loops
        if self.maybe(0.3):
            self.line("else:")
            self.body(depth, "try/else")
        if self.maybe(0.3):
            self.finally_(depth)

    def with_(self, depth: int) -> None:
        self.managers("with", ["Room"], depth)

    def async_with(self, depth: int) -> None:
        self.managers("async with", ["UnitRoom", "OpRoom"], depth)

    def managers(self, keyword: str, kinds: list[str], depth: int) -> None:
        items = []
        for _ in range(self.random.choice((1, 1, 2, 3))):
            with self.inside(f"{keyword} item"):
                head = f"{self.random.choice(kinds)}({self.op_site(keyword)}, {self.some_test(1)})"
                target = self.random.choice(
                    ["", "", f" as {self.some_name()}", f" as b0[{self.some_int(1)}]", " as b0.v"]
                )
                items.append(head + target)
        self.line(f"{keyword} {', '.join(items)}:")
        self.body(depth, keyword)

    def match(self, depth: int) -> None:
        with self.inside("match subject"):
            subject = self.random.choice([self.some_int, self.some_list, self.some_any])(2)
        self.line(f"match {subject}:")
        self.indent += 1
        for _ in range(self.random.randint(1, 4)):
            pattern = self.random.choice(
                ["0", "1 | 2", "int(m0)", "[m0, *m1]", "[1, m0]", "[]", "str()", "{'a': m0, **m1}", "Box(v=m0)", "None",
                 "(1 | 2 | 3) as m0", "V(site=_)", "[_, _, *_]", "-1", "True"]
            )  # fmt: skip
            guard = ""
            if self.maybe(0.4):
                with self.inside("match guard"):
                    guard = f" if {self.some_test(2)}"
            self.line(f"case {pattern}{guard}:")
            self.body(depth, "match")
        if self.maybe(0.4):
            self.line("case _:" if self.maybe(0.5) else "case m0:")
            self.body(depth, "match")
        self.indent -= 1

    def nested_function_(self, depth: int) -> None:
        self.nested_function()
        self.statements(depth)

    def nested_function(self) -> None:
        """A function over the locals, called from now on, before and after awaits."""
        name = f"h{self.random.randrange(2)}"
        shape = self.random.randrange(4)
        if shape == 0:
            with self.inside("lambda"):
                default = f"d={self.some_int(1)}, " if self.maybe(0.4) else ""
                with self.without_await():
                    self.line(f"{name} = lambda a=1, {default}*r: ({self.some_int(1)}, a)[0]")
        else:
            with self.inside("nested function"):
                default = self.some_int(1) if self.maybe(0.4) else "1"
                self.line(f"def {name}(a={default}, *r):")
                with self.block("nested"), self.without_await():
                    target = self.random.choice(["x0", "x1", "x2"])
                    if not self.globals_here or target != "g0":
                        if shape == 1:
                            self.line(f"nonlocal {target}")
                            self.line(f"{target} = {self.some_int(1, walrus=False)}")
                        elif shape == 2:
                            self.line(f"v = {self.some_int(1, walrus=False)}")
                            self.line(f"return (lambda: v + {target})()")
                    self.line(f"t({self.site()})")
                    self.line(f"return {self.some_int(1, walrus=False)}")
        if name not in self.functions:
            self.functions.append(name)
