"""Statements that wait, in normal form: every `await` is `await E` or `name = await E`, and nothing else waits.

What stays compound is `if`, `while`, `for` and `try`; `with`, `async with`, `async for`, `match` and `except*` around a
wait are written out as PEP 343, 492, 634 and 654 say. A statement that does not wait is left as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compiler.build import (
    assign,
    assign_to,
    at,
    branch,
    constant,
    expr,
    helper,
    is_await,
    load,
    negate,
    replace,
    store,
)
from weft_core.resume.compiler.expanded import Expanded
from weft_core.resume.compiler.refusals import awaits


class Statements(Expanded):
    """Rewrites blocks of statements into normal form."""

    def statements(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        """A block of the user's, in normal form."""
        with self.block() as out:
            for node in nodes:
                used = self.counts.get("t", 0)
                self.statement(node)
                self.counts["t"] = used  # a statement's temporaries are free again after it
        return out or [at(ast.Pass(), nodes[0])] if nodes else []

    def statement(self, node: ast.stmt) -> None:
        """Append a statement in normal form."""
        if not awaits(node):
            self.out.append(node)
            return
        handler: Callable[[ast.stmt], None] | None = getattr(self, "do_" + type(node).__name__, None)
        if handler is None:
            raise UnsupportedConstruct(
                construct=f"`await` inside {type(node).__name__}",
                remedy="await it in a statement of its own before",
                filename=self.scope.filename,
                line=node.lineno,
                function=self.scope.function,
            )
        handler(node)

    # --- simple statements ---------------------------------------------------------------------------------------

    def do_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Await):
            self.out.append(expr(replace(node.value, value=self.value(node.value.value)), node))
        else:
            self.out.append(replace(node, value=self.value(node.value)))

    def do_Return(self, node: ast.Return) -> None:
        assert node.value is not None
        self.out.append(replace(node, value=self.value(node.value)))

    def do_Raise(self, node: ast.Raise) -> None:
        parts = [part for part in (node.exc, node.cause) if part is not None]
        found = self.sequence(parts)
        self.out.append(replace(node, exc=found[0], cause=found[1] if len(found) > 1 else None))

    def do_Assert(self, node: ast.Assert) -> None:
        with self.block() as body:
            test = self.condition(node.test)
            with self.block() as failed:
                arguments = [] if node.msg is None else [self.value(node.msg)]
                self.out.append(at(ast.Raise(helper("AssertionError", arguments, node), None), node))
            self.out.append(branch(negate(test, node.test), failed, [], node))
        self.out.append(branch(load("__debug__", node), body, [], node))

    def do_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.out.append(at(ast.Delete([self.target(target)]), node))

    def do_Assign(self, node: ast.Assign) -> None:
        if is_await(node) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assert isinstance(node.value, ast.Await)
            self.out.append(replace(node, value=replace(node.value, value=self.value(node.value.value))))
            return
        value = self.value(node.value)
        if any(awaits(target) for target in node.targets):
            value = self.pin(value, node.targets)
            for target in node.targets:
                self.assign(target, value, node)
        else:
            self.out.append(replace(node, value=value))

    def do_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            # Only what the target is made of is evaluated.
            target = node.target
            if isinstance(target, ast.Attribute):
                self.out.append(expr(self.value(target.value), node))
            elif isinstance(target, ast.Subscript):
                for part in self.sequence([target.value, target.slice]):
                    self.out.append(expr(part, node))
            return
        self.statement(at(ast.Assign([node.target], node.value), node))

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        target = node.target
        place: ast.expr
        if not awaits(node.value):
            self.out.append(replace(node, target=self.target(target)))
            return
        match target:
            case ast.Name():
                kept = self.pin(load(target.id, target), [node.value])
                value = self.value(node.value)
                if isinstance(kept, ast.Name) and kept.id == target.id:
                    self.out.append(replace(node, value=value))
                    return
                place = target
            case ast.Attribute():
                owner = self.pin(target.value, [node.value])
                place = replace(target, value=owner)
                kept = self.keep(replace(target, value=owner, ctx=ast.Load()))
                value = self.value(node.value)
            case ast.Subscript():
                owner = self.pin(target.value, [target.slice, node.value])
                index = self.pin(target.slice, [node.value])
                if isinstance(index, ast.Slice):
                    parts = [part or constant(None, index) for part in (index.lower, index.upper, index.step)]
                    index = self.keep(helper("slice", parts, index))
                place = replace(target, value=owner, slice=index)
                kept = self.keep(replace(target, value=owner, slice=index, ctx=ast.Load()))
                value = self.value(node.value)
            case _:
                raise AssertionError(ast.dump(node))
        assert isinstance(kept, ast.Name)
        self.out.append(at(ast.AugAssign(store(kept.id, node), node.op, value), node))
        self.out.append(assign_to(place, kept, node))

    # --- targets -------------------------------------------------------------------------------------------------

    def target(self, node: ast.expr) -> ast.expr:
        """A target whose parts no longer wait; assigning to it comes right after."""
        if not awaits(node):
            return node
        match node:
            case ast.Attribute():
                return replace(node, value=self.value(node.value))
            case ast.Subscript():
                value, index = self.sequence([node.value, node.slice])
                return replace(node, value=value, slice=index)
            case ast.Tuple() | ast.List() if isinstance(node.ctx, ast.Del):
                for element in node.elts:
                    self.out.append(at(ast.Delete([self.target(element)]), node))
                return at(ast.Tuple([], ast.Del()), node)
            case _:
                raise AssertionError(ast.dump(node))

    def assign(self, target: ast.expr, value: ast.expr, place: ast.AST) -> None:
        """Assign a value that is evaluated already to a target that may wait."""
        if isinstance(target, ast.Starred):
            self.assign(target.value, value, place)
        elif isinstance(target, (ast.Tuple, ast.List)) and awaits(target):
            names = [self.fresh("t") for _ in target.elts]
            parts: list[ast.expr] = []
            for name, element in zip(names, target.elts, strict=True):
                part: ast.expr = store(name, element)
                parts.append(at(ast.Starred(part, ast.Store()), element) if isinstance(element, ast.Starred) else part)
            self.out.append(assign_to(replace(target, elts=parts), value, place))
            for name, element in zip(names, target.elts, strict=True):
                self.assign(element, load(name, element), place)
        else:
            self.out.append(assign_to(self.target(target), value, place))

    # --- definitions ---------------------------------------------------------------------------------------------

    def do_FunctionDef(self, node: ast.FunctionDef) -> None:
        given = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        decorators = self.sequence(node.decorator_list, then=given)
        args = self.defaults(node.args)
        self.out.append(replace(node, decorator_list=decorators, args=args))

    def do_ClassDef(self, node: ast.ClassDef) -> None:
        keywords = [keyword.value for keyword in node.keywords]
        decorators = self.sequence(node.decorator_list, then=[*node.bases, *keywords])
        bases = self.elements(node.bases, then=keywords)
        values = self.sequence(keywords)
        made = [replace(keyword, value=value) for keyword, value in zip(node.keywords, values, strict=True)]
        self.out.append(replace(node, decorator_list=decorators, bases=bases, keywords=made))

    # --- compound statements -------------------------------------------------------------------------------------

    def do_If(self, node: ast.If) -> None:
        test = self.condition(node.test)
        body, orelse = self.statements(node.body), self.statements(node.orelse)
        self.out.append(replace(node, test=test, body=body, orelse=orelse))

    def do_While(self, node: ast.While) -> None:
        body, orelse = self.statements(node.body), self.statements(node.orelse)
        if not awaits(node.test):
            self.out.append(replace(node, body=body, orelse=orelse))
            return
        # The test is evaluated inside; leaving by it is not a `break`, so the else clause hangs on a flag.
        flag = self.fresh("n")
        with self.block() as inner:
            test = self.condition(node.test)
            leave: list[ast.stmt] = [at(ast.Break(), node.test)]
            if orelse:
                leave.insert(0, assign(flag, constant(True, node.test), node.test))
            self.out.append(branch(negate(test, node.test), leave, [], node.test))
            self.out.extend(body)
        if orelse:
            self.out.append(assign(flag, constant(False, node.test), node.test))
        self.out.append(at(ast.While(constant(True, node.test), inner, []), node))
        if orelse:
            self.out.append(branch(load(flag, node.test), orelse, [], node.test))

    def do_For(self, node: ast.For | ast.AsyncFor) -> None:
        iterable = self.value(node.iter)
        body, orelse = self.statements(node.body), self.statements(node.orelse)
        self.loop(node.target, iterable, body, orelse, node, is_async=isinstance(node, ast.AsyncFor))

    do_AsyncFor = do_For

    def do_Try(self, node: ast.Try) -> None:
        if node.finalbody and any(awaits(inner) for inner in node.finalbody):
            self.out.append(self.finally_(self._without_finally(node), self.statements(node.finalbody), node))
            return
        handlers, body = self._handlers(node)
        self.out.append(
            replace(
                node,
                body=body,
                handlers=handlers,
                orelse=self.statements(node.orelse),
                finalbody=self.statements(node.finalbody),
            )
        )

    def _without_finally(self, node: ast.Try | ast.TryStar) -> list[ast.stmt]:
        if not node.handlers:
            return self.statements(node.body)
        return self.statements([replace(node, finalbody=[])])

    def _handlers(self, node: ast.Try) -> tuple[list[ast.ExceptHandler], list[ast.stmt]]:
        """The handlers, and the body: a type that waits is awaited only once something was raised."""
        body = self.statements(node.body)
        first = next((i for i, handler in enumerate(node.handlers) if awaits(handler.type)), None)
        if first is None:
            return [replace(handler, body=self.statements(handler.body)) for handler in node.handlers], body
        handlers = [replace(handler, body=self.statements(handler.body)) for handler in node.handlers[:first]]
        # `except await f():` and what follows: catch everything, evaluate the type, try again inside.
        place = node.handlers[first]
        with self.block() as inner:
            assert place.type is not None
            kind = self.keep(self.value(place.type))
            rest = [replace(place, type=kind), *node.handlers[first + 1 :]]
            self.statement(at(ast.Try([at(ast.Raise(), place)], rest, [], []), place))
        handlers.append(at(ast.ExceptHandler(load("@BaseException", place), None, inner), place))
        return handlers, body

    def do_TryStar(self, node: ast.TryStar) -> None:
        if node.finalbody and any(awaits(inner) for inner in node.finalbody):
            self.out.append(self.finally_(self._without_finally(node), self.statements(node.finalbody), node))
        elif any(awaits(handler) for handler in node.handlers):
            self.groups(node)
        else:
            parts = {name: self.statements(getattr(node, name)) for name in ("body", "orelse", "finalbody")}
            self.out.append(replace(node, **parts))
