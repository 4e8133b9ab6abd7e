"""Reading a suspended stack as data, and making a suspended stack of data."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from types import CellType, CoroutineType, GeneratorType
from typing import Any

from weft_core.errors import NotDurable
from weft_core.resume.compile.names import FRAME, POINT
from weft_core.resume.operation import Operation
from weft_core.resume.unit import _UNITS, Activation, Unit

_LEAF_CODE = Operation.__await__.__code__
"""The code of the generator that stands at the end of every legal chain of awaits."""


@dataclass(slots=True)
class FrameImage:
    """One suspended frame as data: what `capture` reads and `restore` takes.

    `point` 0 is a call that has not begun: `locals` then holds the bound parameters. `cells` are the frame's own cells
    for variables that nested functions capture; a restored frame uses these very cells.
    """

    unit: Unit
    point: int
    locals: dict[str, Any]
    cells: dict[str, CellType] = field(default_factory=dict)


def capture(coroutine: Any) -> list[FrameImage]:
    """The frames of a suspended (or not yet begun) coroutine of a unit, outermost first.

    Raises `NotDurable` when something in the chain of awaits is neither a unit nor an operation.
    """
    images: list[FrameImage] = []
    current = coroutine
    while True:
        if type(current) is not CoroutineType or current.cr_code not in _UNITS:
            if type(current) is GeneratorType and current.gi_code is _LEAF_CODE:
                return images
            raise _not_durable(current, images)
        values = current.cr_frame.f_locals
        activation: Activation = values[FRAME]
        unit = activation.unit
        waiting = current.cr_await
        if waiting is None:
            bound = dict(zip(unit.parameters, activation.arguments, strict=True))
            images.append(FrameImage(unit, 0, bound, {}))
            return images
        number = values[POINT]
        live = unit.points[number - 1].live
        cells = activation.cells
        if cells:
            kept = {name: cells[name] for name in live if name in cells}
            found = {name: values[name] for name in live if name in values and name not in cells}
            images.append(FrameImage(unit, number, found, kept))
        else:
            images.append(FrameImage(unit, number, {name: values[name] for name in live if name in values}, cells))
        current = waiting


def _not_durable(thing: Any, images: list[FrameImage]) -> NotDurable:
    what = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    if images:
        last = images[-1]
        filename, line, function = last.unit.filename, last.unit.points[last.point - 1].line, last.unit.name
        where = f"{filename}:{line}: in {function!r}: "
    else:
        filename, line, where = None, None, ""
    return NotDurable(
        f"{where}{what!r} was awaited, which is not durable: nobody could go on waiting for it after a restart. "
        "Put it in an @app.activity and await ctx.run(…), use ctx.sleep for time, or decorate a helper with @app.resumable",
        type_name=what,
        filename=filename,
        line=line,
    )


class _Arrived(Operation[Any]):
    """What a restored stack yields once, when it has travelled to its point and waits again."""

    __slots__ = ()


_ARRIVED = _Arrived()


def restore(frames: Sequence[FrameImage]) -> Coroutine[Any, Any, Any]:
    """A coroutine suspended exactly as captured, ready for `send(value)` or `throw(error)`. No user code runs.

    A single frame at point 0 gives a coroutine that has not begun.
    """
    inner: Any = _ARRIVED
    begun = True
    for image in reversed(frames):
        if image.point == 0:
            begun = False
        inner = image.unit.enter(image.point, image.locals, image.cells, inner)
    if begun:
        arrived = inner.send(None)
        if arrived is not _ARRIVED:
            raise AssertionError(f"a restored frame went astray: {arrived!r}")
    return inner  # type: ignore[no-any-return]


def drop(coroutine: Any) -> None:
    """Forget a coroutine of a unit without running any of the user's code: no `finally`, no `except`, no `__exit__`."""
    coroutine.close()


Leaf = Generator[Any, Any, Any]
