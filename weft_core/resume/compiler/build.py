"""Small makers of AST nodes. Every node made here stands at the place of the user's node it was made for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

N = TypeVar("N", bound=ast.AST)

_LEAVES = frozenset({int, str, bool, type(None), ast.Load, ast.Store, ast.Del})
"""What stands in a node's fields most often, and is no node with anything to look at in it."""

_LOAD, _STORE = ast.Load(), ast.Store()


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below a node. Like `ast.iter_child_nodes`, at a fraction of its price: modules are compiled
    while they are imported.
    """
    found = []
    for value in node.__dict__.values():
        kind = value.__class__
        if kind is list:
            found += [item for item in value if isinstance(item, ast.AST)]
        elif kind not in _LEAVES and isinstance(value, ast.AST):
            found.append(value)
    return found


class Visitor:
    """Like `ast.NodeVisitor`, faster: `visit_Name` of a subclass sees names, and what has no method is looked into."""

    _methods: dict[type[ast.AST], Callable[[Any, Any], None]]

    def __init_subclass__(cls) -> None:
        named = {name.removeprefix("visit_"): method for name, method in vars(cls).items() if name[:6] == "visit_"}
        cls._methods = {getattr(ast, name): method for name, method in named.items() if hasattr(ast, name)}

    def visit(self, node: ast.AST) -> None:
        method = self._methods.get(node.__class__)
        if method is not None:
            method(self, node)
        else:
            self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        for child in children(node):
            self.visit(child)


def at(node: N, place: ast.AST) -> N:
    """`node`, and everything new below it, at the place of `place`."""
    if "lineno" in node.__dict__:
        return node
    stack: list[ast.AST] = [node]
    while stack:
        item = stack.pop()
        if item._attributes:
            if "lineno" in item.__dict__:
                continue
            _here(item, place)
        stack += children(item)
    return node


def replace(node: N, **fields: Any) -> N:
    """A new node like `node` with some fields exchanged."""
    values = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    new = type(node)(**{**values, **fields})
    return at(new, node) if hasattr(node, "lineno") else new


def _here(node: N, place: ast.AST) -> N:
    """A node made just now, whose children have their places, at the place of `place`."""
    there, here = place.__dict__, node.__dict__
    here["lineno"], here["col_offset"] = there["lineno"], there["col_offset"]
    here["end_lineno"], here["end_col_offset"] = there["end_lineno"], there["end_col_offset"]
    return node


def load(name: str, place: ast.AST) -> ast.Name:
    return _here(ast.Name(name, _LOAD), place)


def store(name: str, place: ast.AST) -> ast.Name:
    return _here(ast.Name(name, _STORE), place)


def constant(value: object, place: ast.AST) -> ast.Constant:
    return _here(ast.Constant(value), place)  # type: ignore[arg-type]


def assign(name: str, value: ast.expr, place: ast.AST) -> ast.Assign:
    return _here(ast.Assign([store(name, place)], at(value, place)), place)


def assign_to(target: ast.expr, value: ast.expr, place: ast.AST) -> ast.Assign:
    return at(ast.Assign([target], value), place)


def expr(value: ast.expr, place: ast.AST) -> ast.Expr:
    return at(ast.Expr(value), place)


def call(function: ast.expr, arguments: Sequence[ast.expr], place: ast.AST) -> ast.Call:
    return at(ast.Call(function, list(arguments), []), place)


def helper(name: str, arguments: Sequence[ast.expr], place: ast.AST) -> ast.Call:
    """A call of one of the compiler's own helpers (`@name`)."""
    return call(load("@" + name, place), arguments, place)


def method(owner: ast.expr, name: str, arguments: Sequence[ast.expr], place: ast.AST) -> ast.Call:
    found = at(ast.Attribute(owner, name, ast.Load()), place)
    found.end_lineno, found.end_col_offset = found.lineno, found.col_offset  # Python calls a method where its name ends
    return call(found, arguments, place)


def negate(test: ast.expr, place: ast.AST) -> ast.UnaryOp:
    return at(ast.UnaryOp(ast.Not(), test), place)


def branch(test: ast.expr, body: Iterable[ast.stmt], orelse: Iterable[ast.stmt], place: ast.AST) -> ast.If:
    return at(ast.If(test, list(body) or [at(ast.Pass(), place)], list(orelse)), place)


def is_await(node: ast.stmt) -> bool:
    """Whether a normalised statement is one that waits: `await E` or `name = await E`."""
    return isinstance(node, (ast.Assign, ast.Expr)) and isinstance(node.value, ast.Await)
