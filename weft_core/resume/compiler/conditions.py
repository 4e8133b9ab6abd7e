"""Conditions that wait: `and`, `or`, `not`, comparisons and conditional expressions, asked for their truth as Python asks."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from weft_core.resume.compiler.build import assign, at, branch, constant, load, negate, replace
from weft_core.resume.compiler.expressions import Expressions
from weft_core.resume.compiler.refusals import awaits


def _asked_once() -> bool:
    """Whether this Python asks an operand of nested `and`s for its truth once. 3.12 and 3.13 did not at first."""
    asked = []

    class Asked:
        def __bool__(self) -> bool:
            asked.append(self)
            return False

    def nested(value: object) -> object:
        return (value and value) and value

    nested(Asked())
    return len(asked) == 1


TRUTH_IS_ASKED_ONCE = _asked_once()


def _spread(node: ast.BoolOp) -> bool:
    """Whether a boolean expression becomes statements: something after its first operand waits, or in that one."""
    first = node.values[0]
    return any(awaits(value) for value in node.values[1:]) or (isinstance(first, ast.BoolOp) and _spread(first))


class Conditions(Expressions):
    """The part of the normaliser that knows conditions."""

    def condition(self, node: ast.expr) -> ast.expr:
        """Like `value`, where only the truth matters: each operand's truth is asked for once, as Python does."""
        if not awaits(node):
            return node
        match node:
            case ast.UnaryOp(op=ast.Not()):
                return negate(self.condition(node.operand), node)
            case ast.BoolOp() if any(awaits(value) for value in node.values[1:]):
                name = self.fresh("t")
                either = isinstance(node.op, ast.Or)
                self.out.append(assign(name, constant(either, node), node))
                self._nested(node.values, either, name, node)
                return load(name, node)
            case ast.BoolOp():
                return replace(node, values=[self.condition(node.values[0]), *node.values[1:]])
            case ast.Compare() if len(node.ops) > 1:
                return self._comparison(node, truth=True)
            case ast.IfExp() if awaits(node.body) or awaits(node.orelse):
                name = self.fresh("t")
                test = self.condition(node.test)
                with self.block() as body:
                    value = self.condition(node.body)
                    self.out.append(self._truth(name, value))
                with self.block() as orelse:
                    value = self.condition(node.orelse)
                    self.out.append(self._truth(name, value))
                self.out.append(branch(test, body, orelse, node))
                return load(name, node)
            case _:
                return self.value(node)

    def _truth(self, name: str, value: ast.expr) -> ast.stmt:
        # Not `not not value`, which asks a boolean expression once more.
        return assign(name, at(ast.IfExp(value, constant(True, value), constant(False, value)), value), value)

    def _nested(self, values: Sequence[ast.expr], either: bool, name: str, place: ast.AST) -> None:
        test = self.condition(values[0])
        if either:
            test = negate(test, values[0])
        with self.block() as body:
            if len(values) > 1:
                self._nested(values[1:], either, name, place)
            else:
                self.out.append(assign(name, constant(not either, place), values[0]))
        self.out.append(branch(test, body, [], values[0]))

    def value_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        if not _spread(node):
            return replace(node, values=[self.value(node.values[0]), *node.values[1:]])
        name = self.fresh("t")
        self._operand(node, name, asked=False)
        return load(name, node)

    def _operand(self, node: ast.expr, name: str, *, asked: bool) -> ast.expr:
        """Evaluate into a hidden local. Gives its truth, which is `asked` for next: nothing is asked for its truth twice
        on Pythons that see to it.
        """
        if not isinstance(node, ast.BoolOp) or not (asked or awaits(node)):
            self.out.append(assign(name, self.value(node), node))
            return load(name, node)
        either = isinstance(node.op, ast.Or)
        through = self.fresh("t") if asked else ""
        if through:
            self.out.append(assign(through, constant(False, node), node))
        last = self._operands(node.values, either, name, through)
        if not through:
            return last
        known = constant(either, node) if TRUTH_IS_ASKED_ONCE else load(name, node)
        return at(ast.IfExp(load(through, node), last, known), node)

    def _operands(self, values: Sequence[ast.expr], either: bool, name: str, through: str) -> ast.expr:
        if len(values) == 1:
            last = self._operand(values[0], name, asked=bool(through))
            if through:
                self.out.append(assign(through, constant(True, values[0]), values[0]))
            return last
        test = self._operand(values[0], name, asked=True)
        if either:
            test = negate(test, values[0])
        with self.block() as body:
            last = self._operands(values[1:], either, name, through)
        self.out.append(branch(test, body, [], values[0]))
        return last

    def value_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.condition(node.test)
        if not awaits(node.body) and not awaits(node.orelse):
            return replace(node, test=test)
        name = self.fresh("t")
        with self.block() as body:
            self.out.append(assign(name, self.value(node.body), node.body))
        with self.block() as orelse:
            self.out.append(assign(name, self.value(node.orelse), node.orelse))
        self.out.append(branch(test, body, orelse, node))
        return load(name, node)

    def value_Compare(self, node: ast.Compare) -> ast.expr:
        return self._comparison(node, truth=False)

    def _comparison(self, node: ast.Compare, *, truth: bool) -> ast.expr:
        if not any(awaits(comparator) for comparator in node.comparators[1:]):
            left, right = self.sequence([node.left, node.comparators[0]])
            return replace(node, left=left, comparators=[right, *node.comparators[1:]])
        name = self.fresh("t")
        if truth:
            self.out.append(assign(name, constant(False, node), node))
        self._chain(node.left, node.ops, node.comparators, name, node, truth)
        return load(name, node)

    def _chain(
        self,
        left: ast.expr,
        ops: Sequence[ast.cmpop],
        comparators: Sequence[ast.expr],
        name: str,
        place: ast.expr,
        truth: bool,
    ) -> None:
        if len(ops) > 1:
            left = self.pin(left, comparators)
            right = self.pin(comparators[0], comparators[1:])
        else:
            left, right = self.sequence([left, comparators[0]])
        compared: ast.expr = at(ast.Compare(left, [ops[0]], [right]), place)
        if len(ops) == 1:
            self.out.append(self._truth(name, compared) if truth else assign(name, compared, place))
            return
        if not truth:
            self.out.append(assign(name, compared, place))
            compared = load(name, place)
        with self.block() as body:
            self._chain(right, ops[1:], comparators[1:], name, place, truth)
        self.out.append(branch(compared, body, [], place))
