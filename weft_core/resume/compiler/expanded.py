"""Statements that are written out when something in them waits: loops, `with`, `match`, `except*`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from weft_core.resume.compiler.build import (
    assign,
    assign_to,
    at,
    branch,
    call,
    constant,
    expr,
    helper,
    load,
    method,
    negate,
    replace,
    store,
)
from weft_core.resume.compiler.comprehensions import Comprehensions
from weft_core.resume.compiler.crossing import exits
from weft_core.resume.compiler.refusals import awaits


class Expanded(Comprehensions):
    """The part of the normaliser that knows what Python's compound statements mean."""

    def statements(self, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
        """A block of the user's, in normal form."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: ast.expr, place: ast.AST) -> None:
        """Assign a value that is evaluated already to a target that may wait."""
        raise NotImplementedError

    # --- loops ---------------------------------------------------------------------------------------------------

    def loop(
        self,
        target: ast.expr,
        iterable: ast.expr,
        body: list[ast.stmt],
        orelse: list[ast.stmt],
        place: ast.AST,
        *,
        is_async: bool,
    ) -> None:
        if awaits(target):
            name = self.fresh("v")
            with self.block() as head:
                self.assign(target, load(name, target), target)
            target, body = store(name, target), [*head, *body]
        if is_async:
            self._async_loop(target, iterable, body, orelse, place)
            return
        self.out.append(self.numbered(at(ast.For(target, iterable, body, orelse), place)))

    def numbered(self, node: ast.For) -> ast.For:
        """A loop whose iterator is kept in a hidden local of its own."""
        node._iterator = self.fresh("i")  # type: ignore[attr-defined]
        return node

    def _async_loop(
        self, target: ast.expr, iterable: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], place: ast.AST
    ) -> None:
        """PEP 492: `__anext__` is awaited until it raises StopAsyncIteration."""
        iterator, item, more = self.fresh("i"), self.fresh("v"), self.fresh("n")
        source = helper("special", [iterable, constant("__aiter__", iterable)], iterable)
        self.out.append(assign(iterator, helper("aiter", [call(source, [], iterable)], iterable), iterable))
        following = helper("special", [load(iterator, place), constant("__anext__", place)], place)
        waiting = at(ast.Await(call(following, [], place)), place)
        self.out.append(assign(more, constant(True, place), place))
        step = at(
            ast.Try(
                [assign(item, waiting, place)],
                [
                    ast.ExceptHandler(
                        load("@StopAsyncIteration", iterable),
                        None,
                        [assign(more, constant(False, iterable), iterable)],
                    )
                ],
                [assign_to(target, load(item, target), target), *body],
                [],
            ),
            iterable,
        )
        self.out.append(at(ast.While(load(more, place), [step], orelse), place))

    # --- with ----------------------------------------------------------------------------------------------------

    def do_With(self, node: ast.With | ast.AsyncWith) -> None:
        if isinstance(node, ast.With) and not any(awaits(item.optional_vars) for item in node.items):
            if not any(awaits(inner) for inner in node.body) and len(node.items) == 1:
                item = node.items[0]
                self.out.append(replace(node, items=[replace(item, context_expr=self.value(item.context_expr))]))
                return
        self._with(node, 0)

    do_AsyncWith = do_With

    def _with(self, node: ast.With | ast.AsyncWith, index: int) -> None:
        if index == len(node.items):
            self.out.extend(self.statements(node.body))
            return
        item = node.items[index]
        is_async = isinstance(node, ast.AsyncWith)
        place = item.context_expr
        manager = self.fresh("m")
        self.out.append(assign(manager, self.value(item.context_expr), place))
        entered = self._call_special("enter", manager, [], place, is_async=is_async)
        value = self.fresh("t")
        if item.optional_vars is None:
            self.out.append(expr(entered, place))
        else:
            self.out.append(assign(value, entered, place))
        with self.block() as body:
            if item.optional_vars is not None:
                self.assign(item.optional_vars, load(value, place), item.optional_vars)
            self._with(node, index + 1)
        self._leaving(body, manager, place, is_async=is_async)

    def _call_special(
        self, what: str, manager: str, arguments: list[ast.expr], place: ast.AST, *, is_async: bool
    ) -> ast.expr:
        kind = "a" if is_async else ""
        found = helper(what, [load(manager, place), constant(f"__{kind}{what}__", place)], place)
        called = call(found, arguments, place)
        return at(ast.Await(called), place) if is_async else called

    def _leaving(self, body: list[ast.stmt], manager: str, place: ast.AST, *, is_async: bool) -> None:
        """PEP 343: the manager hears of the exception, or that there was none, whichever way the block is left."""
        fine, error = self.fresh("n"), self.fresh("e")
        nothing: list[ast.expr] = [constant(None, place) for _ in range(3)]
        raised = load(error, place)
        told: list[ast.expr] = [
            helper("type", [raised], place),
            raised,
            at(ast.Attribute(raised, "__traceback__", ast.Load()), place),
        ]
        swallowed = self.fresh("t")
        handler: list[ast.stmt] = [
            assign(fine, constant(False, place), place),
            assign(swallowed, self._call_special("exit", manager, told, place, is_async=is_async), place),
            branch(negate(load(swallowed, place), place), [at(ast.Raise(), place)], [], place),
        ]
        guarded = at(ast.Try(body, [ast.ExceptHandler(load("@BaseException", place), error, handler)], [], []), place)
        last = expr(self._call_special("exit", manager, nothing, place, is_async=is_async), place)
        final: list[ast.stmt] = [branch(load(fine, place), [last], [], place)]
        self.out.append(assign(fine, constant(True, place), place))
        if not exits(body):
            self.out.extend([guarded, *final])
        elif is_async:
            self.out.append(self.finally_([guarded], final, place))
        else:
            self.out.append(at(ast.Try([guarded], [], [], final), place))

    def finally_(self, body: list[ast.stmt], final: list[ast.stmt], place: ast.AST) -> ast.Try:
        """A `try … finally` whose finally block waits: how it was entered is kept in hidden locals."""
        node = at(ast.Try(body, [], [], final), place)
        node._entered = (self.fresh("c"), self.fresh("r"))  # type: ignore[attr-defined]
        return node

    # --- match ---------------------------------------------------------------------------------------------------

    def do_Match(self, node: ast.Match) -> None:
        """First decide which case it is, then branch. A guard that waits ends a group of cases."""
        bodies_wait = any(awaits(case.guard) or awaits(stmt) for case in node.cases for stmt in case.body)
        if not bodies_wait:
            self.out.append(replace(node, subject=self.value(node.subject)))
            return
        subject, chosen = self.fresh("m"), self.fresh("k")
        self.out.append(assign(subject, self.value(node.subject), node.subject))
        self.out.append(assign(chosen, constant(0, node), node))
        self._decide(node, 0, subject, chosen)
        bodies: list[ast.stmt] = []
        for number in range(len(node.cases), 0, -1):
            case = node.cases[number - 1]
            test = self._is_case(chosen, number, case.pattern)
            bodies = [branch(test, self.statements(case.body), bodies, case.pattern)]
        self.out.extend(bodies)

    def _is_case(self, chosen: str, number: int, place: ast.AST) -> ast.Compare:
        return at(ast.Compare(load(chosen, place), [ast.Eq()], [ast.Constant(number)]), place)

    def _decide(self, node: ast.Match, start: int, subject: str, chosen: str) -> None:
        group: list[ast.match_case] = []
        for index in range(start, len(node.cases)):
            case = node.cases[index]
            waiting = awaits(case.guard)
            place = case.pattern
            body: list[ast.stmt] = [assign(chosen, constant(index + 1, place), place)]
            group.append(ast.match_case(case.pattern, None if waiting else case.guard, body))
            if waiting:
                break
        else:
            self.out.append(at(ast.Match(load(subject, node.subject), group), node))
            return
        self.out.append(at(ast.Match(load(subject, node.subject), group), node))
        assert case.guard is not None
        with self.block() as guarded:
            test = self.condition(case.guard)
            self.out.append(branch(negate(test, case.guard), [assign(chosen, constant(0, place), place)], [], place))
        self.out.append(branch(self._is_case(chosen, index + 1, place), guarded, [], place))
        if index + 1 < len(node.cases):
            with self.block() as rest:
                self._decide(node, index + 1, subject, chosen)
            self.out.append(branch(self._is_case(chosen, 0, place), rest, [], place))

    # --- except* -------------------------------------------------------------------------------------------------

    def groups(self, node: ast.TryStar) -> None:
        """PEP 654, written out: each clause takes its part of what was raised, then what is left is raised again."""
        caught, rest, raised = self.fresh("e"), self.fresh("g"), self.fresh("g")
        handled = self.fresh("g") if len(node.handlers) > 1 else ""
        place = node.handlers[0]
        with self.block() as handling:
            self.out.append(assign(rest, load(caught, place), place))
            self.out.append(assign(raised, at(ast.List([], ast.Load()), place), place))
            if handled:
                self.out.append(assign(handled, constant(None, place), place))
            for clause in node.handlers:
                with self.block() as taking:
                    taken = self._part(clause, rest)
                if handled and clause is not place:
                    taking = [self._between(taking, caught, handled, clause)]
                self.out.extend(taking)
                self._clause(clause, taken, raised, handled)
            left = self.fresh("g")
            arguments: list[ast.expr] = [load(caught, place), load(rest, place), load(raised, place)]
            self.out.append(assign(left, helper("regroup", arguments, place), place))
            nothing = at(ast.Compare(load(left, place), [ast.IsNot()], [ast.Constant(None)]), place)
            self.out.append(branch(nothing, self.reraise(left, place), [], place))
        handler = at(ast.ExceptHandler(load("@BaseException", place), caught, handling), place)
        self.out.append(
            replace(
                at(ast.Try([], [handler], [], []), node),
                body=self.statements(node.body),
                orelse=self.statements(node.orelse),
                finalbody=self.statements(node.finalbody),
            )
        )

    def reraise(self, name: str, place: ast.AST) -> list[ast.stmt]:
        """Raise what a hidden local holds as it is: no new line in its traceback, no new context."""
        kept = self.fresh("o")
        value = load(name, place)
        again: list[ast.stmt] = [
            expr(helper("mend", [value, load(kept, place)], place), place),
            assign(kept, constant(None, place), place),
            at(ast.Raise(), place),
        ]
        return [
            assign(kept, helper("marks", [value], place), place),
            at(
                ast.Try(
                    [ast.Raise(value, None)], [ast.ExceptHandler(load("@BaseException", place), None, again)], [], []
                ),
                place,
            ),
        ]

    def _part(self, clause: ast.ExceptHandler, rest: str) -> str:
        """Divide what is left into what a clause takes, in the hidden local whose name is returned, and the rest."""
        part = self.fresh("g")
        assert clause.type is not None
        kind = self.value(clause.type)
        pair = at(ast.Tuple([store(part, clause), store(rest, clause)], ast.Store()), clause)
        self.out.append(assign_to(pair, helper("split", [load(rest, clause), kind], clause), clause))
        return part

    def _between(self, taking: list[ast.stmt], caught: str, handled: str, place: ast.AST) -> ast.Try:
        """What is raised here comes up while Python still handles the part that an earlier clause took."""
        error = self.fresh("e")
        names: list[ast.expr] = [load(name, place) for name in (error, caught, handled)]
        return self._caught(taking, error, [expr(helper("during", names, place), place), at(ast.Raise(), place)], place)

    def _clause(self, clause: ast.ExceptHandler, part: str, raised: str, handled: str) -> None:
        again, seen = self.fresh("e"), self.fresh("q")
        body = self.statements(clause.body)
        held = load(part, clause)
        if clause.name:
            cleared: list[ast.stmt] = [
                assign(clause.name, constant(None, clause), clause),
                at(ast.Delete([ast.Name(clause.name, ast.Del())]), clause),
            ]
            body = [assign(clause.name, held, clause), at(ast.Try(body, [], [], cleared), clause)]
        # Whether the clause raised its part again, untouched, shows in the traceback, which a restart makes anew.
        look = assign(seen, at(ast.Attribute(held, "__traceback__", ast.Load()), clause), clause)
        look._always = True  # type: ignore[attr-defined]
        current = self._caught([*self.reraise(part, clause)], self.fresh("e"), [look, *body], clause)
        told: list[ast.expr] = [held, load(seen, clause), load(again, clause)]
        added = method(load(raised, clause), "append", [helper("outcome", told, clause)], clause)
        outer = self._caught([current], again, [expr(added, clause)], clause)
        there = at(ast.Compare(held, [ast.IsNot()], [ast.Constant(None)]), clause)
        note = [assign(handled, held, clause)] if handled else []
        self.out.append(branch(there, [*note, outer], [], clause))

    def _caught(self, body: list[ast.stmt], name: str, handler: list[ast.stmt], place: ast.AST) -> ast.Try:
        """`try: body; except BaseException as name: handler`."""
        return at(ast.Try(body, [ast.ExceptHandler(load("@BaseException", place), name, handler)], [], []), place)
