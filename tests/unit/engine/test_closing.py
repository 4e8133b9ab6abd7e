"""Closing an engine keeps what has ended, and begins nothing."""

from __future__ import annotations

import asyncio

import pytest

from weft_core import App, Context, Engine
from weft_core.errors import StoreError, StoreUnavailable
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.store.port import Batch
from weft_core.testing import TestEngine
from weft_core.testing.faults import FaultyStore

app = App("closing")
calls: list[int] = []
gate = asyncio.Event()


@app.activity
async def held(x: int) -> int:
    calls.append(x)
    if x == 1:
        await gate.wait()
    return x


@app.workflow
async def two(ctx: Context) -> int:
    return await ctx.run(held, 1) + await ctx.run(held, 2)


@app.workflow
async def waits(ctx: Context) -> None:
    await ctx.wait_for_signal("go")


async def _closed_with_a_result(place: MemoryPlace, fail: bool) -> None:
    global gate
    gate = asyncio.Event()
    calls.clear()
    failing: list[int] = []
    store = FaultyStore(MemoryStore(place), lambda call: "fail_before" if failing and call.name == "commit" else None)
    engine = await Engine.open(store, app)
    async with engine:
        await engine.start(two, id="r")
        while not calls:  # before Python 3.12 an attempt begins a moment later
            await asyncio.sleep(0)
        gate.set()
        await asyncio.sleep(0)  # the attempt has ended; the engine has not looked yet
        if fail:
            failing.append(1)
    assert calls == [1], "an engine that is closing begins nothing"


async def test_a_result_that_is_there_is_committed_and_not_made_again() -> None:
    place = MemoryPlace()
    await _closed_with_a_result(place, fail=False)
    async with await Engine.open(MemoryStore(place), app) as engine:
        assert await engine.handle("r").result() == 3
    assert calls == [1, 2]


async def test_a_store_that_fails_then_does_not_keep_the_engine_from_closing() -> None:
    place = MemoryPlace()
    await _closed_with_a_result(place, fail=True)
    async with await Engine.open(MemoryStore(place), app) as engine:
        assert await engine.handle("r").result() == 3
    assert calls == [1, 1, 2]


async def test_closing_does_not_wait_until_a_failing_store_would_be_tried_again() -> None:
    hold, failing = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStore):
        async def commit(self, batch: Batch) -> int:
            if any(key.startswith("fiber/r/") for key in batch.put):
                failing.set()
                await hold.wait()
                raise StoreUnavailable("planted", applied=False)
            return await super().commit(batch)

    engine = await TestEngine(app, store=Slow()).__aenter__()
    start = asyncio.ensure_future(engine.start(two, id="r"))
    await failing.wait()
    closing = asyncio.ensure_future(engine.close())
    await asyncio.sleep(0)
    hold.set()
    done, _ = await asyncio.wait([closing], timeout=2)  # no virtual time passes
    assert done, "the engine waits to try the store again before it closes"
    with pytest.raises(StoreUnavailable):
        await start


async def test_who_waits_for_a_result_hears_that_the_next_engine_goes_on() -> None:
    engine = await TestEngine(app).__aenter__()
    waiting = asyncio.ensure_future((await engine.start(waits)).result())
    await engine.settle()
    await engine.close()
    with pytest.raises(StoreError, match="closed: the next engine .*; open one, and ask again"):
        await waiting
