"""Timers that are due at the same instant, one after the other: each fires, none is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.suite.harness import Harness, cases
from weft_core import App, Context

app = App("together")


@app.activity
async def note(x: int) -> int:
    return x


@app.resumable
async def nap(ctx: Context, minutes: int) -> int:
    await ctx.sleep(60 * minutes)
    await ctx.sleep_until(ctx.now())
    return minutes


@app.workflow
async def twice(ctx: Context) -> int:
    then = ctx.now() + timedelta(minutes=5)
    await ctx.sleep_until(then)
    await ctx.sleep_until(then)
    await ctx.sleep(0)
    return 1


@app.workflow
async def poll(ctx: Context) -> int:
    """The limit is a multiple of the interval."""
    count = 0
    try:
        async with ctx.timeout("1h"):
            while True:
                await ctx.sleep("10m")
                count += 1
    except TimeoutError:
        return count


@app.workflow
async def last_moment(ctx: Context) -> str:
    try:
        async with ctx.timeout("1h"):
            await ctx.sleep("1h")
            await ctx.run(note, 1)
            await ctx.wait_for_signal("never")
    except TimeoutError:
        return "late"
    return "never"


@app.workflow
async def signals(ctx: Context) -> list[Any]:
    got = [await ctx.wait_for_signal("a", timeout="1m", default=1)]
    got.append(await ctx.wait_for_signal("a", timeout=0, default=2))
    got.append(await ctx.wait_for_signal("a", timeout=0, default=3))
    await ctx.sleep_until(ctx.now())
    return got


@app.workflow
async def nested(ctx: Context) -> list[str]:
    seen = []
    try:
        async with ctx.timeout("1m"):
            try:
                async with ctx.timeout("1m"):
                    await ctx.wait_for_signal("never")
            finally:
                seen.append("inner")
                await ctx.sleep(0)
    except TimeoutError:
        seen.append("outer")
    return seen


@app.workflow
async def naps(ctx: Context) -> list[int]:
    return await ctx.map(nap, [3, 1, 1, 2])


@app.workflow(timeout="20m")
async def limited(ctx: Context) -> None:
    try:
        while True:
            await ctx.sleep("10m")
    finally:
        await ctx.sleep(0)
        ctx.state["ended"] = True


@cases(
    "name result",
    ("twice", 1),
    ("poll", 6),  # a sleep that is over at the limit is over
    ("last_moment", "late"),
    ("signals", [1, 2, 3]),
    ("nested", ["inner", "outer"]),
    ("naps", [3, 1, 1, 2]),
)
async def test_each_of_them_fires(make: Harness, name: str, result: Any) -> None:
    engine = await make.engine(app)
    run = await engine.start(name)
    await engine.advance("2h")
    assert await run.status() == "completed"
    assert await run.result() == result


async def test_the_runs_own_timeout_fires_at_the_instant_of_a_sleep(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(limited)
    await engine.advance("30m")
    assert await run.status() == "timed_out"
    assert await run.state() == {"ended": True}


@app.resumable
async def one_of_many(ctx: Context, number: int, minutes: int) -> int:
    await ctx.sleep(60 * minutes)
    return number


@app.workflow
async def ties(ctx: Context, first: int) -> int:
    """Of twelve branches the first few sleep longer, all others until the same instant."""
    return await ctx.race(*(one_of_many(ctx, n, 2 if n < first else 1) for n in range(12)))


async def test_of_many_that_are_due_at_once_the_first_one_wins(make: Harness) -> None:
    engine = await make.engine(app)
    for first in (0, 1, 8, 9):
        run = await engine.start(ties, first)
        await engine.advance("1h")
        assert await run.result() == first
