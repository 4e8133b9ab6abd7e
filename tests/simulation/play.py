"""Playing a case: lives of an engine on one store, what its client does, and what must be true after each and at the end."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest import mock

from tests.faults.audit import audit
from tests.faults.scenario import persist
from tests.simulation import world
from tests.simulation.generate import HANG_S, Case, swallows
from tests.simulation.world import World, app
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.history import History
from weft_core.kernel.records import InboxRow, RunRecord
from weft_core.kernel.waits import ActivityWait, SignalWait
from weft_core.store import keys
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.testing import engine as testing
from weft_core.testing.engine import START_MS, Restart, TestEngine
from weft_core.testing.faults import Call, Fault, FaultyStore, Killed

REAL_SECONDS_MAX = 10
"""Real time one play may take; it takes milliseconds."""
DELAY_S = 60
"""How long after their start runs begin: signals can be there before."""
LONG = "30d"


class Violation(AssertionError):
    """Something that must hold does not."""


def require(condition: object, told: str) -> None:
    if not condition:
        raise Violation(told)


@dataclass
class Tally:
    """How much was tried."""

    seeds: int = 0
    plays: int = 0
    lives: int = 0
    faults: int = 0
    operations: int = 0

    def __str__(self) -> str:
        return (
            f"{self.seeds:,} seeds, {self.plays:,} plays, {self.lives:,} lives, {self.faults:,} faults, "
            f"{self.operations:,} attempts of activities"
        )


@contextmanager
def time_limit(told: str) -> Iterator[None]:
    """Raise in a loop that never ends, also in one that never awaits."""

    def over(*_: Any) -> None:
        raise Violation(f"{told} takes more than {REAL_SECONDS_MAX} s of real time")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(REAL_SECONDS_MAX)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Play:
    """One play of a case: in one store, over as many lives as its crashes make."""

    def __init__(
        self,
        case: Case,
        tally: Tally,
        *,
        restart: Restart | None = None,
        deaths: list[list[list[Any]]] | None = None,
        crash_every: float = 0.0,
    ) -> None:
        self.case = case
        self.tally = tally
        self.restart: Restart = case.restart if restart is None else restart
        self.plans = case.faults if deaths is None else deaths
        self.crash_every = crash_every
        self.dice = Random(f"play {case.seed}")
        self.place = MemoryPlace()
        self.world = World()
        self.now_ms = START_MS
        self.done = 0
        self.ended = False
        self.acknowledged: dict[str, set[str]] = {}

    async def run(self) -> Any:
        """Play to the end; gives how the runs ended."""
        self.tally.plays += 1
        world.here.append(self.world)
        try:
            with time_limit(f"a play of seed {self.case.seed}"), mock.patch.object(testing, "HANGING_S", 0.004):
                while True:
                    died = await self._live()
                    self.tally.lives += 1
                    if not died:
                        return await outcomes(self.place, self.case)
        finally:
            world.here.remove(self.world)
            self.tally.operations += self.world.operations

    async def _live(self) -> bool:
        """One life of the engine; whether it died."""
        life = self.world.life
        planned = {at: kind for at, kind in self.plans[life]} if life < len(self.plans) else {}  # noqa: C416

        def plan(call: Call) -> Fault | None:
            kind = planned.get(call.number)
            return kind and Fault(kind=kind, at=call.number, prefix="ready/" if kind == "conflict" else "")

        store = FaultyStore(MemoryStore(self.place), plan)
        engine = TestEngine(app, store=store, restart=self.restart, patience="4ms")
        if self.case.kind != "wild" and self.case.script:
            # A patient run takes a signal that is there one turn later than other runs: then something else may be sooner.
            engine._patient = False
        engine.host.move_to(self.now_ms)
        self.world.call_at, self.world.now_ms = engine.host.call_at, engine.host.now_ms
        try:
            await self._open(engine)
            await self._follow_script(engine)
            planned.clear()
            await self._come_to_rest(engine)
            return False
        except Killed:
            return True
        finally:
            self.tally.faults += len(store.fired)
            self.now_ms = engine.now_ms
            await self._close(engine)

    async def _open(self, engine: TestEngine) -> None:
        for _ in range(20):
            try:
                await engine.__aenter__()
                return
            except Killed:
                raise
            except Exception:  # a failing store at the very start: the program would be started again
                await engine._halt()
                await engine.store.release()
        raise AssertionError("the engine cannot be opened")

    async def _close(self, engine: TestEngine) -> None:
        """The engine is gone, in whichever way: what is in the store has to make sense."""
        try:
            await engine._halt()
        except Killed:
            pass
        store = engine.store
        assert isinstance(store, FaultyStore)
        if not store.dead:
            await store.release()
        await self._check_store()
        self.world.died(open_keys(self.place))

    async def _check_store(self) -> None:
        await audit(MemoryStore(self.place))
        require(not self.world.violations, "; ".join(self.world.violations))

    # --- the client ------------------------------------------------------------------------------------------------------

    async def _follow_script(self, engine: TestEngine) -> None:
        case = self.case
        if self.done == 0:
            for run in case.programs:
                await persist(lambda run=run: self._start(engine, run, "use"), engine)
            self.done = 1
        while self.done <= len(case.script):
            how, seconds, *action = case.script[self.done - 1]
            if how == "jump":
                engine.host.move_to(engine.now_ms + seconds * 1000)
                if engine._pump is not None:
                    engine._pump.clock_changed()
            elif how == "advance":
                await engine.advance(seconds)
            await self._act(engine, *action)
            self.done += 1

    async def _start(self, engine: TestEngine, run: str, if_exists: Any) -> None:
        delay: dict[str, Any] = {} if self.case.kind == "wild" and self.case.seed % 2 else {"start_after": DELAY_S}
        await engine.start(self.case.workflows[run], self.case.programs[run], id=run, if_exists=if_exists, **delay)

    async def _act(self, engine: TestEngine, kind: str, *args: Any) -> None:
        run = engine.handle(args[0]) if args else engine.handle("none")
        action: Callable[[], Awaitable[Any]]
        match kind:
            case "signal":
                action = lambda: run.signal(args[1], args[2], id=args[3])  # noqa: E731
            case "suspend":
                action = run.suspend
            case "resume":
                action = run.resume
            case "cancel":
                action = lambda: run.cancel("enough")  # noqa: E731
            case "terminate":
                action = lambda: run.terminate("away")  # noqa: E731
            case "again":
                action = lambda: self._start(engine, args[0], "restart_if_closed")  # noqa: E731
            case "crash":
                await self._crash(engine)
                return
            case "evict":
                await engine.evict()
                return
            case "look":
                action = lambda: look(run)  # noqa: E731
            case _:
                raise AssertionError(kind)
        await persist(action, engine)

    async def _crash(self, engine: TestEngine) -> None:
        await self._close(engine)
        self.tally.lives += 1
        await self._open(engine)

    # --- the end -----------------------------------------------------------------------------------------------------------

    async def _come_to_rest(self, engine: TestEngine) -> None:
        """Faults are over: whatever can end has to end."""
        if self.crash_every:
            await self._crash_along(engine)
        case, store = self.case, MemoryStore(self.place)
        await engine.advance(10)  # what the store had no room for is tried again
        for run, record in records(self.place).items():
            require(record.problem is None, f"{run} is parked: {record.problem}")
            if record.status == "suspended":
                await persist(engine.handle(run).resume, engine)
        await engine.advance(LONG)
        await self._check_rest(engine)
        for run in case.programs:
            await look(engine.handle(run))
        if case.kind != "wild":
            return
        for run, record in records(self.place).items():
            if not record.closed:
                await persist(lambda run=run: engine.handle(run).cancel("at the end"), engine)
        await engine.advance(LONG)
        await self._check_rest(engine)
        for run, record in records(self.place).items():
            require(record.closed or swallows(case.programs[run]), f"{run} was cancelled and goes on for ever")
        await audit(store)

    async def _crash_along(self, engine: TestEngine) -> None:
        """Let time pass in steps, with crashes between them."""
        for _ in range(40):
            await engine.advance(self.dice.choice((0.5, 1, 29, 60, 60, 300)))
            if self.dice.random() < self.crash_every:
                await self._crash(engine)

    async def _check_rest(self, engine: TestEngine) -> None:
        pump = engine._pump
        require(pump is not None and pump.failure is None, f"the engine failed: {pump and pump.failure!r}")
        await self._check_store()
        due = await MemoryStore(self.place).scan("timer/", keys.timer_until(engine.now_ms))
        require(not due, f"timers are due and nobody fires them: {[row.key for row in due]}")
        rows = self.place_rows()
        for run, record in records(self.place).items():
            require(record.problem is None, f"{run} is parked: {record.problem}")
            if record.closed:
                check_closed(run, record, rows)
            else:
                check_waiting(run, rows, engine.now_ms, self.case.programs[run])
        self._check_attempts(engine)

    def _check_attempts(self, engine: TestEngine) -> None:
        """Every attempt under way is wanted by somebody."""
        pump = engine._pump
        assert pump is not None
        for run, attempts in pump._attempts._under_way.items():
            waits = {f.id: f.wait for f in fibers_of(run, self.place_rows())}
            for fiber_id, attempt in attempts.items():
                wait = waits.get(fiber_id)
                wanted = isinstance(wait, ActivityWait) and attempt.is_for(wait)
                require(wanted, f"{run}: an attempt of {attempt.wait.operation_id} goes on and nobody wants it")

    def place_rows(self) -> dict[str, str]:
        return all_rows(self.place)


async def look(run: Any) -> None:
    """Everything a client can ask about a run has an answer."""
    await run.status()
    await run.info()
    await run.state()
    numbers = [entry["n"] for entry in await run.history()]
    if numbers:
        require(numbers == list(range(numbers[0], numbers[-1] + 1)), f"the history has gaps: {numbers}")
    if (await run.info()).status != "pending":
        await run.inspect()


# --- what the store holds ----------------------------------------------------------------------------------------------------


def all_rows(place: MemoryPlace) -> dict[str, str]:
    return {key: row.value for key, row in place.rows.items()}


def records(place: MemoryPlace) -> dict[str, RunRecord]:
    rows = all_rows(place)
    found = (RunRecord.from_json(text) for key, text in rows.items() if key.startswith("run/"))
    return {record.id: record for record in found}


def fibers_of(run: str, rows: dict[str, str]) -> list[Fiber]:
    prefix = keys.fibers(run)
    return [
        Fiber.from_json(keys.unquote(key[len(prefix) :]), text, History(0))
        for key, text in rows.items()
        if key.startswith(prefix)
    ]


def open_keys(place: MemoryPlace) -> set[str]:
    """The idempotency keys of the operations that are not over."""
    rows, found = all_rows(place), set()
    for run, record in records(place).items():
        if not record.closed:
            for fiber in fibers_of(run, rows):
                if isinstance(fiber.wait, ActivityWait) and fiber.outcome is None and fiber.wait.outcome is None:
                    found.add(fiber.wait.key or f"{run}/{fiber.wait.operation_id}")
    return found


def check_closed(run: str, record: RunRecord, rows: dict[str, str]) -> None:
    """A run has ended: all of its `finally` blocks ran, unless it was terminated."""
    state = json.loads(rows.get(keys.state(run), "{}"))
    inside = {ident: count for ident, count in state.get("inside", {}).items() if count}
    require(record.status == "terminated" or not inside, f"{run} has ended ({record.status}) inside of {inside}")
    both = record.result is not None and record.error is not None
    require(not both, f"{run} has a result and an error")
    require(record.result is None or record.status == "completed", f"{run} is {record.status} and has a result")


def hangs(wait: ActivityWait) -> bool:
    return wait.activity == "slow" and json.loads(wait.args)[0][1:] == [HANG_S] and wait.retry_at is None


def check_waiting(run: str, rows: dict[str, str], now_ms: int, program: Any) -> None:
    """A run is still open after a long time: it waits for a signal that nobody has sent, or for an activity that hangs."""
    fibers = [f for f in fibers_of(run, rows) if f.outcome is None and not f.queued]
    hanging = [f for f in fibers if isinstance(f.wait, ActivityWait) and hangs(f.wait)]
    require(hanging or f"ready/{run}" not in rows, f"{run} is ready and nobody advances it")
    waited = {f.wait.name for f in fibers if isinstance(f.wait, SignalWait)}
    require(
        waited or hanging, f"{run} is open and waits for no signal: {[f.wait and f.wait.to_json() for f in fibers]}"
    )
    for key, text in rows.items():
        if key.startswith(keys.inboxes(run)):
            row = InboxRow.from_json(0, text)
            require(row.kind == "signal" and row.name not in waited, f"{run} does not take {text}")
    for fiber in fibers:
        require(
            fiber in hanging or not isinstance(fiber.wait, ActivityWait),
            f"{run}: {fiber.id} still waits for an activity",
        )
        for scope in fiber.scopes:
            require(
                scope.due > now_ms or swallows(program), f"{run}: {fiber.id} is inside of a time limit that is over"
            )


async def outcomes(place: MemoryPlace, case: Case) -> Any:
    """How everything stands at the end, comparable between plays."""
    rows, told = all_rows(place), {}
    for run, record in records(place).items():
        closed_at = None if record.closed_at is None else record.closed_at - START_MS
        told[run] = [record.status, closed_at, record.result, record.error, rows.get(keys.state(run))]
    return told


# --- one seed ---------------------------------------------------------------------------------------------------------------


def play_case(case: Case, tally: Tally) -> None:
    """Everything that is checked of one case. Raises `AssertionError`."""
    asyncio.run(_play_case(case, tally))


async def _play_case(case: Case, tally: Tally) -> None:
    if case.kind == "wild":
        await Play(case, tally).run()
        return
    dice = Random(f"deaths {case.seed}")
    plain = Play(case, tally, restart="never")
    expected = [await plain.run(), plain.world.effects]
    plays: dict[str, Play] = {"restart at random": Play(case, tally, restart=case.seed)}
    plays["restart everywhere"] = Play(case, tally, restart="everywhere")
    plays["crashes along"] = Play(case, tally, restart="never", crash_every=0.4)
    deaths = [[[dice.randint(3, 40), dice.choice(("die_before", "die_after"))]] for _ in range(4)]
    plays["deaths"] = Play(case, tally, restart="never", deaths=deaths)
    for name, play in plays.items():
        got = [await play.run(), play.world.effects]
        require(got == expected, f"{name}:\n  expected {expected}\n  got      {got}")
