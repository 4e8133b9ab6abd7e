"""`return`, `break` and `continue` that leave a `try` whose finally block waits: they are written down on the way.

1 is an exception, 2 a return, 3 a break, 4 a continue; 0 is the end of the body.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from weft_core.resume.compiler.build import assign, at, constant, load, replace

RETURN, BREAK, CONTINUE = 2, 3, 4


class Final:
    """A finally block that waits and that encloses what is being rewritten; None in the stack is a loop."""

    __slots__ = ("exits", "how", "what")

    def __init__(self, how: str, what: str) -> None:
        self.how = how
        self.what = what
        self.exits: set[int] = set()


class Crossing(ast.NodeTransformer):
    """Knows which loops and waiting finally blocks enclose the statement at hand."""

    def __init__(self) -> None:
        self.stack: list[Final | None] = []

    @contextmanager
    def in_loop(self) -> Iterator[None]:
        self.stack.append(None)
        try:
            yield
        finally:
            self.stack.pop()

    @contextmanager
    def in_finally(self, how: str, what: str) -> Iterator[Final]:
        final = Final(how, what)
        self.stack.append(final)
        try:
            yield final
        finally:
            self.stack.pop()

    def plain(self, node: ast.stmt) -> list[ast.stmt]:
        """A statement that does not wait, with its exits written down."""
        if not any(self.stack):
            return [node]
        found = self.visit(node)
        return found if isinstance(found, list) else [found]

    def leaving(self, final: Final, value: str, place: ast.AST) -> list[tuple[int, list[ast.stmt]]]:
        """How the body of a finally block is left again when that block is entered again (stack: around it)."""
        made: list[tuple[int, list[ast.stmt]]] = []
        for number in sorted(final.exits):
            node: ast.stmt = at(
                ast.Return(load(value, place))
                if number == RETURN
                else ast.Break()
                if number == BREAK
                else ast.Continue(),
                place,
            )
            made.append((number, self.plain(node)))
        return made

    # --- the statements themselves -------------------------------------------------------------------------------

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        value: ast.expr = node.value or constant(None, node)
        out: list[ast.stmt] = []
        for final in reversed(self.stack):
            if final is None:
                continue
            if not (isinstance(value, ast.Name) and value.id == final.what):
                out.append(assign(final.what, value, node))
            out.append(assign(final.how, constant(RETURN, node), node))
            final.exits.add(RETURN)
            value = load(final.what, node)
        return [*out, replace(node, value=value)]

    def _jump(self, node: ast.Break | ast.Continue, number: int) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for final in reversed(self.stack):
            if final is None:
                break
            out.append(assign(final.what, constant(None, node), node))
            out.append(assign(final.how, constant(number, node), node))
            final.exits.add(number)
        return [*out, node]

    def visit_Break(self, node: ast.Break) -> list[ast.stmt]:
        return self._jump(node, BREAK)

    def visit_Continue(self, node: ast.Continue) -> list[ast.stmt]:
        return self._jump(node, CONTINUE)

    def _loop(self, node: ast.For | ast.While) -> ast.stmt:
        with self.in_loop():
            body = self._block(node.body)
        return replace(node, body=body, orelse=self._block(node.orelse))

    visit_For = visit_While = _loop

    def _block(self, nodes: list[ast.stmt]) -> list[ast.stmt]:
        return [done for node in nodes for done in self.plain(node)]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return node


def exits(nodes: Sequence[ast.AST]) -> set[str]:
    """How these statements can be left, other than at their end or by an exception: return, break, continue."""
    found: set[str] = set()

    def look(nodes: Sequence[ast.AST], in_loop: bool) -> None:
        for item in nodes:
            match item:
                case ast.Return():
                    found.add("return")
                case ast.Break() | ast.Continue():
                    if not in_loop:
                        found.add("break" if isinstance(item, ast.Break) else "continue")
                case ast.For() | ast.While():
                    look(item.body, True)
                    look(item.orelse, in_loop)
                case ast.FunctionDef() | ast.ClassDef() | ast.expr():
                    pass
                case _:
                    look(list(ast.iter_child_nodes(item)), in_loop)

    look(nodes, False)
    return found
