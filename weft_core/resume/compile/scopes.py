"""Which names a function binds, which of them nested functions capture, and what is refused at sight."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import NoReturn

from weft_core.errors import UnsupportedConstruct

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.Lambda)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a function stands, for refusals."""

    filename: str
    function: str

    def refuse(self, node: ast.AST, construct: str, remedy: str) -> NoReturn:
        raise UnsupportedConstruct(
            construct=construct,
            remedy=remedy,
            filename=self.filename,
            line=getattr(node, "lineno", 0),
            function=self.function,
        )


def has_await(node: ast.AST | list[ast.stmt]) -> bool:
    """Whether a node suspends: an `await`, `async for`, `async with` or asynchronous comprehension of this scope."""
    if isinstance(node, list):
        return any(has_await(n) for n in node)
    cached = getattr(node, "_weft_await", None)
    if cached is None:
        cached = _has_await(node)
        node._weft_await = cached  # type: ignore[attr-defined]
    return bool(cached)


def _has_await(node: ast.AST) -> bool:
    if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
        return True
    if isinstance(node, ast.comprehension) and node.is_async:
        return True
    if isinstance(node, ast.Lambda):
        return has_await(node.args)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return any(has_await(n) for n in [*node.decorator_list, node.args])
    if isinstance(node, ast.ClassDef):
        return any(has_await(n) for n in [*node.decorator_list, *node.bases, *node.keywords])
    return any(has_await(child) for child in ast.iter_child_nodes(node))


@dataclass
class Scope:
    """The names of one function."""

    parameters: list[str]
    locals: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    captured: set[str] = field(default_factory=set)


def parameters(args: ast.arguments) -> list[str]:
    """Names of parameters in the order of binding."""
    found = [a.arg for a in [*args.posonlyargs, *args.args]]
    if args.vararg:
        found.append(args.vararg.arg)
    found += [a.arg for a in args.kwonlyargs]
    if args.kwarg:
        found.append(args.kwarg.arg)
    return found


def analyse(function: ast.AsyncFunctionDef, place: Place) -> Scope:
    """The scope of a function. Raises `UnsupportedConstruct` for what can be refused at sight."""
    scope = Scope(parameters(function.args))
    scope.locals.update(scope.parameters)
    for statement in function.body:
        _bindings(statement, scope, place)
    scope.locals -= scope.globals | scope.nonlocals
    for statement in function.body:
        for inner in _inner_functions(statement):
            scope.captured |= free_names(inner) & scope.locals
    return scope


def _bindings(node: ast.AST, scope: Scope, place: Place) -> None:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            scope.locals.add(name)
        case ast.Global(names=names):
            scope.globals.update(names)
        case ast.Nonlocal(names=names):
            scope.nonlocals.update(names)
        case ast.AsyncFunctionDef():
            place.refuse(
                node,
                f"nested `async def {node.name}`",
                "its calls could not be stored. Move it to module level and decorate it with @app.resumable",
            )
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            scope.locals.add(name)
            for part in _evaluated_here(node):
                _bindings(part, scope, place)
            return
        case ast.Lambda():
            _bindings(node.args, scope, place)
            return
        case ast.Yield() | ast.YieldFrom():
            place.refuse(
                node,
                "`yield` in an `async def` (an async generator)",
                "collect the values in a list, or put the generator in a plain function that an activity calls",
            )
        case ast.GeneratorExp() if has_await(node) and not _only_first_iterable(node):
            place.refuse(
                node,
                "a generator expression that awaits (an async generator)",
                "use a list comprehension: [await … for …]",
            )
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            for generator in node.generators:
                for part in (generator.iter, *generator.ifs):
                    _bindings(part, scope, place)
            _walrus_only([node], scope, place)
            return
        case ast.ExceptHandler(name=str(name)):
            scope.locals.add(name)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            scope.locals.add(name)
        case ast.MatchMapping(rest=str(name)):
            scope.locals.add(name)
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            for alias in aliases:
                if alias.name != "*":
                    scope.locals.add(alias.asname or alias.name.partition(".")[0])
        case ast.Call(func=ast.Name(id="exec" | "eval" | "locals" | "vars" as name)) if name not in scope.locals:
            if name != "vars" or not node.args:
                place.refuse(
                    node,
                    f"{name}()",
                    "it reads or writes locals by name, and these are moved when a frame is restored. "
                    "Name the variables, or do it in an activity",
                )
        case _ if type(node).__name__ in ("TemplateStr", "Interpolation"):
            place.refuse(node, "a t-string", "use an f-string: older Pythons must be able to resume the run")
        case _:
            pass
    for child in ast.iter_child_nodes(node):
        _bindings(child, scope, place)


