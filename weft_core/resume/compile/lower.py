"""Guards: the normalised tree, made so that a frame can be entered at any of its suspension points.

`@g` says how the code runs. 0: as written. k: travelling to point k, which only passes through the blocks that hold it
and executes nothing else. -1: the frame is being dropped, and nothing more of it may run. Blocks stay Python's own
(`while`, `if`, `try`), so leaving them, errors and line numbers are Python's own too.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field

from weft_core.resume.compile import names
from weft_core.resume.compile.liveness import Liveness
from weft_core.resume.compile.names import GOTO, INNER, POINT, assign, call, constant, load, negate, place, store

Out = list[ast.stmt]
Range = tuple[int, int]
"""First and last point inside; empty when the last is smaller."""

NORMAL, RETURN, BREAK, CONTINUE, ERROR = range(5)
"""How a `finally` block was entered."""


@dataclass(frozen=True, kw_only=True)
class RawPoint:
    """A suspension point as the compiler sees it."""

    number: int
    node: ast.stmt
    live: frozenset[str]


@dataclass
class _Final:
    """A `finally` block that awaits, and which ways into it were seen."""

    kind: str
    error: str
    value: str
    depth: int
    ways: set[int] = field(default_factory=set)


class Lowering:
    """Lowers one function's body."""

    def __init__(self, liveness: Liveness) -> None:
        self._liveness = liveness
        self.points: list[RawPoint] = []
        self.hidden: set[str] = set()
        self._count = 0
        self._finals: list[_Final] = []
        self._reentry: list[str] = []
        self._loops = 0
        self._protected = 0

    def block(self, statements: Out) -> Out:
        """A block with guards. Never empty."""
        out: Out = []
        group: Out = []
        for statement in statements:
            if isinstance(statement, (ast.Global, ast.Nonlocal)):
                continue  # declared at the top of the compiled function
            before = len(self.points)
            made = self._statement(statement)
            if len(self.points) == before:
                group += made
            else:
                self._flush(group, out)
                group = []
                out += made
        self._flush(group, out)
        return out or [ast.Pass()]

    def _flush(self, group: Out, out: Out) -> None:
        if group:
            guard = ast.If(test=negate(load(GOTO)), body=group, orelse=[])
            place(guard, group[0])
            out.append(guard)

    def _ranged(self, statements: Out) -> tuple[Out, Range]:
        first = len(self.points) + 1
        made = self.block(statements)
        return made, (first, len(self.points))

    def _new(self, kind: str) -> str:
        self._count += 1
        name = f"@{kind}{self._count}"
        self.hidden.add(name)
        return name

    # --- statements --------------------------------------------------------------------------------------------------------

    def _statement(self, node: ast.stmt) -> Out:
        match node:
            case ast.Expr(value=ast.Await()) | ast.Assign(value=ast.Await()):
                return self._await(node)
            case ast.If():
                return self._if(node)
            case ast.While():
                return self._while(node)
            case ast.For():
                return self._for(node)
            case ast.Try() | ast.TryStar():
                return self._try(node)
            case ast.With():
                node.body = self._plain(node.body)
                return [node]
            case ast.Match():
                for case in node.cases:
                    case.body = self._plain(case.body)
                return [node]
            case ast.Return():
                return self._return(node)
            case ast.Break():
                return self._jump(node, BREAK)
            case ast.Continue():
                return self._jump(node, CONTINUE)
            case _:
                return [node]

    def _plain(self, statements: Out) -> Out:
        """A block without points inside a statement without points: only jumps may need to be recorded."""
        out: Out = []
        for statement in statements:
            if not isinstance(statement, (ast.Global, ast.Nonlocal)):
                out += self._statement(statement)
        return out or [ast.Pass()]

    def _await(self, node: ast.Expr | ast.Assign) -> Out:
        extra = {name for name in self._reentry}
        live = self._liveness.after.get(id(node), frozenset()) | extra
        number = len(self.points) + 1
        self.points.append(RawPoint(number=number, node=node, live=live))
        fresh: Out = [assign(POINT, constant(number))]
        resumed: Out = [assign(GOTO, constant(0))]
        again = copy.copy(node)
        value = node.value
        assert isinstance(value, ast.Await)
        rest = ast.Await(value=load(INNER))
        place(rest, value)
        again.value = rest
        if self._protected:
            evaluated = assign(names.AWAITED, value.value)
            place(evaluated, value)
            waiting = ast.Await(value=load(names.AWAITED))
            place(waiting, value)
            node.value = waiting
            fresh += [evaluated, self._unless_dropped(node)]
            resumed.append(self._unless_dropped(again))
        else:
            fresh.append(node)
            resumed.append(again)
        arrive = ast.If(test=_equals(number), body=resumed, orelse=[])
        place(arrive, node)
        guard = ast.If(test=negate(load(GOTO)), body=fresh, orelse=[arrive])
        place(guard, node)
        return [guard]

    def _unless_dropped(self, node: ast.stmt) -> ast.stmt:
        """A dropped frame gets GeneratorExit here: from now on nothing of the user's code may run."""
        handler = ast.ExceptHandler(
            type=load(names.DROPPED), name=None, body=[assign(GOTO, constant(-1)), ast.Raise(exc=None, cause=None)]
        )
        guarded = ast.Try(body=[node], handlers=[handler], orelse=[], finalbody=[])
        place(guarded, node)
        return guarded

    def _if(self, node: ast.If) -> Out:
        before = len(self.points)
        body, inside = self._ranged(node.body)
        orelse, _ = self._ranged(node.orelse) if node.orelse else ([], None)
        if len(self.points) == before:
            node.body, node.orelse = _unguard(body), _unguard(orelse)
            return [node]
        test = _choose(node.test, _within(inside))
        made = ast.If(test=test, body=body, orelse=orelse)
        place(made, node)
        return [made]

    def _while(self, node: ast.While) -> Out:
        before = len(self.points)
        self._loops += 1
        body, inside = self._ranged(node.body)
        self._loops -= 1
        orelse, _ = self._ranged(node.orelse) if node.orelse else ([], None)
        if len(self.points) == before:
            node.body, node.orelse = _unguard(body), _unguard(orelse)
            return [node]
        made = ast.While(test=_choose(node.test, _within(inside)), body=body, orelse=orelse)
        place(made, node)
        return [made]

    def _for(self, node: ast.For) -> Out:
        before = len(self.points)
        self._loops += 1
        body, inside = self._ranged(node.body)
        self._loops -= 1
        orelse, _ = self._ranged(node.orelse) if node.orelse else ([], None)
        if len(self.points) == before:
            node.body, node.orelse = _unguard(body), _unguard(orelse)
            return [node]
        iterator = node.iter
        item = self._new("v")
        take: ast.stmt = ast.If(
            test=negate(load(GOTO)), body=[ast.Assign(targets=[node.target], value=load(item))], orelse=[]
        )
        place(take, node.target)
        nothing = ast.Tuple(elts=[], ctx=ast.Load())
        travelling = ast.IfExp(test=_within(inside), body=call(names.AGAIN, copy.copy(iterator)), orelse=nothing)
        made = ast.For(
            target=store(item), iter=_choose(iterator, travelling), body=[take, *body], orelse=orelse
        )
        place(made, node)
        self.hidden.discard(item)
        return [made]

    def _return(self, node: ast.Return) -> Out:
        if not self._finals:
            return [node]
        value = node.value if node.value is not None else constant(None)
        made: Out = []
        for final in self._finals:
            final.ways.add(RETURN)
        targets: list[ast.expr] = [store(final.value) for final in self._finals]
        made.append(ast.Assign(targets=targets, value=value))
        made += [assign(final.kind, constant(RETURN)) for final in self._finals]
        made.append(ast.Return(value=load(self._finals[-1].value)))
        for statement in made:
            place(statement, node)
        return made

    def _jump(self, node: ast.stmt, way: int) -> Out:
        made: Out = []
        for final in self._finals:
            if final.depth >= self._loops:
                final.ways.add(way)
                made.append(assign(final.kind, constant(way)))
                place(made[-1], node)
        return [*made, node]

    # --- try -----------------------------------------------------------------------------------------------------------------

    def _try(self, node: ast.Try | ast.TryStar) -> Out:
        final: _Final | None = None
        before = len(self.points)
        if _awaits(node.finalbody):
            final = _Final(self._new("c"), self._new("x"), self._new("y"), self._loops)
            self._finals.append(final)
        protect = _awaits([node])
        self._protected += protect
        body, _ = self._ranged(node.body)
        handlers: list[ast.ExceptHandler] = []
        returns: Out = []
        for handler in node.handlers:
            handlers.append(self._handler(handler, returns))
        orelse, _ = self._ranged(node.orelse) if node.orelse else ([], None)
        if final is not None:
            self._finals.pop()
            made = self._awaiting_final(node, final, returns + body, handlers, orelse)
            self._protected -= protect
            return made
        finalbody, _ = self._ranged(node.finalbody) if node.finalbody else ([], None)
        self._protected -= protect
        if len(self.points) == before:
            node.body, node.orelse, node.finalbody = _unguard(body), _unguard(orelse), _unguard(finalbody)
            for old, handler in zip(node.handlers, handlers, strict=True):
                old.body = _unguard(handler.body)
            return [node]
        for handler in handlers:
            _guard_type(handler)
        made = type(node)(body=returns + body, handlers=handlers, orelse=orelse, finalbody=finalbody)
        place(made, node)
        return [made]

    def _handler(self, handler: ast.ExceptHandler, returns: Out) -> ast.ExceptHandler:
        """A handler; when it awaits, statements that raise its error again on the way back into it join `returns`."""
        if not _awaits(handler.body):
            body, _ = self._ranged(handler.body)
            made = ast.ExceptHandler(type=handler.type, name=handler.name, body=_unguard(body))
            place(made, handler)
            return made
        error = self._new("x")
        self._reentry.append(error)
        body, inside = self._ranged(handler.body)
        self._reentry.pop()
        if handler.name is not None:
            bind = ast.If(test=negate(load(GOTO)), body=[assign(handler.name, load(error))], orelse=[])
            unbind: Out = [
                assign(handler.name, constant(None)),
                ast.Delete(targets=[ast.Name(id=handler.name, ctx=ast.Del())]),
            ]
            body = [bind, ast.Try(body=body, handlers=[], orelse=[], finalbody=unbind)]
        kind = handler.type if handler.type is not None else load(names.BASE)
        here = ast.IfExp(test=_within(inside), body=load(names.BASE), orelse=ast.Tuple(elts=[], ctx=ast.Load()))
        made = ast.ExceptHandler(type=_choose(kind, here), name=error, body=body)
        made._weft_guarded = True  # type: ignore[attr-defined]
        place(made, handler)
        again = ast.If(test=_within(inside), body=[ast.Raise(exc=load(error), cause=None)], orelse=[])
        place(again, handler)
        returns.append(again)
        return made

    def _awaiting_final(
        self, node: ast.Try | ast.TryStar, final: _Final, body: Out, handlers: list[ast.ExceptHandler], orelse: Out
    ) -> Out:
        """A `finally` that awaits: how it was entered is recorded, and done again on the way back into it."""
        self._reentry += [final.kind, final.error, final.value]
        finalbody, inside = self._ranged(node.finalbody)
        del self._reentry[-3:]
        if handlers or orelse:
            for handler in handlers:
                _guard_type(handler)
            if not handlers:
                inner: Out = body + orelse
            else:
                statement = type(node)(body=body, handlers=handlers, orelse=orelse, finalbody=[])
                place(statement, node)
                inner = [statement]
        else:
            inner = body
        ways: Out = [_when(final.kind, ERROR, ast.Raise(exc=load(final.error), cause=None))]
        if RETURN in final.ways:
            ways.append(_when(final.kind, RETURN, ast.Return(value=load(final.value))))
        if BREAK in final.ways:
            ways.append(_when(final.kind, BREAK, ast.Break()))
        if CONTINUE in final.ways:
            ways.append(_when(final.kind, CONTINUE, ast.Continue()))
        back = ast.If(test=_within(inside), body=ways, orelse=[])
        ended = ast.If(test=negate(load(GOTO)), body=[assign(final.kind, constant(NORMAL))], orelse=[])
        caught = self._new("z")
        self.hidden.discard(caught)
        failed = ast.ExceptHandler(
            type=load(names.BASE),
            name=caught,
            body=[
                ast.If(
                    test=negate(load(GOTO)),
                    body=[assign(final.kind, constant(ERROR)), assign(final.error, load(caught))],
                    orelse=[],
                ),
                ast.Raise(exc=None, cause=None),
            ],
        )
        recorded = ast.Try(body=[back, *inner, ended], handlers=[failed], orelse=[], finalbody=[])
        begin = ast.If(test=negate(load(GOTO)), body=[assign(final.kind, constant(NORMAL))], orelse=[])
        whole = ast.Try(body=[recorded], handlers=[], orelse=[], finalbody=finalbody)
        made: Out = [begin, whole]
        for statement in made:
            place(statement, node)
        return made


