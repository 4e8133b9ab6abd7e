"""Expressions that await: everything evaluated before an inner `await` is kept in temporaries, in Python's own order."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence

from weft_core.resume.compile.names import SET, assign, load, negate, place, store
from weft_core.resume.compile.scopes import COMPREHENSIONS, SCOPES, Place, Scope, comprehension_targets, free_names, has_await

Out = list[ast.stmt]


class Expressions:
    """Turns an expression into statements that await one thing each, and an expression over what they left."""

    def __init__(self, scope: Scope, place_: Place, statements: Callable[[Sequence[ast.stmt]], Out]) -> None:
        self._scope = scope
        self._place = place_
        self._statements = statements
        self._count = 0
        self._rebound: set[str] = set()

    def new(self, kind: str = "t") -> str:
        """A new hidden name."""
        self._count += 1
        return f"@{kind}{self._count}"

    def begin_statement(self, statement: ast.stmt) -> None:
        """Names that the statement itself rebinds by a walrus may not be read late."""
        self._rebound = {n.target.id for n in ast.walk(statement) if isinstance(n, ast.NamedExpr)}

    def save(self, value: ast.expr, out: Out) -> ast.expr:
        """Evaluate now; give something that can be read later with the same value."""
        if isinstance(value, ast.Constant):
            return value
        if isinstance(value, ast.Name):
            if value.id.startswith("@t"):
                return value
            if value.id in self._scope.locals and value.id not in self._scope.captured and value.id not in self._rebound:
                # A plain local cannot change meanwhile; reading it here raises when it is unbound, as Python would.
                probe = ast.Expr(value=load(value.id))
                place(probe, value)
                out.append(probe)
                return value
        return self.temporary(value, out)

    def temporary(self, value: ast.expr, out: Out) -> ast.Name:
        """Evaluate now into a temporary, always."""
        name = self.new()
        statement = assign(name, value)
        place(statement, value)
        out.append(statement)
        result = load(name)
        place(result, value)
        return result

    def sequence(self, values: Sequence[ast.expr | None], out: Out) -> list[ast.expr | None]:
        """Expressions evaluated one after the other; those before the last `await` are saved."""
        last = max((i for i, v in enumerate(values) if v is not None and has_await(v)), default=-1)
        result: list[ast.expr | None] = []
        for index, value in enumerate(values):
            if value is None or index > last:
                result.append(value)
            elif index == last:
                result.append(self._starred(value, out, keep=False))
            else:
                result.append(self._starred(value, out, keep=True))
        return result

    def _starred(self, value: ast.expr, out: Out, *, keep: bool) -> ast.expr:
        if not isinstance(value, ast.Starred):
            normal = self.normal(value, out)
            return self.save(normal, out) if keep else normal
        inner = self.normal(value.value, out)
        if keep:  # `*x` is iterated where it stands
            unpacked = ast.List(elts=[ast.Starred(value=inner, ctx=ast.Load())], ctx=ast.Load())
            place(unpacked, value)
            inner = self.temporary(unpacked, out)
        result = ast.Starred(value=inner, ctx=ast.Load())
        place(result, value)
        return result

    def normal(self, node: ast.expr, out: Out) -> ast.expr:
        """An expression without `await` that, evaluated after `out`, is worth what `node` is worth."""
        if not has_await(node):
            return node
        result = self._normal(node, out)
        place(result, node)
        return result

    def _normal(self, node: ast.expr, out: Out) -> ast.expr:
        match node:
            case ast.Await(value=value):
                return self.awaited(self.normal(value, out), node, out)
            case ast.BoolOp():
                return self._bool(node, out)
            case ast.IfExp():
                return self._conditional(node, out)
            case ast.Compare():
                return self._compare(node, out)
            case ast.NamedExpr(target=target, value=value):
                kept = self.temporary(self.normal(value, out), out)
                binding = ast.Assign(targets=[store(target.id)], value=kept)
                place(binding, node)
                out.append(binding)
                return load(kept.id)
            case ast.BinOp(left=left, op=op, right=right):
                first, second = self.sequence([left, right], out)
                return ast.BinOp(left=first, op=op, right=second)  # type: ignore[arg-type]
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op=op, operand=self.normal(operand, out))
            case ast.Attribute(value=value, attr=attr):
                return ast.Attribute(value=self.normal(value, out), attr=attr, ctx=ast.Load())
            case ast.Subscript(value=value, slice=index):
                first, second = self.sequence([value, index], out)
                return ast.Subscript(value=first, slice=second, ctx=ast.Load())  # type: ignore[arg-type]
            case ast.Slice():
                lower, upper, step = self.sequence([node.lower, node.upper, node.step], out)
                return ast.Slice(lower=lower, upper=upper, step=step)
            case ast.Starred(value=value):
                return ast.Starred(value=self.normal(value, out), ctx=ast.Load())
            case ast.Tuple(elts=elts):
                return ast.Tuple(elts=self.sequence(elts, out), ctx=ast.Load())  # type: ignore[arg-type]
            case ast.List(elts=elts):
                return ast.List(elts=self.sequence(elts, out), ctx=ast.Load())  # type: ignore[arg-type]
            case ast.Set(elts=elts):
                return ast.Set(elts=self.sequence(elts, out))  # type: ignore[arg-type]
            case ast.Dict():
                return self._dict(node, out)
            case ast.Call():
                return self._call(node, out)
            case ast.JoinedStr():
                return self._joined(node, out)
            case ast.Lambda():
                return self._lambda(node, out)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._comprehension(node, out)
            case _:
                self._place.refuse(
                    node, f"`await` inside {type(node).__name__}", "assign the awaited value to a variable first"
                )

    def awaited(self, value: ast.expr, node: ast.expr, out: Out) -> ast.Name:
        """Emit `@t = await value`."""
        name = self.new()
        awaiting = ast.Await(value=value)
        place(awaiting, node)
        statement = assign(name, awaiting)
        place(statement, node)
        out.append(statement)
        return load(name)

    def _bool(self, node: ast.BoolOp, out: Out) -> ast.expr:
        name = self.new()
        target = out
        for index, value in enumerate(node.values):
            statement = assign(name, self.normal(value, target))
            place(statement, value)
            target.append(statement)
            if index < len(node.values) - 1:
                test: ast.expr = load(name)
                branch = ast.If(test=test if isinstance(node.op, ast.And) else negate(test), body=[], orelse=[])
                place(branch, value)
                target.append(branch)
                target = branch.body
        return load(name)

    def _conditional(self, node: ast.IfExp, out: Out) -> ast.expr:
        name = self.new()
        branch = ast.If(test=self.normal(node.test, out), body=[], orelse=[])
        for value, body in ((node.body, branch.body), (node.orelse, branch.orelse)):
            statement = assign(name, self.normal(value, body))
            place(statement, value)
            body.append(statement)
        place(branch, node)
        out.append(branch)
        return load(name)

    def _compare(self, node: ast.Compare, out: Out) -> ast.expr:
        if len(node.ops) == 1:
            left, right = self.sequence([node.left, node.comparators[0]], out)
            return ast.Compare(left=left, ops=node.ops, comparators=[right])  # type: ignore[arg-type, list-item]
        name = self.new()
        target = out
        left = self.save(self.normal(node.left, target), target)
        for index, (op, comparator) in enumerate(zip(node.ops, node.comparators, strict=True)):
            right = self.normal(comparator, target)
            final = index == len(node.ops) - 1
            if not final:
                right = self.save(right, target)
            statement = assign(name, ast.Compare(left=copy.copy(left), ops=[op], comparators=[right]))
            place(statement, node)
            target.append(statement)
            if not final:
                branch = ast.If(test=load(name), body=[], orelse=[])
                place(branch, node)
                target.append(branch)
                target = branch.body
                left = right
        return load(name)

    def _dict(self, node: ast.Dict, out: Out) -> ast.expr:
        flat: list[ast.expr | None] = []
        for key, value in zip(node.keys, node.values, strict=True):
            flat += [key, value]
        last = max(i for i, v in enumerate(flat) if v is not None and has_await(v))
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        for index in range(0, len(flat), 2):
            key, value = flat[index], flat[index + 1]
            assert value is not None
            if key is None and index + 1 < last:
                unpacked = ast.Dict(keys=[None], values=[self.normal(value, out)])
                place(unpacked, value)
                keys.append(None)
                values.append(self.temporary(unpacked, out))
                continue
            if key is not None and index <= last:
                key = self.normal(key, out)
                key = self.save(key, out) if index < last else key
            if index + 1 <= last:
                value = self.normal(value, out)
                value = self.save(value, out) if index + 1 < last else value
            keys.append(key)
            values.append(value)
        return ast.Dict(keys=keys, values=values)

    def _call(self, node: ast.Call, out: Out) -> ast.expr:
        flat: list[ast.expr] = [node.func, *node.args, *(k.value for k in node.keywords)]
        last = max(i for i, v in enumerate(flat) if has_await(v))
        done: list[ast.expr] = []
        for index, value in enumerate(flat):
            keyword = index - 1 - len(node.args)
            if index > last:
                done.append(value)
            elif keyword >= 0 and node.keywords[keyword].arg is None and index < last:
                unpacked = ast.Dict(keys=[None], values=[self.normal(value, out)])
                place(unpacked, value)
                done.append(self.temporary(unpacked, out))
            else:
                done.append(self._starred(value, out, keep=index < last))
        args = done[1 : 1 + len(node.args)]
        keywords = []
        for old, value in zip(node.keywords, done[1 + len(node.args) :], strict=True):
            fresh = ast.keyword(arg=old.arg, value=value)
            place(fresh, old)
            keywords.append(fresh)
        return ast.Call(func=done[0], args=args, keywords=keywords)

    def _joined(self, node: ast.JoinedStr, out: Out) -> ast.expr:
        last = max(i for i, v in enumerate(node.values) if has_await(v))
        parts: list[ast.expr] = []
        for index, part in enumerate(node.values):
            if index > last or isinstance(part, ast.Constant):
                parts.append(part)
                continue
            assert isinstance(part, ast.FormattedValue)
            value, spec = part.value, part.format_spec
            if spec is not None and has_await(spec):
                value = self.save(self.normal(value, out), out)
                spec = self.normal(spec, out)
            else:
                value = self.normal(value, out)
            formatted = ast.FormattedValue(value=value, conversion=part.conversion, format_spec=spec)
            place(formatted, part)
            if index < last:  # it is formatted before what comes after it is evaluated
                text = ast.JoinedStr(values=[formatted])
                place(text, part)
                formatted = ast.FormattedValue(value=self.temporary(text, out), conversion=-1, format_spec=None)
                place(formatted, part)
            parts.append(formatted)
        return ast.JoinedStr(values=parts)

    def _lambda(self, node: ast.Lambda, out: Out) -> ast.expr:
        self.defaults(node.args, out)
        return ast.Lambda(args=node.args, body=node.body)

    def defaults(self, args: ast.arguments, out: Out) -> None:
        """Default values that await, in place."""
        count = len(args.defaults)
        done = self.sequence([*args.defaults, *args.kw_defaults], out)
        args.defaults = done[:count]  # type: ignore[assignment]
        args.kw_defaults = done[count:]

    # --- comprehensions ------------------------------------------------------------------------------------------------

    def _comprehension(self, node: ast.expr, out: Out) -> ast.expr:
        first = node.generators[0]  # type: ignore[attr-defined]
        rest = copy.copy(node)
        if not self._awaits_inside(node):
            first.iter = self.normal(first.iter, out)
            return rest
        assert not isinstance(node, ast.GeneratorExp)
        renamed = {name: f"@c{self.new('')[1:]}.{name}" for name in sorted(comprehension_targets(node))}
        self._scope.locals.update(renamed.values())
        for inner in ast.walk(node):
            if isinstance(inner, SCOPES) and free_names(inner) & renamed.keys():
                taken = sorted(free_names(inner) & renamed.keys())[0]
                self._place.refuse(
                    inner,
                    f"a function that takes {taken!r} from a comprehension that awaits",
                    "write the comprehension as a `for` loop",
                )
        result = self.new()
        source = self.normal(first.iter, out)
        empty: ast.expr
        match node:
            case ast.ListComp():
                empty = ast.List(elts=[], ctx=ast.Load())
            case ast.DictComp():
                empty = ast.Dict(keys=[], values=[])
            case _:
                empty = ast.Call(func=load(SET), args=[], keywords=[])
        beginning = assign(result, empty)
        place(beginning, node)
        rename = _Rename(renamed)
        body = self._element(node, result, rename)
        for index, generator in reversed(list(enumerate(node.generators))):  # type: ignore[attr-defined]
            for condition in reversed(generator.ifs):
                branch: ast.stmt = ast.If(test=rename.visit(condition), body=body, orelse=[])
                place(branch, condition)
                body = [branch]
            iterable = source if index == 0 else rename.visit(generator.iter)
            kind = ast.AsyncFor if generator.is_async else ast.For
            loop = kind(target=rename.visit(generator.target), iter=iterable, body=body, orelse=[])
            place(loop, generator.target)
            body = [loop]
        clear(*body)
        out.append(beginning)
        out.extend(self._statements(body))
        return load(result)

    def _awaits_inside(self, node: ast.expr) -> bool:
        generators = node.generators  # type: ignore[attr-defined]
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]  # type: ignore[attr-defined]
        return (
            any(has_await(e) for e in elements)
            or any(g.is_async for g in generators)
            or any(has_await(i) for g in generators for i in g.ifs)
            or any(has_await(g.iter) for g in generators[1:])
        )

    def _element(self, node: ast.expr, result: str, rename: _Rename) -> Out:
        # Each part is evaluated into a temporary first, so that no bound method has to be stored over an `await`.
        done: Out = []
        if isinstance(node, ast.DictComp):
            key, value = self.new(), self.new()
            done.append(assign(key, rename.visit(node.key)))
            done.append(assign(value, rename.visit(node.value)))
            target = ast.Subscript(value=load(result), slice=load(key), ctx=ast.Store())
            done.append(ast.Assign(targets=[target], value=load(value)))
        else:
            element = self.new()
            adding = ast.Attribute(
                value=load(result), attr="append" if isinstance(node, ast.ListComp) else "add", ctx=ast.Load()
            )
            done.append(assign(element, rename.visit(node.elt)))  # type: ignore[attr-defined]
            done.append(ast.Expr(value=ast.Call(func=adding, args=[load(element)], keywords=[])))
        for statement in done:
            place(statement, node)
        return done


def clear(*nodes: ast.AST) -> None:
    """Forget cached answers of `has_await` under nodes that were changed."""
    for node in nodes:
        for child in ast.walk(node):
            if hasattr(child, "_weft_await"):
                del child._weft_await


class _Rename(ast.NodeTransformer):
    """Renames the targets of a comprehension that becomes a loop; comprehensions inside may shadow them."""

    def __init__(self, renamed: dict[str, str]) -> None:
        self._renamed = renamed

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id in self._renamed:
            return ast.copy_location(ast.Name(id=self._renamed[node.id], ctx=node.ctx), node)
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.NamedExpr:
        node.value = self.visit(node.value)
        return node

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, COMPREHENSIONS):
            shadowed = comprehension_targets(node) & self._renamed.keys()
            if shadowed:
                inner = _Rename({k: v for k, v in self._renamed.items() if k not in shadowed})
                node.generators[0].iter = self.visit(node.generators[0].iter)
                first = node.generators[0].iter
                node = inner.generic_visit(node)
                node.generators[0].iter = first  # type: ignore[attr-defined]
                return node
        return super().visit(node)

