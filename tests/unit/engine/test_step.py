"""The short way of a plain step writes what the general way writes, row by row, whatever a workflow does around it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest

from tests.faults.ledger import Ledger
from tests.faults.scenario import Scenario, outcome, scenario
from tests.faults.scenarios import SCENARIOS
from weft_core import App, Client, Context, Engine
from weft_core.kernel.results import completed
from weft_core.kernel.step import step as real
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Batch
from weft_core.testing.engine import TestEngine


class Watched(MemoryStore):
    """Keeps what was written to each row, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, list[str | None]] = {}

    async def commit(self, batch: Batch) -> int:
        number = await super().commit(batch)
        for key in batch.delete:
            self.written.setdefault(key, []).append(None)
        for key, value in batch.put.items():
            if not key.startswith(("owner", "unit/")):
                self.written.setdefault(key, []).append(value)
        return number


def everything_around_steps() -> tuple[Any, Any]:
    """Steps with all that a turn may hold beside them."""

    def make(_: Ledger) -> App:
        app = App("around")
        shared: list[Any] = []

        @app.activity
        async def double(x: Any) -> Any:
            return x * 2

        @app.activity(timeout="1m")
        def limited(x: int) -> int:
            return x + 1

        @app.resumable
        async def nested(ctx: Context, n: int) -> int:
            total = 0
            for i in range(n):
                total += await ctx.run(double, i)
            return total

        @app.workflow
        async def main(ctx: Context) -> Any:
            text, rows, pair = "a", [1, {"b": [2.5, None]}], [[1]]
            for i in range(40):  # more than the history keeps in one row
                text = (await ctx.run(double, text))[:3]
                if i == 3:
                    ctx.log.info("at %d", i)
                if i == 5:
                    ctx.state["at"] = i
                if i == 7:
                    ctx.state.clear()
                if i == 9:
                    rows.append("x" * 10_000)
                if i == 11:
                    rows.pop()
                    pair.append(pair[0])
                if i == 12:
                    pair.pop()
                if i == 13:
                    async with ctx.timeout("1h"):
                        await ctx.run(double, i)
                        await ctx.run(double, [i])
                        await ctx.run(limited, i)
                    await ctx.run(limited, i)
                if i == 15:
                    task = ctx.start(nested(ctx, 3))
                    await ctx.run(double, i)
                    task.cancel()
                    del task
                if i == 23:
                    idle = ctx.start(ctx.wait_for_signal("never"))
                    await ctx.run(double, i)
                    idle.cancel()
                    del idle
                if i == 19:
                    begun = ctx.start(ctx.run(double, i))
                    assert begun is not None
                    del begun
            counts = await ctx.all(nested(ctx, 2), ctx.run(double, 4), nested(ctx, 5))
            pairs = await ctx.map(double, ["x", 1, 2.5])
            try:
                await ctx.run("double", {"a": 1})
            except TypeError as error:
                shared.append(str(error))
            return [text, rows, pair, counts, pairs, await ctx.run(double, key="mine", x=2), await nested(ctx, 12)]

        return app

    async def script(engine: TestEngine) -> None:
        await engine.start("main", id="r")
        await engine.advance("2h")

    return make, script


def _around() -> Scenario:
    scenario()(everything_around_steps)
    return SCENARIOS.pop()


async def _written(scenario: Scenario, general: bool) -> tuple[dict[str, list[str | None]], Any, int]:
    store, short = Watched(), 0

    def step(machine: Any, attempt: Any, text: str | None, value: Any, now: int) -> str | None:
        nonlocal short
        if not general:
            row = real(machine, attempt, text, value, now)
            short += row is not None
            return row
        completed(machine, attempt, text, value, now)
        machine.advance(now)
        return None

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            store.written.setdefault("log", []).append(f"{store.place.number}: {record.getMessage()}")

    park = mock.patch("weft_core.kernel.drive._park_plain", return_value=False) if general else nullcontext()
    lines, logger = Lines(), logging.getLogger("weft")
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    with mock.patch("weft_core.engine.turns.step", step), park:
        async with TestEngine(scenario.app(Ledger()), store=store) as engine:
            await scenario.script(engine)
            ended = [await outcome(engine, run_id) for run_id in scenario.runs]
    logger.removeHandler(lines)
    logger.setLevel(logging.NOTSET)
    return store.written, ended, short


@pytest.mark.parametrize("scenario", [*SCENARIOS, _around()], ids=lambda s: s.name)
def test_the_short_way_writes_what_the_general_way_writes(scenario: Scenario) -> None:
    general, ended, _ = asyncio.run(_written(scenario, general=True))
    short, ended_too, steps = asyncio.run(_written(scenario, general=False))
    assert short == general
    assert str(ended_too) == str(ended)
    if scenario.name == "everything_around_steps":
        assert steps >= 20
        assert ended[0][0] == "completed"


class Interrupted(MemoryStore):
    """Sends a run that is about to end a signal, in the moment before the commit that ends it."""

    async def commit(self, batch: Batch) -> int:
        ending = [key for key in batch.delete if key == "ready/ends"]
        others = [key for key in batch.put if key.startswith("fiber/goes-on/")]
        if ending and others and not self.sent:
            self.sent = True
            await Client(self, self.app).handle("ends").signal("late")
        return await super().commit(batch)

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.sent = False


def test_a_plain_step_is_not_lost_when_the_round_it_shares_is_written_again() -> None:
    app = App("shared")

    @app.activity
    async def step(n: int) -> int:
        return n

    @app.workflow
    async def main(ctx: Context, count: int) -> int:
        total = 0
        for n in range(count):
            total += await ctx.run(step, n)
        return total

    async def run() -> tuple[list[Any], bool]:
        store = Interrupted(app)
        async with await Engine.open(store, app) as engine:
            runs = await asyncio.gather(engine.start(main, 5, id="ends"), engine.start(main, 12, id="goes-on"))
            async with asyncio.timeout(20):
                return [await run.result() for run in runs], store.sent

    results, sent = asyncio.run(run())
    assert sent, "the two runs never shared the commit that this is about"
    assert results == [10, 66]
