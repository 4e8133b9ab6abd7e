"""Sleeping, waiting for signals, time limits, delayed starts, workflow timeouts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.suite.harness import Harness
from weft_core import App, Context, RunTimedOut
from weft_core.model.durations import to_datetime


async def test_a_sleep_is_never_early_and_not_late(make: Harness) -> None:
    app = App("sleep")

    @app.workflow
    async def nap(ctx: Context) -> float:
        before = ctx.now()
        await ctx.sleep("1h30m")
        return (ctx.now() - before).total_seconds()

    engine = await make.engine(app)
    run = await engine.start(nap)
    await engine.advance("1h29m59s")
    assert await run.status() == "waiting"
    await engine.advance("1s")
    assert await run.result() == 5400.0


async def test_sleep_until_an_instant_also_one_that_has_passed(make: Harness) -> None:
    app = App("until")

    @app.workflow
    async def until(ctx: Context) -> bool:
        target = ctx.now() + timedelta(minutes=10)
        await ctx.sleep_until(target)
        await ctx.sleep_until(target - timedelta(days=400))
        return ctx.now() == target

    engine = await make.engine(app)
    run = await engine.start(until)
    await engine.advance("10m")
    assert await run.result() is True


async def test_a_timer_that_fell_due_while_nothing_ran_fires_once_afterwards(make: Harness) -> None:
    app, woken = App("off"), []

    @app.activity
    async def wake() -> None:
        woken.append(1)

    @app.workflow
    async def sleeper(ctx: Context) -> None:
        await ctx.sleep("1d")
        await ctx.run(wake)

    engine = await make.engine(app)
    run = await engine.start(sleeper)
    await engine.settle()
    engine.host.move_to(engine.now_ms + 3 * 86_400_000)
    await engine.crash()
    await run.result()
    await engine.advance("3d")
    assert woken == [1]


async def test_signals_arrive_in_order_each_once_also_before_the_wait(make: Harness) -> None:
    app = App("signals")

    @app.workflow
    async def collect(ctx: Context) -> list[Any]:
        got = []
        await ctx.sleep("1m")
        for _ in range(3):
            got.append(await ctx.wait_for_signal("item"))
        return got

    engine = await make.engine(app)
    run = await engine.start(collect)
    await run.signal("item", {"n": 1})
    await run.signal("other", "not this")
    await run.signal("item", [2])
    await engine.advance("2m")
    assert await run.status() == "waiting"
    await run.signal("item", None)
    assert await run.result() == [{"n": 1}, [2], None]


async def test_the_same_signal_id_is_delivered_once(make: Harness) -> None:
    app = App("dedupe")

    @app.workflow
    async def collect(ctx: Context) -> list[Any]:
        first = await ctx.wait_for_signal("pay")
        second = await ctx.wait_for_signal("pay", timeout="1h", default="nothing")
        return [first, second]

    engine = await make.engine(app)
    run = await engine.start(collect)
    await run.signal("pay", 1, id="a")
    await engine.settle()
    await run.signal("pay", 1, id="a")
    await engine.advance("2h")
    assert await run.result() == [1, "nothing"]


async def test_a_wait_for_a_signal_can_run_out_of_time(make: Harness) -> None:
    app = App("impatient")

    @app.workflow
    async def wait(ctx: Context) -> str:
        try:
            await ctx.wait_for_signal("never", timeout="10m")
        except TimeoutError as error:
            return str(error)
        return "came"

    engine = await make.engine(app)
    run = await engine.start(wait)
    await engine.advance("9m")
    assert await run.status() == "waiting"
    await engine.advance("1m")
    assert "never" in await run.result()


async def test_a_time_limit_ends_a_block_and_only_that_block(make: Harness) -> None:
    app, log = App("limits"), []

    @app.activity
    async def note(what: str) -> None:
        log.append(what)

    @app.workflow
    async def limited(ctx: Context) -> str:
        try:
            async with ctx.timeout("5m"):
                try:
                    await ctx.sleep("1h")
                finally:
                    await ctx.run(note, "cleaned")
        except TimeoutError:
            await ctx.sleep("1m")
            return "over"
        return "in time"

    engine = await make.engine(app)
    run = await engine.start(limited)
    await engine.advance("10m")
    assert await run.result() == "over"
    assert log == ["cleaned"]


async def test_a_time_limit_that_is_kept_does_nothing(make: Harness) -> None:
    app = App("kept")

    @app.workflow
    async def quick(ctx: Context) -> str:
        async with ctx.timeout("5m"):
            await ctx.sleep("4m")
        await ctx.sleep("1h")
        return "fine"

    engine = await make.engine(app)
    run = await engine.start(quick)
    await engine.advance("2h")
    assert await run.result() == "fine"


async def test_the_inner_of_two_time_limits_is_the_one_that_ends(make: Harness) -> None:
    app = App("nested")

    @app.workflow
    async def nested(ctx: Context) -> list[str]:
        seen = []
        try:
            async with ctx.timeout("10m"):
                try:
                    async with ctx.timeout("1m"):
                        await ctx.sleep("1d")
                except TimeoutError:
                    seen.append("inner")
                await ctx.sleep("1d")
        except TimeoutError:
            seen.append("outer")
        return seen

    engine = await make.engine(app)
    run = await engine.start(nested)
    await engine.advance("11m")
    assert await run.result() == ["inner", "outer"]


async def test_a_workflow_past_its_timeout_ends_as_timed_out_after_its_finally(make: Harness) -> None:
    app, log = App("run-timeout"), []

    @app.activity
    async def note(what: str) -> None:
        log.append(what)

    @app.workflow(timeout="1h")
    async def slow(ctx: Context) -> None:
        try:
            await ctx.sleep("2h")
        finally:
            await ctx.run(note, "cleaned")

    engine = await make.engine(app)
    run = await engine.start(slow)
    await engine.advance("61m")
    try:
        await run.result()
    except RunTimedOut:
        pass
    else:
        raise AssertionError("it completed")
    assert log == ["cleaned"]
    assert await run.status() == "timed_out"


async def test_a_start_can_be_delayed(make: Harness) -> None:
    app = App("later")

    @app.workflow
    async def when(ctx: Context) -> int:
        return round(ctx.started_at.timestamp())

    engine = await make.engine(app)
    began = engine.now_ms
    after = await engine.start(when, start_after="1h")
    at = await engine.start(when, start_at=to_datetime(began + 7_200_000))
    await engine.advance("59m")
    assert await after.status() == "pending"
    await engine.advance("1m")
    assert await after.result() == began // 1000 + 3600
    await engine.advance("1h")
    assert await at.result() == began // 1000 + 7200


async def test_the_public_state_is_visible_while_the_run_waits_and_after(make: Harness) -> None:
    app = App("state")

    @app.workflow
    async def count(ctx: Context) -> None:
        ctx.state["done"] = 0
        state = ctx.state
        for i in range(3):
            await ctx.sleep("1m")
            state["done"] = i + 1

    engine = await make.engine(app)
    run = await engine.start(count)
    await engine.advance("90s")
    assert await run.state() == {"done": 1}
    await engine.advance("10m")
    await run.result()
    assert await run.state() == {"done": 3}
