"""Reading a variable that may have no value: the error is Python's, whatever the variable became.

A local that nested functions close over is a free variable of the compiled body, and the target of a comprehension that
awaits has a hidden name: Python would say so when they are unbound. And on Python 3.11 a comprehension is a function: the
locals around it are free variables in it, which they are not in the loop it becomes. So a forward analysis over the
normalised body finds where such a name may be unbound, and there a helper looks first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from weft_core.resume.compiler.apart import COMPREHENSIONS_ARE_FUNCTIONS
from weft_core.resume.compiler.build import Visitor, children, constant, expr, helper
from weft_core.resume.compiler.liveness import bound_by
from weft_core.resume.compiler.names import Comprehension, Names, names_in

Bound = frozenset[str] | None
"""The names that surely have a value; None where nothing gets to."""


def joined(*ways: Bound) -> Bound:
    """What surely has a value where several ways meet."""
    known = [way for way in ways if way is not None]
    return frozenset.intersection(*known) if known else None


class Unbound:
    """Marks the names of one function that are read where they may have no value (`_unbound`)."""

    def __init__(self, *, local: set[str], captured: set[str], parameters: set[str]) -> None:
        self.local = local
        self.captured = captured
        self.parameters = frozenset(parameters)
        self.never: frozenset[str] = frozenset()
        self.found = False
        self.breaks: list[list[Bound]] = []

    def check(self, body: Sequence[ast.stmt]) -> bool:
        """Mark what needs it in a body; whether anything does."""
        self.never = _lost_elsewhere(body)
        self.block(body, self.parameters)
        return self.found

    def concerns(self, name: str) -> bool:
        return name in self.captured or (name[0] == "@" and "." in name)

    # --- reading -------------------------------------------------------------------------------------------------

    def read(self, bound: Bound, *nodes: ast.AST | None) -> None:
        if bound is None:
            return
        for node in nodes:
            if node is not None:
                for name in reads(node):
                    free = COMPREHENSIONS_ARE_FUNCTIONS and getattr(name, "_inner", False) and self._holds(name.id)
                    sure = name.id in bound and name.id not in self.never
                    if not sure and (free or self.concerns(name.id)):
                        name._unbound = "free" if free else "local"  # type: ignore[attr-defined]
                        self.found = True

    def _holds(self, name: str) -> bool:
        """Whether it is the function's own variable, or a target of a comprehension (see `Renamer`) around another."""
        return name in self.local or name.startswith("@n")

    # --- flow ----------------------------------------------------------------------------------------------------

    def block(self, nodes: Sequence[ast.stmt], bound: Bound) -> Bound:
        for node in nodes:
            bound = self._statement(node, bound)
        return bound

    @contextmanager
    def _loop(self) -> Iterator[list[Bound]]:
        self.breaks.append([])
        yield self.breaks[-1]
        self.breaks.pop()

    def _statement(self, node: ast.stmt, bound: Bound) -> Bound:
        if bound is None:
            return None
        match node:
            case ast.Return() | ast.Raise():
                self.read(bound, node)
                return None
            case ast.Break():
                self.breaks[-1].append(bound)
                return None
            case ast.Continue():
                return None
            case ast.If():
                self.read(bound, node.test)
                return joined(self.block(node.body, bound), self.block(node.orelse, bound))
            case ast.While():
                head = bound - lost(node)
                self.read(head, node.test)
                with self._loop() as breaks:
                    self.block(node.body, head)
                always = isinstance(node.test, ast.Constant) and bool(node.test.value)
                return joined(*breaks, None if always else self.block(node.orelse, head))
            case ast.For():
                self.read(bound, node.iter)
                head = bound - lost(node)
                with self._loop() as breaks:
                    self.read(head, node.target)
                    self.block(node.body, head | bound_by(node.target))
                return joined(*breaks, self.block(node.orelse, head))
            case ast.Try() | ast.TryStar():
                return self._try(node, bound)
            case ast.With():
                for item in node.items:
                    self.read(bound, item.context_expr, item.optional_vars)
                    if item.optional_vars is not None:
                        bound |= bound_by(item.optional_vars)
                swallowed = bound - lost(node)
                return joined(self.block(node.body, bound), swallowed)
            case ast.Match():
                self.read(bound, node.subject)
                ways: list[Bound] = [bound]
                for case in node.cases:
                    matched = bound | names_in(case.pattern).stores
                    self.read(matched, case.pattern, case.guard)
                    ways.append(self.block(case.body, matched))
                return joined(*ways)
            case ast.Delete():
                self.read(bound, node)
                return bound - bound_by(node)
            case ast.Expr(value=ast.NamedExpr(target=ast.Name(id=name))):
                self.read(bound, node)
                return bound | {name}
            case _:
                self.read(bound, node)
                return bound | bound_by(node)

    def _try(self, node: ast.Try | ast.TryStar, bound: frozenset[str]) -> Bound:
        raised = bound - lost(*node.body)
        with self._leaving(lost(*node.finalbody)):
            ways: list[Bound] = [self.block(node.orelse, self.block(node.body, bound))]
            for handler in node.handlers:
                named = frozenset({handler.name} if handler.name else ())
                self.read(raised, handler.type)
                with self._leaving(named):
                    ended = self.block(handler.body, raised | named)
                ways.append(None if ended is None else ended - named)
        end = joined(*ways)
        if not node.finalbody:
            return end
        self.block(node.finalbody, bound - lost(*node.body, *node.handlers, *node.orelse))
        return self.block(node.finalbody, end)

    @contextmanager
    def _leaving(self, gone: frozenset[str]) -> Iterator[None]:
        """A `break` in here loses these names on its way out."""
        breaks = self.breaks[-1] if self.breaks else []
        before = len(breaks)
        yield
        breaks[before:] = [None if way is None else way - gone for way in breaks[before:]]


