"""Expressions that wait, as statements followed by an expression that does not.

The order of evaluation is Python's: whatever is evaluated before an inner `await` is evaluated before it here too, and
put into a hidden local. What is evaluated after the last `await` stays in the expression.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compiler.build import (
    assign,
    at,
    constant,
    expr,
    helper,
    load,
    method,
    replace,
)
from weft_core.resume.compiler.names import names_in
from weft_core.resume.compiler.refusals import awaits


class Scope:
    """What is known of the function's names before anything is rewritten."""

    def __init__(self, *, filename: str, function: str, local: set[str], captured: set[str], first: str | None) -> None:
        self.filename = filename
        self.function = function
        self.local = local
        self.captured = captured
        self.first = first

    def stable(self, name: str) -> bool:
        """Whether only this function's own statements can rebind the name."""
        return name.startswith("@") or (name in self.local and name not in self.captured)


class Expressions:
    """Turns expressions into await-free ones, appending what must happen before to `out`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.out: list[ast.stmt] = []
        self.counts: dict[str, int] = {}
        self.recipes: dict[str, ast.expr] = {}

    # --- hidden locals -------------------------------------------------------------------------------------------

    def fresh(self, kind: str) -> str:
        """A hidden local of its own: `@i1`, `@i2`, …"""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"@{kind}{self.counts[kind]}"

    @contextmanager
    def block(self) -> Iterator[list[ast.stmt]]:
        """Statements appended inside go into the list given, not into the code around."""
        kept, self.out = self.out, []
        try:
            yield self.out
        finally:
            self.out = kept

    def keep(self, value: ast.expr) -> ast.expr:
        """Evaluate now, into a hidden local."""
        name = self.fresh("t")
        self.out.append(assign(name, value, value))
        return load(name, value)

    # --- values --------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> ast.expr:
        """An await-free expression that, evaluated next, gives what `node` would."""
        if not awaits(node):
            return node
        handler: Callable[[ast.expr], ast.expr] | None = getattr(self, "value_" + type(node).__name__, None)
        if handler is None:
            raise UnsupportedConstruct(
                construct=f"`await` inside {type(node).__name__}",
                remedy="await it in a statement of its own before",
                filename=self.scope.filename,
                line=node.lineno,
                function=self.scope.function,
            )
        return handler(node)

    def pin(self, node: ast.expr, later: Sequence[ast.AST]) -> ast.expr:
        """Evaluate `node` now; what is returned can be evaluated after `later`, with the same value."""
        if isinstance(node, ast.Slice):
            parts = [part for part in (node.lower, node.upper, node.step) if part is not None]
            found = iter([self.pin(part, [*parts[index + 1 :], *later]) for index, part in enumerate(parts)])
            bounds = [None if part is None else next(found) for part in (node.lower, node.upper, node.step)]
            return replace(node, lower=bounds[0], upper=bounds[1], step=bounds[2])
        node = self.value(node)
        if isinstance(node, ast.Constant):
            return node
        if isinstance(node, ast.Name) and self.scope.stable(node.id):
            rebound = names_in(*later).stores if later else set()
            if node.id not in rebound:
                if not node.id.startswith("@") or "." in node.id:  # the target of a comprehension may be unbound
                    self.out.append(expr(node, node))  # unbound is still an error here, not later
                return node
        return self.keep(node)

    def sequence(self, nodes: Sequence[ast.expr], *, then: Sequence[ast.AST] = ()) -> list[ast.expr]:
        """Expressions that are evaluated in this order. With `then`, all of them before those."""
        last = len(nodes) if any(awaits(n) for n in then) else self._last_await(nodes)
        found = []
        for index, node in enumerate(nodes):
            if index < last:
                found.append(self.pin(node, [*nodes[index + 1 :], *then]))
            elif index == last:
                found.append(self.value(node))
            else:
                found.append(node)
        return found

    @staticmethod
    def _last_await(nodes: Sequence[ast.AST]) -> int:
        return max((index for index, node in enumerate(nodes) if awaits(node)), default=-1)

    def value_Await(self, node: ast.Await) -> ast.expr:
        name = self.fresh("t")
        awaited = replace(node, value=self.value(node.value))
        self.out.append(at(ast.Assign([ast.Name(name, ast.Store())], awaited), node))
        return load(name, node)

    def value_Attribute(self, node: ast.Attribute) -> ast.expr:
        return replace(node, value=self.value(node.value))

    def value_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        return replace(node, operand=self.value(node.operand))

    def value_Starred(self, node: ast.Starred) -> ast.expr:
        return replace(node, value=self.value(node.value))

    def value_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        return replace(node, value=self.value(node.value))

    def value_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.sequence([node.left, node.right])
        return replace(node, left=left, right=right)

    def value_Subscript(self, node: ast.Subscript) -> ast.expr:
        value, index = self.sequence([node.value, node.slice])
        return replace(node, value=value, slice=index)

    def value_Slice(self, node: ast.Slice) -> ast.expr:
        parts = [part for part in (node.lower, node.upper, node.step) if part is not None]
        found = iter(self.sequence(parts))
        bounds = [None if part is None else next(found) for part in (node.lower, node.upper, node.step)]
        return replace(node, lower=bounds[0], upper=bounds[1], step=bounds[2])

    def value_Lambda(self, node: ast.Lambda) -> ast.expr:
        return replace(node, args=self.defaults(node.args))

    def defaults(self, args: ast.arguments, *, then: Sequence[ast.AST] = ()) -> ast.arguments:
        """A signature whose defaults no longer wait."""
        given = [default for default in args.kw_defaults if default is not None]
        found = self.sequence([*args.defaults, *given], then=then)
        rest = iter(found[len(args.defaults) :])
        keyword = [None if default is None else next(rest) for default in args.kw_defaults]
        return replace(args, defaults=found[: len(args.defaults)], kw_defaults=keyword)

    # --- containers and calls ------------------------------------------------------------------------------------

    def elements(self, nodes: Sequence[ast.expr], *, then: Sequence[ast.AST] = ()) -> list[ast.expr]:
        """Elements of a list, with `*iterable` among them expanded when Python expands it."""
        last = len(nodes) if any(awaits(n) for n in then) else self._last_await(nodes)
        stars = [index for index, node in enumerate(nodes[: max(last, 0)]) if isinstance(node, ast.Starred)]
        if not stars:
            return self.sequence(nodes, then=then)
        cut = stars[-1] + 1
        head = self._prefix(nodes[:cut])
        place = nodes[0]
        return [at(ast.Starred(head, ast.Load()), place), *self.sequence(nodes[cut:], then=then)]

    def _prefix(self, nodes: Sequence[ast.expr]) -> ast.expr:
        """These elements, the last of which is starred, as a list built now."""
        items = self.elements(nodes)
        return self.keep(at(ast.List(items, ast.Load()), nodes[0]))

    def value_Tuple(self, node: ast.Tuple) -> ast.expr:
        return replace(node, elts=self.elements(node.elts))

    def value_List(self, node: ast.List) -> ast.expr:
        return replace(node, elts=self.elements(node.elts))

    def value_Set(self, node: ast.Set) -> ast.expr:
        last = self._last_await(node.elts)
        stars = [index for index, element in enumerate(node.elts[:last]) if isinstance(element, ast.Starred)]
        if not stars:
            return replace(node, elts=self.sequence(node.elts))
        cut = stars[-1] + 1
        head = self.value(replace(node, elts=node.elts[:cut]))
        kept = self.keep(head)
        rest = at(ast.Tuple(self.sequence(node.elts[cut:]), ast.Load()), node)
        self.out.append(expr(method(kept, "update", [rest], node), node))
        return kept

    def value_Dict(self, node: ast.Dict) -> ast.expr:
        pairs = list(zip(node.keys, node.values, strict=True))
        last = max(index for index, (key, value) in enumerate(pairs) if awaits(key) or awaits(value))
        stars = [index for index, (key, _) in enumerate(pairs[:last]) if key is None]
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        if stars:
            cut = stars[-1] + 1
            head = replace(node, keys=node.keys[:cut], values=node.values[:cut])
            keys.append(None)
            values.append(self.keep(self.value(head)))
            pairs = pairs[cut:]
        flat = [part for key, value in pairs for part in (key, value) if part is not None]
        found = iter(self.sequence(flat))
        for key, _ in pairs:
            keys.append(None if key is None else next(found))
            values.append(next(found))
        return replace(node, keys=keys, values=values)

    def value_Call(self, node: ast.Call) -> ast.expr:
        keywords = [keyword.value for keyword in node.keywords]
        function = self._callee(node)
        args = self._positional(node.args, keywords)
        last = self._last_await(keywords)
        stars = [index for index, keyword in enumerate(node.keywords[: max(last, 0)]) if keyword.arg is None]
        made: list[ast.keyword] = []
        begin = 0
        for star in stars:
            # `**mapping` is expanded when Python expands it: before what comes after is evaluated.
            values = self.sequence(keywords[begin : star + 1])
            names = [constant(keyword.arg, keyword.value) for keyword in node.keywords[begin:star]]
            named = at(ast.Dict(list(names), values[:-1]), node)
            merged = self.keep(helper("merge", [function, *(k.value for k in made), named, values[-1]], node))
            made = [at(ast.keyword(None, merged), node)]
            begin = star + 1
        rest = node.keywords[begin:]
        values = self.sequence([keyword.value for keyword in rest])
        made += [replace(keyword, value=value) for keyword, value in zip(rest, values, strict=True)]
        made_call = replace(node, func=function, args=args, keywords=made)
        if function is not node.func:
            _as_method_call(made_call, node)
        return made_call

    def _positional(self, args: list[ast.expr], keywords: list[ast.expr]) -> list[ast.expr]:
        match args:
            case [ast.Starred() as star]:
                # Alone, it is expanded by the call itself: after the keywords were evaluated.
                (value,) = self.sequence([star.value], then=keywords)
                return [replace(star, value=value)]
            case _:
                return self.elements(args, then=keywords)

    def _callee(self, node: ast.Call) -> ast.expr:
        rest = [*node.args, *(keyword.value for keyword in node.keywords)]
        if not any(awaits(part) for part in rest):
            return self.value(node.func)
        if not self._is_global_chain(node.func):
            return self.pin(node.func, rest)
        # A library's function is found again by its name; it need not be stored.
        name = self.fresh("f")
        self.recipes[name] = node.func
        self.out.append(assign(name, node.func, node.func))
        return load(name, node.func)

    def _is_global_chain(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id not in self.scope.local and not node.id.startswith("@")

    # --- text ----------------------------------------------------------------------------------------------------

    def value_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        last = self._last_await(node.values)
        parts: list[ast.expr] = []
        for index, part in enumerate(node.values):
            if index > last or isinstance(part, ast.Constant):
                parts.append(part)
            elif index == last:
                parts.append(self.value(part))
            else:
                # Formatted when Python formats it: before what comes after.
                formatted = self.keep(at(ast.JoinedStr([self.value(part)]), part))
                parts.append(at(ast.FormattedValue(formatted, -1, None), part))
        return replace(node, values=parts)

    def value_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        if node.format_spec is None:
            return replace(node, value=self.value(node.value))
        value, spec = self.sequence([node.value, node.format_spec])
        return replace(node, value=value, format_spec=spec)


def _as_method_call(made: ast.Call, node: ast.Call) -> None:
    """Let a call of a method that was looked up before stand where Python calls methods: in the line of the name."""
    method = node.func
    if not isinstance(method, ast.Attribute) or method.lineno == method.end_lineno:
        return
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(keyword.arg is None for keyword in node.keywords):
        return  # an ordinary call to Python
    assert method.end_lineno is not None
    assert method.end_col_offset is not None
    made.lineno, made.col_offset = method.end_lineno, max(method.end_col_offset - len(method.attr), 0)
