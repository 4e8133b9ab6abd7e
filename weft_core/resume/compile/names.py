"""Hidden names. They contain `@`, so no source can collide with them; the compiler accepts any text as a name."""

from __future__ import annotations

import ast

GOTO = "@g"
"""0: running; k: travelling to point k; -1: being dropped, run nothing."""
POINT = "@p"
"""The last suspension point reached."""
FRAME = "@f"
"""The activation: what a call or a restore brings in."""
INNER = "@r"
"""What is awaited at the point a restored frame resumes at."""
AWAITED = "@a"
"""What is awaited, where evaluating it must stay outside of a hidden `try`."""
AGAIN = "@again"
ITER = "@iter"
AITER = "@aiter"
ANEXT = "@anext"
ENTER = "@enter"
EXIT = "@exit"
AENTER = "@aenter"
AEXIT = "@aexit"
BASE = "@base"
STOP = "@stop"
DROPPED = "@drop"
MATCHES = "@matches"
SPLIT = "@split"
REGROUP = "@regroup"
ASSERTION = "@assertion"
SET = "@set"


def load(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Load())


def store(name: str) -> ast.Name:
    return ast.Name(id=name, ctx=ast.Store())


def call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(func=load(name), args=list(args), keywords=[])


def assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign(targets=[store(name)], value=value)


def constant(value: object) -> ast.Constant:
    return ast.Constant(value=value)  # type: ignore[arg-type]


def negate(value: ast.expr) -> ast.UnaryOp:
    return ast.UnaryOp(op=ast.Not(), operand=value)


def place(node: ast.AST, like: ast.AST) -> None:
    """Give every node that has no position the position of `like`."""
    line, column = getattr(like, "lineno", 1), getattr(like, "col_offset", 0)
    end_line, end_column = getattr(like, "end_lineno", line), getattr(like, "end_col_offset", column)
    for child in ast.walk(node):
        if "lineno" in child._attributes and not hasattr(child, "lineno"):
            child.lineno, child.col_offset = line, column  # type: ignore[attr-defined]
            child.end_lineno, child.end_col_offset = end_line, end_column  # type: ignore[attr-defined]
