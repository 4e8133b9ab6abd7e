"""A time limit inside of another one, both over while what they interrupted is still stopping."""

from __future__ import annotations

from typing import Any

from tests.suite.harness import Harness, cases
from weft_core import App, Cancelled, Context

app = App("nested-limits")


@app.resumable
async def stops_slowly(ctx: Context) -> None:
    try:
        await ctx.sleep("1d")
    finally:
        await ctx.sleep("1m")


@app.resumable
async def group(ctx: Context) -> Any:
    return await ctx.all(stops_slowly(ctx), ctx.sleep("1d"))


@app.resumable
async def task(ctx: Context) -> Any:
    made = ctx.start(stops_slowly(ctx))
    return await made


@app.workflow
async def nested(ctx: Context, wait: str, inner: int, outer: int) -> list[Any]:
    said: list[Any] = []
    try:
        async with ctx.timeout(outer):
            try:
                async with ctx.timeout(inner):
                    if wait == "group":
                        await group(ctx)
                    await task(ctx)
            except TimeoutError:
                said.append("inner")
            await ctx.wait_for_signal("never")
    except TimeoutError:
        said.append("outer")
    return [*said, (ctx.now() - ctx.started_at).total_seconds()]


@app.workflow
async def cancelled_meanwhile(ctx: Context) -> None:
    try:
        async with ctx.timeout(10):
            await group(ctx)
    except Cancelled as error:
        ctx.state["reason"] = str(error)
        raise


@cases(
    "wait inner outer said",
    ("group", 10, 20, ["outer", 70.0]),
    ("group", 10, 10, ["outer", 70.0]),
    ("group", 20, 10, ["outer", 70.0]),
    ("group", 10, 100, ["inner", "outer", 100.0]),
    ("task", 10, 20, ["outer", 20.0]),  # a task that is asked to stop again does not go on with its sleep
    ("task", 10, 100, ["inner", "outer", 100.0]),
)
async def test_the_outer_limit_is_not_lost(make: Harness, wait: str, inner: int, outer: int, said: list[Any]) -> None:
    engine = await make.engine(app)
    run = await engine.start(nested, wait, inner, outer)
    await engine.advance("10m")
    assert await run.status() == "completed"
    assert await run.result() == said


async def test_a_cancellation_outweighs_a_limit(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(cancelled_meanwhile)
    await engine.advance(20)
    await run.cancel("enough")
    await engine.advance("10m")
    assert await run.status() == "cancelled"
    assert await run.state() == {"reason": "enough"}


@app.resumable
async def inner_is_over_in_finally(ctx: Context, said: list[str]) -> None:
    """What interrupts this at once finds its limit of 20 s over while the `finally` goes on."""
    try:
        async with ctx.timeout(20):
            try:
                await ctx.sleep("1d")
            finally:
                await ctx.sleep("1m")
    except TimeoutError:
        said.append("inner")
    await ctx.wait_for_signal("never")


@app.workflow
async def outer_first(ctx: Context) -> list[Any]:
    said: list[Any] = []
    try:
        async with ctx.timeout(10):
            await inner_is_over_in_finally(ctx, said)
    except TimeoutError as error:
        said.append(str(error))
    return [*said, (ctx.now() - ctx.started_at).total_seconds()]


@app.workflow
async def loser(ctx: Context) -> list[Any]:
    return [
        await ctx.race(inner_is_over_in_finally(ctx, []), ctx.sleep(10)),
        (ctx.now() - ctx.started_at).total_seconds(),
    ]


@app.workflow
async def alone(ctx: Context) -> None:
    await inner_is_over_in_finally(ctx, [])


@app.workflow
async def limit_in_finally(ctx: Context) -> list[Any]:
    said: list[Any] = []
    try:
        async with ctx.timeout(10):
            try:
                await ctx.sleep("1d")
            finally:
                try:
                    async with ctx.timeout(20):
                        await ctx.sleep("1d")
                except TimeoutError as error:
                    said.append(str(error))
    except TimeoutError as error:
        said.append(str(error))
    return said


@cases(
    "workflow result",
    ("outer_first", ["ctx.timeout of 10 s is over", 20.0]),
    ("loser", [None, 20.0]),
    ("limit_in_finally", ["ctx.timeout of 20 s is over", "ctx.timeout of 10 s is over"]),
)
async def test_what_goes_further_out_is_not_lost_in_a_finally(make: Harness, workflow: str, result: list[Any]) -> None:
    engine = await make.engine(app)
    run = await engine.start(workflow)
    await engine.advance("10m")
    assert await run.status() == "completed"
    assert await run.result() == result


async def test_a_cancellation_is_not_lost_when_a_limit_is_over_in_a_finally(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(alone)
    await engine.advance(10)
    await run.cancel("enough")
    await engine.advance("10m")
    assert await run.status() == "cancelled"
