"""The same programs in plain asyncio on a virtual clock: what asyncio makes of time, errors and cancellation is right.

Only for programs in which no two things happen at one instant, for those may come in any order: see `apart`. What differs
on purpose is done here as Weft does it: branches that are being stopped are asked once, and whoever waits for them, or for a
task, waits until they have stopped.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.simulation.generate import Writer
from tests.simulation.world import app, catches, raised, said
from weft_core.kernel.records import RunRecord
from weft_core.store import keys
from weft_core.testing.engine import TestEngine

FOR_EVER_S = 50_000_000
SECONDS_MAX = 300_000
LONGER_THAN_ANY_PROGRAM = "500d"


class Apart(Writer):
    """Writes programs in which each wait has a length of its own."""

    def duration(self) -> float:
        return self.dice.randint(1, SECONDS_MAX)

    limit = duration

    def simple(self, *, calm: bool) -> Any:
        node = super().simple(calm=calm)
        # An instant that has passed is no wait in asyncio, and `log` tells time in fractions.
        return ["sleep", self.duration()] if node[0] in ("until", "log") else node

    def compound(self, depth: int, *, calm: bool) -> Any:
        node = super().compound(depth, calm=calm)
        if node[0] in ("group", "map"):  # so that all have begun before anything is decided
            node[2] = [["seq", [["sleep", self.duration()], part]] for part in node[2]]
        if node[0] == "start":
            return ["seq", [node, ["sleep", self.duration()]]]
        return node


def apart(seed: int) -> Any:
    """The program of a seed."""
    return Apart(Random(f"oracle {seed}"), "timed").program()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = 1e-4
        loop: Any = self
        select = loop._selector.select

        def without_waiting(timeout: float | None) -> Any:
            ready = select(0)
            if not ready and timeout != 0:
                assert loop._scheduled, "everything waits for something else"
                self._now = max(self._now, loop._scheduled[0].when())
            return ready

        loop._selector.select = without_waiting

    def time(self) -> float:
        return self._now


class Oracle:
    """Interprets one program."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.state: dict[str, Any] = {}
        self.tasks: list[asyncio.Task[Any]] = []

    async def main(self, program: Any) -> list[Any]:
        result = error = None
        try:
            result = await self.do(program, {})
        except (Exception, asyncio.CancelledError) as failure:
            error = _said(failure)
        asked: set[asyncio.Task[Any]] = set()
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                if task not in asked:
                    asked.add(task)
                    task.cancel()
            await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        return [result, error, round(self.loop.time()), self.state]

    async def do(self, node: Any, env: Any) -> Any:
        match node:
            case ["sleep", seconds]:
                return await asyncio.sleep(seconds)
            case ["wait", _, None, _]:
                await asyncio.sleep(FOR_EVER_S)
            case ["wait", name, seconds, default]:
                await asyncio.sleep(seconds)
                if default is None:
                    raise TimeoutError(f"no signal {name!r} arrived in time")
                return default
            case ["group", mode, parts, limit, shared]:
                calls = [self.branch(part, env if shared else {}) for part in parts]
                return await self.group(mode, calls, limit if mode != "race" and limit else len(calls))
            case ["map", _, items, limit]:
                return await self.group("all", [self.branch(item, {}) for item in items], limit or len(items))
            case ["seq", parts]:
                return [await self.do(part, env) for part in parts]
            case ["loop", times, part]:
                return [await self.do(part, env) for _ in range(times)]
            case ["limit", seconds, part]:
                return await self.limit(seconds, part, env)
            case ["try", ident, *parts]:
                self.entered(ident, 1)
                try:
                    return await self.attempt(*parts, env)
                finally:
                    self.entered(ident, -1)
            case ["raise", kind]:
                raise raised(kind)
            case ["start", slot, part, shared]:
                if part[0] == "join" and shared and part[1] in env:
                    env[slot] = env[part[1]]
                else:
                    env[slot] = self.loop.create_task(self.branch(part, env if shared else {})())
                    self.tasks.append(env[slot])
                return "started"
            case ["join", slot]:
                return await self.join(env[slot]) if slot in env else "none"
            case ["stop", slot]:
                if slot not in env:
                    return None
                env[slot].cancel()
                return env[slot].done()
            case ["state", key, part]:
                counts = self.state.setdefault("counts", {})
                counts[key] = counts.get(key, 0) + 1
                value = await self.do(part, env)
                counts[key] += 1
                return value
            case ["large", number, part]:
                return [3_000, f"{number} 2999", await self.do(part, env)]
        raise AssertionError(node)

    def branch(self, node: Any, env: Any) -> Callable[[], Any]:
        if node[0] == "join" and node[1] in env:
            return lambda: self.join(env[node[1]])
        return lambda: self.do(node, dict(env))

    def entered(self, ident: int, by: int) -> None:
        if ident:
            inside = self.state.setdefault("inside", {})
            inside[str(ident)] = inside.get(str(ident), 0) + by
            if by > 0:
                self.state["entered"] = self.state.get("entered", 0) + 1

    async def attempt(self, body: Any, catch: str, handler: Any, final: Any, env: Any) -> Any:
        try:
            return await self.do(body, env)
        except BaseException as error:
            if not catches(catch, error):
                raise
            return [said(error), await self.do(handler, env)]
        finally:
            if final is not None:
                await self.do(final, env)

    async def limit(self, seconds: float, part: Any, env: Any) -> Any:
        inner: BaseException | None = None
        try:
            async with asyncio.timeout(seconds):
                try:
                    return await self.do(part, env)
                except BaseException as error:
                    inner = error
                    raise
        except TimeoutError as error:
            if error is inner:
                raise
            raise TimeoutError(f"ctx.timeout of {seconds:g} s is over") from None

    async def join(self, task: asyncio.Task[Any]) -> Any:
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
                task.cancel()
        if cancelled is not None:
            raise cancelled
        return task.result()

    async def group(self, mode: str, calls: Sequence[Callable[[], Any]], limit: int) -> Any:
        tasks: list[asyncio.Task[Any]] = []
        chosen: asyncio.Task[Any] | None = None
        cancelled: asyncio.CancelledError | None = None
        stopping = False
        left: set[asyncio.Task[Any]] = set()
        while True:
            while not stopping and len(tasks) < len(calls) and len(left) < limit:
                tasks.append(self.loop.create_task(calls[len(tasks)]()))
                left.add(tasks[-1])
            if not left:
                break
            try:
                await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError as error:
                cancelled, stop, stopping = error, not stopping, True
                for task in left if stop else ():
                    task.cancel()
            for task in [task for task in tasks if task in left and task.done()]:
                left.discard(task)
                failed = task.cancelled() or task.exception() is not None
                if not stopping and (mode == "race" or (mode != "settled" and failed)):
                    chosen, stopping = task, True
                    for other in left:
                        other.cancel()
        if cancelled is not None:
            raise cancelled
        if chosen is not None:
            return chosen.result()
        return [_outcome(task) if mode == "settled" else task.result() for task in tasks]


