"""The app that is measured: small steps, a loop over a large list, a long life."""

from __future__ import annotations

import time
from typing import Any

from weft_core import App, Context

app = App("bench")
marks: dict[int, float] = {}
"""When a long life came to these steps, for those that are in here."""


@app.activity
async def step(number: int) -> int:
    """A side effect that takes no time."""
    return number + 1


@app.activity
async def marked_step(number: int) -> int:
    """The same, and it looks at the clock at the steps that are in `marks`."""
    if number in marks:
        marks[number] = time.perf_counter()
    return number + 1


@app.workflow
async def steps(ctx: Context, count: int) -> int:
    """Sequential steps with a few small locals alive, as real ones have."""
    order = {"id": ctx.id, "items": ["tea", "cups"], "cents": 995}
    total = 0
    for number in range(count):
        total += await ctx.run(step, number)
    return total + len(order)


@app.workflow
async def large(ctx: Context, rows: list[Any], count: int) -> int:
    """Steps while a large list is alive and an iterator stands in it."""
    total = 0
    for row in rows:
        total += await ctx.run(step, row["n"])
        if total and row["n"] + 1 >= count:
            break
    return total + len(rows)


@app.workflow
async def long_life(ctx: Context, count: int) -> int:
    """Many steps, then a wait for a signal, then one more step."""
    total = 0
    for number in range(count):
        total += await ctx.run(marked_step, number)
    await ctx.wait_for_signal("go")
    return await ctx.run(step, total)
