"""Units: compiled functions that can be entered in the middle."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import CellType, CodeType, CoroutineType, FunctionType
from typing import Any

from weft_core.errors import UnsupportedConstruct
from weft_core.resume.compile import names
from weft_core.resume.compile.liveness import Liveness
from weft_core.resume.compile.lower import Lowering, RawPoint
from weft_core.resume.compile.names import FRAME, GOTO, INNER, POINT, assign, constant, load, place, store
from weft_core.resume.compile.normalise import Normaliser
from weft_core.resume.compile.scopes import Place, Scope, analyse, parameters
from weft_core.resume.compile.source import StandAlone, class_name, parse, source_of
from weft_core.resume.runtime import GLOBALS

FORMAT = 1
"""The compiler's format: part of every digest, raised when compiled code changes its hidden names or points."""
POINT_NAME_MAX = 80
"""Characters of source in a suspension point's stable name."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A suspension point: `number` from 1 in source order, `name` stable over edits elsewhere, `live` what is stored."""

    number: int
    name: str
    line: int
    column: int
    live: tuple[str, ...]


class Activation:
    """What one call or restore brings into a compiled function: its hidden argument."""

    __slots__ = ("arguments", "cells", "inner", "locals", "target", "unit")

    def __init__(
        self,
        unit: Unit,
        cells: dict[str, CellType],
        arguments: tuple[Any, ...] = (),
        target: int = 0,
        locals: Mapping[str, Any] | None = None,
        inner: Any = None,
    ) -> None:
        self.unit = unit
        self.cells = cells
        self.arguments = arguments
        self.target = target
        self.locals = locals
        self.inner = inner


class Unit:
    """A compiled function. Calling it binds arguments as Python does and gives a coroutine that has not begun."""

    def __init__(
        self,
        *,
        name: str,
        source: str,
        filename: str,
        first_line: int,
        function: Callable[..., Any],
        tree: ast.AsyncFunctionDef,
    ) -> None:
        self.name = name
        self.source = source
        self.filename = filename
        self.first_line = first_line
        self.function = function
        self.digest = digest_of(source)
        place_ = Place(filename=filename, function=name)
        scope = analyse(tree, place_)
        self.parameters = tuple(scope.parameters)
        self.captured = tuple(sorted(scope.captured))
        body, self.points, hidden = _compile_body(tree, scope, place_)
        self._tree = _factory(tree, scope, body, function.__code__.co_freevars, hidden)
        module = ast.Module(body=[self._tree, _binder(tree)], type_ignores=[])
        ast.fix_missing_locations(module)
        code = compile(module, filename, "exec", dont_inherit=True)
        factory = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == "@factory")
        compiled = next(c for c in factory.co_consts if isinstance(c, CodeType) and c.co_name == "@unit")
        self.code = compiled.replace(co_name=function.__name__, co_qualname=function.__qualname__)
        binder = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == "@bind")
        self._globals = function.__globals__
        self._bind = FunctionType(binder.replace(co_name=function.__name__), self._globals, function.__name__)
        self._bind.__defaults__ = function.__defaults__
        self._bind.__kwdefaults__ = function.__kwdefaults__
        self._bind.__qualname__ = function.__qualname__
        original = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        self.environment: dict[str, CellType] = original
        helpers = {name: CellType(value) for name, value in GLOBALS.items()}
        self._fixed = {**helpers, **original}
        self._function = None if self.captured else self._close({})
        self.local_codes = local_codes(self.code)
        _UNITS[self.code] = self

    def __repr__(self) -> str:
        return f"<unit {self.name} {self.digest}>"

    def _close(self, cells: dict[str, CellType]) -> FunctionType:
        closure = tuple(cells[n] if n in cells else self._fixed[n] for n in self.code.co_freevars)
        return FunctionType(self.code, self._globals, self.function.__name__, None, closure)

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        arguments = self._bind(*args, **kwargs)
        made = self._function
        if made is not None:
            return made(Activation(self, _NO_CELLS, arguments))  # type: ignore[no-any-return]
        cells = {name: CellType() for name in self.captured}
        return self._close(cells)(Activation(self, cells, arguments))  # type: ignore[no-any-return]

    def enter(
        self, point: int, locals: Mapping[str, Any], cells: dict[str, CellType], inner: Any
    ) -> Coroutine[Any, Any, Any]:
        """A coroutine that, when first sent None, goes to a point and awaits `inner` there. Runs no user code."""
        if not 0 <= point <= len(self.points):
            raise ValueError(f"{self.name} has no suspension point {point}")
        made = {name: cells.get(name) or CellType() for name in self.captured}
        if point == 0:
            arguments = tuple(locals[name] for name in self.parameters)
            return self._close(made)(Activation(self, made, arguments))  # type: ignore[no-any-return]
        activation = Activation(self, made, target=point, locals=locals, inner=inner)
        return self._close(made)(activation)  # type: ignore[no-any-return]

    def compiled_source(self) -> str:
        """The lowered source, for reading; hidden names begin with `@`."""
        return ast.unparse(self._tree)


