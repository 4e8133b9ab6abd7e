"""Resumable functions: ordinary `async def`s compiled so that their frames are data.

`compile_unit` makes a `Unit`; `capture` reads a suspended coroutine's frames, `restore` makes a suspended coroutine of
frames, `drop` forgets one. `values` turns frames into text and back.
"""

from weft_core.resume.frames import FrameImage, capture, drop, restore
from weft_core.resume.operation import Operation
from weft_core.resume.unit import Point, Unit, compile_source, compile_unit, unit_of

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