def _said(error: BaseException) -> str | None:
    return "Cancelled" if isinstance(error, asyncio.CancelledError) else said(error)


def _outcome(task: asyncio.Task[Any]) -> list[Any]:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return ["outcome", error is None, None if error else task.result(), _said(error) if error else None]


def by_asyncio(program: Any) -> Any:
    """What asyncio makes of a program: result, error, seconds, state; None when it waits for ever."""
    loop = VirtualLoop()
    loop.set_exception_handler(lambda *_: None)  # errors of tasks that nobody has awaited
    try:
        told = loop.run_until_complete(Oracle(loop).main(program))
    finally:
        loop.close()
    return None if told[2] >= FOR_EVER_S else told


async def _by_weft(program: Any) -> Any:
    async with TestEngine(app, patience="50ms") as engine:
        run = await engine.start("main", program)
        await engine.advance(LONGER_THAN_ANY_PROGRAM)
        record = RunRecord.from_json((await engine.store.get([keys.run(run.id)]))[keys.run(run.id)].value)
        if record.closed_at is None or record.started_at is None:
            return None
        result = None if record.result is None else json.loads(record.result)
        error = None if record.error is None else _said(app.codec.decode_error(record.error))
        return [result, error, round((record.closed_at - record.started_at) / 1000), await run.state()]


def differ(program: Any) -> tuple[Any, Any] | None:
    """What asyncio and Weft make of a program, when that is not the same."""
    right, found = by_asyncio(program), _without_reasons(asyncio.run(_by_weft(program)))
    return None if right == found else (right, found)


def _without_reasons(told: Any) -> Any:
    """asyncio does not say why it cancels."""
    if isinstance(told, list):
        return [_without_reasons(part) for part in told]
    return "Cancelled" if isinstance(told, str) and told.startswith("Cancelled") else told
