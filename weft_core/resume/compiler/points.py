"""Numbering the places where a function waits, and naming them so that an edit elsewhere keeps the name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import NamedTuple

from weft_core.resume.compiler.build import is_await


class Point(NamedTuple):
    """One `await` of a unit. `live` names the locals, the user's and hidden ones, that may still be read after it.

    `number` counts from 1 in source order. `name` says what is awaited and in which blocks (`for/try/ctx.run(charge)`),
    so it stays the same when other parts of the function change.
    """

    number: int
    name: str
    line: int
    column: int
    live: tuple[str, ...]


class Place:
    """A point while its function is being compiled.

    `regions`: hidden locals without which it cannot be reached, what handlers and finally blocks around it hold.
    """

    __slots__ = ("column", "line", "live", "name", "regions")

    def __init__(self, name: str, line: int, column: int) -> None:
        self.name = name
        self.line = line
        self.column = column
        self.live: set[str] = set()
        self.regions: set[str] = set()


def span(node: ast.stmt | Iterable[ast.stmt]) -> tuple[int, int]:
    """First and last point in a statement or block; (0, -1) when it does not wait."""
    if isinstance(node, ast.AST):
        found: tuple[int, int] = getattr(node, "_span", (0, -1))
        return found
    spans = [s for s in map(span, node) if s[1] > 0]
    return (spans[0][0], spans[-1][1]) if spans else (0, -1)


def waits(node: ast.stmt | Iterable[ast.stmt]) -> bool:
    """Whether a normalised statement or block contains a point."""
    return span(node)[1] > 0


class Numbering:
    """Gives every waiting statement of a normalised body its number, and every compound one its range."""

    def __init__(self, fresh: Callable[[str], str]) -> None:
        self.places: list[Place] = []
        self.iterators: list[str] = []
        self._fresh = fresh
        self._path: list[str] = []
        self._used: dict[str, int] = {}

    def block(self, nodes: Iterable[ast.stmt], label: str = "") -> None:
        if label:
            self._path.append(label)
        for node in nodes:
            self._statement(node)
        if label:
            self._path.pop()

    def _statement(self, node: ast.stmt) -> None:
        before = len(self.places)
        if is_await(node):
            self._point(node)
        match node:
            case ast.If():
                self.block(node.body, "if")
                self.block(node.orelse, "else")
            case ast.While() | ast.For():
                self.block(node.body, type(node).__name__.lower())
                self.block(node.orelse, "else")
            case ast.Try() | ast.TryStar():
                self.block(node.body, "try")
                at_handlers = len(self.places)
                for handler in node.handlers:
                    self.block(handler.body, "except")
                if len(self.places) > at_handlers:
                    self._name_caught(node)
                self.block(node.orelse, "else")
                self.block(node.finalbody, "finally")
            case _:
                pass
        if len(self.places) > before:
            node._span = (before + 1, len(self.places))  # type: ignore[attr-defined]
            if isinstance(node, ast.For):
                self.iterators.append(node._iterator)  # type: ignore[attr-defined]

    def _name_caught(self, node: ast.Try | ast.TryStar) -> None:
        """A handler that waits is entered again by raising what it caught, so that is kept in a hidden local."""
        names = {handler.name for handler in node.handlers}
        hidden = next(iter(names)) if len(names) == 1 else None
        node._caught = hidden if hidden and hidden[0] == "@" else self._fresh("x")  # type: ignore[union-attr]

    def _point(self, node: ast.stmt) -> None:
        assert isinstance(node, (ast.Assign, ast.Expr)) and isinstance(node.value, ast.Await)
        name = "/".join([*self._path, _said(node.value.value)])
        count = self._used[name] = self._used.get(name, 0) + 1
        self.places.append(
            Place(
                name=name if count == 1 else f"{name}#{count}",
                line=node.value.lineno,
                column=node.value.col_offset,
            )
        )
        node._point = len(self.places)  # type: ignore[union-attr]


def _said(node: ast.expr) -> str:
    """What is awaited, in short, and the same on every Python version."""
    match node:
        case ast.Call(func=ast.Call(func=ast.Name(id="@enter" | "@exit" as which))):
            return f"{which[1:]} with"
        case ast.Call(func=ast.Call(func=ast.Name(id="@special"))):
            return "next item"
        case ast.Call():
            first = node.args[0] if node.args else None
            told = _dotted(first) if isinstance(first, (ast.Name, ast.Attribute)) else ""
            return f"{_dotted(node.func)}({told})"
        case _:
            return _dotted(node)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name():
            return "…" if node.id.startswith("@") else node.id
        case ast.Attribute():
            return f"{_dotted(node.value)}.{node.attr}"
        case ast.Call():
            return f"{_dotted(node.func)}()"
        case _:
            return "…"
