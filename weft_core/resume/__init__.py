"""Resumable functions: compiling them, and turning their suspended calls into data and back.

`compile_unit` makes a unit of an `async def`; calling the unit gives an ordinary coroutine; `capture` reads a suspended
one, `restore` makes it again, anywhere; `drop` forgets it. Values as text are the business of `resume.values`.

The compiler is imported when it is first asked for: a client has nothing to compile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft_core.resume.compiled import unit_of
from weft_core.resume.frames import FrameImage, capture, drop, located, restore
from weft_core.resume.operation import Operation

if TYPE_CHECKING:
    from weft_core.resume.compiler.points import Point
    from weft_core.resume.unit import Unit, compile_source, compile_unit

__all__ = [
    "FrameImage",
    "Operation",
    "Point",
    "Unit",
    "capture",
    "compile_source",
    "compile_unit",
    "drop",
    "located",
    "restore",
    "unit_of",
]

if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of the package's

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from weft_core.resume import unit

        return getattr(unit, name)
