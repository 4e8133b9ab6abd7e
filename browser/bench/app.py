"""The benchmark's app: steps that do nothing."""

from __future__ import annotations

from weft_core import App, Context

app = App("bench")


@app.activity
async def nothing(i: int) -> int:
    """The least an activity can do."""
    return i


@app.workflow
async def steps(ctx: Context, count: int) -> int:
    """`count` steps, one after the other, with a total to remember."""
    total = 0
    for i in range(count):
        total += await ctx.run(nothing, i)
    return total