def _guard_type(handler: ast.ExceptHandler) -> None:
    """A handler without points catches nothing while the frame travels or is dropped."""
    if getattr(handler, "_weft_guarded", False):
        return
    kind = handler.type if handler.type is not None else load(names.BASE)
    handler.type = _choose(kind, ast.Tuple(elts=[], ctx=ast.Load()))
    place(handler.type, handler)


def _awaits(statements: list[ast.stmt]) -> bool:
    """Whether normalised statements hold suspension points."""
    stack: list[ast.AST] = list(statements)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Await):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return False


def _unguard(statements: Out) -> Out:
    """A block in which no point was found needs no guard: `block` made exactly one."""
    if len(statements) == 1:
        guard = statements[0]
        if isinstance(guard, ast.If) and isinstance(guard.test, ast.UnaryOp):
            operand = guard.test.operand
            if isinstance(operand, ast.Name) and operand.id == GOTO:
                return guard.body
    return statements


def _choose(running: ast.expr, travelling: ast.expr) -> ast.expr:
    made = ast.IfExp(test=negate(load(GOTO)), body=running, orelse=travelling)
    place(made, running)
    return made


def _within(inside: Range) -> ast.expr:
    first, last = inside
    if last < first:
        return constant(False)
    if first == last:
        return _equals(first)
    return ast.Compare(left=constant(first), ops=[ast.LtE(), ast.LtE()], comparators=[load(GOTO), constant(last)])


def _equals(number: int) -> ast.expr:
    return ast.Compare(left=load(GOTO), ops=[ast.Eq()], comparators=[constant(number)])


def _when(name: str, value: int, then: ast.stmt) -> ast.stmt:
    test = ast.Compare(left=load(name), ops=[ast.Eq()], comparators=[constant(value)])
    return ast.If(test=test, body=[then], orelse=[])
