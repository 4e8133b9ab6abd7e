"""What a client says of runs from outside, and of what is asked of it wrongly."""

from __future__ import annotations

import pytest

from weft_core import App, Context
from weft_core.testing import TestEngine

app = App("client")


@app.workflow
async def waiting(ctx: Context, x: object = None) -> object:
    return await ctx.wait_for_signal("go")


async def test_a_wait_for_a_result_that_is_over_says_whose_and_that_the_run_goes_on() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(waiting, id="w")
        with pytest.raises(TimeoutError, match=r"run 'w' has not ended within 0.01 s; it was left alone and goes on"):
            await run.result(timeout="10ms")
        await run.signal("go", 1)
        assert await run.result(timeout="10s") == 1
