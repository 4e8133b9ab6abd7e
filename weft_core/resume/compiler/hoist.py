"""What is taken out of a body before it is normalised: declarations of scope, and `super()` without arguments."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from weft_core.resume.compiler.build import at, children, load
from weft_core.resume.compiler.expressions import Scope


class Hoister(ast.NodeTransformer):
    """`global` and `nonlocal` statements move to the top (a guarded block may come before them otherwise)."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.declarations: list[ast.stmt] = []

    def body(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The body without declarations (found in `declarations`) and with `super()` spelled out."""
        return [self.visit(node) if _concerned(node) else node for node in nodes]

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> ast.stmt:
        self.declarations.append(node)
        return at(ast.Pass(), node)

    visit_Nonlocal = visit_Global

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        # Annotations in functions are never evaluated; what is left is an assignment, or a declaration.
        self.generic_visit(node)
        if not isinstance(node.target, ast.Name):
            return node
        if node.value is None:
            return at(ast.Pass(), node)
        return at(ast.Assign([node.target], node.value), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Name) and function.id == "super" and not node.args and not node.keywords:
            if self.scope.first is not None and "super" not in self.scope.local:
                # The compiled frame's first local need not be the user's first parameter.
                node.args = [load("__class__", node), load(self.scope.first, node)]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(part) for part in node.decorator_list]
        node.args = self.visit(node.args)
        return node

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        return node  # the rest is a function of its own, in which Python has no `super()` without arguments

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.args = self.visit(node.args)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [self.visit(part) for part in node.decorator_list]
        node.bases = [self.visit(part) for part in node.bases]
        node.keywords = [self.visit(part) for part in node.keywords]
        return node


def _concerned(node: ast.AST) -> bool:
    """Whether there is anything to do in a statement; in most there is not."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, (ast.Global, ast.Nonlocal, ast.AnnAssign)):
            return True
        if isinstance(item, ast.Name) and item.id == "super":
            return True
        stack += children(item)
    return False
