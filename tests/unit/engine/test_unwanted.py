"""Attempts that nobody wants any more are aborted, also when the commit that said so took effect and seemed to fail."""

from __future__ import annotations

import asyncio

import pytest

from weft_core import ActivityInfo, App, Context, activity_info
from weft_core.store.memory import MemoryStore
from weft_core.testing import TestEngine
from weft_core.testing.faults import Call, FaultKind, FaultyStore


@pytest.mark.parametrize("kind", ["fail_before", "fail_after"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_the_loser_of_a_race_is_aborted_when_the_commit_fails(kind: FaultKind, goes_on: bool) -> None:
    app, attempts = App("unwanted"), list[ActivityInfo]()

    @app.activity
    async def hang() -> None:
        attempts.append(activity_info())
        await asyncio.Event().wait()

    @app.workflow
    async def main(ctx: Context) -> None:
        await ctx.race(ctx.run(hang), ctx.sleep("10s"))
        if goes_on:
            await ctx.wait_for_signal("never")

    failed: list[int] = []

    def plan(call: Call) -> FaultKind | None:
        if failed or call.batch is None or not any(key.startswith("timer/") for key in call.batch.delete):
            return None
        failed.append(call.number)
        return kind

    async def play() -> None:
        async with TestEngine(app, store=FaultyStore(MemoryStore(), plan), patience="50ms") as engine:
            run = await engine.start(main)
            await engine.advance("1m")
            assert failed
            assert await run.status() == ("waiting" if goes_on else "completed")
            assert [info.cancelled for info in attempts] == [True]

    asyncio.run(play())
