"""An engine that was opened advances nothing until it is entered; who waits meanwhile is told."""

from __future__ import annotations

import asyncio

import pytest

from weft_core import App, Context, Engine

app = App("entering")


@app.workflow
async def one(ctx: Context) -> int:
    return 1


async def test_who_waits_before_the_engine_is_entered_is_told_once_and_gets_the_result(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = await Engine.open("memory:", app)
    runs = [await engine.start(one) for _ in range(3)]
    waiting = [asyncio.create_task(run.result()) for run in runs]
    for _ in range(20):
        await asyncio.sleep(0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "async with engine" in caplog.text
    async with engine:
        assert await asyncio.gather(*waiting) == [1, 1, 1]


async def test_who_waits_beside_a_task_that_serves_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    engine = await Engine.open("memory:", app)
    run = await engine.start(one)
    serving = asyncio.create_task(engine.serve())
    assert await run.result() == 1
    assert caplog.records == []
    await engine.close()
    await serving
