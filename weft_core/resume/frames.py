"""Reading a suspended chain of calls out of its coroutines, and making the coroutines again."""

from __future__ import annotations

import warnings
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from gc import get_referents
from itertools import islice
from sys import intern
from types import BuiltinFunctionType, CellType, CodeType, CoroutineType, FunctionType, GeneratorType
from typing import TYPE_CHECKING, Any

from weft_core.errors import CheckpointError, DecodeError, NotDurable, WeftError
from weft_core.resume.compiled import CELLS, POINT, STATE, UNITS, resolve, unit_of
from weft_core.resume.habits import IN_ACTIVITY, instead_of
from weft_core.resume.operation import LEAF, Operation

if TYPE_CHECKING:
    from weft_core.resume.unit import Unit

_POINT = intern(POINT)
_ATOMS = frozenset({int, str, bool, float, bytes, type(None), FunctionType, BuiltinFunctionType, type})
_CONTAINERS = frozenset({list, tuple, dict, set})

CONTAINERS_MAX, CONTAINED_MAX = 4, 100
"""How deep, and at how many items of a container or iterator, `drop` looks for calls that have not begun."""


class FrameImage:
    """One frame of a suspended call. `point` 0: created, not started; then `locals` holds the bound arguments.

    `locals` has what is live and bound, `cells` the frame's own cells of variables that nested functions close over.
    """

    __slots__ = ("cells", "locals", "point", "unit")

    def __init__(self, unit: Unit, point: int, locals: dict[str, Any], cells: dict[str, CellType]) -> None:
        self.unit = unit
        self.point = point
        self.locals = locals
        self.cells = cells


def located(error: WeftError, coroutine: Any) -> WeftError:
    """The error, of a value that cannot be stored: it is told where the innermost call waits, or began if it is over."""
    place = None
    while type(coroutine) is CoroutineType and (unit := UNITS.get(id(coroutine.cr_code))) is not None:
        frame = coroutine.cr_frame
        place = unit.filename, unit.first_line if frame is None else frame.f_lineno
        coroutine = coroutine.cr_await
    if place is not None and isinstance(error, CheckpointError):
        error.locate(*place)
    return error


def capture(coroutine: Coroutine[Any, Any, Any]) -> list[FrameImage]:
    """The frames of a suspended or unstarted call of a unit, outermost first. Changes nothing.

    Raises `NotDurable` when something in the chain is not a unit's call or an operation; the message says where it is
    awaited, what it is and what to write instead.
    """
    frames: list[FrameImage] = []
    current: Any = coroutine
    units = UNITS
    while type(current) is CoroutineType:
        unit = units.get(id(current.cr_code))
        if unit is None:
            raise _foreign(frames, current)
        found = current.cr_frame
        if found is None:
            raise NotDurable(
                f"the call of {unit.name!r} is over: it was awaited, closed or given as a branch; forget it before the "
                "next await, or call the function again",
                type_name="coroutine",
            )
        variables = found.f_locals
        try:
            point = variables[_POINT]
        except KeyError:
            frames.append(_unstarted(unit, variables))
            return frames
        wanted, take = unit.locals_at[point]
        try:
            values = dict(zip(wanted, take(variables), strict=True))
        except KeyError:  # some of them are unbound
            values = {name: variables[name] for name in wanted if name in variables}
        if unit.recipes_at[point]:
            names = unit.function.__globals__
            for name, chain in unit.recipes_at[point]:
                if name in values and values[name] is resolve(names, chain):
                    del values[name]
        if unit.cells_at[point]:
            closure = variables[CELLS]
            cells = {name: closure[index] for name, index in unit.cells_at[point]}
        else:
            cells = {}
        frames.append(FrameImage(unit, point, values, cells))
        current = current.cr_await
    if type(current) is not GeneratorType or current.gi_code is not LEAF:
        raise _foreign(frames, current)
    return frames


def _unstarted(unit: Unit, variables: Any) -> FrameImage:
    state = variables[STATE]
    closure = variables[CELLS] if unit.cells_at[0] else ()
    cells = {name: closure[index] for name, index in unit.cells_at[0]}
    if state is not None:
        return FrameImage(unit, 0, dict(state[2]), cells)
    return FrameImage(unit, 0, {name: variables[name] for name in unit.parameters}, cells)


