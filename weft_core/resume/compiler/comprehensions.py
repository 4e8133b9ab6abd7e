"""Comprehensions that wait, as the loops Python says they are, with targets nobody else can see."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compiler.apart import Rename
from weft_core.resume.compiler.build import assign, assign_to, at, branch, call, expr, load, method, replace
from weft_core.resume.compiler.conditions import Conditions
from weft_core.resume.compiler.expressions import Scope
from weft_core.resume.compiler.names import Comprehension, Names, comprehension_targets
from weft_core.resume.compiler.refusals import awaits


class Comprehensions(Conditions):
    """The part of the normaliser that knows comprehensions."""

    comprehended = False
    """Whether one was written out."""

    def value_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        return self._first_iterable(node)

    def _first_iterable(self, node: Comprehension) -> ast.expr:
        first = node.generators[0]
        return replace(node, generators=[replace(first, iter=self.value(first.iter)), *node.generators[1:]])

    def _only_first_iterable(self, node: Comprehension, elements: Sequence[ast.expr]) -> bool:
        first = node.generators[0]
        inside = [first.target, *first.ifs, *node.generators[1:], *elements]
        return not first.is_async and not any(awaits(part) for part in inside)

    def value_ListComp(self, node: ast.ListComp) -> ast.expr:
        if self._only_first_iterable(node, [node.elt]):
            return self._first_iterable(node)
        first = self.value(node.generators[0].iter)
        kept = self._comprehension(node, first, at(ast.List([], ast.Load()), node))
        return kept

    def value_SetComp(self, node: ast.SetComp) -> ast.expr:
        if self._only_first_iterable(node, [node.elt]):
            return self._first_iterable(node)
        first = self.value(node.generators[0].iter)
        return self._comprehension(node, first, call(load("@set", node), [], node))

    def value_DictComp(self, node: ast.DictComp) -> ast.expr:
        if self._only_first_iterable(node, [node.key, node.value]):
            return self._first_iterable(node)
        first = self.value(node.generators[0].iter)
        return self._comprehension(node, first, at(ast.Dict([], []), node))

    def _comprehension(self, node: Comprehension, first: ast.expr, empty: ast.expr) -> ast.expr:
        """The loops Python says a comprehension is, with its targets renamed and its result in a hidden local."""
        iterable = self.keep(first)
        result = self.fresh("l")
        number = self.counts["l"]
        self.out.append(assign(result, empty, node))
        self.comprehended = True
        rename = Renamer(self.scope, {name: f"@n{number}.{name}" for name in sorted(comprehension_targets(node))})
        rename.check(node)
        self._generators(node, 0, iterable, result, rename)
        return load(result, node)

    def _generators(self, node: Comprehension, index: int, iterable: ast.expr, result: str, rename: Renamer) -> None:
        generator = node.generators[index]
        with self.block() as body:
            self._filters(node, index, list(generator.ifs), result, rename)
        target = rename.visit_copy(generator.target)
        # Python asks for the next item in the line of the whole where the loop is asynchronous, else in the target's.
        place = node if generator.is_async else generator.target
        self.loop(target, iterable, body, [], place, is_async=bool(generator.is_async))

    def _filters(self, node: Comprehension, index: int, tests: list[ast.expr], result: str, rename: Renamer) -> None:
        if tests:
            test = self.condition(rename.visit_copy(tests[0]))
            with self.block() as body:
                self._filters(node, index, tests[1:], result, rename)
            self.out.append(branch(test, body, [], tests[0]))
            return
        if index + 1 < len(node.generators):
            iterable = self.value(rename.visit_copy(node.generators[index + 1].iter))
            self._generators(node, index + 1, iterable, result, rename)
            return
        kept = load(result, node)
        if isinstance(node, ast.DictComp):
            key, value = self.sequence([rename.visit_copy(node.key), rename.visit_copy(node.value)])
            if not isinstance(key, ast.Constant) and not (isinstance(key, ast.Name) and key.id[0] == "@"):
                # Assignment would evaluate the value first, which may bind the name anew, or fail before the name does.
                name = self.fresh("d")
                self.out.append(assign(name, key, key))
                key = load(name, key)
            self.out.append(assign_to(at(ast.Subscript(kept, key, ast.Store()), node.key), value, node.key))
            return
        name = "add" if isinstance(node, ast.SetComp) else "append"
        value = self.value(rename.visit_copy(node.elt))
        self.out.append(expr(method(kept, name, [value], node.elt), node.elt))

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
        """Append a loop whose parts are in normal form already."""
        raise NotImplementedError


class Renamer(Rename):
    """Gives the targets of a comprehension that becomes a loop names nobody else has."""

    def __init__(self, scope: Scope, names: dict[str, str]) -> None:
        super().__init__(names)
        self.scope = scope

    def visit_copy(self, node: ast.expr) -> ast.expr:
        """A renamed copy of an expression."""
        found = self.visit(copy.deepcopy(node))
        assert isinstance(found, ast.expr)
        return found

    def check(self, node: Comprehension) -> None:
        """Refuse what would keep hold of a renamed target."""
        names = Names()
        for part in ast.iter_child_nodes(node):
            names.visit(part)
        held = names.captured & set(self.names)
        if held:
            raise UnsupportedConstruct(
                construct=f"a function that closes over {sorted(held)[0]!r}, a variable of a comprehension that awaits,",
                remedy="write the comprehension as a loop, or hand the value over as a default argument",
                filename=self.scope.filename,
                line=node.lineno,
                function=self.scope.function,
            )

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.names:
            node.id = self.names[node.id]
            node._inner = False  # type: ignore[attr-defined]
        else:
            node._inner = True  # type: ignore[attr-defined]  # Python 3.11 reads it in a function of its own
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.defaults(node.args)  # `check` saw to it that its body reads no target
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        node.value = self.visit(node.value)  # its target belongs to the function
        return node
