"""Units: an `async def` compiled into an equivalent coroutine function that can be entered in the middle."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from operator import itemgetter
from sys import intern
from types import CellType, CodeType, CoroutineType, FunctionType
from typing import Any

from weft_core.errors import CodeChanged, UnsupportedConstruct
from weft_core.resume.compiled import MISSING, STATE, UNITS, resolve
from weft_core.resume.compiler.apart import Apart
from weft_core.resume.compiler.assemble import assemble, passed, prologue
from weft_core.resume.compiler.expressions import Scope
from weft_core.resume.compiler.hoist import Hoister
from weft_core.resume.compiler.liveness import NOTHING, Liveness
from weft_core.resume.compiler.lower import Lowering
from weft_core.resume.compiler.names import Mangler, Names, arguments
from weft_core.resume.compiler.points import Numbering, Point
from weft_core.resume.compiler.refusals import Refusals
from weft_core.resume.compiler.source import Source, find_source, parse
from weft_core.resume.compiler.statements import Statements
from weft_core.resume.compiler.unbound import Looking, Unbound
from weft_core.resume.helpers import HELPERS

FORMAT = 2
"""Version of the compiler's output as checkpoints see it: point numbers, hidden names, what they mean."""

_FUTURE_ANNOTATIONS = 0x1000000

Taker = Callable[[Any], tuple[Any, ...]]
"""Takes the values of a fixed list of names out of a mapping."""

Form = Callable[[Mapping[str, Any], Any], str]
"""Writes a frame that waits at one point: given its variables, and the `ChainWriter` for their values."""


