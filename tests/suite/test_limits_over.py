"""Time limits and sleeps of nothing, or less: what `deadline - ctx.now()` gives when the deadline has passed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.suite.harness import Harness, cases
from weft_core import App, Cancelled, Context

app = App("limits-over")
done: list[str] = []
OVER: dict[str, Any] = {"zero": 0, "timedelta": timedelta(days=-1), "number": -0.5, "text": "0s"}


@app.activity
async def note(what: str) -> str:
    done.append(what)
    return what


@app.resumable
async def waiting(ctx: Context, kind: str) -> Any:
    match kind:
        case "activity":
            return await ctx.run(note, "inside")
        case "limited activity":
            return await ctx.run(note, "inside", timeout="1h")
        case "sleep":
            return await ctx.sleep("1h")
        case "no sleep":
            return await ctx.sleep(0)
        case "signal":
            return await ctx.wait_for_signal("go", timeout="1h")
        case "branches":
            return await ctx.all(ctx.run(note, "inside"), ctx.sleep("1h"))
        case "task":
            return await ctx.start(ctx.sleep("1h"))
        case _:
            return "did not wait"


@app.workflow
async def over(ctx: Context, limit: str, kind: str) -> list[Any]:
    said: list[Any] = []
    try:
        async with ctx.timeout(OVER[limit]):
            try:
                said.append(await waiting(ctx, kind))
            finally:
                said.append(await ctx.run(note, "finally"))
    except TimeoutError as error:
        said.append(str(error))
    said.append(await ctx.run(note, "after"))
    return [*said, (ctx.now() - ctx.started_at).total_seconds()]


@app.workflow
async def no_wait(ctx: Context) -> list[str]:
    async with ctx.timeout(0):
        said = [await waiting(ctx, "nothing")]
    return [*said, await ctx.run(note, "after")]


@app.workflow
async def nested(ctx: Context, outer: int, inner: int) -> list[Any]:
    said: list[Any] = []
    try:
        async with ctx.timeout(outer):
            try:
                async with ctx.timeout(inner):
                    await ctx.sleep("1h")
            except TimeoutError:
                said.append("inner")
            await ctx.sleep(1)
            said.append("slept")
    except TimeoutError:
        said.append("outer")
    return said


@app.workflow
async def cancelled_task(ctx: Context) -> list[Any]:
    said: list[Any] = []
    task = ctx.start(limited(ctx))
    task.cancel("enough")
    try:
        await task
    except Cancelled as error:
        said.append(str(error))
    return said


@app.resumable
async def limited(ctx: Context) -> None:
    async with ctx.timeout(0):
        await ctx.sleep("1h")


@app.workflow
async def sleeps(ctx: Context) -> float:
    await ctx.sleep(timedelta(days=-1))
    await ctx.sleep(-3)
    await ctx.sleep(ctx.started_at - ctx.now() - timedelta(seconds=1))
    return (ctx.now() - ctx.started_at).total_seconds()


TOLD = ["ctx.timeout of 0 s is over", "after", 0.0]


@cases(
    "limit kind",
    *((limit, "activity") for limit in OVER),
    *(("zero", kind) for kind in ("limited activity", "sleep", "no sleep", "signal", "branches", "task")),
)
async def test_the_first_wait_inside_is_cancelled(make: Harness, limit: str, kind: str) -> None:
    done.clear()
    engine = await make.engine(app)
    run = await engine.start(over, limit, kind)
    await engine.advance("1m")
    assert await run.result() == ["finally", *TOLD]
    assert done == ["finally", "after"], "what is awaited inside does not begin"


async def test_without_a_wait_inside_nothing_is_raised_and_nothing_lingers(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(no_wait)
    await engine.advance("1m")
    assert await run.result() == ["did not wait", "after"]


@cases(
    "outer inner said",
    (0, 0, ["outer"]),
    (0, 10, ["outer"]),
    (10, 0, ["inner", "slept"]),
)
async def test_nested(make: Harness, outer: int, inner: int, said: list[str]) -> None:
    engine = await make.engine(app)
    run = await engine.start(nested, outer, inner)
    await engine.advance("2h")
    assert await run.result() == said


async def test_a_cancellation_comes_first(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(cancelled_task)
    await engine.advance("1m")
    assert await run.result() == ["enough"]


async def test_a_sleep_of_less_than_nothing_is_over(make: Harness) -> None:
    engine = await make.engine(app)
    run = await engine.start(sleeps)
    await engine.advance("1m")
    assert await run.result() == 0.0
