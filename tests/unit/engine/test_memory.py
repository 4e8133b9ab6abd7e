"""What a run took is free the moment it has ended: a program with many of them does not wait for the garbage collector.

A run that failed is not among these: its error knows the frames it went through, and those know the error.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from contextlib import suppress
from typing import Any

from weft_core import App, Context, Engine, RunCancelled

app = App("memory")


@app.activity
async def add(a: int, b: int) -> int:
    await asyncio.sleep(0)  # an attempt that is over at once has no task
    return a + b


@app.workflow
async def plain(ctx: Context, count: int) -> int:
    total = 0
    for number in range(count):
        total = await ctx.run(add, total, number)
    return total


@app.workflow
async def branching(ctx: Context, count: int) -> int:
    ctx.state["seen"] = []
    task = ctx.start(add_ten(ctx, 1))
    sums = await ctx.map(add_ten, list(range(count)))
    for one in sums:
        ctx.state["seen"].append(one)
    ctx.log.info("%d branches", count)
    return sum(sums) + await task


@app.resumable
async def add_ten(ctx: Context, number: int) -> int:
    return await ctx.run(add, number, 10)


@app.workflow
async def waiting(ctx: Context) -> Any:
    return await ctx.wait_for_signal("never")


def _left() -> Counter[str]:
    kinds = (type(x) for x in gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if kind.__module__.startswith("weft_core."))


def test_a_run_that_has_ended_leaves_nothing() -> None:
    async def lives(engine: Engine) -> None:
        runs = [await engine.start(workflow, *args) for workflow, *args in KINDS]
        await runs[-1].cancel()
        for run in runs:
            with suppress(RunCancelled):
                await run.result()

    async def do() -> None:
        async with await Engine.open("memory:", app) as engine:
            await lives(engine)
            gc.collect()
            before = _left()
            gc.disable()
            try:
                for _ in range(5):
                    await lives(engine)
                after = _left()
            finally:
                gc.enable()
            more = {kind: n for kind, n in (after - before).items() if kind not in STORED}
            assert not more, list(more.items())

    asyncio.run(do())


KINDS: list[tuple[Any, ...]] = [(plain, 3), (branching, 4), (waiting,)]
STORED = frozenset({"Row"})
