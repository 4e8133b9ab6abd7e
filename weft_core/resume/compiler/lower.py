"""From normal form to code that can be entered in the middle.

A hidden local `@g` says where to: 0 is running normally, k is travelling to point k, -1 is being dropped. `@p` is the
point reached last. Code that does not wait runs only when `@g` is 0; a compound statement is entered when the target is
inside; at the target `@g` becomes 0 and the saved inner awaitable is awaited.

Two facts keep the guards few. A block is entered only when `@g` is 0 or its target lies inside; so within a block, at a
statement whose last point is `hi`, `@g <= hi` means "enter", and after the block's last point `@g` is 0.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set

from weft_core.resume.compiled import GOTO, INNER, POINT
from weft_core.resume.compiler.build import assign, at, branch, constant, expr, helper, is_await, load, replace
from weft_core.resume.compiler.crossing import Crossing
from weft_core.resume.compiler.points import span, waits


class Lowering(Crossing):
    """Rewrites a normalised, numbered body. `guarded`: something around would run user code when dropped."""

    def __init__(self, captured: Set[str]) -> None:
        super().__init__()
        self.captured = captured
        self.guarded = False
        self.tries = 0

    # --- tests of @g ---------------------------------------------------------------------------------------------

    def compare(self, op: ast.cmpop, number: int, place: ast.AST) -> ast.Compare:
        return at(ast.Compare(load(GOTO, place), [op], [ast.Constant(number)]), place)

    def normal(self, place: ast.AST) -> ast.expr:
        return at(ast.UnaryOp(ast.Not(), load(GOTO, place)), place)

    def inside(self, where: ast.stmt | Sequence[ast.stmt], place: ast.AST) -> ast.expr:
        """Travelling, and the target is in there."""
        low, high = span(where)
        return at(
            ast.Compare(ast.Constant(low), [ast.LtE(), ast.LtE()], [load(GOTO, place), ast.Constant(high)]), place
        )

    # --- blocks --------------------------------------------------------------------------------------------------

    def block(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        """A block that is entered when running normally or when the target is inside."""
        last = max((index for index, node in enumerate(nodes) if waits(node)), default=-1)
        out: list[ast.stmt] = []
        run: list[ast.stmt] = []
        for index, node in enumerate(nodes):
            if not waits(node):
                if getattr(node, "_always", False):
                    self._flush(run, out)
                    out.append(node)
                else:
                    run.extend(self.plain(node))
            elif is_await(node):
                place = node
                body = [*run, *self._reach(node)]
                arrive = self._arrive(node)
                if index != last:
                    arrive = [branch(self.compare(ast.Eq(), self._number(node), place), arrive, [], place)]
                out.append(branch(self.normal(place), body, arrive, place))
                run = []
            else:
                self._flush(run, out)
                run = []
                lowered = self.compound(node)
                if index == last:
                    out.extend(lowered)
                else:
                    out.append(branch(self.compare(ast.LtE(), span(node)[1], node), lowered, [], node))
        return [*out, *run]

    def _flush(self, run: list[ast.stmt], out: list[ast.stmt]) -> None:
        if run:
            out.append(branch(self.normal(run[0]), run, [], run[0]))
            run.clear()

    @staticmethod
    def _number(node: ast.stmt) -> int:
        number: int = node._point  # type: ignore[attr-defined]
        return number

    def _reach(self, node: ast.stmt) -> list[ast.stmt]:
        return [assign(POINT, constant(self._number(node), node), node), *self._watched(node, node)]

    def _arrive(self, node: ast.stmt) -> list[ast.stmt]:
        assert isinstance(node, (ast.Assign, ast.Expr)) and isinstance(node.value, ast.Await)
        place = node.value
        inner = at(ast.Await(helper_pop(place)), place)
        return [
            assign(GOTO, constant(0, node), node),
            assign(POINT, constant(self._number(node), node), node),
            *self._watched(replace(node, value=inner), node),
        ]

    def _watched(self, waiting: ast.stmt, place: ast.AST) -> list[ast.stmt]:
        """An `await` at which the coroutine may be dropped: from then on nothing of the user's runs."""
        if not self.guarded:
            return [waiting]
        dropped = assign(GOTO, at(ast.UnaryOp(ast.USub(), constant(1, place)), place), place)
        handler = ast.ExceptHandler(load("@GeneratorExit", place), None, [dropped, at(ast.Raise(), place)])
        return [at(ast.Try([waiting], [at(handler, place)], [], []), place)]

    # --- compound statements -------------------------------------------------------------------------------------

    def compound(self, node: ast.stmt) -> list[ast.stmt]:
        """A compound statement that is entered when running normally or when the target is inside."""
        match node:
            case ast.If():
                return [self._if(node)]
            case ast.While():
                return [self._while(node)]
            case ast.For():
                return self._for(node)
            case ast.Try() if hasattr(node, "_entered"):
                return self._finally(node)
            case ast.Try() | ast.TryStar():
                return self._try(node)
            case _:
                raise AssertionError(ast.dump(node))

    def _enter(self, test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], place: ast.AST) -> ast.expr:
        """The test of a statement whose first part is `body`: the user's when normal, else where the target is."""
        if not waits(orelse):
            return at(ast.BoolOp(ast.Or(), [load(GOTO, place), test]), place)
        if not waits(body):
            return at(ast.BoolOp(ast.And(), [self.normal(place), test]), place)
        return at(ast.IfExp(load(GOTO, place), self.compare(ast.LtE(), span(body)[1], place), test), place)

    def _if(self, node: ast.If) -> ast.stmt:
        test = self._enter(node.test, node.body, node.orelse, node.test)
        return replace(node, test=test, body=self.block(node.body), orelse=self.block(node.orelse))

    def _while(self, node: ast.While) -> ast.stmt:
        test = node.test
        always = isinstance(test, ast.Constant) and bool(test.value)
        if not always:
            test = self._enter(test, node.body, node.orelse, test)
        with self.in_loop():
            body = self.block(node.body)
        return replace(node, test=test, body=body, orelse=self.block(node.orelse))

    def _for(self, node: ast.For) -> list[ast.stmt]:
        iterator: str = node._iterator  # type: ignore[attr-defined]
        item = iterator.replace("@i", "@j")
        place = node.iter
        begin = assign(iterator, helper("iter", [node.iter], place), place)
        again: ast.expr = helper("again", [load(iterator, place)], place)
        if not waits(node.body):
            again = at(ast.Tuple([], ast.Load()), place)
        elif waits(node.orelse):
            inside = self.compare(ast.LtE(), span(node.body)[1], place)
            again = at(ast.IfExp(inside, again, ast.Tuple([], ast.Load())), place)
        source = at(ast.IfExp(load(GOTO, place), again, load(iterator, place)), place)
        bind = at(ast.Assign([node.target], load(item, node.target)), node.target)
        with self.in_loop():
            body = self.block([bind, *node.body])
        loop = replace(
            node,
            target=at(ast.Name(item, ast.Store()), node.target),
            iter=source,
            body=body,
            orelse=self.block(node.orelse),
        )
        nothing = constant(None, node)
        done = at(ast.Assign([ast.Name(iterator, ast.Store()), ast.Name(item, ast.Store())], nothing), node)
        return [branch(self.normal(place), [begin], [], place), loop, done]

    # --- try -----------------------------------------------------------------------------------------------------

    def _try(self, node: ast.Try | ast.TryStar) -> list[ast.stmt]:
        around = self.guarded
        final = self._plain_final(node)
        self.guarded = around or bool(node.handlers) or bool(node.finalbody)
        body = self.block(node.body) if waits(node.body) else self._only_normal(node.body)
        if waits(node.body) and (waits(node.orelse) or any(waits(h.body) for h in node.handlers)):
            body = [branch(self.compare(ast.LtE(), span(node.body)[1], node), body, [], node)]
        shared = any(handler.name in self.captured for handler in node.handlers)
        self.guarded = around or bool(node.finalbody) or shared
        handling = [statement for handler in node.handlers for statement in handler.body]
        marks = ""
        if waits(handling):
            self.tries += 1
            marks = f"@o{self.tries}"
            caught: str = node._caught  # type: ignore[union-attr]
            again = [
                assign(marks, helper("marks", [load(caught, node)], node), node),
                at(ast.Raise(load(caught, node), None), node),
            ]
            body.insert(0, branch(self.inside(handling, node), again, [], node))
        handlers = [self._handler(node, handler, marks) for handler in node.handlers]
        orelse = self.block(node.orelse) if waits(node.orelse) else self._plain(node.orelse)
        self.guarded = around
        made = replace(node, body=body, handlers=handlers, orelse=orelse, finalbody=final)
        return [made]

    def _plain(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        return [done for node in nodes for done in self.plain(node)]

    def _only_normal(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        return [branch(self.normal(nodes[0]), self._plain(nodes), [], nodes[0])]

    def _plain_final(self, node: ast.Try | ast.TryStar) -> list[ast.stmt]:
        return self._only_normal(node.finalbody) if node.finalbody else []

    def _handler(self, node: ast.Try | ast.TryStar, handler: ast.ExceptHandler, marks: str) -> ast.ExceptHandler:
        place = handler
        kind = handler.type or load("@BaseException", place)
        other: ast.expr = at(ast.Tuple([], ast.Load()), place)
        if waits(handler.body):
            inside = self.inside(handler.body, place)
            other = at(ast.IfExp(inside, load("@BaseException", place), other), place)
        if marks or waits(node.body):
            kind = at(ast.IfExp(load(GOTO, kind), other, kind), kind)
        if not marks:
            body = self._plain(handler.body)
            return replace(handler, type=kind, body=body)
        caught: str = node._caught  # type: ignore[union-attr]
        body = self.block(handler.body) if waits(handler.body) else self._plain(handler.body)
        begin: list[ast.stmt] = []
        if handler.name and handler.name != caught:
            begin = [assign(handler.name, load(caught, place), place)]
            clear: list[ast.stmt] = [
                assign(handler.name, constant(None, place), place),
                at(ast.Delete([ast.Name(handler.name, ast.Del())]), place),
            ]
            # Not when dropped: the variable may be a cell that a checkpoint has taken.
            unless = branch(self.compare(ast.GtE(), 0, place), clear, [], place)
            body = [at(ast.Try(body, [], [], [unless]), place)]
        if waits(handler.body):
            mend = expr(helper("mend", [load(caught, place), load(marks, place)], place), place)
            back: list[ast.stmt] = [mend, assign(marks, constant(None, place), place)]
            body = [branch(load(GOTO, place), back, begin, place), *body]
        else:
            body = [*begin, *body]
        return replace(handler, type=kind, name=caught, body=body)

    def _finally(self, node: ast.Try) -> list[ast.stmt]:
        """`try … finally` whose finally block waits. It is entered again by leaving the body as it was left."""
        how, what = node._entered  # type: ignore[attr-defined]
        place = node
        around = self.guarded
        self.guarded = True
        with self.in_finally(how, what) as exits:
            body = self.block(node.body) if waits(node.body) else self._plain(node.body)
        self.guarded = around
        final = self.block(node.finalbody)
        self.tries += 1
        marks = f"@o{self.tries}"
        # The body ended normally.
        body.append(assign(how, constant(0, place), place))
        body.append(assign(what, constant(None, place), place))
        again: list[ast.stmt] = [
            branch(
                at(ast.Compare(load(how, place), [ast.Eq()], [ast.Constant(1)]), place),
                [
                    assign(marks, helper("marks", [load(what, place)], place), place),
                    at(ast.Raise(load(what, place), None), place),
                ],
                [],
                place,
            )
        ]
        for number, leave in self.leaving(exits, what, place):
            test = at(ast.Compare(load(how, place), [ast.Eq()], [ast.Constant(number)]), place)
            again.append(branch(test, leave, [], place))
        low = span(node.finalbody)[0]
        entering = branch(self.compare(ast.GtE(), low, place), again, body, place)
        raised = f"@z{self.tries}"
        back: list[ast.stmt] = [
            expr(helper("mend", [load(raised, place), load(marks, place)], place), place),
            assign(marks, constant(None, place), place),
        ]
        note = [assign(how, constant(1, place), place), assign(what, load(raised, place), place)]
        travelling = branch(self.compare(ast.Gt(), 0, place), back, [], place)
        handler = ast.ExceptHandler(
            load("@BaseException", place),
            raised,
            [branch(self.normal(place), note, [travelling], place), at(ast.Raise(), place)],
        )
        inner = at(ast.Try([entering], [at(handler, place)], [], []), place)
        forget = assign(what, constant(None, place), place)
        guarded = branch(self.compare(ast.GtE(), 0, place), [*final, forget], [], place)
        return [at(ast.Try([inner], [], [], [guarded]), place)]


def helper_pop(place: ast.AST) -> ast.expr:
    """The inner awaitable that a restored frame waits for, taken out of the hidden list it came in."""
    return at(ast.Call(ast.Attribute(load(INNER, place), "pop", ast.Load()), [], []), place)
