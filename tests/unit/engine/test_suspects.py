"""Runs that moved when an interpreter died move one by one in the next, so that the next death names one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from weft_core import App, Client, Context, Engine
from weft_core.engine.host import Host
from weft_core.store.memory import MemoryStore

app = App("suspects")


@app.workflow
async def told(ctx: Context) -> str:
    return str(await ctx.wait_for_signal("go"))


class Watched(Host):
    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.entering = self._entering

    def _entering(self, run_ids: Iterable[str]) -> None:
        self.rounds.append(sorted(run_ids))


async def test_suspects_move_alone_and_then_everybody_together() -> None:
    store, host = MemoryStore(), Watched()
    client = Client(store, app)
    ids = ["a", "b", "c"]
    for run_id in ids:
        await client.start(told, id=run_id)
    engine = await Engine.open(store, app, host=host)
    assert engine._pump is not None
    engine._pump.suspect(["b", "nobody", "c"])
    async with engine, asyncio.timeout(30):
        await engine._pump.wait_idle()
        assert host.rounds[:3] == [["b"], ["nobody"], ["c"]]
        assert [run_id for moving in host.rounds[3:] for run_id in moving] == ["a"]
        host.rounds.clear()
        runs = [engine.handle(run_id) for run_id in ids]
        await asyncio.gather(*(run.signal("go", run.id) for run in runs))
        assert [await run.result() for run in runs] == ids
        assert ids in host.rounds
        await (await engine.start(told, id="late")).signal("go", 1)
        assert await engine.handle("late").result() == "1"
        assert ["late"] in host.rounds
