"""Tasks and calls given as branches: a task may be awaited again by whoever holds it, a call may be given once."""

from __future__ import annotations

from typing import Any

from tests.suite.harness import Harness, cases
from weft_core import App, CheckpointError, Context, DeclarationError


def tasks() -> App:
    app = App("tasks")

    @app.resumable
    async def slow(ctx: Context, value: int, seconds: int = 1) -> int:
        await ctx.sleep(seconds)
        if value < 0:
            raise ValueError(f"negative: {value}")
        return value

    @app.workflow
    async def all_then_each(ctx: Context) -> Any:
        made = [ctx.start(slow(ctx, n)) for n in range(3)]
        together = await ctx.all(*made)
        await ctx.sleep(1)
        return together, [await task for task in made], await ctx.all(*made)

    @app.workflow
    async def settled_then_each(ctx: Context) -> Any:
        made = [ctx.start(slow(ctx, n)) for n in (1, -1)]
        first = await ctx.settled(*made)
        await ctx.sleep(1)
        again = await ctx.settled(*made)
        return [(o.ok, o.value, str(o.error)) for o in (*first, *again)]

    @app.workflow
    async def raced_then_awaited(ctx: Context) -> Any:
        fast, never = ctx.start(slow(ctx, 1)), ctx.start(slow(ctx, 2, 1_000))
        winner = await ctx.race(fast, never)
        await ctx.sleep(1)
        return winner, fast.done, await fast, never.done

    @app.workflow
    async def nested(ctx: Context) -> Any:
        made = [ctx.start(slow(ctx, n)) for n in range(2)]
        first = await ctx.all(ctx.all(*made), ctx.race(made[1], ctx.sleep(1_000)))
        await ctx.sleep(1)
        return first, [await task for task in made]

    @app.workflow
    async def one_after_the_other(ctx: Context) -> Any:
        total = 0
        for n in range(20):
            made = [ctx.start(slow(ctx, n)), ctx.start(slow(ctx, n))]
            total += sum(await ctx.all(*made))
        await ctx.wait_for_signal("look")
        return total

    @app.workflow
    async def given_twice(ctx: Context) -> Any:
        told = []
        call = slow(ctx, 1)
        try:
            await ctx.all(call, call)
        except DeclarationError as error:
            told.append(str(error))
        task = ctx.start(call)
        for again in (ctx.start, ctx.all, ctx.settled, ctx.race):
            try:
                await again(call)
            except DeclarationError as error:
                told.append(str(error))
        try:
            await ctx.sleep(1)
        except CheckpointError as error:
            told.append(str(error))
        del call
        return told, await task

    return app


@cases(
    "workflow result",
    ("all_then_each", ([0, 1, 2], [0, 1, 2], [0, 1, 2])),
    ("settled_then_each", [(True, 1, "None"), (False, None, "negative: -1")] * 2),
    ("raced_then_awaited", (1, True, 1, True)),
    ("nested", ([[0, 1], 1], [0, 1])),
)
async def test_a_task_that_was_a_branch_may_be_awaited_again(make: Harness, workflow: str, result: Any) -> None:
    engine = await make.engine(tasks())
    run = await engine.start(workflow)
    await engine.advance("1h")
    assert await run.result() == result


async def test_tasks_whose_outcomes_were_received_leave_nothing_behind(make: Harness) -> None:
    engine = await make.engine(tasks())
    run = await engine.start("one_after_the_other", id="r")
    await engine.advance("1h")
    assert len(await engine.store.scan("fiber/r/", "fiber/r0")) == 1
    await run.signal("look")
    assert await run.result() == 2 * sum(range(20))


async def test_a_call_given_twice_is_refused_and_the_run_goes_on(make: Harness) -> None:
    engine = await make.engine(tasks())
    run = await engine.start("given_twice")
    await engine.advance("1h")
    told, result = await run.result()
    assert result == 1
    assert "given twice" in told[0]
    assert all("given as a branch before" in text for text in told[1:5])
    assert len(told) == 6 and "call" in told[5]
