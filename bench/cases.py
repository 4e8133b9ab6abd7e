"""What is measured, each beside its raw loop. Counts are small enough for `make bench` to end within minutes."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import raw
from bench.app import app, large, long_life, marks, steps
from bench.measure import Case
from weft_core import Client, Engine
from weft_core.kernel.records import HISTORY_MAX
from weft_core.store import open_store

SEQUENTIAL = 2_000
CONCURRENT_RUNS, CONCURRENT_STEPS = 1_000, 10
LATENCY_RUNS = 200
LIVES = (10, 100, 1_000, 10_000, 100_000)
PACE = 1_000
LARGE_ROWS, LARGE_STEPS = 25_000, 200


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'weft.db'}"


def _sequential(url: str, count: int) -> float:
    async def do() -> float:
        engine = await Engine.open(url, app)
        async with engine:
            await (await engine.start(steps, 10)).result()
            began = time.perf_counter()
            await (await engine.start(steps, count)).result()
            return count / (time.perf_counter() - began)

    return asyncio.run(do())


def _concurrent(url: str) -> float:
    async def do() -> float:
        engine = await Engine.open(url, app)
        async with engine:
            await (await engine.start(steps, 10)).result()
            began = time.perf_counter()
            runs = await asyncio.gather(*(engine.start(steps, CONCURRENT_STEPS) for _ in range(CONCURRENT_RUNS)))
            await asyncio.gather(*(run.result() for run in runs))
            return CONCURRENT_RUNS * CONCURRENT_STEPS / (time.perf_counter() - began)

    return asyncio.run(do())


def _latency(folder: Path) -> float:
    """Median milliseconds from `start` to the result of a one-step workflow."""

    async def do() -> float:
        took = []
        engine = await Engine.open(_url(folder), app)
        async with engine:
            for _ in range(LATENCY_RUNS):
                began = time.perf_counter()
                await (await engine.start(steps, 1)).result()
                took.append(1_000 * (time.perf_counter() - began))
        return statistics.median(took)

    return asyncio.run(do())


def _cpu_per_step(_: Path) -> float:
    """Microseconds of CPU per step on the memory store."""

    async def do() -> float:
        engine = await Engine.open("memory:", app)
        async with engine:
            await (await engine.start(steps, 100)).result()
            began = time.process_time()
            await (await engine.start(steps, 5_000)).result()
            return 1e6 * (time.process_time() - began) / 5_000

    return asyncio.run(do())


def _json_round_trip(_: Path) -> float:
    """Microseconds of CPU: how fast this machine is at the moment."""
    frame = {"unit": "steps", "locals": {f"name{i}": [i, str(i) * 8, {"n": i}] for i in range(8)}}
    began = time.process_time()
    for _ in range(2_000):
        json.loads(json.dumps(frame))
    return 1e6 * (time.process_time() - began) / 2_000


_lives: dict[int, bytes] = {}
_paces: dict[str, float] = {}


def _stored_life(folder: Path, count: int) -> None:
    """A store whose one run has done `count` steps and waits; made once for each count, then copied."""
    if count not in _lives:

        async def do() -> None:
            engine = await Engine.open(_url(folder), app)
            async with engine:
                run = await engine.start(long_life, count, id="life")
                while not (await run.inspect()).fibers or await run.status() != "waiting":
                    await asyncio.sleep(0.01)

        marks.clear()
        marks.update(dict.fromkeys((PACE, 2 * PACE, count - PACE, count - 1), 0.0))
        asyncio.run(do())
        _lives[count] = (folder / "weft.db").read_bytes()
        if count == LIVES[-1]:
            _paces["first"] = PACE / (marks[2 * PACE] - marks[PACE])
            _paces["last"] = (PACE - 1) / (marks[count - 1] - marks[count - PACE])
    (folder / "weft.db").write_bytes(_lives[count])


def _resume(folder: Path, count: int) -> float:
    """Milliseconds from an open engine with a waiting run, not yet in memory, to that run's end after one more step."""
    _stored_life(folder, count)

    async def do() -> float:
        client = await Client.open(_url(folder), app)
        async with client:
            await client.handle("life").signal("go")
        engine = await Engine.open(_url(folder), app)
        began = time.perf_counter()
        async with engine:
            await engine.handle("life").result()
            return 1_000 * (time.perf_counter() - began)

    return asyncio.run(do())


def _stored(folder: Path, count: int) -> float:
    """Bytes of all rows but the units' sources."""
    _stored_life(folder, count)

    async def do() -> float:
        client = await Client.open(_url(folder), app)
        async with client:
            rows = await client.store.scan("!", "unit/", limit=100_000)
            return sum(len(row.key) + len(row.value) for row in rows)

    return asyncio.run(do())


def _pace(folder: Path, which: str) -> float:
    """Steps a second, of one life of the longest kind."""
    _stored_life(folder, LIVES[-1])
    return _paces[which]


def _rows() -> list[dict[str, Any]]:
    return [{"n": n, "name": f"airport {n}", "city": "somewhere in the world", "at": [n * 0.5, n * -0.25],
             "note": "x" * 100} for n in range(LARGE_ROWS)]  # fmt: skip


