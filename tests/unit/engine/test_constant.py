"""The constant law, seen from the store: bytes follow live state, never the number of steps."""

from __future__ import annotations

import asyncio

from weft_core import App, Context
from weft_core.kernel.records import HISTORY_MAX
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Batch
from weft_core.testing.engine import TestEngine

app = App("constant")


@app.activity
async def step(n: int) -> int:
    return n


@app.workflow
async def walk(ctx: Context, steps: int) -> int:
    total = 0
    for n in range(steps):
        total += await ctx.run(step, n)
    await ctx.wait_for_signal("end")
    return total


@app.workflow
async def over_a_large_list(ctx: Context, steps: int) -> int:
    rows = [f"row {n}" for n in range(20_000)]
    total = 0
    for row in rows[:steps]:
        total += await ctx.run(step, len(row))
    return total + len(rows)


class Counting(MemoryStore):
    """Remembers how many bytes each commit wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []

    async def commit(self, batch: Batch) -> int:
        self.written.append(sum(len(value) for value in batch.put.values()))
        return await super().commit(batch)


async def stored_after(steps: int) -> tuple[int, int]:
    """Bytes and rows that stand in the store after so many steps."""
    async with TestEngine(app) as engine:
        await engine.start(walk, steps, id="walk")
        await engine.settle()
        rows = [r for r in await engine.store.scan("!", "~", limit=100_000) if not r.key.startswith("unit/")]
        return sum(len(r.value) for r in rows), len(rows)


def test_stored_bytes_do_not_follow_the_number_of_steps() -> None:
    few = asyncio.run(stored_after(2 * HISTORY_MAX))
    many = asyncio.run(stored_after(30 * HISTORY_MAX))
    print(f"{2 * HISTORY_MAX} steps: {few}; {30 * HISTORY_MAX} steps: {many}")
    assert many[1] == few[1]
    assert many[0] <= few[0] * 1.05  # numbers have more digits


def test_a_large_list_is_written_once_and_not_at_every_step() -> None:
    async def run() -> list[int]:
        store = Counting()
        async with TestEngine(app, store=store) as engine:
            run = await engine.start(over_a_large_list, 50)
            assert await run.result() == sum(len(f"row {n}") for n in range(50)) + 20_000
        return store.written

    written = asyncio.run(run())
    large = [size for size in written if size > 100_000]
    assert len(large) == 1, large
    assert max(size for size in written if size <= 100_000) < 20_000