class Unit:
    """A compiled function. Calling it binds the arguments like any call and gives a fresh, unstarted coroutine.

    `digest` tells one version of the source from another, alike on every Python version. `points` are the places where
    it can wait, in source order. `function` is the user's own function, untouched. `local_codes` are the codes of the
    functions nested in it, by a path that does not depend on the Python version.
    """

    __slots__ = (
        "__weakref__",
        "_blank",
        "_blank_keywords",
        "_call",
        "_captured",
        "_closure",
        "_tree",
        "body",
        "cells_at",
        "digest",
        "filename",
        "first_line",
        "forms",
        "function",
        "heads",
        "local_codes",
        "locals_at",
        "name",
        "needed_at",
        "parameters",
        "points",
        "recipes_at",
        "source",
    )

    name: str
    parameters: tuple[str, ...]
    digest: str
    source: str
    filename: str
    first_line: int
    points: tuple[Point, ...]
    function: Callable[..., Any]
    body: CodeType
    local_codes: dict[str, CodeType]
    locals_at: tuple[tuple[tuple[str, ...], Taker], ...]
    cells_at: tuple[tuple[tuple[str, int], ...], ...]
    needed_at: tuple[tuple[str, ...], ...]
    recipes_at: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]
    heads: dict[int, str]
    forms: dict[int, Form]

    def __init__(self, source: Source, *, name: str, function: FunctionType, qualname: str) -> None:
        self.name = name
        self.source = source.text
        self.filename = source.filename
        self.first_line = source.first_line
        self.function = function
        self.heads, self.forms = {}, {}  # what the codec keeps here, by point
        self.digest = hashlib.sha256(f"{FORMAT}\n{source.text}".encode("utf-8", "surrogatepass")).hexdigest()
        try:
            self._compile(source, function, qualname)
        except RecursionError:
            raise UnsupportedConstruct(
                construct="code that is nested so deep, or an expression of so many parts,",
                remedy="move a part of it into a function of its own; `match` or a dict instead of hundreds of `elif`",
                filename=source.filename,
                line=source.first_line,
                function=name,
            ) from None
        UNITS[id(self.body)] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        coroutine: Coroutine[Any, Any, Any] = self._call(*args, **kwargs)
        return coroutine

    def __repr__(self) -> str:
        return f"<unit {self.name} ({self.digest[:12]}), {len(self.points)} points>"

    def compiled_source(self) -> str:
        """The lowered function as readable text, for debugging. It is not valid Python: hidden names contain `@`."""
        shown = self._tree.body[0]
        assert isinstance(shown, ast.FunctionDef)
        return ast.unparse(shown.body[0]).replace("@function", self.function.__name__)

    # --- compiling -----------------------------------------------------------------------------------------------

    def _compile(self, source: Source, function: FunctionType, qualname: str) -> None:
        tree = parse(source)
        Refusals(filename=source.filename, function=self.name).check(tree)
        original = function.__code__
        owner = _owner(qualname)
        if owner:
            tree.args = Mangler(owner).visit(tree.args)
            tree.body = [Mangler(owner).visit(node) for node in tree.body]
        names = Names()
        names.visit_all(tree.body)
        parameters = {arg.arg for arg in arguments(tree.args)}
        local = (parameters | names.stores) - names.globals - names.nonlocals
        captured = names.captured & local
        free = [name for name in original.co_freevars if name not in local]
        positional = [*tree.args.posonlyargs, *tree.args.args]
        scope = Scope(
            filename=source.filename,
            function=self.name,
            local=local,
            captured=captured,
            first=positional[0].arg if positional and "__class__" in free else None,
        )
        hoister = Hoister(scope)
        body = hoister.body(Apart(captured).visit_all(tree.body))
        normal = Statements(scope)
        statements = normal.statements(body)
        numbering = Numbering(normal.fresh)
        numbering.block(statements)
        Liveness(numbering.places, local=local, captured=captured, helpers=HELPERS.keys()).block(statements, NOTHING)
        self._keep_points(numbering, captured, normal.recipes)
        hidden = sorted(({n for p in self.points for n in p.live} | set(numbering.iterators)) - captured - parameters)
        plain = [*sorted(parameters - captured), *hidden]
        begin = prologue(plain, parameters, tree)
        unbound = Unbound(local=local, captured=captured, parameters=parameters)
        marked = bool(captured or normal.comprehended) and unbound.check(statements)
        lowered = Lowering(captured).block(statements)
        if marked:
            lowered = Looking().block(lowered)
        lowered = [*hoister.declarations, begin, *lowered]
        made = assemble(
            tree,
            lowered,
            written=body,
            captured=sorted(captured),
            free=free,
            helpers=sorted(HELPERS),
            filename=source.filename,
            qualname=qualname,
            future_annotations=bool(original.co_flags & _FUTURE_ANNOTATIONS),
        )
        self._tree = made.tree
        self.body = made.body
        self.local_codes = made.local_codes
        self.parameters = tuple(passed(tree, sorted(captured)))
        self._captured = frozenset(captured)
        self._bind(made.entry, function, tree)

    def _keep_points(self, numbering: Numbering, captured: set[str], recipes: Mapping[str, ast.expr]) -> None:
        points, plain, found = [], [], []
        for number, place in enumerate(numbering.places, 1):
            live = sorted(name for name in place.live if not name.startswith("@q"))
            points.append(Point(number=number, name=place.name, line=place.line, column=place.column, live=tuple(live)))
            plain.append(tuple(name for name in live if name not in captured))
            found.append(tuple((name, _dotted(recipes[name])) for name in live if name in recipes))
        self.points = tuple(points)
        self.locals_at = tuple((names, _taker(names)) for names in ((), *map(_interned, plain)))
        self.recipes_at = ((), *found)
        self.needed_at = ((), *(tuple(sorted(place.regions)) for place in numbering.places))

    def _bind(self, entry: CodeType, function: FunctionType, tree: ast.AsyncFunctionDef) -> None:
        outer = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        self._closure: dict[str, CellType] = {**HELPERS, **outer}
        keywords = dict(function.__kwdefaults__ or {})
        if not self._captured:
            keywords[STATE] = None
        self._call = self._function(entry, {})
        self._call.__defaults__ = function.__defaults__
        self._call.__kwdefaults__ = keywords or None
        self._call.__doc__ = function.__doc__
        self._call.__module__ = function.__module__
        if self._captured:
            self._blank = (None,) * len(self.parameters)
            self._blank_keywords: tuple[str, ...] = ()
        else:
            self._blank = (None,) * (len(tree.args.posonlyargs) + len(tree.args.args))
            self._blank_keywords = tuple(arg.arg for arg in tree.args.kwonlyargs)
        own = self._captured
        # Where each of the frame's own cells stands in its closure.
        placed = [(name, index) for index, name in enumerate(self.body.co_freevars) if name in own]
        self.cells_at = (
            tuple(placed),
            *(tuple(pair for pair in placed if pair[0] in point.live) for point in self.points),
        )

    def _function(self, code: CodeType, cells: Mapping[str, CellType]) -> FunctionType:
        closure = []
        for name in code.co_freevars:
            if name in self._captured:
                closure.append(cells.get(name) or CellType())
            else:
                closure.append(self._closure.get(name) or CellType())
        return FunctionType(code, self.function.__globals__, code.co_name, None, tuple(closure))

    # --- entering in the middle ----------------------------------------------------------------------------------

    def reenter(
        self, point: int, inner: Any, variables: dict[str, Any], cells: Mapping[str, CellType]
    ) -> CoroutineType[Any, Any, Any]:
        """A coroutine that, once started, goes to `point` and awaits `inner` there. Runs nothing."""
        function = self._function(self.body, cells)
        for name, chain in self.recipes_at[point]:
            if name not in variables:
                variables[name] = resolve(self.function.__globals__, chain)
                if variables[name] is MISSING:
                    raise CodeChanged(
                        f"{self.filename}:{self.points[point - 1].line}: {self.name!r} waits in the middle of a call of "
                        f"{'.'.join(chain)!r}, which is not there any more; bring it back"
                    )
        state = (point, [inner], variables)
        if self._captured:
            made: CoroutineType[Any, Any, Any] = function(function.__closure__, state, *self._blank)
            return made
        keywords = dict.fromkeys(self._blank_keywords)
        keywords[STATE] = state
        made = function(*self._blank, **keywords)
        return made


