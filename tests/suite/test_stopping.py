"""Activities that nobody wants any more are stopped, and those that ask for it are not tried again too soon, or ever."""

from __future__ import annotations

import asyncio

from tests.suite.harness import Harness, cases
from weft_core import ActivityInfo, App, Context, Retry, activity_info


class Busy(Exception):
    def __init__(self, retry_after: str) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


def hanging() -> tuple[App, list[ActivityInfo], list[str]]:
    """An app whose activity `hang` waits for ever: the attempts it made, and how they ended."""
    app, attempts, ended = App("hanging"), list[ActivityInfo](), list[str]()

    @app.activity
    async def hang() -> None:
        attempts.append(activity_info())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    @app.workflow
    async def against_the_clock(ctx: Context) -> str:
        await ctx.race(ctx.run(hang), ctx.sleep("10s"))
        await ctx.sleep("10s")
        return "went on"

    @app.workflow
    async def then_waits(ctx: Context) -> None:
        await ctx.race(ctx.run(hang), ctx.sleep("10s"))
        await ctx.wait_for_signal("never")

    @app.workflow
    async def alone(ctx: Context) -> None:
        await ctx.run(hang)

    return app, attempts, ended


async def test_the_activity_that_loses_a_race_is_cancelled(make: Harness) -> None:
    app, attempts, ended = hanging()
    engine = await make.engine(app)
    run = await engine.start("against_the_clock")
    await engine.advance("9s")
    assert not ended and not any(info.cancelled for info in attempts)
    await engine.advance("11s")
    assert await run.result() == "went on"
    assert ended == ["cancelled"]
    assert [info.cancelled for info in attempts] == [True]


async def test_the_activity_that_loses_a_race_is_cancelled_also_when_the_run_was_read_again_for_it(
    make: Harness,
) -> None:
    app, attempts, ended = hanging()
    engine = await make.engine(app)
    run = await engine.start("then_waits")
    await engine.settle()
    await engine.evict()
    await engine.advance("11s")
    assert await run.status() == "waiting"
    assert [info.cancelled for info in attempts] == [True]
    await asyncio.sleep(0)
    assert ended == ["cancelled"]


async def test_cancelling_a_run_cancels_its_activity(make: Harness) -> None:
    app, attempts, ended = hanging()
    engine = await make.engine(app)
    run = await engine.start("alone")
    while not attempts:
        await asyncio.sleep(0)
    await run.cancel()
    await engine.settle()
    assert await run.status() == "cancelled"
    assert ended == ["cancelled"] and attempts[0].cancelled


async def test_an_error_can_say_when_to_try_again(make: Harness) -> None:
    app, tries = App("busy"), []

    @app.activity(retry=Retry(initial="1s", max="2s"))
    async def ask() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise Busy("1h")
        return "answered"

    @app.workflow
    async def call(ctx: Context) -> str:
        return await ctx.run(ask)

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("59m")
    assert len(tries) == 1
    await engine.advance("2m")
    assert await run.result() == "answered"


async def test_an_error_can_say_that_trying_again_is_useless(make: Harness) -> None:
    app, tries = App("hopeless"), []

    @app.activity(retry=Retry(max_attempts=10, initial="1s"))
    async def ask() -> None:
        tries.append(1)
        error = LookupError("never")
        error.non_retryable = True  # type: ignore[attr-defined]
        raise error

    @app.workflow
    async def call(ctx: Context) -> str:
        try:
            await ctx.run(ask)
        except LookupError as error:
            return f"gave up: {error}"
        return "answered"

    engine = await make.engine(app)
    run = await engine.start(call)
    await engine.advance("1h")
    assert await run.result() == "gave up: never"
    assert tries == [1]


def cleaning() -> tuple[App, list[str]]:
    app, cleaned = App("cleaning"), list[str]()

    @app.activity
    async def clean() -> None:
        cleaned.append("cleaned")

    @app.resumable
    async def aside(ctx: Context) -> None:
        try:
            while True:
                await ctx.sleep(1)
        finally:
            await ctx.run(clean)

    @app.workflow
    async def stops_and_returns(ctx: Context, seconds: float) -> int:
        task = ctx.start(aside(ctx))
        await ctx.sleep(seconds)
        task.cancel()
        return 1

    @app.workflow
    async def stops_twice(ctx: Context, seconds: float) -> int:
        task = ctx.start(aside(ctx))
        await ctx.sleep(seconds)
        task.cancel()
        task.cancel()
        await ctx.sleep(1)
        return 1

    return app, cleaned


@cases(
    "workflow seconds",
    ("stops_and_returns", 5.5),
    ("stops_and_returns", 5),  # the task moves at this instant, too
    ("stops_twice", 5.5),
    ("stops_twice", 5),
)
async def test_the_finally_of_a_task_that_is_cancelled_runs_to_its_end(
    make: Harness, workflow: str, seconds: float
) -> None:
    app, cleaned = cleaning()
    engine = await make.engine(app)
    run = await engine.start(workflow, seconds)
    await engine.advance("1m")
    assert await run.result() == 1
    assert cleaned == ["cleaned"]
