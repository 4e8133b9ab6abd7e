"""Finding a function's source, and making it stand alone: private names mangled, `super()` spelled out."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from weft_core.errors import UnsupportedConstruct


def source_of(function: Callable[..., Any], name: str) -> tuple[str, str, int]:
    """Dedented source text, file name and first line. Raises `UnsupportedConstruct` when there is none to be had."""
    code = function.__code__
    try:
        lines, first_line = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        raise UnsupportedConstruct(
            construct="a function without source text",
            remedy="Weft compiles from source: put the function in a file (in a notebook or REPL, in a cell), or "
            "register its text with linecache",
            filename=code.co_filename,
            line=code.co_firstlineno,
            function=name,
        ) from error
    return textwrap.dedent("".join(lines)), code.co_filename, first_line


def parse(source: str, filename: str, first_line: int, name: str) -> ast.AsyncFunctionDef:
    """The function's tree, with the line numbers of its file."""
    tree = ast.parse(source)
    ast.increment_lineno(tree, first_line - 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            return node
    found = tree.body[0] if tree.body else None
    raise UnsupportedConstruct(
        construct="a function that is not an `async def`",
        remedy="write `async def`; a plain function that does something outside is an @app.activity",
        filename=filename,
        line=getattr(found, "lineno", first_line),
        function=name,
    )


class StandAlone(ast.NodeTransformer):
    """Does what the compiler does for code inside a class body: mangles `__names`, and gives `super()` its arguments."""

    def __init__(self, class_name: str | None, first_parameter: str | None) -> None:
        self._class = class_name.lstrip("_") if class_name else None
        self._first = first_parameter

    def _mangle(self, name: str) -> str:
        if self._class and name.startswith("__") and not name.endswith("__") and "." not in name:
            return f"_{self._class}{name}"
        return name

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "attr", "name", "arg", "rest", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str) and not (field == "name" and isinstance(node, ast.alias)):
                setattr(node, field, self._mangle(value))
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [self._mangle(n) for n in node.names]
        return super().generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        outer = self._class
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)
        name = self._mangle(node.name)
        self._class = node.name.lstrip("_")
        node.body = [self.visit(s) for s in node.body]
        self._class = outer
        node.name = name
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and not node.keywords:
            if self._first is not None:
                node.args = [
                    ast.copy_location(ast.Name(id="__class__", ctx=ast.Load()), node),
                    ast.copy_location(ast.Name(id=self._first, ctx=ast.Load()), node),
                ]
        return node


def class_name(qualname: str) -> str | None:
    """The class a function was defined in, by its qualified name."""
    parts = qualname.split(".")
    return parts[-2] if len(parts) > 1 and parts[-2] != "<locals>" else None
