"""When the store has no room for what one run wants written, the others go on and nobody else hears of it."""

from __future__ import annotations

import asyncio

from weft_core import App, Context
from weft_core.errors import StoreFull
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Batch
from weft_core.testing import TestEngine

app = App("no_room")


made: list[int] = []


@app.activity
async def make(size: int) -> str:
    made.append(size)
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


@app.workflow
async def patient(ctx: Context, size: int) -> int:
    text = await ctx.run(make, size)
    await ctx.wait_for_signal("go")
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


async def test_others_go_on_while_a_run_does_not_fit_and_its_work_is_not_done_again() -> None:
    store = Small()
    made.clear()
    async with TestEngine(app, store=store) as engine:
        signalled = [await engine.start(patient, 20) for _ in range(5)]
        # All at once, so that they share their rounds.
        sizes = [10] * 5 + [6_000] + [10] * 5
        runs = await asyncio.gather(*(engine.start(holding, size, 2 if size > 10 else 20) for size in sizes))
        large, small = runs[5], runs[:5] + runs[6:]
        assert [await asyncio.wait_for(r.result(), 20) for r in small] == [10] * 10
        for run in signalled:
            await run.signal("go")
        assert [await r.result() for r in signalled] == [20] * 5
        await engine.advance("10m")
        refused = store.refused
        assert 10 < refused < 1_000, refused  # again and again, but not all the time
        assert await large.status() != "completed"
        late = await asyncio.gather(*(engine.start(holding, 10, 20) for _ in range(10)))
        assert [await r.result() for r in late] == [10] * 10
        store.room = 100_000
        await engine.advance("10s")
        assert await large.result() == 6_000
        assert made.count(6_000) == 2


async def test_a_run_that_does_not_fit_can_be_terminated_and_its_id_used_again() -> None:
    store = Small()
    made.clear()
    async with TestEngine(app, store=store) as engine:
        large = await engine.start(holding, 6_000, 2, id="large")
        await engine.start(holding, 6_001, 2)
        await engine.advance("1m")
        await large.terminate("too large")
        await engine.advance("1m")
        assert await large.status() == "terminated"
        again = await engine.start(holding, 70, 1, id="large", if_exists="restart_if_closed")
        assert await again.result() == 70
        assert sorted(made) == [70, 6_000, 6_001]


async def test_a_store_that_is_full_for_all_keeps_everybody_waiting_and_loses_nothing() -> None:
    store = Small()
    made.clear()
    async with TestEngine(app, store=store) as engine:
        runs = [await engine.start(holding, 1_000, 2) for _ in range(20)]
        store.room = 900
        await engine.advance("10m")
        store.room = 5_000
        await engine.advance("30s")
        assert [await run.result() for run in runs] == [1_000] * 20
        assert made.count(1_000) == 40
