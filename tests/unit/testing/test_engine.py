"""What `TestEngine` promises of virtual time while activities go on in real time."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from weft_core import App, Context, DeclarationError, Retry, activity_info
from weft_core.testing import TestEngine

app = App("virtual")
current: list[TestEngine] = []
"""The engine whose run an activity signals to."""


@app.activity(heartbeat="20s", retry=Retry(max_attempts=1))
async def beats() -> None:
    while True:
        activity_info().heartbeat()
        await asyncio.sleep(0.001)


@app.workflow
async def waits_beside(ctx: Context) -> Any:
    return await ctx.race(ctx.run(beats), ctx.sleep("1m"))


@app.activity(timeout="1m", retry=Retry(max_attempts=1))
async def works(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0.001)


@app.workflow
async def works_and_sleeps(ctx: Context) -> None:
    await ctx.run(works, 200)
    await ctx.sleep("1h")


@app.activity(timeout="1m", retry=Retry(max_attempts=1))
async def at_once() -> None:
    pass


@app.activity(timeout="1m", retry=Retry(max_attempts=1))
async def signals(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.005)
        await current[0].handle(activity_info().run_id).signal("next")


@app.activity(timeout="1h", retry=Retry(max_attempts=1))
async def hangs() -> None:
    await asyncio.Event().wait()


@app.workflow
async def one_after_another(ctx: Context) -> None:
    for _ in range(20):
        await ctx.run(works, 30)


@app.workflow
async def ends_one_after_another(ctx: Context) -> None:
    await ctx.all(*(ctx.run(works, 10 * n) for n in range(1, 21)))


@app.workflow
async def answers(ctx: Context) -> None:
    signalling = ctx.start(ctx.run(signals, 100))
    for _ in range(100):
        await ctx.wait_for_signal("next")
        await ctx.run(at_once)
    await signalling


@app.workflow
async def beside_one_that_hangs(ctx: Context) -> Any:
    return await ctx.race(ctx.run(hangs), later(ctx))


@app.resumable
async def later(ctx: Context) -> None:
    await ctx.sleep("1m")  # by then the other one is known to hang
    for _ in range(20):
        await ctx.run(works, 30)


@app.workflow
async def hangs_alone(ctx: Context) -> None:
    await ctx.run(hangs)


def pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let real time pass with every look at the loop's clock: how busy this machine is plays no part."""
    loop, looks = asyncio.get_running_loop(), itertools.count()
    begin = loop.time()
    monkeypatch.setattr(loop, "time", lambda: begin + next(looks) / 1000)


async def test_time_passes_while_an_activity_gives_heartbeats_and_the_activity_lives() -> None:
    async with TestEngine(app, patience="50ms") as engine:
        run = await engine.start(waits_beside)
        await engine.advance("1m")
        assert await run.status() == "completed"


async def test_time_does_not_pass_while_an_activity_is_at_work() -> None:
    async with TestEngine(app, patience="1m") as engine:
        run = await engine.start(works_and_sleeps)
        await engine.advance("1h")
        assert await run.status() == "completed"


@pytest.mark.parametrize(
    "workflow", [one_after_another, ends_one_after_another, answers, beside_one_that_hangs], ids=lambda w: w.name
)
async def test_time_does_not_pass_as_long_as_something_moves(workflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pace(monkeypatch)
    async with TestEngine(app, patience="300ms") as engine:
        current[:] = [engine]
        run = await engine.start(workflow)
        await engine.advance("10m")
        assert await run.status() == "completed"


async def test_time_passes_beside_those_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    pace(monkeypatch)
    async with TestEngine(app, patience="300ms") as engine:
        run = await engine.start(hangs_alone)
        await engine.advance("59m")
        assert await run.status() == "running"
        await engine.advance("1m")
        assert await run.status() == "failed"


@pytest.mark.parametrize("restart", ["always", None, True, 2.5])
def test_what_is_no_way_to_restart_is_refused(restart: Any) -> None:
    with pytest.raises(DeclarationError, match=r"restart= takes 'never', 'everywhere' or an int.*, not "):
        TestEngine(app, restart=restart)
