"""When the store has no room for what one run wants written, those who start others do not hear of it."""

from __future__ import annotations

import asyncio

from weft_core import App, Context
from weft_core.errors import StoreFull
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Batch
from weft_core.testing import TestEngine

app = App("no_room")


@app.activity
async def make(size: int) -> str:
    return "x" * size


@app.workflow
async def holding(ctx: Context, size: int, steps: int) -> int:
    held = []
    for _ in range(steps):
        held.append(await ctx.run(make, size))
    return len(held[-1])


@app.workflow
async def told(ctx: Context, text: str) -> int:
    return len(text)


class Small(MemoryStore):
    """Has no room for a batch with more than so many characters."""

    room = 5_000
    refused = 0

    async def commit(self, batch: Batch) -> int:
        if any(len(text) > self.room for text in batch.put.values()):
            self.refused += 1
            raise StoreFull("planted: no room")
        return await super().commit(batch)


async def test_a_start_that_fits_does_not_hear_of_another_run_that_does_not() -> None:
    store = Small()
    async with TestEngine(app, store=store) as engine:
        large = await engine.start(holding, 6_000, 2)
        small = [await engine.start(holding, 10, 5) for _ in range(5)]
        small += await asyncio.gather(*(engine.start(holding, 10, 5) for _ in range(5)))
        assert store.refused and await large.status() != "completed"
        store.room = 100_000
        await engine.advance("1m")
        assert [await r.result() for r in small] == [10] * 10
        assert await large.result() == 6_000


async def test_a_start_that_does_not_fit_is_refused_by_itself() -> None:
    store = Small()
    async with TestEngine(app, store=store) as engine:
        answers = await asyncio.gather(
            engine.start(told, "x" * 10),
            engine.start(told, "x" * 6_000),
            engine.start(told, ""),
            return_exceptions=True,
        )
        assert isinstance(answers[1], StoreFull)
        assert [await answers[i].result() for i in (0, 2)] == [10, 0]  # type: ignore[union-attr]
        assert await engine.count() == 2
