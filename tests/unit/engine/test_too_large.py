"""Plain text that is too long for the store is refused like any other value, before anything begins."""

from __future__ import annotations

from typing import Any

import pytest

from weft_core import App, CheckpointError, Context, Engine, Retry
from weft_core.resume.values import VALUE_BYTES_MAX

app = App("too_large")
made: list[str] = []
TEXT = "x" * (VALUE_BYTES_MAX + 1)


@app.activity(retry=Retry(max_attempts=3, initial="1ms"))
async def give() -> str:
    made.append("give")
    return TEXT


@app.activity
async def take(text: str) -> int:
    made.append("take")
    return len(text)


@app.workflow
async def length(ctx: Context, text: str) -> int:
    return len(text)


@app.workflow
async def main(ctx: Context, how: str) -> Any:
    try:
        match how:
            case "result":
                return await ctx.run(give)
            case "branch":
                return await ctx.all(ctx.run(give))
            case "argument":
                return await ctx.run(take, TEXT)
            case "argument of a branch":
                return await ctx.all(ctx.run(take, TEXT))
    except CheckpointError as error:
        return str(error)


@pytest.mark.parametrize(
    ("how", "said", "calls"),
    [
        ("result", "result of give", ["give"]),
        ("branch", "result of give", ["give"]),
        ("argument", "take", []),
        ("argument of a branch", "take", []),
    ],
)
async def test_the_workflow_hears_of_it_and_goes_on(how: str, said: str, calls: list[str]) -> None:
    made.clear()
    async with await Engine.open("memory:", app) as engine:
        message = await (await engine.start(main, how)).result()
    assert said in message and "VALUE_BYTES_MAX" in message and len(message) < 1_000
    assert made == calls


async def test_a_start_is_refused() -> None:
    async with await Engine.open("memory:", app) as engine:
        with pytest.raises(CheckpointError, match="VALUE_BYTES_MAX"):
            await engine.start(length, TEXT, id="r")
        assert await engine.count() == 0