def _large(folder: Path) -> float:
    """Milliseconds per step with a list of some 5 MB alive."""
    rows = _rows()

    async def do() -> float:
        engine = await Engine.open(_url(folder), app)
        async with engine:
            run = await engine.start(large, rows, 2)  # what does not depend on the number of steps
            began = time.perf_counter()
            await run.result()
            few = time.perf_counter() - began
            run = await engine.start(large, rows, LARGE_STEPS)
            began = time.perf_counter()
            await run.result()
            return 1_000 * (time.perf_counter() - began - few) / (LARGE_STEPS - 2)

    return asyncio.run(do())


def _fingerprint(_: Path) -> float:
    """Milliseconds of one dump by the C pickler, which tells that nothing has changed."""
    rows = _rows()
    took = []
    for _ in range(10):
        began = time.perf_counter()
        pickle.dumps(rows, protocol=5)
        took.append(1_000 * (time.perf_counter() - began))
    return statistics.median(took)


def _start(code: str, environment: dict[str, str]) -> float:
    """Milliseconds of an interpreter that does only that, the best of three."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        took.append(1_000 * (time.perf_counter() - began))
    return min(took)


def _import(folder: Path, code: str) -> float:
    """Milliseconds of importing, beyond a bare interpreter; byte code is cached, as it is for whoever installs a wheel."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    _start(code, environment)
    return _start(code, environment) - _start("pass", environment)


def _raw_get(folder: Path) -> float:
    """Milliseconds of opening the store and reading one row: what no resume can do without."""
    _stored_life(folder, LIVES[0])

    async def do() -> float:
        began = time.perf_counter()
        store = await open_store(_url(folder))
        await store.get(["run/life"])
        took = 1_000 * (time.perf_counter() - began)
        await store.close()
        return took

    return asyncio.run(do())


CASES = {
    "sequential": Case(
        title=f"sequential steps, one run of {SEQUENTIAL:,}, SQLite FULL",
        unit="per second",
        baseline="raw commits of 2 puts",
        goal="× ≥ 0.75",
        rounds=15,  # a round takes a second, and one commit's time depends on where the file came to lie
        sides={
            "raw commits of 2 puts": lambda folder: raw.commits(folder, count=SEQUENTIAL, puts=2),
            "weft steps": lambda folder: _sequential(_url(folder), SEQUENTIAL),
        },
    ),
    "concurrent": Case(
        title=f"{CONCURRENT_RUNS:,} runs of {CONCURRENT_STEPS} steps at once, SQLite FULL",
        unit="per second",
        baseline="raw puts, 100 a commit",
        goal="× ≥ 0.25, and 30,000 where raw commits of 2 puts do 4,900",
        sides={
            "raw puts, 100 a commit": lambda folder: 100 * raw.commits(folder, count=300, puts=100),
            "raw commits of 2 puts": lambda folder: raw.commits(folder, count=SEQUENTIAL, puts=2),
            "weft steps": lambda folder: _concurrent(_url(folder)),
        },
    ),
    "latency": Case(
        title="one-step workflow, start to result, median, SQLite FULL",
        unit="ms",
        baseline="raw commit of 2 puts",
        goal="≤ 1.5 ms",
        sides={
            "raw commit of 2 puts": lambda folder: 1_000 / raw.commits(folder, count=500, puts=2),
            "weft": _latency,
        },
    ),
    "cpu": Case(
        title="CPU per step, memory store",
        unit="µs",
        baseline="a 400 B frame to JSON and back",
        goal="≤ 30 µs",
        sides={"a 400 B frame to JSON and back": _json_round_trip, "weft": _cpu_per_step},
    ),
    "resume": Case(
        title="resume a waiting run and end it, by steps done before",
        unit="ms",
        baseline=f"weft after {LIVES[0]:,}",
        goal="flat, × 1 ± 0.1",
        sides={
            **{f"weft after {n:,}": lambda folder, n=n: _resume(folder, n) for n in LIVES},
            "opening the store": _raw_get,
        },
    ),
    "stored": Case(
        title="what is stored of a waiting run, by steps done before",
        unit="bytes",
        baseline=f"after {LIVES[0]:,}",
        goal=f"flat once the history has its {HISTORY_MAX} entries",
        sides={f"after {n:,}": lambda folder, n=n: _stored(folder, n) for n in LIVES},
    ),
    "pace": Case(
        title=f"steps of one run of {LIVES[-1]:,}, SQLite FULL",
        unit="per second",
        baseline=f"the {PACE:,} after the first {PACE:,}",
        goal="× ≥ 0.95",
        sides={
            f"the {PACE:,} after the first {PACE:,}": lambda folder: _pace(folder, "first"),
            f"the last {PACE:,}": lambda folder: _pace(folder, "last"),
        },
    ),
    "large": Case(
        title="a step with a 5 MB list alive",
        unit="ms",
        baseline="a dump by the C pickler",
        goal="× ≤ 3",
        sides={"a dump by the C pickler": _fingerprint, "weft step": _large},
    ),
    "import": Case(
        title="import, beyond a bare interpreter",
        unit="ms",
        baseline="the standard modules it needs",
        goal="× ≤ 1.3",
        rounds=11,
        sides={
            "the standard modules it needs": lambda folder: _import(
                folder, "import asyncio, ast, inspect, dataclasses, json"
            ),
            "weft_core": lambda folder: _import(folder, "import weft_core"),
            "its App and Engine": lambda folder: _import(folder, "from weft_core import App, Engine"),
            "and the compiler": lambda folder: _import(
                folder, "from weft_core import App, Engine; from weft_core.resume import compile_unit"
            ),
            "its Client": lambda folder: _import(folder, "from weft_core import Client"),
        },
    ),
}
