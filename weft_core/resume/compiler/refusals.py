"""What the compiler refuses when the decorator runs. What can only be seen later is refused at the `await`."""

from __future__ import annotations

import ast

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compiler.build import Visitor, children
from weft_core.resume.compiler.names import Names, arguments

_FRAME_READERS = {
    "exec": "call a plain function instead; code made from text cannot be continued after a restart",
    "eval": "call a plain function instead; code made from text cannot be continued after a restart",
    "locals": "name the variables you need, for instance in a dict",
    "vars": "name the variables you need, for instance in a dict",
    "dir": "name the variables you need, for instance in a list",
}


class Refusals(Visitor):
    """Walks one function, as written, and raises `UnsupportedConstruct` at the first thing that cannot be."""

    def __init__(self, *, filename: str, function: str) -> None:
        self.filename = filename
        self.function = function
        self.bound: set[str] = set()

    def check(self, node: ast.AsyncFunctionDef) -> None:
        names = Names()
        names.visit_all(node.body)
        self.bound = names.stores | {arg.arg for arg in arguments(node.args)}
        for child in node.body:
            self.visit(child)

    def refuse(self, node: ast.AST, construct: str, remedy: str) -> UnsupportedConstruct:
        return UnsupportedConstruct(
            construct=construct,
            remedy=remedy,
            filename=self.filename,
            line=getattr(node, "lineno", 0),
            function=self.function,
        )

    def visit_TemplateStr(self, node: ast.AST) -> None:
        raise self.refuse(node, "a t-string", "build the text with an f-string, or in an activity")

    def visit_Yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        raise self.refuse(
            node,
            "`yield` (an async generator)",
            "collect the values in a list and return it; a generator that is under way cannot be stored",
        )

    visit_YieldFrom = visit_Yield

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        raise self.refuse(
            node,
            f"the nested `async def {node.name}`",
            "move it to the top of the module, decorate it with @app.resumable, and pass it what it needs",
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        # A plain function inside is left as it is. Only what runs where it is defined belongs to us.
        for part in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)
        for arg in arguments(node.args):
            if arg.annotation is not None and awaits(arg.annotation):
                raise self.refuse(arg, "`await` in an annotation", "await before the definition")
        for inner in ast.walk(node):
            if isinstance(inner, ast.AsyncFunctionDef):
                self.visit_AsyncFunctionDef(inner)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for part in [*node.args.defaults, *node.args.kw_defaults]:
            if part is not None:
                self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)
        for inner in node.body:
            if isinstance(inner, ast.AsyncFunctionDef):
                self.visit_AsyncFunctionDef(inner)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        first = node.generators[0]
        rest: list[ast.AST] = [node.elt, first.target, *first.ifs, *node.generators[1:]]
        if first.is_async or any(g.is_async for g in node.generators) or any(awaits(part) for part in rest):
            raise self.refuse(
                node,
                "a generator expression that awaits",
                "write a list comprehension ([… for …]), which runs at once",
            )
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _FRAME_READERS and node.func.id not in self.bound:
            name = node.func.id
            if name in ("exec", "eval", "locals") or not (node.args or node.keywords):
                raise self.refuse(node, f"`{name}()`", _FRAME_READERS[name])
        self.generic_visit(node)


def awaits(node: ast.AST | None) -> bool:
    """Whether evaluating or executing this may wait. The answer is kept on the node."""
    if node is None:
        return False
    known = getattr(node, "_awaits", None)
    if known is None:
        known = _awaits(node)
        node._awaits = known  # type: ignore[attr-defined]
    return bool(known)


def _awaits(node: ast.AST) -> bool:
    match node:
        case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return True
        case ast.Lambda():
            return any(awaits(part) for part in [*node.args.defaults, *node.args.kw_defaults])
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            parts = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
            return any(awaits(part) for part in parts)
        case ast.ClassDef():
            return any(awaits(part) for part in [*node.decorator_list, *node.bases, *node.keywords])
        case ast.comprehension():
            return bool(node.is_async) or any(awaits(part) for part in [node.target, node.iter, *node.ifs])
        case ast.AnnAssign():
            return awaits(node.target) or awaits(node.value)
        case _:
            return any(awaits(child) for child in children(node))
