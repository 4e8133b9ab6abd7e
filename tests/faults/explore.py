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
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from tests.faults.audit import audit
from tests.faults.ledger import Ledger
from tests.faults.scenario import Scenario, outcome
from tests.faults.scenarios import SCENARIOS
from weft_core.store import keys
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.testing.engine import START_MS, TestEngine
from weft_core.testing.faults import Fault, FaultKind, FaultyStore, Killed

ONCE: tuple[FaultKind, ...] = ("die_before", "die_after", "fail_before", "fail_after", "full", "conflict")
LIFE_MAX_S = 8.0
"""Real seconds one life may take; it takes milliseconds unless something waits for nothing."""
DEATHS: tuple[FaultKind, ...] = ("die_before", "die_after")
PARTS = 8
"""Into how many pieces a scenario is cut for the cores."""
POINTS_MIN = 36_000
"""Points of the whole exploration when it was last run; fewer mean that something is not found any more."""


@dataclass
class World:
    """What outlives the engine: the disk, the outside, the time."""

    place: MemoryPlace = field(default_factory=MemoryPlace)
    ledger: Ledger = field(default_factory=Ledger)
    now_ms: int = START_MS

    def copy(self) -> World:
        """The same world, which goes its own way from here."""
        return World(self.place.copy(), self.ledger.copy(), self.now_ms)


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
    engine = TestEngine(scenario.app(world.ledger), store=store, patience="50ms")
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
                due = await MemoryStore(world.place).scan("timer/", keys.timer_until(engine.now_ms))
                assert not due, f"{scenario.name} with {list(faults)}: timers are due and nobody fires them: {due}"
        except TimeoutError as error:
            pump = engine._pump
            state = "no engine" if pump is None else f"{len(pump.under_way)} attempts, settled {pump.settled}"
            raise AssertionError(f"{scenario.name} with {list(faults)} hangs ({state})") from error
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
    from tests.faults.scenario import persist

    return await persist(lambda: outcome(engine, run_id), engine)


@dataclass
class Tally:
    """What an exploration did."""

    points: int = 0
    lives: int = 0
    faults: int = 0

    def add(self, other: Tally) -> None:
        self.points += other.points
        self.lives += other.lives
        self.faults += other.faults

    def __str__(self) -> str:
        return f"{self.points:9,} points {self.lives:9,} lives"


async def explore(scenario: Scenario, tally: Tally, *, again_every: int = 1, part: int = 0, parts: int = 1) -> None:
    """Every fault at every call of the scenario, and a second death at every `again_every`-th call of each recovery.

    With `parts`, only every `parts`-th call of the scenario, beginning with the one after `part`.
    """
    calm_world = World()
    calm = await live(scenario, calm_world, ())
    assert not calm.died
    expected = (calm.outcomes, calm_world.ledger.seen)
    for at in range(1 + part, calm.calls + 1, parts):
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
            dead = world.copy()
            recovery = await _recovery_calls(scenario, world, where, expected, tally)
            for again in range(1, recovery + 1, again_every):
                for second in DEATHS:
                    await _die_again(scenario, dead.copy(), where, Fault(kind=second, at=again), expected, tally)


async def _recovery_calls(scenario: Scenario, world: World, where: str, expected: Any, tally: Tally) -> int:
    life = await live(scenario, world, ())
    tally.lives += 1
    _same(where, expected, life, world)
    return life.calls


async def _die_again(scenario: Scenario, world: World, where: str, second: Fault, expected: Any, tally: Tally) -> None:
    """A second death, on the world that the first has left; then a life to the end."""
    where = f"{where}, then {second.kind} at call {second.at}"
    try:
        life = await live(scenario, world, [second])
        tally.lives += 1
        if life.died:
            tally.points += 1
            life = await live(scenario, world, ())
            tally.lives += 1
    except AssertionError as error:
        error.add_note(where)
        raise
    _same(where, expected, life, world)


def _same(where: str, expected: Any, life: Life, world: World) -> None:
    assert not life.died, where
    assert (life.outcomes, world.ledger.seen) == expected, (
        f"{where}\n  expected {expected}\n  got      {(life.outcomes, world.ledger.seen)}"
    )


def _explore_part(name: str, again_every: int, part: int) -> tuple[str, Tally]:
    logging.getLogger("weft").setLevel(logging.CRITICAL)  # planted failures are no news
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    tally = Tally()
    asyncio.run(explore(scenario, tally, again_every=again_every, part=part, parts=PARTS))
    return name, tally


def main(argv: list[str] | None = None) -> int:
    """Explore everything, on all cores; print the counts; non-zero when something did not hold."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", action="append", choices=names, help="only these")
    parser.add_argument("--again-every", type=int, default=1, help="second deaths at every n-th call of a recovery")
    args = parser.parse_args(argv)
    wanted = args.scenario or names
    began = time.perf_counter()
    found = {name: Tally() for name in wanted}
    left = dict.fromkeys(wanted, PARTS)
    # Every life makes its app anew and units live as long as their process: after tens of thousands of lives in one process
    # a single garbage collection takes longer than a life may. So each part has a process of its own.
    with ProcessPoolExecutor(mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        parts = [pool.submit(_explore_part, name, args.again_every, part) for name in wanted for part in range(PARTS)]
        for done in as_completed(parts):
            name, tally = done.result()
            found[name].add(tally)
            left[name] -= 1
            if not left[name]:
                print(f"{name:28} {found[name]}   {time.perf_counter() - began:7.0f} s", flush=True)
    total = Tally()
    for tally in found.values():
        total.add(tally)
    print(f"{'all':28} {total}: every invariant held")
    if args.again_every == 1 and wanted == names and total.points < POINTS_MIN:
        print(f"only {total.points:,} points were tried, and there were {POINTS_MIN:,}: some are not found any more")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