def lost(*nodes: ast.AST) -> frozenset[str]:
    """The names that may have a value no more once some part of this ran."""
    found: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        match node:
            case ast.Delete():
                found |= bound_by(node)
            case ast.ExceptHandler() if node.name:
                found.add(node.name)
            case _:
                pass
        if not isinstance(node, ast.expr):
            stack += children(node)
    return frozenset(found)


def _lost_elsewhere(body: Sequence[ast.stmt]) -> frozenset[str]:
    """The names that functions nested in here may delete, whenever they are called."""
    found: frozenset[str] = frozenset()
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef):
            found |= lost(*node.body)
        elif not isinstance(node, ast.expr):
            stack += children(node)
    return found


def reads(node: ast.AST) -> list[ast.Name]:
    """The names that a statement or expression reads (or deletes) in this function itself, not in one nested in it."""
    reader = _Reads()
    reader.visit(node)
    return reader.found


class _Reads(Visitor):
    def __init__(self) -> None:
        self.found: list[ast.Name] = []

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Store):
            self.found.append(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.found.append(node.target)
        self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.Lambda) -> None:
        for part in [*node.args.defaults, *node.args.kw_defaults, *getattr(node, "decorator_list", ())]:
            if part is not None:
                self.visit(part)

    visit_FunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """Reads nothing before somebody asks for its value."""

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.visit(node.generators[0].iter)

    def _comprehension(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        if not COMPREHENSIONS_ARE_FUNCTIONS:
            inner = _Reads()
            inner.generic_visit(node)
            names = Names()
            names.visit_all(generator.target for generator in node.generators)
            shown = names.stores - _read_early(node)
            self.found += [name for name in inner.found if name.id not in shown]

    visit_ListComp = visit_SetComp = visit_DictComp = _comprehension


def _read_early(node: Comprehension) -> set[str]:
    """What a comprehension reads in front of the `for` that gives it a value, or in it."""
    early: set[str] = set()
    given: set[str] = set()
    for index, generator in enumerate(node.generators):
        if index:
            early |= names_in(generator.iter).reads - given
        target = names_in(generator.target)
        early |= target.reads - given
        given |= target.stores
        early |= names_in(*generator.ifs).reads - given
    return early


class Looking(ast.NodeTransformer):
    """Puts the helper before every name that is marked."""

    def block(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        done = [self.visit(node) for node in nodes]
        return [item for found in done for item in (found if isinstance(found, list) else [found])]

    def _look(self, name: ast.Name) -> ast.expr:
        return helper(f"{name._unbound}_value", [constant(name.id, name)], name)  # type: ignore[attr-defined]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and hasattr(node, "_unbound"):
            return self._look(node)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | list[ast.AST]:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name) and hasattr(node.target, "_unbound"):
            return [expr(self._look(node.target), node.target), node]
        return node

    def visit_Delete(self, node: ast.Delete) -> ast.AST | list[ast.AST]:
        self.generic_visit(node)
        targets = list(_flat(node.targets))
        if not any(hasattr(target, "_unbound") for target in targets):
            return node
        found: list[ast.AST] = []
        for target in targets:
            if isinstance(target, ast.Name) and hasattr(target, "_unbound"):
                found.append(expr(self._look(target), target))
            found.append(ast.copy_location(ast.Delete([target]), node))
        return found

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.MatchClass:
        # Python wants a plain name for the class.
        node.patterns = [self.visit(pattern) for pattern in node.patterns]
        node.kwd_patterns = [self.visit(pattern) for pattern in node.kwd_patterns]
        return node


def _flat(targets: Sequence[ast.expr]) -> Iterator[ast.expr]:
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            yield from _flat(target.elts)
        else:
            yield target
