"""Statements that await: expanded until an `await` only stands as `await x`, `name = await x`, in blocks Python runs itself.

What comes out is an ordinary syntax tree of `if`, `while`, `for`, `try` and simple statements that does what the
source does, with hidden names for what Python keeps on its stack.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from weft_core.resume.compile import names
from weft_core.resume.compile.expressions import Expressions, Out, clear
from weft_core.resume.compile.names import assign, call, constant, load, negate, place, store
from weft_core.resume.compile.scopes import Place, Scope, has_await


class Normaliser:
    """Normalises the body of one function."""

    def __init__(self, scope: Scope, place_: Place) -> None:
        self._scope = scope
        self._place = place_
        self._expressions = Expressions(scope, place_, self.block)

    def block(self, statements: Sequence[ast.stmt]) -> Out:
        """A block, normalised. Statements that do not await stay as they are."""
        out: Out = []
        for statement in statements:
            if not has_await(statement):
                out.append(statement)
                continue
            made: Out = []
            self._expressions.begin_statement(statement)
            self._statement(statement, made)
            for node in made:
                place(node, statement)
                ast.fix_missing_locations(node)
            clear(*made)
            out += made
        return out

    def _statement(self, node: ast.stmt, out: Out) -> None:
        x = self._expressions
        match node:
            case ast.Expr(value=ast.Await(value=value)):
                awaiting = ast.Await(value=x.normal(value, out))
                place(awaiting, node.value)
                out.append(ast.Expr(value=awaiting))
            case ast.Expr(value=value):
                out.append(ast.Expr(value=x.normal(value, out)))
            case ast.Assign():
                self._assign(node.targets, node.value, out)
            case ast.AnnAssign(target=target, value=value):
                if has_await(node.annotation):
                    self._place.refuse(node, "`await` in an annotation", "annotate with the type itself")
                assert value is not None or has_await(target)
                if value is None:
                    x.sequence(_target_parts(target), out)
                else:
                    self._assign([target], value, out)
            case ast.AugAssign():
                self._augmented(node, out)
            case ast.Return(value=value):
                assert value is not None
                out.append(ast.Return(value=x.normal(value, out)))
            case ast.Raise(exc=exc, cause=cause):
                first, second = x.sequence([exc, cause], out)
                out.append(ast.Raise(exc=first, cause=second))
            case ast.Assert():
                self._assert(node, out)
            case ast.Delete(targets=targets):
                for target in targets:
                    self._delete(target, out)
            case ast.If(test=test, body=body, orelse=orelse):
                made = x.normal(test, out)
                out.append(ast.If(test=made, body=self.block(body), orelse=self.block(orelse)))
            case ast.While():
                self._while(node, out)
            case ast.For():
                self._for(node, out)
            case ast.AsyncFor():
                self._async_for(node, out)
            case ast.With() | ast.AsyncWith():
                self._with(node, list(node.items), out)
            case ast.Try():
                self._try(node, out)
            case ast.TryStar():
                self._try_star(node, out)
            case ast.Match():
                self._match(node, out)
            case ast.FunctionDef():
                parts = x.sequence([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults], out)
                d, e = len(node.decorator_list), len(node.args.defaults)
                node.decorator_list = parts[:d]  # type: ignore[assignment]
                node.args.defaults = parts[d : d + e]  # type: ignore[assignment]
                node.args.kw_defaults = parts[d + e :]
                out.append(node)
            case ast.ClassDef():
                keywords = [k.value for k in node.keywords]
                parts = x.sequence([*node.decorator_list, *node.bases, *keywords], out)
                d, e = len(node.decorator_list), len(node.bases)
                node.decorator_list = parts[:d]  # type: ignore[assignment]
                node.bases = parts[d : d + e]  # type: ignore[assignment]
                for keyword, value in zip(node.keywords, parts[d + e :], strict=True):
                    assert value is not None
                    keyword.value = value
                out.append(node)
            case _:
                self._place.refuse(
                    node, f"`await` inside {type(node).__name__}", "assign the awaited value to a variable first"
                )

    # --- simple statements -----------------------------------------------------------------------------------------------

    def _assign(self, targets: list[ast.expr], value: ast.expr, out: Out) -> None:
        x = self._expressions
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and isinstance(value, ast.Await):
            awaiting = ast.Await(value=x.normal(value.value, out))
            place(awaiting, value)
            out.append(ast.Assign(targets=targets, value=awaiting))
            return
        made = x.normal(value, out)
        if not any(has_await(t) for t in targets):
            out.append(ast.Assign(targets=targets, value=made))
            return
        kept = x.temporary(made, out)
        for target in targets:
            self._assign_one(target, kept, out)

    def _assign_one(self, target: ast.expr, value: ast.expr, out: Out) -> None:
        x = self._expressions
        if not has_await(target):
            out.append(ast.Assign(targets=[target], value=copy.copy(value)))
            return
        match target:
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                parts: list[tuple[ast.expr, str]] = []
                unpack: list[ast.expr] = []
                for element in elts:
                    name = x.new()
                    inner = element.value if isinstance(element, ast.Starred) else element
                    parts.append((inner, name))
                    slot: ast.expr = store(name)
                    if isinstance(element, ast.Starred):
                        slot = ast.Starred(value=slot, ctx=ast.Store())
                    unpack.append(slot)
                out.append(ast.Assign(targets=[ast.Tuple(elts=unpack, ctx=ast.Store())], value=copy.copy(value)))
                for inner, name in parts:
                    self._assign_one(inner, load(name), out)
            case ast.Attribute() | ast.Subscript():
                kept = x.save(value, out) if not isinstance(value, (ast.Name, ast.Constant)) else value
                out.append(ast.Assign(targets=[self._target(target, out)], value=kept))
            case _:
                self._place.refuse(target, "this assignment target with an `await`", "await into a variable first")

    def _target(self, target: ast.expr, out: Out, *, keep: bool = False) -> ast.expr:
        """A target whose parts do not await; with `keep`, that can be read and then written."""
        x = self._expressions
        match target:
            case ast.Attribute(value=value, attr=attr):
                made = x.normal(value, out)
                return ast.Attribute(value=x.save(made, out) if keep else made, attr=attr, ctx=ast.Store())
            case ast.Subscript(value=value, slice=index):
                first, second = x.sequence([value, index], out)
                assert first is not None and second is not None
                if keep:
                    first = x.save(first, out)
                    second = self._save_slice(second, out)
                return ast.Subscript(value=first, slice=second, ctx=ast.Store())
            case _:
                return target

    def _save_slice(self, index: ast.expr, out: Out) -> ast.expr:
        x = self._expressions
        if isinstance(index, ast.Slice):
            parts = [None if p is None else x.save(p, out) for p in (index.lower, index.upper, index.step)]
            return ast.Slice(lower=parts[0], upper=parts[1], step=parts[2])
        return x.save(index, out)

    def _augmented(self, node: ast.AugAssign, out: Out) -> None:
        x = self._expressions
        target = self._target(node.target, out, keep=True)
        reading = copy.copy(target)
        reading.ctx = ast.Load()  # type: ignore[attr-defined]
        place(reading, node.target)
        name = x.temporary(reading, out).id
        value = x.normal(node.value, out)
        out.append(ast.AugAssign(target=store(name), op=node.op, value=value))
        out.append(ast.Assign(targets=[target], value=load(name)))

    def _assert(self, node: ast.Assert, out: Out) -> None:
        x = self._expressions
        checked = ast.If(test=ast.Name(id="__debug__", ctx=ast.Load()), body=[], orelse=[])
        test = x.normal(node.test, checked.body)
        failed = ast.If(test=negate(test), body=[], orelse=[])
        arguments = [] if node.msg is None else [x.normal(node.msg, failed.body)]
        failed.body.append(ast.Raise(exc=call(names.ASSERTION, *arguments), cause=None))
        checked.body.append(failed)
        out.append(checked)

    def _delete(self, target: ast.expr, out: Out) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._delete(element, out)
            return
        made = self._target(target, out)
        if made is not target:
            made.ctx = ast.Del()  # type: ignore[attr-defined]
        out.append(ast.Delete(targets=[made]))

    # --- loops -------------------------------------------------------------------------------------------------------------

    def _while(self, node: ast.While, out: Out) -> None:
        x = self._expressions
        if not has_await(node.test):
            out.append(ast.While(test=node.test, body=self.block(node.body), orelse=self.block(node.orelse)))
            return
        body: Out = []
        test = x.normal(node.test, body)
        leave: Out = [ast.Break()]
        flag = x.new("e") if node.orelse else None
        if flag is not None:
            leave.insert(0, assign(flag, constant(True)))
            out.append(assign(flag, constant(False)))
        body.append(ast.If(test=negate(test), body=leave, orelse=[]))
        body += self.block(node.body)
        out.append(ast.While(test=constant(True), body=body, orelse=[]))
        if flag is not None:
            out.append(ast.If(test=load(flag), body=self.block(node.orelse), orelse=[]))

    def _for(self, node: ast.For, out: Out) -> None:
        x = self._expressions
        iterable = x.normal(node.iter, out)
        inside = node.body + node.orelse
        if not has_await(inside) and not has_await(node.target):
            out.append(ast.For(target=node.target, iter=iterable, body=node.body, orelse=node.orelse))
            return
        name = x.new("i")
        iterating = assign(name, call(names.ITER, iterable))
        place(iterating, node.iter)
        out.append(iterating)
        target, body = self._loop_target(node.target)
        loop = ast.For(target=target, iter=load(name), body=body + self.block(node.body), orelse=self.block(node.orelse))
        out.append(loop)

    def _loop_target(self, target: ast.expr) -> tuple[ast.expr, Out]:
        """A target for the loop itself, and statements that finish the assignment."""
        if not has_await(target):
            return target, []
        name = self._expressions.new()
        body: Out = []
        self._assign_one(target, load(name), body)
        return store(name), body

    def _async_for(self, node: ast.AsyncFor, out: Out) -> None:
        x = self._expressions
        source = x.new("i")
        out.append(assign(source, call(names.AITER, x.normal(node.iter, out))))
        item = x.new("t")
        leave: Out = [ast.Break()]
        flag = x.new("e") if node.orelse else None
        if flag is not None:
            leave.insert(0, assign(flag, constant(True)))
            out.append(assign(flag, constant(False)))
        advance = ast.Try(
            body=[assign(item, ast.Await(value=call(names.ANEXT, load(source))))],
            handlers=[ast.ExceptHandler(type=load(names.STOP), name=None, body=leave)],
            orelse=[],
            finalbody=[],
        )
        body: Out = [advance]
        self._assign_one(node.target, load(item), body)
        body += self.block(node.body)
        out.append(ast.While(test=constant(True), body=body, orelse=[]))
        if flag is not None:
            out.append(ast.If(test=load(flag), body=self.block(node.orelse), orelse=[]))

    # --- with ------------------------------------------------------------------------------------------------------------

    def _with(self, node: ast.With | ast.AsyncWith, items: list[ast.withitem], out: Out) -> None:
        """PEP 343 and PEP 492, with the manager in a hidden local."""
        x = self._expressions
        item, *rest = items
        inner_awaits = has_await(node.body) or any(has_await(i) for i in rest)
        waits = isinstance(node, ast.AsyncWith)
        target_awaits = item.optional_vars is not None and has_await(item.optional_vars)
        if not waits and not inner_awaits and not target_awaits:
            expression = x.normal(item.context_expr, out)
            fresh = ast.withitem(context_expr=expression, optional_vars=item.optional_vars)
            out.append(ast.With(items=[fresh, *rest], body=node.body))
            return
        manager, value, leaving, error = x.new("m"), x.new("t"), x.new("k"), x.new("x")
        enter, leave = (names.AENTER, names.AEXIT) if waits else (names.ENTER, names.EXIT)

        def awaited(expression: ast.expr) -> ast.expr:
            return ast.Await(value=expression) if waits else expression

        out.append(assign(manager, x.normal(item.context_expr, out)))
        out.append(assign(value, awaited(call(enter, load(manager)))))
        out.append(assign(leaving, constant(True)))
        body: Out = []
        if item.optional_vars is not None:
            self._assign_one(item.optional_vars, load(value), body)
        if rest:
            self._with(node, rest, body)
        else:
            body += self.block(node.body)
        swallowed = x.new("t")
        guarded = ast.Try(
            body=body,
            handlers=[
                ast.ExceptHandler(
                    type=load(names.BASE),
                    name=error,
                    body=[
                        assign(leaving, constant(False)),
                        assign(swallowed, awaited(call(leave, load(manager), load(error)))),
                        ast.If(test=negate(load(swallowed)), body=[ast.Raise(exc=None, cause=None)], orelse=[]),
                    ],
                )
            ],
            orelse=[],
            finalbody=[],
        )
        ending = ast.Expr(value=awaited(call(leave, load(manager), constant(None))))
        out.append(
            ast.Try(
                body=[guarded],
                handlers=[],
                orelse=[],
                finalbody=[ast.If(test=load(leaving), body=[ending], orelse=[])],
            )
        )

    # --- try -------------------------------------------------------------------------------------------------------------

    def _try(self, node: ast.Try, out: Out) -> None:
        handlers = []
        chained = any(h.type is not None and has_await(h.type) for h in node.handlers)
        if chained:
            handlers = [self._handler_chain(node.handlers)]
        else:
            for handler in node.handlers:
                handlers.append(ast.ExceptHandler(type=handler.type, name=handler.name, body=self.block(handler.body)))
                place(handlers[-1], handler)
        out.append(
            ast.Try(
                body=self.block(node.body),
                handlers=handlers,
                orelse=self.block(node.orelse),
                finalbody=self.block(node.finalbody),
            )
        )

    def _handler_chain(self, handlers: list[ast.ExceptHandler]) -> ast.ExceptHandler:
        """Handlers of which one awaits in its type: one handler that asks each in turn."""
        x = self._expressions
        error = x.new("x")
        body: Out = []
        target = body
        for handler in handlers:
            if handler.type is None:
                test: ast.expr = constant(True)
            else:
                test = call(names.MATCHES, load(error), x.normal(handler.type, target))
            branch = ast.If(test=test, body=self._named(handler, error), orelse=[])
            place(branch, handler)
            target.append(branch)
            target = branch.orelse
        target.append(ast.Raise(exc=None, cause=None))
        return ast.ExceptHandler(type=load(names.BASE), name=error, body=body)

    def _named(self, handler: ast.ExceptHandler, error: str) -> Out:
        """A handler's body with its name bound as Python binds it: gone when the handler ends."""
        body = self.block(handler.body)
        if handler.name is None:
            return body
        unbind: Out = [
            assign(handler.name, constant(None)),
            ast.Delete(targets=[ast.Name(id=handler.name, ctx=ast.Del())]),
        ]
        made: Out = [
            assign(handler.name, load(error)),
            ast.Try(body=body, handlers=[], orelse=[], finalbody=unbind),
        ]
        for statement in made:
            place(statement, handler)
        return made

    def _try_star(self, node: ast.TryStar, out: Out) -> None:
        """PEP 654. Handlers that await become ordinary blocks over what `split` gives."""
        if not any(has_await(h) for h in node.handlers):
            made = ast.TryStar(
                body=self.block(node.body),
                handlers=node.handlers,
                orelse=self.block(node.orelse),
                finalbody=self.block(node.finalbody),
            )
            out.append(made)
            return
        x = self._expressions
        error, rest, raised, part = x.new("x"), x.new("t"), x.new("t"), x.new("t")
        body: Out = [assign(rest, load(error)), assign(raised, ast.List(elts=[], ctx=ast.Load()))]
        for handler in node.handlers:
            assert handler.type is not None
            kinds = x.normal(handler.type, body)
            halves = ast.Tuple(elts=[store(part), store(rest)], ctx=ast.Store())
            body.append(ast.Assign(targets=[halves], value=call(names.SPLIT, load(rest), kinds)))
            failure = x.new("x")
            inner = x.new("x")
            reraise = ast.Try(
                body=[ast.Raise(exc=load(part), cause=None)],
                handlers=[ast.ExceptHandler(type=load(names.BASE), name=inner, body=self._named(handler, inner))],
                orelse=[],
                finalbody=[],
            )
            keep = ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=load(raised), attr="append", ctx=ast.Load()),
                    args=[load(failure)],
                    keywords=[],
                )
            )
            attempt = ast.Try(
                body=[reraise],
                handlers=[ast.ExceptHandler(type=load(names.BASE), name=failure, body=[keep])],
                orelse=[],
                finalbody=[],
            )
            branch = ast.If(
                test=ast.Compare(left=load(part), ops=[ast.IsNot()], comparators=[constant(None)]),
                body=[attempt],
                orelse=[],
            )
            place(branch, handler)
            body.append(branch)
        final = x.new("t")
        body.append(assign(final, call(names.REGROUP, load(error), load(raised), load(rest))))
        same = ast.Compare(left=load(final), ops=[ast.Is()], comparators=[load(error)])
        some = ast.Compare(left=load(final), ops=[ast.IsNot()], comparators=[constant(None)])
        body.append(
            ast.If(
                test=same,
                body=[ast.Raise(exc=None, cause=None)],
                orelse=[ast.If(test=some, body=[ast.Raise(exc=load(final), cause=None)], orelse=[])],
            )
        )
        out.append(
            ast.Try(
                body=self.block(node.body),
                handlers=[ast.ExceptHandler(type=load(names.BASE), name=error, body=body)],
                orelse=self.block(node.orelse),
                finalbody=self.block(node.finalbody),
            )
        )

    # --- match -----------------------------------------------------------------------------------------------------------

    def _match(self, node: ast.Match, out: Out) -> None:
        """First decide which case, then run it: patterns bind as they do in the source."""
        x = self._expressions
        subject = x.normal(node.subject, out)
        if not any(has_await(c) for c in node.cases):
            out.append(ast.Match(subject=subject, cases=node.cases))
            return
        subject = x.temporary(subject, out)
        chosen = x.new("t")
        out.append(assign(chosen, constant(0)))
        group: list[ast.match_case] = []
        target = out
        for number, case in enumerate(node.cases, 1):
            if case.guard is not None and has_await(case.guard):
                target = self._decide(subject, group, chosen, target)
                group = []
                matched: Out = [assign(chosen, constant(number))]
                decide = ast.Match(
                    subject=load(subject.id), cases=[ast.match_case(pattern=case.pattern, guard=None, body=matched)]
                )
                place(decide, case.pattern)
                target.append(decide)
                check = ast.If(test=_is(chosen, number), body=[], orelse=[])
                guard = x.normal(case.guard, check.body)
                check.body.append(ast.If(test=negate(guard), body=[assign(chosen, constant(0))], orelse=[]))
                place(check, case.guard)
                target.append(check)
                following = ast.If(test=_is(chosen, 0), body=[], orelse=[])
                place(following, case.guard)
                target.append(following)
                target = following.body
            else:
                chosen_here: Out = [assign(chosen, constant(number))]
                group.append(ast.match_case(pattern=case.pattern, guard=case.guard, body=chosen_here))
        self._decide(subject, group, chosen, target)
        _fill(out)
        first: ast.If | None = None
        last: ast.If | None = None
        for number, case in enumerate(node.cases, 1):
            branch = ast.If(test=_is(chosen, number), body=self.block(case.body), orelse=[])
            place(branch, case.pattern)
            if last is None:
                first = branch
            else:
                last.orelse = [branch]
            last = branch
        assert first is not None
        out.append(first)

    def _decide(self, subject: ast.expr, group: list[ast.match_case], chosen: str, target: Out) -> Out:
        """Match a run of cases; what comes after it goes where none of them matched."""
        if not group:
            return target
        assert isinstance(subject, ast.Name)
        decide = ast.Match(subject=load(subject.id), cases=group)
        place(decide, group[0].pattern)
        target.append(decide)
        following = ast.If(test=_is(chosen, 0), body=[], orelse=[])
        place(following, group[0].pattern)
        target.append(following)
        return following.body


def _fill(out: Out) -> None:
    """Blocks that stayed empty get a `pass`."""
    for statement in out:
        for node in ast.walk(statement):
            if isinstance(node, ast.If) and not node.body:
                node.body.append(ast.Pass())


def _is(name: str, number: int) -> ast.expr:
    return ast.Compare(left=load(name), ops=[ast.Eq()], comparators=[constant(number)])


def _target_parts(target: ast.expr) -> list[ast.expr | None]:
    match target:
        case ast.Attribute(value=value):
            return [value]
        case ast.Subscript(value=value, slice=index):
            return [value, index]
        case _:
            return []
