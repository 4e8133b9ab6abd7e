"""From a lowered body to code objects: the function itself, and what is needed to enter it in the middle.

A unit without captured variables is one `async def` with the user's signature and one more keyword, `@s`, by which a
restored frame gets its locals. Where nested functions close over locals, those live in cells made anew for each call:

    def f(a, b):                       # binds the arguments; `a`, captured, is a cell here
        async def body(@k, @s, b): …   # `a` is free in it; @k holds the cells, for the checkpoint
        return body(body.__closure__, None, b)
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from types import CodeType
from typing import Any

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compiled import CELLS, GOTO, INNER, STATE
from weft_core.resume.compiler.build import assign, at, branch, call, children, constant, load, method, store
from weft_core.resume.compiler.names import arguments

_MAKER = "@maker"
_BODY = "@body"
_FUNCTION = "@function"
"""Never the user's name: inside, that is whatever it is outside."""
_FUTURE_ANNOTATIONS = 0x1000000
_UNTYPED: dict[str, Any] = {"type_params": []} if sys.version_info >= (3, 12) else {}


def prologue(plain: Sequence[str], parameters: set[str], place: ast.AST) -> ast.stmt:
    """Take the locals of a restored frame out of `@s`; a fresh call has none."""
    state = load(STATE, place)
    names = ast.Tuple([store(GOTO, place), store(INNER, place), store(STATE, place)], ast.Store())
    restore: list[ast.stmt] = [at(ast.Assign([names], state), place)]
    for name in plain:
        if name.startswith("@i"):
            # A loop that will not go round again does not keep its iterator.
            restore.append(
                assign(name, method(state, "get", [constant(name, place), ast.Tuple([], ast.Load())], place), place)
            )
            continue
        there = at(ast.Compare(ast.Constant(name), [ast.In()], [state]), place)
        take = assign(name, at(ast.Subscript(state, ast.Constant(name), ast.Load()), place), place)
        forget: list[ast.stmt] = []
        if name in parameters:
            forget = [at(ast.Delete([ast.Name(name, ast.Del())]), place)]
        restore.append(branch(there, [take], forget, place))
    restore.append(assign(STATE, constant(None, place), place))
    fresh = at(ast.Compare(state, [ast.Is()], [ast.Constant(None)]), place)
    return branch(fresh, [assign(GOTO, constant(0, place), place)], restore, place)


class Assembled:
    """The code of a unit. `entry` is what is called with the user's arguments, `body` the coroutine function's code."""

    __slots__ = ("body", "entry", "local_codes", "tree")

    def __init__(self, entry: CodeType, body: CodeType, tree: ast.Module, local_codes: dict[str, CodeType]) -> None:
        self.entry = entry
        self.body = body
        self.tree = tree
        self.local_codes = local_codes


