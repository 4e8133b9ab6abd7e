"""Activities that another engine of the store knows: a run that asks for one waits for such an engine, unharmed."""

from __future__ import annotations

from typing import Any

import pytest

from weft_core import App, Context, Engine, RunFailed
from weft_core.errors import UnknownActivity
from weft_core.store.memory import MemoryPlace, MemoryStore

app = App("elsewhere")


@app.activity
async def near(x: int) -> int:
    return x + 1


@app.workflow
async def photos(ctx: Context, x: int) -> list[Any]:
    found: list[Any] = [await ctx.run(near, x)]
    try:
        found.append(await ctx.run("upload", x, timeout="1m"))
        found += await ctx.all(ctx.run("upload", 10), ctx.run(near, 20))
        found += await ctx.map("upload", [30, 40])
    except UnknownActivity:
        found.append("unknown")
    return found


async def upload(x: int) -> str:
    return f"uploaded {x}"


async def _opened(place: MemoryPlace, *, elsewhere: bool) -> Engine:
    engine = await Engine.open(MemoryStore(place), app)
    engine.activities.elsewhere = elsewhere
    return engine


async def test_a_run_waits_for_an_engine_that_knows_the_activity() -> None:
    place = MemoryPlace()
    async with await _opened(place, elsewhere=True) as engine:
        run = await engine.start(photos, 1, id="r")
        with pytest.raises(RunFailed, match=r"no activity 'upload' here; there are: near.*Weft\.open"):
            await run.result()
        assert await run.status() == "suspended"
        assert [entry["kind"] for entry in await run.history()] == [
            "started",
            "activity_completed",
        ]  # nothing was tried
        assert await (await engine.start(photos.name, 1, id="r")).status() == "suspended"
    engine = await _opened(place, elsewhere=True)
    engine.activities["upload"] = upload
    async with engine:
        result = await engine.handle("r").result()
    assert result == [2, "uploaded 1", "uploaded 10", 21, "uploaded 30", "uploaded 40"]


async def test_where_no_other_knows_more_the_run_hears_of_it() -> None:
    async with await _opened(MemoryPlace(), elsewhere=False) as engine:
        assert await (await engine.start(photos, 1)).result() == [2, "unknown"]


async def test_one_that_is_taken_back_is_the_apps_again_or_unknown() -> None:
    async with await _opened(MemoryPlace(), elsewhere=False) as engine:
        engine.activities["upload"] = upload
        engine.activities["near"] = upload
        assert (await (await engine.start(photos, 1)).result())[:2] == ["uploaded 1", "uploaded 1"]
        del engine.activities["upload"]
        del engine.activities["near"]
        assert await (await engine.start(photos, 1)).result() == [2, "unknown"]
        with pytest.raises(KeyError):
            del engine.activities["near"]