def _evaluated_here(node: ast.FunctionDef | ast.ClassDef) -> list[ast.AST]:
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    return [*node.decorator_list, node.args]


def _only_first_iterable(node: ast.GeneratorExp) -> bool:
    first = node.generators[0]
    return not (
        has_await(node.elt)
        or any(has_await(i) for g in node.generators for i in g.ifs)
        or any(g.is_async for g in node.generators)
        or any(has_await(g.iter) for g in node.generators[1:])
    ) and has_await(first.iter)


def _walrus_only(nodes: list[ast.AST], scope: Scope, place: Place) -> None:
    """Inside a comprehension only walrus targets bind in the function; everything is still checked."""
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.NamedExpr):
            scope.locals.add(node.target.id)
        if isinstance(node, SCOPES):
            continue
        if isinstance(node, ast.GeneratorExp) and has_await(node) and not _only_first_iterable(node):
            _bindings(node, scope, place)
        if isinstance(node, (ast.Yield, ast.YieldFrom)) or type(node).__name__ == "TemplateStr":
            _bindings(node, scope, place)
        nodes.extend(ast.iter_child_nodes(node))


def _inner_functions(node: ast.AST) -> list[ast.AST]:
    """Functions and classes nested in a statement, outermost ones only."""
    if isinstance(node, SCOPES):
        found = [node]
        for part in _parts_outside(node):
            found += _inner_functions(part)
        return found
    found = []
    for child in ast.iter_child_nodes(node):
        found += _inner_functions(child)
    return found


def _parts_outside(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    if isinstance(node, ast.Lambda):
        return [node.args]
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    return [*node.decorator_list, node.args]


def free_names(node: ast.AST) -> set[str]:
    """Names that a nested function, class or lambda takes from the scopes around it."""
    if isinstance(node, ast.Lambda):
        bound, body = set(parameters(node.args)), [node.body]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        bound, body = set(parameters(node.args)), list(node.body)
    else:
        assert isinstance(node, ast.ClassDef)
        bound, body = set(), list(node.body)
    used: set[str] = set()
    outer: set[str] = set()
    _inside(body, bound, used, outer)
    return (used - bound) | outer


def _inside(nodes: list[ast.AST] | list[ast.expr] | list[ast.stmt], bound: set[str], used: set[str], outer: set[str]) -> None:
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name):
                bound.add(name)
            case ast.Nonlocal(names=names):
                outer.update(names)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                bound.update(a.asname or a.name.partition(".")[0] for a in aliases)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                if not isinstance(node, ast.Lambda):
                    bound.add(node.name)
                used |= free_names(node)
                _inside(_parts_outside(node), bound, used, outer)
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                used |= comprehension_names(node)
                continue
            case _:
                pass
        _inside(list(ast.iter_child_nodes(node)), bound, used, outer)


def comprehension_targets(node: ast.AST) -> set[str]:
    """Names a comprehension binds for itself (its own `for` targets, not those nested inside)."""
    found: set[str] = set()
    for generator in node.generators:  # type: ignore[attr-defined]
        for child in ast.walk(generator.target):
            if isinstance(child, ast.Name):
                found.add(child.id)
    return found


def comprehension_names(node: ast.AST) -> set[str]:
    """Names a comprehension reads from the scope around it (walrus targets included)."""
    used: set[str] = set()
    bound: set[str] = set()
    children = [c for g in node.generators for c in (g.iter, *g.ifs)]  # type: ignore[attr-defined]
    if isinstance(node, ast.DictComp):
        children += [node.key, node.value]
    else:
        children.append(node.elt)  # type: ignore[attr-defined]
    _inside(children, bound, used, set())
    return used - comprehension_targets(node)
