"""Looking at a run from outside: its stacks, lines and variables as they stand in the store. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft_core.kernel.records import RunRecord, parse

ROOT = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameView:
    """One frame of a waiting stack. `locals` are the live variables as stored (plain JSON for plain data)."""

    function: str
    line: int
    filename: str | None
    source: str | None
    locals: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FiberView:
    """One strand of a run: outermost frame first, and what it waits for (`kind`, `name`) or that it has ended."""

    id: str
    frames: tuple[FrameView, ...]
    waiting_for: dict[str, Any] | None
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A run as stored: its status and every strand of it."""

    id: str
    workflow: str
    status: str
    fibers: tuple[FiberView, ...]

    @property
    def line(self) -> int | None:
        """The source line where the root stands (its innermost frame), None when it stands nowhere."""
        for fiber in self.fibers:
            if fiber.id == ROOT and fiber.frames:
                return fiber.frames[-1].line
        return None

    @property
    def locals(self) -> dict[str, Any]:
        """The variables of the root's innermost frame."""
        for fiber in self.fibers:
            if fiber.id == ROOT and fiber.frames:
                return fiber.frames[-1].locals
        return {}


def inspect_fibers(record: RunRecord, fibers: Mapping[str, str], registry: Any) -> Inspection:
    """Read the rows of a run's fibers. Raises `DecodeError` for damaged ones."""
    return Inspection(
        id=record.id,
        workflow=record.workflow,
        status=record.status,
        fibers=tuple(_fiber(fiber_id, text, registry) for fiber_id, text in sorted(fibers.items())),
    )


def _fiber(fiber_id: str, text: str, registry: Any) -> FiberView:
    raw = parse(text, f"row of fiber {fiber_id}")
    wait = raw.get("wait")
    return FiberView(
        id=fiber_id,
        frames=tuple(_frame(frame, registry) for frame in raw.get("frames", ())),
        waiting_for=None if wait is None else {k: v for k, v in wait.items() if k not in ("args", "items")},
        ended="done" in raw,
    )


def _frame(frame: dict[str, Any], registry: Any) -> FrameView:
    line = int(frame.get("line", 0))
    unit = registry.unit(frame.get("unit", ""), frame.get("digest", ""))
    source = None
    if unit is not None:
        lines = unit.source.splitlines()
        if 0 <= line - unit.first_line < len(lines):
            source = lines[line - unit.first_line].strip()
    variables = {name: value for name, value in frame.get("locals", {}).items() if not name.startswith("@")}
    return FrameView(
        function=str(frame.get("unit", "")),
        line=line,
        filename=None if unit is None else unit.filename,
        source=source,
        locals=variables,
    )
