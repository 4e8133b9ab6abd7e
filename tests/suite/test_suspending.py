"""Suspending a run keeps everything: what arrived just before it was received, what arrives meanwhile waits."""

from __future__ import annotations

import asyncio

from tests.suite.harness import Harness, raises
from weft_core import App, Context, RunCancelled


def app_of() -> tuple[App, list[int], asyncio.Event]:
    app, calls, gate = App("suspending"), list[int](), asyncio.Event()

    @app.activity
    async def act(x: int) -> int:
        calls.append(x)
        await gate.wait()
        return x

    @app.workflow
    async def signalled(ctx: Context) -> str:
        return str(await ctx.wait_for_signal("s")) + str(await ctx.wait_for_signal("s"))

    @app.workflow
    async def sleeping(ctx: Context) -> None:
        await ctx.sleep("1d")

    @app.workflow
    async def acting(ctx: Context) -> int:
        return await ctx.run(act, 5) + await ctx.run(act, 6)

    return app, calls, gate


async def test_a_signal_that_came_just_before_the_suspension_is_not_lost(make: Harness) -> None:
    app, *_ = app_of()
    engine = await make.engine(app)
    run = await engine.start("signalled", id="r")
    await engine.settle()
    await engine._halt()
    await run.signal("s", "a")
    await run.suspend()
    await run.signal("s", "b")
    engine = await make.reopen(engine, app)
    await engine.settle()
    assert await engine.handle("r").status() == "suspended"
    await engine.crash()
    await engine.handle("r").resume()
    assert await engine.handle("r").result() == "ab"


async def test_a_cancellation_that_came_just_before_the_suspension_is_not_lost(make: Harness) -> None:
    app, *_ = app_of()
    engine = await make.engine(app)
    run = await engine.start("sleeping", id="r")
    await engine.settle()
    await engine._halt()
    await run.cancel("enough")
    await run.suspend()
    engine = await make.reopen(engine, app)
    await engine.settle()
    with raises(RunCancelled, match="enough"):
        await engine.handle("r").result()


async def test_a_result_that_a_resumption_gives_out_is_not_lost_by_the_next_suspension(make: Harness) -> None:
    app, calls, gate = app_of()
    engine = await make.engine(app)
    run = await engine.start("acting", id="r")
    await asyncio.sleep(0)
    await run.suspend()
    gate.set()
    await engine.settle()
    assert calls == [5]
    await engine._halt()
    await run.resume()
    await run.suspend()
    engine = await make.reopen(engine, app)
    await engine.settle()
    assert calls == [5], "a suspended run begins nothing"
    await engine.crash()
    await engine.settle()
    assert calls == [5]
    await engine.handle("r").resume()
    assert await engine.handle("r").result() == 11
    assert calls == [5, 6]