_NO_CELLS: dict[str, CellType] = {}
_UNITS: dict[CodeType, Unit] = {}


def unit_of(thing: Any) -> Unit | None:
    """The unit of a coroutine or code object, None when it is none of ours."""
    return _UNITS.get(thing if isinstance(thing, CodeType) else getattr(thing, "cr_code", None))  # type: ignore[arg-type]


def digest_of(source: str) -> str:
    """16 hexadecimal digits that identify a source text and the compiler's format, on every Python alike."""
    return hashlib.sha256(f"{FORMAT}\n{source}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def compile_unit(function: Callable[..., Any], *, name: str | None = None) -> Unit:
    """Compile an `async def`. Raises `UnsupportedConstruct` for what cannot be made resumable."""
    chosen = name or function.__qualname__.rpartition("<locals>.")[2]
    source, filename, first_line = source_of(function, chosen)
    tree = _own(parse(source, filename, first_line, chosen), function)
    return Unit(
        name=chosen, source=source, filename=filename, first_line=first_line, function=function, tree=tree
    )


def compile_source(source: str, *, name: str, filename: str, first_line: int, like: Unit) -> Unit:
    """Compile an earlier version of a function from its kept source, in the surroundings of the current one.

    Defaults and closure are those of `like`, the unit that has its name now; a name the old source takes from an
    enclosing function that no longer provides it raises `UnsupportedConstruct`.
    """
    tree = _own(parse(source, filename, first_line, name), like.function)
    return Unit(name=name, source=source, filename=filename, first_line=first_line, function=like.function, tree=tree)


def _own(tree: ast.AsyncFunctionDef, function: Callable[..., Any]) -> ast.AsyncFunctionDef:
    tree.decorator_list = []
    first = parameters(tree.args)[0] if tree.args.posonlyargs or tree.args.args else None
    owner = class_name(function.__qualname__)
    takes_class = "__class__" in function.__code__.co_freevars
    made = StandAlone(owner, first if takes_class else None).visit(tree)
    assert isinstance(made, ast.AsyncFunctionDef)
    return made


def _compile_body(
    tree: ast.AsyncFunctionDef, scope: Scope, place_: Place
) -> tuple[list[ast.stmt], tuple[Point, ...], set[str]]:
    normal = Normaliser(scope, place_).block(tree.body)
    bound = _bound_names(normal) | scope.locals
    bound -= scope.globals | scope.nonlocals
    lowering = Lowering(Liveness(bound, scope.captured, normal))
    descriptions = _describe(normal)
    body = lowering.block(normal)
    points = _name_points(lowering.points, descriptions)
    return body, points, {n for n in bound if n.startswith("@")} | lowering.hidden


def _bound_names(statements: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id.startswith("@") and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.ExceptHandler) and node.name is not None and node.name.startswith("@"):
                found.add(node.name)
    return found


def _describe(statements: list[ast.stmt]) -> dict[int, str]:
    """What each awaiting statement awaits, in words of the source: taken before lowering rewrites it."""
    found: dict[int, str] = {}
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Expr, ast.Assign)) and isinstance(node.value, ast.Await):
                found[id(node)] = _description(node.value.value)
    return found


def _description(value: ast.expr) -> str:
    if not isinstance(value, ast.Call):
        return ast.unparse(value)[:POINT_NAME_MAX]
    first = ""
    if value.args and isinstance(value.args[0], (ast.Name, ast.Constant, ast.Attribute)):
        first = ast.unparse(value.args[0])
    return f"{ast.unparse(value.func)}({first})"[:POINT_NAME_MAX]


def _name_points(raw: list[RawPoint], descriptions: dict[int, str]) -> tuple[Point, ...]:
    seen: dict[str, int] = {}
    points = []
    for point in raw:
        what = descriptions.get(id(point.node), "await")
        seen[what] = seen.get(what, 0) + 1
        points.append(
            Point(
                number=point.number,
                name=f"{what}#{seen[what]}",
                line=point.node.lineno,
                column=point.node.col_offset,
                live=tuple(sorted(point.live)),
            )
        )
    return tuple(points)


