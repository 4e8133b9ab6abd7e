"""Which names a piece of code reads, binds and closes over. Scopes as Python has them, without `symtable`.

Comprehensions count as part of the code around them: they run at once, so what they read is read there. Only functions,
lambdas and classes *capture*, because they may still be there after a wait.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from weft_core.resume.compiler.build import Visitor

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Names(Visitor):
    """The names in a statement or expression, seen from the function (or the class body: `in_class`) it stands in."""

    def __init__(self, *, in_class: bool = False) -> None:
        self.in_class = in_class
        self.loads: set[str] = set()
        self.stores: set[str] = set()
        self.captured: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()

    @property
    def reads(self) -> set[str]:
        """Everything that must be there when this runs: what is loaded, and what a closure made here closes over."""
        return self.loads | self.captured

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.loads.add(node.id)
        elif isinstance(node.ctx, ast.Del):
            self.loads.add(node.id)
            self.stores.add(node.id)
        else:
            self.stores.add(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.loads.add(node.target.id)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if self.in_class:  # in a function, annotations are never evaluated
            self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)

    def visit_Global(self, node: ast.Global) -> None:
        self.globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals.update(node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.stores.add(node.name)
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self.stores.add(node.asname or node.name.partition(".")[0])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.stores.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.stores.add(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.stores.add(node.rest)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.stores.add(node.name)
        self.visit_all(node.decorator_list)
        self._signature(node.args)
        if node.returns is not None:
            self.visit(node.returns)
        self._lazily(node)
        self.captured |= free_names(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._signature(node.args)
        self.captured |= free_names(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.stores.add(node.name)
        self.visit_all(node.decorator_list)
        self.visit_all(node.bases)
        self.visit_all(node.keywords)
        self._lazily(node)
        inner = Names(in_class=True)
        inner.visit_all(node.body)
        bound = inner.stores - inner.globals - inner.nonlocals
        free = (inner.loads - bound) | inner.captured | inner.nonlocals
        self.captured |= free - inner.globals - {"__class__"} - _type_parameters(node)

    def visit_TypeAlias(self, node: Any) -> None:
        self.visit(node.name)
        self._lazily(node, node.value)

    def _lazily(self, node: ast.AST, *others: ast.AST) -> None:
        # Bounds and defaults of type parameters and values of type aliases are evaluated when somebody asks for them.
        inner = Names()
        inner.visit_all((*getattr(node, "type_params", ()), *others))
        self.captured |= inner.reads - _type_parameters(node)

    def _comprehension(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        inner = Names()
        for index, generator in enumerate(node.generators):
            inner.visit(generator.target)
            if index:
                inner.visit(generator.iter)
            inner.visit_all(generator.ifs)
        targets = comprehension_targets(node)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        inner.visit_all(elements)
        self.loads |= inner.loads - targets
        self.captured |= inner.captured - targets
        self.stores |= inner.stores - targets

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _signature(self, args: ast.arguments) -> None:
        self.visit_all(args.defaults)
        self.visit_all(default for default in args.kw_defaults if default is not None)
        self.visit_all(arg.annotation for arg in arguments(args) if arg.annotation is not None)

    def visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def comprehension_targets(node: Comprehension) -> set[str]:
    """The names that live only inside a comprehension."""
    inner = Names()
    inner.visit_all(generator.target for generator in node.generators)
    return inner.stores


def names_in(*nodes: ast.AST) -> Names:
    """The names in these statements or expressions taken together."""
    names = Names()
    names.visit_all(nodes)
    return names


def arguments(args: ast.arguments) -> list[ast.arg]:
    """All parameters in the order in which their values lie in a frame."""
    found = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return found + [arg for arg in (args.vararg, args.kwarg) if arg is not None]


def _type_parameters(node: ast.AST) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", ())}


def free_names(node: FunctionNode) -> set[str]:
    """What a nested function takes from the scopes around it (builtins and globals included)."""
    inner = Names()
    inner.visit_all([node.body] if isinstance(node, ast.Lambda) else node.body)
    bound = {arg.arg for arg in arguments(node.args)} | (inner.stores - inner.nonlocals)
    free = (inner.loads | inner.captured) - bound
    return (free | inner.nonlocals) - inner.globals - _type_parameters(node)


class Mangler(ast.NodeTransformer):
    """Gives class-private names (`__x` in a method of `C`) the spelling they have in the class: `_C__x`."""

    def __init__(self, class_name: str) -> None:
        stripped = class_name.lstrip("_")
        self.prefix = f"_{stripped}" if stripped else ""

    def name(self, name: str) -> str:
        if not self.prefix or not name.startswith("__") or name.endswith("__") or "." in name:
            return name
        return self.prefix + name

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [self.visit(n) for n in node.decorator_list]
        node.bases = [self.visit(n) for n in node.bases]
        node.keywords = [self.visit(n) for n in node.keywords]
        # Inside, the compiler itself mangles with the inner class's name.
        node.name = self.name(node.name)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.alias):
            bound = self.name(node.asname or node.name)
            node.asname = bound if bound != node.name else node.asname
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [self.name(name) for name in node.names]
        elif not isinstance(node, ast.keyword):
            for field in ("id", "arg", "attr", "name", "rest"):
                value = getattr(node, field, None)
                if isinstance(value, str):
                    setattr(node, field, self.name(value))
        return super().generic_visit(node)
