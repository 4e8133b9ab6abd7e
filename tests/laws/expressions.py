"""Random expressions. Each gives the kind of value it says, unless an operation or a noisy value decides otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAMES = ("x0", "x1", "x2", "x3")


class Expressions:
    """What a generator of statements needs of expressions."""

    def __init__(self, chooser: random.Random) -> None:
        self.random = chooser
        self.stack: list[str] = []
        self.sites: dict[int, frozenset[str]] = {}
        self.generated: set[str] = set()
        self.units: list[str] = []
        self.has_class = False
        self.self_name: str | None = None
        self.current: str | None = None
        self.globals_here = False
        self._site = 0
        self.begin_function()

    def begin_function(self) -> None:
        self.ints = [*NAMES[:3] * 12, NAMES[3]]
        self.functions: list[str] = []
        self.sync = 0
        self.quiet = 0
        self.plain_text = 0
        self.no_walrus = 0
        self.targets: list[str] = []
        self.captive = False

    def maybe(self, probability: float) -> bool:
        return self.random.random() < probability

    def site(self) -> int:
        self._site += 1
        return self._site

    def hit(self, construct: str) -> None:
        self.generated.add(construct)

    def op_site(self, construct: str) -> int:
        """The site of an operation that a construct itself awaits."""
        site = self.site()
        self.sites[site] = frozenset([*self.stack, construct])
        return site

    @contextmanager
    def inside(self, construct: str) -> Iterator[None]:
        self.stack.append(construct)
        yield
        self.stack.pop()

    @contextmanager
    def without_await(self) -> Iterator[None]:
        self.sync += 1
        yield
        self.sync -= 1

    def some_name(self, walrus: bool = False) -> str:
        if self.globals_here and self.maybe(0.15):
            return "g0"
        return self.random.choice(NAMES[:3] if self.maybe(0.97) else NAMES)

    # --- awaits ---------------------------------------------------------------------------------------------------------

    def awaited(self, kind: str, depth: int = 0) -> str:
        if self.sync:
            return f"t({self.site()})" if kind == "int" else {"str": "str(t(1))", "list": "[t(1), 2]"}[kind]
        if kind == "int" and depth > 0 and self.units and self.maybe(0.2):
            with self.inside("call of a unit"):
                return f"first(await {self.random.choice(self.units)}({self.arguments(depth - 1)}))"
        if kind == "int" and depth > 0 and self.has_class and self.maybe(0.2):
            with self.inside("call of a method"):
                return f"first(await K().m({self.arguments(depth - 1)}))"
        if kind == "int" and depth > 0 and self.self_name and self.maybe(0.4):
            return self.own(depth - 1)
        if kind == "int" and depth > 0 and self.current and self.maybe(0.05):
            with self.inside("recursion"):
                return f"(first(await {self.current}({self.arguments(0)})) if more({self.site()}) else 3)"
        site = self.site()
        self.sites[site] = frozenset(self.stack)
        if kind == "str":
            return f"(await ops({site}))"
        if kind == "list":
            return f"(await opl({site}))"
        inner = f", {self.some_int(depth - 1)}" if depth > 0 and self.maybe(0.3) else ""
        return f"(await op({site}{inner}))"

    def own(self, depth: int) -> str:
        with self.inside("super and private names"):
            match self.random.randrange(5):
                case 0:
                    return f"(await super().m({self.some_int(depth)}, b={self.some_int(depth)}))"
                case 1:
                    return f"self.__secret + {self.some_int(depth)}"
                case 2:
                    return f"super().plain({self.awaited('int')})"
                case 3:
                    return f"(self.__secret, {self.awaited('int')}, K.__shared, __class__.__name__)[1]"
                case _:
                    return f"(__hidden := {self.awaited('int')})" if not self.no_walrus else "self.v"

    def awaited_int(self, depth: int) -> str:
        return self.awaited("int", depth)

    def arguments(self, depth: int) -> str:
        with self.inside("call arguments"):
            parts = [self.some_int(depth)]
            if self.maybe(0.3):
                parts.append(f"*{self.some_list(depth)}")
            if self.maybe(0.3):
                parts.append(f"q0={self.some_int(depth)}")
            if self.maybe(0.3):
                parts.append(f"**{self.some_mapping(depth)}")
            if self.maybe(0.15):
                parts.append(f"k1={self.some_int(depth)}")
            return ", ".join(parts)

    def some_mapping(self, depth: int) -> str:
        if self.maybe(0.3):
            return f"dict(k{self.random.randrange(3)}={self.some_int(depth)})"
        if self.maybe(0.3):
            return f"V({self.site()})"
        if self.maybe(0.05):
            return f"t({self.site()})"  # no mapping
        if self.plain_text:
            return "kw"
        key = self.random.choice(["'j'", "'j'", "'k'", "3"])
        return f"{{{key}: {self.some_int(depth)}}}"

    # --- values ---------------------------------------------------------------------------------------------------------

    def some_int(self, depth: int, walrus: bool = True) -> str:
        if not walrus:
            with self._no_walrus():
                return self.some_int(depth)
        if depth <= 0 or self.maybe(0.15):
            return self._leaf()
        choices: list[Callable[[int], str]] = [
            self.awaited_int, self.awaited_int, self.awaited_int, self._binary, self._call, self._unary, self._conditional,
            self._boolean, self._item, self._walrus, self._length, self._noisy, self._method,
            self._nested_call, self._compare, self._lambda_call, self._aggregate, self._slice,
        ]  # fmt: skip
        return self.random.choice(choices)(depth - 1)

    def _leaf(self) -> str:
        site = self.site()
        options = [
            self.random.choice(self.ints),
            self.random.choice(self.ints),
            str(site % 5),
            f"t({site})",
            f"boom({site})",
        ]
        options += ["g0", "g1", "p0", "b0.v"]
        if self.targets and not self.captive:
            options += self.targets * 3
        if not self.sync:
            options += [self.awaited("int")] * 4
        return self.random.choice(options)

    def _binary(self, depth: int) -> str:
        with self.inside("binary operation"):
            operator = self.random.choice(["+", "-", "*", "+", "//", "%"])
            return f"({self.some_int(depth)} {operator} {self.some_int(depth)})"

    def _unary(self, depth: int) -> str:
        with self.inside("unary operation"):
            return f"({self.random.choice(['-', '~', 'not ', '+'])}{self.some_int(depth)})"

    def _call(self, depth: int) -> str:
        with self.inside("call"):
            parts = [self.some_int(depth), f"*{self.some_list(depth)}", self.some_int(depth)]
            parts += [f"k={self.some_int(depth)}", f"**{self.some_mapping(depth)}", f"z={self.some_int(depth)}"]
            parts += [f"**{self.some_mapping(depth)}"] if self.maybe(0.4) else []
            chosen = [p for p in parts if self.maybe(0.5)]
            if chosen and chosen[0] == parts[1] and self.maybe(0.5):
                return f"show({', '.join(chosen)})"
            return f"show({', '.join([str(self.site()), *chosen])})"

    def _conditional(self, depth: int) -> str:
        with self.inside("conditional expression"):
            return f"({self.some_int(depth)} if {self.some_test(depth)} else {self.some_int(depth)})"

    def _boolean(self, depth: int) -> str:
        with self.inside("boolean expression"):
            parts = [self.some_int(depth) for _ in range(self.random.randint(2, 3))]
            return f"({self.random.choice([' and ', ' or ']).join(parts)})"

    def _compare(self, depth: int) -> str:
        with self.inside("comparison"):
            text = self.some_int(depth)
            count = self.random.choice((1, 2, 2, 3))
            if count > 1:
                self.stack.append("chained comparison")
            for _ in range(count):
                operator = self.random.choice(["<", ">", "<=", "==", "!=", "in"])
                right = self.some_list(depth) if operator == "in" else self.some_int(depth)
                text += f" {operator} {right}"
            if count > 1:
                self.stack.pop()
            return f"({text})"

    def _item(self, depth: int) -> str:
        with self.inside("subscript"):
            return f"{self.some_list(depth)}[{self.some_int(depth)} % 2]"

    def _slice(self, depth: int) -> str:
        with self.inside("slice"):
            return f"len({self.some_list(depth)}[{self.some_int(depth)}:{self.some_int(depth)}])"

    def _walrus(self, depth: int) -> str:
        if self.no_walrus:
            return self.some_int(depth)
        with self.inside("walrus"):
            return f"({self.some_name(walrus=True)} := {self.some_int(depth)})"

    def _length(self, depth: int) -> str:
        kind = self.random.choice([self.some_list, self.some_str])
        return f"len({kind(depth)})"

    def _noisy(self, depth: int) -> str:
        with self.inside("noisy value"):
            return f"V({self.site()}, {self.some_int(depth)})"

    def _method(self, depth: int) -> str:
        with self.inside("method call"):
            if self.maybe(0.5):
                return f"b0.items.append({self.some_int(depth)})"
            return f"l0.{self.random.choice(['count', 'index', 'append'])}({self.some_int(depth)})"

    def _nested_call(self, depth: int) -> str:
        if not self.functions or self.sync:
            return self.some_int(depth)
        with self.inside("call of a nested function"):
            return f"{self.random.choice(self.functions)}({self.some_int(depth)})"

    def _lambda_call(self, depth: int) -> str:
        with self.inside("lambda"):
            default = self.some_int(depth)
            before, self.captive = self.captive, self.captive or bool(self.targets)
            with self.without_await(), self._no_walrus():
                body = self.some_int(depth)
            self.captive = before
            return f"(lambda z, y={default}: (z, y, {body})[{self.random.randrange(3)}])({self.some_int(depth)})"

    def _aggregate(self, depth: int) -> str:
        with self.inside("comprehension"):
            return f"sum({self._comprehension(depth, self.random.choice(['list', 'set', 'generator']))})"

    def some_test(self, depth: int) -> str:
        match self.random.randrange(4):
            case 0:
                return f"({self.some_int(depth)} > {self.some_int(0)})"
            case 1 if depth > 0:
                return self._compare(depth - 1)
            case 2 if depth > 0:
                return self._boolean(depth - 1)
            case _:
                return self.some_int(depth)

    def some_any(self, depth: int) -> str:
        with self.inside("display"):
            options: list[Callable[[int], str]] = [
                self.some_int,
                self.some_list,
                self._tuple,
                self._dict,
                self._set,
                self.some_dict,
            ]
            return self.random.choice(options)(depth)

    def _tuple(self, depth: int) -> str:
        return f"({self.some_int(depth)}, *{self.some_list(depth)}, {self.some_int(depth)})"

    def _dict(self, depth: int) -> str:
        parts = [
            f"{self.some_int(depth)}: {self.some_int(depth)}",
            f"**{self.some_mapping(depth)}",
            f"7: {self.some_int(depth)}",
        ]
        return f"({{{', '.join(p for p in parts if self.maybe(0.6))}}})"

    def _set(self, depth: int) -> str:
        return f"({{{self.some_int(depth)}, *{self.some_list(depth)}, {self.some_int(depth)}}})"

    def some_dict(self, depth: int) -> str:
        return f"({self._comprehension(depth, 'dict')})"

    # --- lists ----------------------------------------------------------------------------------------------------------

    def some_list(self, depth: int) -> str:
        match self.random.randrange(8):
            case 0 | 1 if depth > 0:
                return self._comprehension(depth - 1, "list")
            case 2:
                return f"[{self.some_int(depth - 1)}, *{self.some_list(depth - 1)}, {self.some_int(depth - 1)}]"
            case 3:
                return self.awaited("list")
            case 4 if depth > 0:
                return f"V({self.site()}, {self.some_int(depth - 1)})"
            case 5 if depth > 0:
                with self.inside("comprehension"):
                    return f"list({self._comprehension(depth - 1, 'generator')})"
            case 6:
                return f"[{self.some_int(depth - 1)}, {self.some_int(depth - 1)}]"
            case _:
                return self.random.choice(["l0", "l1", "l0"])

    def _comprehension(self, depth: int, kind: str) -> str:
        with self.inside(f"{kind} comprehension"):
            clauses = []
            bound: list[str] = []
            only_first = kind == "generator"
            with self._no_walrus():
                for index in range(self.random.choice((1, 1, 2))):
                    target = self.random.choice(["c0", "c1", "c2", "x2"])
                    while target in bound:
                        target = self.random.choice(["c3", "c4"])
                    if index > 0 and only_first:
                        self.sync += 1
                    if self.maybe(0.2) and not self.sync and not only_first:
                        clause = f"async for {target} in UnitTurns({self.op_site('async comprehension')}, 2)"
                    else:
                        clause = f"for {target} in {self._few(depth)}"
                    if index > 0 and only_first:
                        self.sync -= 1
                    bound.append(target)
                    self.targets.append(target)
                    if only_first:
                        self.sync += 1
                    if self.maybe(0.3):
                        with self.inside("comprehension condition"):
                            clause += f" if {self.some_test(depth)}"
                    if only_first:
                        self.sync -= 1
                    clauses.append(clause)
            if only_first:
                self.sync += 1
            allowed = "x2" not in bound
            if not allowed or self.targets[: -len(bound)]:
                self.no_walrus += 1
            element = self.some_int(depth)
            value = self.some_int(depth) if kind == "dict" else ""
            if not allowed or self.targets[: -len(bound)]:
                self.no_walrus -= 1
            if only_first:
                self.sync -= 1
            del self.targets[-len(bound) :]
            text = " ".join(clauses)
            match kind:
                case "list":
                    return f"[{element} {text}]"
                case "set":
                    return f"{{{element} {text}}}"
                case "dict":
                    return f"{{{element}: {value} {text}}}"
                case _:
                    return f"({element} {text})"

    def _few(self, depth: int) -> str:
        match self.random.randrange(4):
            case 0:
                return f"span({self.random.randint(1, 2)})"
            case 1:
                return f"t({self.site()}, [1, 2])"
            case 2:
                return f"few({self.some_list(depth - 1)})"
            case _:
                return f"few([{self.some_int(depth - 1)}])"

    def some_iterable(self, depth: int) -> tuple[str, str | None]:
        """An iterable for a `for`, and a target that fits when not every one does."""
        match self.random.randrange(12):
            case 0:
                return f"enumerate({self._few(depth)})", "(y0, y1)"
            case 1:
                return f"zip(span(3), {self._few(depth)})", "y0, *y1"
            case 2:
                return f"reversed(few(l0))", None
            case 3:
                return "few(kw.items())" if self.maybe(0.5) else "kw.items()", "y0, y1"
            case 4 if self.functions and not self.sync:
                return f"map({self.random.choice(self.functions)}, {self._few(depth)})", None
            case 5:
                return f"few({self.some_list(depth)})", None
            case 6:
                return f"V({self.site()}, {self.some_int(depth - 1)})", None
            case 7:
                with self.inside("target that awaits"):
                    return f"few({self.some_list(1)})", f"b0[{self.awaited('int')}]"
            case _:
                return f"span({self.random.randint(1, 3)})", None

    # --- text -----------------------------------------------------------------------------------------------------------

    def some_str(self, depth: int) -> str:
        if self.plain_text or self.maybe(0.2):
            return self.awaited("str")
        self.plain_text += 1
        with self.inside("f-string"):
            parts = ["a"]
            for _ in range(self.random.randint(1, 3)):
                conversion = self.random.choice(["", "", "!r", "!s"])
                spec = self.random.choice(["", "", ":>4", ":d"]) if conversion == "" else ""
                if self.maybe(0.25) and conversion == "":
                    with self.inside("nested format spec"):
                        spec = f":{{({self.some_int(max(depth - 1, 0))})}}"
                value = self.some_int(depth) if self.maybe(0.6) else f"V({self.site()}, {self.some_int(0)})"
                equals = "=" if self.maybe(0.1) and not conversion and not spec else ""
                parts.append(f"{{({value}){equals}{conversion}{spec}}}")
            text = "f'''" + " ".join(parts) + "'''"
        self.plain_text -= 1
        return text

    @contextmanager
    def _no_walrus(self) -> Iterator[None]:
        self.no_walrus += 1
        yield
        self.no_walrus -= 1