def _factory(
    tree: ast.AsyncFunctionDef, scope: Scope, body: list[ast.stmt], outer: tuple[str, ...], hidden: set[str]
) -> ast.FunctionDef:
    """`def @factory(cells…): async def @unit(@f): …`: what is captured or given from outside is free in the unit."""
    prologue: list[ast.stmt] = []
    if scope.captured:
        prologue.append(ast.Nonlocal(names=sorted(scope.captured)))
    if scope.nonlocals:
        prologue.append(ast.Nonlocal(names=sorted(scope.nonlocals)))
    if scope.globals:
        prologue.append(ast.Global(names=sorted(scope.globals)))
    prologue.append(assign(GOTO, _of_frame("target")))
    take: list[ast.stmt] = []
    if scope.parameters:
        elements: list[ast.expr] = [store(n) for n in scope.parameters]
        take = [ast.Assign(targets=[ast.Tuple(elts=elements, ctx=ast.Store())], value=_of_frame("arguments"))]
    take.append(assign(POINT, constant(0)))
    bring: list[ast.stmt] = [assign("@l", _of_frame("locals")), assign(INNER, _of_frame("inner"))]
    bring.append(assign(POINT, load(GOTO)))
    for name in sorted(scope.locals | hidden):
        present = ast.Compare(left=constant(name), ops=[ast.In()], comparators=[load("@l")])
        value = ast.Subscript(value=load("@l"), slice=constant(name), ctx=ast.Load())
        bring.append(ast.If(test=present, body=[assign(name, value)], orelse=[]))
    bring.append(assign("@l", constant(None)))
    forget = ast.Attribute(value=load(FRAME), attr="locals", ctx=ast.Store())
    forget_inner = ast.Attribute(value=load(FRAME), attr="inner", ctx=ast.Store())
    bring.append(ast.Assign(targets=[forget, forget_inner], value=constant(None)))
    prologue.append(ast.If(test=load(GOTO), body=bring, orelse=take))
    # Names that are local in the source stay local although every binding of them may now be hidden behind a guard.
    unit = ast.AsyncFunctionDef(
        name="@unit", args=_arguments([FRAME]), body=[*prologue, *body], decorator_list=[], returns=None
    )
    factory = ast.FunctionDef(
        name="@factory",
        args=_arguments([*dict.fromkeys([*GLOBALS, *outer, *sorted(scope.captured)])]),
        body=[unit],
        decorator_list=[],
        returns=None,
    )
    for node in (unit, factory):
        if hasattr(node, "type_params") or "type_params" in node._fields:
            node.type_params = []
    place(factory, tree)
    return factory


def _of_frame(attribute: str) -> ast.expr:
    return ast.Attribute(value=load(FRAME), attr=attribute, ctx=ast.Load())


def _arguments(found: list[str]) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(arg=n) for n in found], vararg=None, kwonlyargs=[], kw_defaults=[], kwarg=None,
        defaults=[],
    )


def _binder(tree: ast.AsyncFunctionDef) -> ast.FunctionDef:
    """`def @bind(<the signature>): return (<parameters>,)`: binds arguments with Python's own rules and messages."""
    args = tree.args
    plain = ast.arguments(
        posonlyargs=[ast.arg(arg=a.arg) for a in args.posonlyargs],
        args=[ast.arg(arg=a.arg) for a in args.args],
        vararg=ast.arg(arg=args.vararg.arg) if args.vararg else None,
        kwonlyargs=[ast.arg(arg=a.arg) for a in args.kwonlyargs],
        kw_defaults=[None] * len(args.kwonlyargs),
        kwarg=ast.arg(arg=args.kwarg.arg) if args.kwarg else None,
        defaults=[],
    )
    result = ast.Tuple(elts=[load(n) for n in parameters(args)], ctx=ast.Load())
    binder = ast.FunctionDef(
        name="@bind", args=plain, body=[ast.Return(value=result)], decorator_list=[], returns=None
    )
    if "type_params" in binder._fields:
        binder.type_params = []
    place(binder, tree)
    return binder


_COMPREHENSION_NAMES = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


def local_codes(code: CodeType) -> dict[str, CodeType]:
    """Codes of nested functions by a path that is the same on every Python: names, line offsets, ordinals on a line."""
    found: dict[str, CodeType] = {}
    _collect(code, code.co_firstlineno, "", found)
    return found


def _collect(code: CodeType, base: int, prefix: str, found: dict[str, CodeType]) -> None:
    counts: dict[str, list[CodeType]] = {}
    for nested in _nested(code):
        stem = f"{prefix}{nested.co_name}:{nested.co_firstlineno - base}"
        same = counts.setdefault(stem, [])
        if nested in same:
            continue  # a `finally` block is compiled twice
        same.append(nested)
        path = stem if len(same) == 1 else f"{stem}.{len(same)}"
        found[path] = nested
        _collect(nested, base, f"{path}/", found)


def _nested(code: CodeType) -> list[CodeType]:
    direct: list[CodeType] = []
    for constant_ in code.co_consts:
        if isinstance(constant_, CodeType):
            if constant_.co_name in _COMPREHENSION_NAMES:
                direct += _nested(constant_)
            else:
                direct.append(constant_)
    return direct


def is_unit_coroutine(thing: Any) -> bool:
    """Whether a thing is a coroutine of a unit."""
    return type(thing) is CoroutineType and thing.cr_code in _UNITS


__all__ = [
    "FORMAT",
    "Activation",
    "Point",
    "Unit",
    "UnsupportedConstruct",
    "compile_source",
    "compile_unit",
    "digest_of",
    "is_unit_coroutine",
    "local_codes",
    "names",
    "unit_of",
]
