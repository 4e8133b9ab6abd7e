"""Comprehension variables that share their name with a variable other functions see.

Compiled code has the variables that nested functions close over as free variables. Since 3.12 a comprehension runs in the
frame of its function (PEP 709), and 3.12 and 3.13 take such a free variable and the comprehension's for one where the
comprehension closes over its own: the function may go on with the comprehension's, and what the comprehension reads before
its variable has a value may be the bare cell. With a name of its own there is nothing to mistake. (`unbound` sees to it
that the name is not seen where such a variable is read too early.)
"""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Set
from typing import Self, TypeVar

from weft_core.resume.compiled import RENAMED
from weft_core.resume.compiler.names import Comprehension, comprehension_targets
from weft_core.resume.compiler.refusals import awaits

Node = TypeVar("Node", bound=ast.AST)

COMPREHENSIONS_ARE_FUNCTIONS = sys.version_info < (3, 12)
"""Then they keep their variables to themselves, and stored functions have the same names all the same (`own_name`)."""


class _Scope(ast.NodeTransformer):
    def defaults(self, args: ast.arguments) -> None:
        """Those of a function are evaluated outside of it."""
        args.defaults = [self.visit(default) for default in args.defaults]
        args.kw_defaults = [default and self.visit(default) for default in args.kw_defaults]


class Apart(_Scope):
    """Renames the variables of comprehensions in one function's own scope that are `captured` as well."""

    def __init__(self, captured: Set[str]) -> None:
        self.captured = captured
        self.count = 0

    def visit_all(self, nodes: list[Node]) -> list[Node]:
        return [self.visit(node) for node in nodes] if self.captured and not COMPREHENSIONS_ARE_FUNCTIONS else nodes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = self.visit_all(node.decorator_list)
        self.defaults(node.args)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.defaults(node.args)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = self.visit_all(node.decorator_list)
        node.bases = self.visit_all(node.bases)
        node.keywords = self.visit_all(node.keywords)
        return node

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        node.generators[0].iter = self.visit(node.generators[0].iter)
        return node

    def _comprehension(self, node: Comprehension) -> ast.AST:
        self.generic_visit(node)
        shared = comprehension_targets(node) & self.captured
        if shared and not _written_out(node):
            self.count += 1
            Rename({name: f"{RENAMED}{self.count}.{name}" for name in shared}).inside(node)
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = _comprehension


def _written_out(node: Comprehension) -> bool:
    """Whether it becomes a loop, with variables of its own (see `comprehensions`)."""
    first, *others = node.generators
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    return bool(first.is_async) or any(awaits(part) for part in (first.target, *first.ifs, *others, *elements))


class Rename(_Scope):
    """Other names for variables, wherever inner scopes have none of the same name."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def inside(self, node: Comprehension) -> None:
        """Rename in everything that belongs to the comprehension's own scope."""
        for index, generator in enumerate(node.generators):
            generator.target = self.visit(generator.target)
            if index:
                generator.iter = self.visit(generator.iter)
            generator.ifs = [self.visit(test) for test in generator.ifs]
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.visit(node.key), self.visit(node.value)
        else:
            node.elt = self.visit(node.elt)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        args = node.args
        self.defaults(args)
        own = {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg) if arg}
        own |= {part.target.id for part in ast.walk(node.body) if isinstance(part, ast.NamedExpr)}
        node.body = self._without(own).visit(node.body)
        return node

    def _comprehension(self, node: Comprehension) -> ast.AST:
        node.generators[0].iter = self.visit(node.generators[0].iter)
        self._without(comprehension_targets(node)).inside(node)
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _without(self, own: Set[str]) -> Self:
        inner = copy.copy(self)
        inner.names = {name: other for name, other in self.names.items() if name not in own}
        return inner
