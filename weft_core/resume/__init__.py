"""Resumable functions: compiling them, and turning their suspended calls into data and back.

`compile_unit` makes a unit of an `async def`; calling the unit gives an ordinary coroutine; `capture` reads a suspended
one, `restore` makes it again, anywhere; `drop` forgets it. Values as text are the business of `resume.values`.
"""

from __future__ import annotations

from weft_core.resume.compiler.points import Point
from weft_core.resume.frames import FrameImage, capture, drop, restore
from weft_core.resume.operation import Operation
from weft_core.resume.unit import Unit, compile_source, compile_unit, unit_of

__all__ = [
    "FrameImage",
    "Operation",
    "Point",
    "Unit",
    "capture",
    "compile_source",
    "compile_unit",
    "drop",
    "restore",
    "unit_of",
]
