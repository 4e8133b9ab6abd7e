"""Statements that hold others: loops, branches, handlers, managers, functions. Part of the generator of random programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.laws.expressions import Expressions


class Compound(Expressions):
    """Writes them line by line; what stands in them, `statements` says."""

    lines: list[str]
    indent: int
    loops: int
    starred: int
    handlers: list[str | None]
    statements: Callable[[int], None]

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

    # --- the statements -------------------------------------------------------------------------------------------------

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