def _interned(names: tuple[str, ...]) -> tuple[str, ...]:
    # A frame finds its locals by the identity of their names first.
    return tuple(map(intern, names))


def _taker(names: tuple[str, ...]) -> Taker:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda variables: tuple(variables[name] for name in names)


def _dotted(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Attribute):
        return (*_dotted(node.value), node.attr)
    assert isinstance(node, ast.Name)
    return (node.id,)


def _owner(qualname: str) -> str:
    """The class whose private names a function sees: the innermost one around it, or ''."""
    parts = qualname.split(".")[:-1]
    classes = [p for i, p in enumerate(parts) if p != "<locals>" and parts[i + 1 : i + 2] != ["<locals>"]]
    return classes[-1] if classes else ""


def short_name(qualname: str) -> str:
    """A function's name as people say it: `pack`, `Shop.pack`."""
    return qualname.rpartition("<locals>.")[2]


def compile_unit(function: Callable[..., Any], *, name: str | None = None) -> Unit:
    """Compile an `async def`. Raises `UnsupportedConstruct` (file, line, construct, remedy) for what cannot be."""
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    if not isinstance(function, FunctionType):
        raise UnsupportedConstruct(
            construct=f"{function!r}, which is not a function,",
            remedy="put the decorator directly on an `async def`",
            filename=getattr(getattr(function, "__code__", None), "co_filename", "<unknown>"),
            line=0,
            function=getattr(function, "__qualname__", repr(function)),
        )
    return Unit(
        find_source(function),
        name=name or short_name(function.__qualname__),
        function=function,
        qualname=function.__qualname__,
    )


def compile_source(text: str, *, name: str, filename: str, first_line: int, like: Unit) -> Unit:
    """Compile the kept source of an earlier version of a unit, in the surroundings (globals, closure) of `like`."""
    assert isinstance(like.function, FunctionType)
    source = Source(text=text, filename=filename, first_line=first_line)
    return Unit(source, name=name, function=like.function, qualname=like.function.__qualname__)
