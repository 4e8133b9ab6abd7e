"""Dying before and after every store call, failing each once, and dying again at every call of the recovery.

`python -m tests.faults.explore` tries everything and prints how many points it tried; the test tries a part.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.audit import audit
from tests.faults.ledger import Ledger
from tests.faults.scenarios import SCENARIOS, Scenario, outcome
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.testing.engine import START_MS, TestEngine
from weft_core.testing.faults import Fault, FaultKind, FaultyStore, Killed

ONCE: tuple[FaultKind, ...] = ("die_before", "die_after", "fail_before", "fail_after", "full", "conflict")
LIFE_MAX_S = 8.0
"""Real seconds one life may take; it takes milliseconds unless something waits for nothing."""
DEATHS: tuple[FaultKind, ...] = ("die_before", "die_after")


@dataclass
class World:
    """What outlives the engine: the disk, the outside, the time."""

    place: MemoryPlace = field(default_factory=MemoryPlace)
    ledger: Ledger = field(default_factory=Ledger)
    now_ms: int = START_MS


@dataclass(frozen=True)
class Life:
    """One life of the engine: how many store calls it made, whether it died, and how the runs ended when it did not."""

    calls: int
    died: bool
    outcomes: Any
    fired: int


async def live(scenario: Scenario, world: World, faults: Iterable[Fault]) -> Life:
    """One life of the engine on the world, with faults planted."""
    store = FaultyStore(MemoryStore(world.place), faults)
    engine = TestEngine(scenario.app(world.ledger), store=store)
    engine.host.move_to(world.now_ms)
    try:
        try:
            for _ in range(20):
                try:
                    await engine.__aenter__()
                    break
                except Killed:
                    raise
                except Exception:  # a failing store at the very start: the program would be started again
                    await engine._halt()
                    await store.release()
            async with asyncio.timeout(LIFE_MAX_S):
                await scenario.script(engine)
                outcomes = [await _persist_outcome(engine, run_id) for run_id in scenario.runs]
        except TimeoutError as error:
            raise AssertionError(f"{scenario.name} with {list(faults)} hangs") from error
        except Killed:
            world.ledger.deaths += 1
            return Life(store.call_count, True, None, len(store.fired))
        return Life(store.call_count, False, outcomes, len(store.fired))
    finally:
        world.now_ms = engine.now_ms
        try:
            await engine._halt()
        except Killed:
            pass
        if not store.dead:
            await store.release()
        await audit(MemoryStore(world.place))
        world.ledger.check()


async def _persist_outcome(engine: TestEngine, run_id: str) -> Any:
    from tests.faults.scenarios import persist

    return await persist(lambda: outcome(engine, run_id), engine)


@dataclass
class Tally:
    """What an exploration did."""

    points: int = 0
    lives: int = 0
    faults: int = 0


async def explore(scenario: Scenario, tally: Tally, *, again_every: int = 1) -> None:
    """Every fault at every call of the scenario, and a second death at every `again_every`-th call of each recovery."""
    calm_world = World()
    calm = await live(scenario, calm_world, ())
    assert not calm.died
    expected = (calm.outcomes, calm_world.ledger.seen)
    for at in range(1, calm.calls + 1):
        for kind in ONCE:
            # A client that writes to the run at this very moment; a conflict on the owner row is another story (fencing).
            fault = Fault(kind=kind, at=at, prefix="ready/" if kind == "conflict" else "")
            world = World()
            first = await live(scenario, world, [fault])
            if not first.fired:
                continue
            tally.points += 1
            tally.faults += 1
            tally.lives += 1
            where = f"{scenario.name}: {kind} at call {at}"
            if not first.died:
                _same(where, expected, first, world)
                continue
            recovery = await _recovery_calls(scenario, world, where, expected, tally)
            for again in range(1, recovery + 1, again_every):
                for second in DEATHS:
                    await _die_twice(scenario, fault, Fault(kind=second, at=again), expected, tally)


async def _recovery_calls(scenario: Scenario, world: World, where: str, expected: Any, tally: Tally) -> int:
    life = await live(scenario, world, ())
    tally.lives += 1
    _same(where, expected, life, world)
    return life.calls


async def _die_twice(scenario: Scenario, first: Fault, second: Fault, expected: Any, tally: Tally) -> None:
    world = World()
    await live(scenario, world, [first])
    life = await live(scenario, world, [second])
    tally.lives += 2
    where = f"{scenario.name}: {first.kind} at call {first.at}, then {second.kind} at call {second.at}"
    if life.died:
        tally.points += 1
        life = await live(scenario, world, ())
        tally.lives += 1
    _same(where, expected, life, world)


def _same(where: str, expected: Any, life: Life, world: World) -> None:
    assert not life.died, where
    assert (life.outcomes, world.ledger.seen) == expected, (
        f"{where}\n  expected {expected}\n  got      {(life.outcomes, world.ledger.seen)}"
    )


def main(argv: list[str] | None = None) -> int:
    """Explore everything; print the counts; non-zero when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", action="append", help="only these")
    parser.add_argument("--again-every", type=int, default=1, help="second deaths at every n-th call of a recovery")
    args = parser.parse_args(argv)
    logging.getLogger("weft").setLevel(logging.CRITICAL)  # planted failures are no news
    total = Tally()
    for scenario in SCENARIOS:
        if args.scenario and scenario.name not in args.scenario:
            continue
        began, tally = time.perf_counter(), Tally()
        asyncio.run(explore(scenario, tally, again_every=args.again_every))
        print(
            f"{scenario.name:28} {tally.points:8,} points {tally.lives:8,} lives {time.perf_counter() - began:7.1f} s"
        )
        total.points += tally.points
        total.lives += tally.lives
    print(f"{'all':28} {total.points:8,} points {total.lives:8,} lives: every invariant held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
