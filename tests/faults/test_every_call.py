"""Every call, every way: nothing is lost, nothing committed is done again, and planted bugs are found."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.explore import Tally, explore
from tests.faults.planted import PLANTED
from tests.faults.scenario import Scenario
from tests.faults.scenarios import SCENARIOS
from weft_core import App, Context, StoreOwned
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.testing.engine import TestEngine
from weft_core.testing.faults import Call, FaultKind, FaultyStore

POINTS_MIN = 1_000
"""Crash points the quick exploration has to try; if this number drops, something stopped being tried."""

_tally = Tally()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_every_fault_at_every_call_and_some_second_deaths(scenario: Scenario) -> None:
    asyncio.run(explore(scenario, _tally, again_every=97))


def test_the_number_of_points_tried_does_not_drop() -> None:
    print(f"{_tally.points:,} crash points in {_tally.lives:,} lives")
    assert len(SCENARIOS) >= 12
    assert _tally.points >= POINTS_MIN


async def _frozen_owner() -> None:
    """An owner that is suspended over a take-over must not write any more (invariants 7 and 8)."""
    app = App("fence")
    done: list[int] = []

    @app.activity
    async def step(n: int) -> int:
        done.append(n)
        return n

    @app.workflow
    async def main(ctx: Context) -> int:
        total = 0
        for n in range(3):
            total += await ctx.run(step, n)
            await ctx.wait_for_signal("next")
        return total

    place = MemoryPlace()

    def consumes(call: Call) -> FaultKind | None:
        taken = call.batch is not None and any(key.startswith("inbox/") for key in call.batch.delete)
        return "freeze" if taken else None

    first_store = FaultyStore(MemoryStore(place), consumes)
    first = TestEngine(app, store=first_store)
    await first.__aenter__()
    run = await first.start(main, id="r")
    await first.settle()
    store = MemoryStore(place)
    await run.signal("next", 1)
    await first_store.inner.release()  # the platform's guard is gone: only the fence protects
    second = TestEngine(app, store=store)
    await second.__aenter__()
    await second.settle()
    first_store.thaw()
    for _ in range(200):
        await asyncio.sleep(0)
    for _ in range(2):
        await second.handle("r").signal("next", 1)
    await second.advance(1)
    assert await second.handle("r").result() == 3
    fenced = first._task is not None and first._task.done() and isinstance(first._task.exception(), StoreOwned)
    await second.close()
    assert fenced, "the frozen owner went on after another had taken over"
    assert len(done) <= 4


def test_a_frozen_owner_that_thaws_is_fenced() -> None:
    asyncio.run(_frozen_owner())


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str) -> None:
    plant, where = PLANTED[bug]
    with plant(), pytest.raises(AssertionError) as found:
        asyncio.run(_hunt(where))
    print(f"{bug}: {str(found.value).splitlines()[0] if str(found.value) else 'assertion'}")


async def _hunt(where: str) -> None:
    if where == "frozen owner":
        await _frozen_owner()
    for scenario in SCENARIOS:
        if scenario.name == where:
            await explore(scenario, Tally(), again_every=1_000)
