"""Small makers of AST nodes. Every node made here stands at the place of the user's node it was made for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

N = TypeVar("N", bound=ast.AST)


def at(node: N, place: ast.AST) -> N:
    """`node`, and everything new below it, at the place of `place`."""
    stack: list[ast.AST] = [node]
    while stack:
        item = stack.pop()
        if "lineno" in item._attributes:
            if hasattr(item, "lineno"):
                continue
            for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
                setattr(item, name, getattr(place, name))
        stack.extend(ast.iter_child_nodes(item))
    return node


def replace(node: N, **fields: Any) -> N:
    """A new node like `node` with some fields exchanged."""
    values = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    new = type(node)(**{**values, **fields})
    return at(new, node) if hasattr(node, "lineno") else new


def load(name: str, place: ast.AST) -> ast.Name:
    return at(ast.Name(name, ast.Load()), place)


def store(name: str, place: ast.AST) -> ast.Name:
    return at(ast.Name(name, ast.Store()), place)


def constant(value: object, place: ast.AST) -> ast.Constant:
    return at(ast.Constant(value), place)  # type: ignore[arg-type]


def assign(name: str, value: ast.expr, place: ast.AST) -> ast.Assign:
    return at(ast.Assign([ast.Name(name, ast.Store())], value), place)


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
    return call(at(ast.Attribute(owner, name, ast.Load()), place), arguments, place)


def negate(test: ast.expr, place: ast.AST) -> ast.UnaryOp:
    return at(ast.UnaryOp(ast.Not(), test), place)


def branch(test: ast.expr, body: Iterable[ast.stmt], orelse: Iterable[ast.stmt], place: ast.AST) -> ast.If:
    return at(ast.If(test, list(body) or [at(ast.Pass(), place)], list(orelse)), place)


def is_await(node: ast.stmt) -> bool:
    """Whether a normalised statement is one that waits: `await E` or `name = await E`."""
    return isinstance(node, (ast.Assign, ast.Expr)) and isinstance(node.value, ast.Await)