def restore(frames: Sequence[FrameImage]) -> Coroutine[Any, Any, Any]:
    """A coroutine suspended exactly as captured, ready for `send(value)` or `throw(error)`. No user code runs.

    The images are used up: their dictionaries and cells belong to the coroutine from now on. Frames captured at point
    0 give an unstarted coroutine.
    """
    for frame in frames:
        for name in (*frame.unit.needed_at[frame.point], *(n for n in frame.locals if n.startswith("@i"))):
            if not _fits(name, frame.locals):
                raise _unfit(frames)
    waiting = _Waiting()
    inner: Any = waiting
    for frame in reversed(frames):
        inner = frame.unit.reenter(frame.point, inner, frame.locals, frame.cells)
    made: Coroutine[Any, Any, Any] = inner
    if frames[-1].point:
        try:
            reached = inner.send(None)
        except Exception as error:
            raise _unfit(frames) from error
        if reached is not waiting:
            raise _unfit(frames)
    return made


def _fits(name: str, variables: dict[str, Any]) -> bool:
    """Whether a hidden local that leads to a point is there and of its kind (see `Lowering`)."""
    value = variables.get(name)
    match name[:2]:
        case "@c":
            kept = "@r" + name[2:]
            return (
                type(value) is int and kept in variables and (value != 1 or isinstance(variables[kept], BaseException))
            )
        case "@r":
            return name in variables
        case "@i":
            return hasattr(type(value), "__next__") or hasattr(type(value), "__anext__")
        case _:
            return isinstance(value, BaseException)


def _unfit(frames: Sequence[FrameImage]) -> DecodeError:
    names = " -> ".join(f"{frame.unit.name}:{frame.point}" for frame in frames)
    return DecodeError(
        f"stored frames do not fit their code ({names}): the checkpoint is damaged; restore it from a backup"
    )


class _Waiting(Operation[Any]):
    """Stands for the operation a restored chain waits for; whatever is sent next is that operation's result."""

    __slots__ = ()


def drop(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Forget a suspended or unstarted call. No `finally`, no `except`, no `__exit__` of the user's runs.

    Calls that were stored and never began go with it; Python does not get to say that nobody awaited them.
    """
    if not _keeps_unstarted(coroutine):
        coroutine.close()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with suppress(GeneratorExit):
            coroutine.throw(GeneratorExit)  # closing one that never began need not let go of its arguments


def _keeps_unstarted(coroutine: Any) -> bool:
    """Whether a local of the frames, or something in a container there, is a call that has not begun."""
    current = coroutine
    while type(current) is CoroutineType and current.cr_frame is not None:
        if _any_unstarted(current.cr_frame.f_locals.values(), 0):
            return True
        current = current.cr_await
    return False


def _any_unstarted(values: Iterable[Any], depth: int) -> bool:
    for value in values:
        kind = type(value)
        if kind in _ATOMS:
            continue
        if kind is CoroutineType:
            if not value.cr_suspended:
                return True
        elif depth < CONTAINERS_MAX and (kind in _CONTAINERS or hasattr(kind, "__next__")):
            inside = value.values() if kind is dict else value if kind in _CONTAINERS else get_referents(value)
            if _any_unstarted(islice(inside, CONTAINED_MAX), depth + 1):
                return True
    return False


def _foreign(frames: Sequence[FrameImage], thing: Any) -> NotDurable:
    what, remedy = _described(thing)
    if not frames:
        return NotDurable(f"{what} is not the call of a compiled function; {remedy}", type_name=type(thing).__name__)
    unit, point = frames[-1].unit, frames[-1].unit.points[frames[-1].point - 1]
    return NotDurable(
        f"{unit.filename}:{point.line}: {unit.name!r} awaits {what}, which cannot survive a restart; {remedy}",
        type_name=type(thing).__name__,
        filename=unit.filename,
        line=point.line,
    )


def _described(thing: Any) -> tuple[str, str]:
    """What something foreign is, and what to do about it."""
    code: CodeType | None = getattr(thing, "cr_code", None) or getattr(thing, "gi_code", None)
    found = getattr(thing, "cr_frame", None) or getattr(thing, "gi_frame", None)
    name = type(thing).__qualname__ if code is None else code.co_qualname
    instead = instead_of(type(thing).__module__ if found is None else found.f_globals.get("__name__"), name)
    if instead is not None:
        future = name in ("FutureIter", "Future.__await__")
        return "a future of asyncio" if future else f"'asyncio.{name.removesuffix('.__aexit__')}'", instead
    if code is None:
        return f"{_article(name)} object ({type(thing).__module__})", IN_ACTIVITY
    name = f"{name!r} ({code.co_filename}:{code.co_firstlineno})"
    if isinstance(thing, GeneratorType):
        return f"an object whose __await__ is the generator {name}", "return `operation.__await__()` from it instead"
    return (
        f"the coroutine {name}",
        "decorate that function with @app.resumable if it only awaits what a workflow may, or make it an activity and "
        "await `ctx.run(activity, …)`",
    )


def _article(word: str) -> str:
    return f"an {word}" if word[:1].lower() in "aeiou" else f"a {word}"


__all__ = ["FrameImage", "capture", "drop", "restore", "unit_of"]
