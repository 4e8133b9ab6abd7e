"""What `TestEngine` promises of virtual time while activities go on in real time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from weft_core import App, Context, DeclarationError, Retry, activity_info
from weft_core.testing import TestEngine

app = App("virtual")


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


@pytest.mark.parametrize("restart", ["always", None, True, 2.5])
def test_what_is_no_way_to_restart_is_refused(restart: Any) -> None:
    with pytest.raises(DeclarationError, match=r"restart= takes 'never', 'everywhere' or an int.*, not "):
        TestEngine(app, restart=restart)