def assemble(
    node: ast.AsyncFunctionDef,
    body: list[ast.stmt],
    *,
    written: Sequence[ast.stmt],
    captured: Sequence[str],
    free: Sequence[str],
    helpers: Sequence[str],
    filename: str,
    qualname: str,
    future_annotations: bool,
) -> Assembled:
    """Compile a lowered body (prologue included) under the signature of `node`. `written` is the body it was made of."""
    args = _bare(node.args)
    if captured:
        inner = _inner(node, args, body, captured)
        shown: ast.stmt = _entry(node, args, inner, captured)
    else:
        args.kwonlyargs.append(at(ast.arg(STATE), node))
        args.kw_defaults.append(None)
        shown = at(ast.AsyncFunctionDef(_FUNCTION, args, body, [], None, **_UNTYPED), node)
    names = [ast.arg(name) for name in [*helpers, *free]]
    maker = ast.FunctionDef(_MAKER, _arguments(names), [shown], [], None, **_UNTYPED)
    tree = ast.Module([at(maker, node)], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's own code was compiled once, and warned about, already
        flags = _FUTURE_ANNOTATIONS if future_annotations else 0
        try:
            code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
        except SyntaxError as error:
            if "nested" not in str(error.msg):
                raise
            raise UnsupportedConstruct(
                construct="a block nested this deep",
                remedy="move the inner blocks into a function of their own, decorated with @app.resumable",
                filename=filename,
                line=error.lineno or node.lineno,
                function=qualname,
            ) from None
    entry = _child(_child(code, _MAKER), _FUNCTION)
    prefix = f"{_MAKER}.<locals>.{_FUNCTION}"
    if captured:
        inner_code = _renamed(_child(entry, _BODY), f"{prefix}.<locals>.{_BODY}", qualname, node.name)
        constants = tuple(inner_code if _is(c, _BODY) else c for c in entry.co_consts)
        entry = entry.replace(co_consts=constants, co_qualname=qualname, co_name=node.name)
    else:
        entry = inner_code = _renamed(entry, prefix, qualname, node.name)
    return Assembled(entry=entry, body=inner_code, tree=tree, local_codes=dict(_paths(written, inner_code, "")))


def _arguments(names: list[ast.arg]) -> ast.arguments:
    return ast.arguments([], names, None, [], [], None, [])


def _bare(args: ast.arguments) -> ast.arguments:
    """The signature without annotations and defaults: those stay with the user's own function."""

    def bare(arg: ast.arg) -> ast.arg:
        return at(ast.arg(arg.arg), arg)

    return ast.arguments(
        [bare(a) for a in args.posonlyargs],
        [bare(a) for a in args.args],
        args.vararg and bare(args.vararg),
        [bare(a) for a in args.kwonlyargs],
        [None for _ in args.kwonlyargs],
        args.kwarg and bare(args.kwarg),
        [],
    )


def passed(node: ast.AsyncFunctionDef, captured: Sequence[str]) -> list[str]:
    """The parameters that the body of a unit with captured variables takes by value."""
    return [arg.arg for arg in arguments(node.args) if arg.arg not in captured]


def _inner(
    node: ast.AsyncFunctionDef, args: ast.arguments, body: list[ast.stmt], captured: Sequence[str]
) -> ast.AsyncFunctionDef:
    names = [CELLS, STATE, *passed(node, captured)]
    shared = at(ast.Nonlocal(list(captured)), node)
    signature = _arguments([ast.arg(name) for name in names])
    return at(ast.AsyncFunctionDef(_BODY, signature, [shared, *body], [], None, **_UNTYPED), node)


def _entry(
    node: ast.AsyncFunctionDef, args: ast.arguments, inner: ast.AsyncFunctionDef, captured: Sequence[str]
) -> ast.FunctionDef:
    declared: list[ast.stmt] = [assign(name, constant(None, node), node) for name in captured]
    values: list[ast.expr] = [at(ast.Attribute(load(_BODY, node), "__closure__", ast.Load()), node)]
    values += [constant(None, node), *(load(name, node) for name in passed(node, captured))]
    body: list[ast.stmt] = [
        branch(constant(False, node), declared, [], node),
        inner,
        at(ast.Return(call(load(_BODY, node), values, node)), node),
    ]
    return at(ast.FunctionDef(_FUNCTION, args, body, [], None, **_UNTYPED), node)


def _is(constant: object, name: str) -> bool:
    return isinstance(constant, CodeType) and constant.co_name == name


def _child(code: CodeType, name: str) -> CodeType:
    for item in code.co_consts:
        if isinstance(item, CodeType) and item.co_name == name:
            return item
    raise AssertionError(name)


def _renamed(code: CodeType, prefix: str, qualname: str, name: str | None = None) -> CodeType:
    """The code with its own and its inner functions' and classes' qualified names as in the user's function."""

    def as_written(item: Any) -> Any:
        if isinstance(item, CodeType):
            return _renamed(item, prefix, qualname)
        if type(item) is str and item.startswith(prefix):  # what the body of a class calls it
            return qualname + item[len(prefix) :]
        return item

    constants = tuple(map(as_written, code.co_consts))
    shown: str = as_written(code.co_qualname)
    free = code.co_freevars
    if name is None and any("." in variable for variable in free):
        # A generator expression over the target of a comprehension that awaits: Python only says these names.
        free = tuple(variable.rpartition(".")[2] for variable in free)
    return code.replace(co_consts=constants, co_qualname=shown, co_name=name or code.co_name, co_freevars=free)


# --- nested functions --------------------------------------------------------------------------------------------------

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


def _paths(body: Sequence[ast.AST], code: CodeType, prefix: str) -> Iterator[tuple[str, CodeType]]:
    """Every nested function's code by a path of names that is the same on every Python version."""
    codes = list(_inner_codes(code))
    if not codes:
        return
    used: dict[str, int] = {}
    scopes = sorted({id(s): s for s in chain.from_iterable(map(_scopes, body))}.values(), key=_place)
    for scope in scopes:
        name = "<lambda>" if isinstance(scope, ast.Lambda) else scope.name
        used[name] = used.get(name, 0) + 1
        found = _code_of(scope, name, codes)
        if found is None:
            continue
        path = f"{prefix}{name}" if used[name] == 1 else f"{prefix}{name}#{used[name]}"
        yield path, found
        inside = [scope.body] if isinstance(scope, ast.Lambda) else scope.body
        yield from _paths(inside, found, path + "/")


def _place(scope: Scope) -> tuple[int, int]:
    return scope.lineno, scope.col_offset


def _scopes(node: ast.AST) -> Iterator[Scope]:
    """The functions, lambdas and classes directly in a piece of code."""
    if isinstance(node, Scope):
        yield node
        outside: list[ast.AST] = list(getattr(node, "decorator_list", ()))
        if isinstance(node, ast.ClassDef):
            outside += [*node.bases, *node.keywords]
        else:
            outside += [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        for part in outside:
            yield from _scopes(part)
        return
    for child in children(node):
        yield from _scopes(child)


def _inner_codes(code: CodeType) -> Iterator[CodeType]:
    for item in code.co_consts:
        if isinstance(item, CodeType):
            if item.co_name in _COMPREHENSIONS or item.co_name.startswith("<generic parameters of "):
                yield from _inner_codes(item)
            else:
                yield item


def _code_of(scope: Scope, name: str, codes: Sequence[CodeType]) -> CodeType | None:
    named = [code for code in codes if code.co_name == name]
    if len(named) == 1:
        return named[0]
    first, last = (scope.body, scope.body) if isinstance(scope, ast.Lambda) else (scope.body[0], scope.body[-1])
    low = first.lineno, first.col_offset
    high = last.end_lineno or last.lineno, last.end_col_offset or 0
    inside = [code for code in named if any(low <= place <= high for place in _positions(code))]
    if inside:
        return inside[0]
    # Equal functions on one line may share their code.
    return next((code for code in named if code.co_firstlineno == scope.lineno), None)


def _positions(code: CodeType) -> Iterator[tuple[int, int]]:
    for line, end_line, column, end_column in code.co_positions():
        if line is not None and column is not None and (end_line, end_column) != (line, column):
            yield line, column
