"""Showing how runs go: a line that replaces itself on a terminal, a line per change elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from weft_core.cli.output import Output
from weft_core.client import RunHandle
from weft_core.inspection import FiberView, Inspection

LIVE_INTERVAL_S = 0.1
"""Between two looks on a terminal."""
PLAIN_INTERVAL_S = 0.5
"""Between two looks when every change is a line of its own."""
RUNS_SHOWN_MAX = 3
"""Runs that are described one by one; of more, only how many are open."""
ERROR_SHOWN_MAX = 80
"""Characters of what the last attempt of an activity said."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


async def follow(runs: Sequence[RunHandle], output: Output) -> None:
    """Show the runs until cancelled."""
    if output.json or output.quiet:
        return
    began, last, turn = time.monotonic(), "", 0
    while True:
        text = await _describe(runs)
        if output.live:
            output.progress(f"{_SPINNER[turn % len(_SPINNER)]} {time.monotonic() - began:5.1f}s  {text}")
        elif text and text != last:
            output.say(text)
        last, turn = text, turn + 1
        await asyncio.sleep(LIVE_INTERVAL_S if output.live else PLAIN_INTERVAL_S)


async def _describe(runs: Sequence[RunHandle]) -> str:
    closed = 0
    for run in runs:
        closed += (await run.info()).closed_at is not None
    if runs and closed == len(runs):
        return ""  # how they ended is told by whoever waits for them
    if len(runs) > RUNS_SHOWN_MAX:
        return f"{len(runs) - closed} of {len(runs)} runs open"
    return " | ".join([await describe(run) for run in runs]) or "nothing to do"


async def describe(run: RunHandle) -> str:
    """One run on one line: id, status, what it waits for and where."""
    info = await run.info()
    if info.closed_at is not None:
        return f"{run.id} {info.status}"
    return f"{run.id} {where(await run.inspect(), info.status)}"


def where(inspection: Inspection, status: str) -> str:
    """`waiting for signal publish at import_airports.py:68 (published_by = await …)`."""
    root = next((fiber for fiber in inspection.fibers if fiber.frames and not fiber.ended), None)
    if root is None:
        return status
    frame = root.frames[-1]
    place = f"{frame.function}:{frame.line}" if frame.filename is None else f"{_base(frame.filename)}:{frame.line}"
    source = f" ({frame.source})" if frame.source else ""
    return f"{status}{awaited(root)} at {place}{source}"


def awaited(fiber: FiberView) -> str:
    """What a fiber waits for, in words."""
    wait = fiber.waiting_for or {}
    name = wait.get("activity") or wait.get("name") or ""
    match wait.get("op"):
        case "run":
            attempt, error = wait.get("attempt", 1), " ".join(str(wait.get("last_error", "")).split())
            again = f", attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
            return f" in activity {name}{again}" + (f" after {error:.{ERROR_SHOWN_MAX}}" if error else "")
        case "signal":
            return f" for signal {name}"
        case "sleep":
            return " in a sleep"
        case "branches" | "all" | "race" | "settled" | "map":
            return " for branches"
        case _:
            return ""


def _base(filename: str) -> str:
    return filename.replace("\\", "/").rpartition("/")[2]
