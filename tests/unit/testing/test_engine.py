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


async def test_time_passes_while_an_activity_gives_heartbeats_and_the_activity_lives() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(waits_beside)
        await engine.advance("1m")
        assert await run.status() == "completed"


@pytest.mark.parametrize("restart", ["always", None, True, 2.5])
def test_what_is_no_way_to_restart_is_refused(restart: Any) -> None:
    with pytest.raises(DeclarationError, match=r"restart= takes 'never', 'everywhere' or an int.*, not "):
        TestEngine(app, restart=restart)
