"""A process to be killed: an engine on a SQLite file whose activities write to a ledger of their own."""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from weft_core import App, Context, Engine, activity_info

STEPS = 400
"""Steps of the workflow; every tenth is three branches side by side."""

app = App("worker")
_ledger: list[sqlite3.Connection] = []
_life = [0]


@app.activity
async def record(step: int, branch: int) -> int:
    connection = _ledger[0]
    with connection:
        connection.execute("insert into executions values (?, ?, ?, ?)", (activity_info().key, step, branch, _life[0]))
    return step


@app.workflow
async def count(ctx: Context, steps: int) -> list[int]:
    total, step = 0, 0
    for step in range(steps):
        ctx.state["step"] = step
        if step % 10 == 9:
            total += sum(await ctx.all(*[ctx.run(record, step, branch) for branch in range(3)]))
        else:
            total += await ctx.run(record, step, 0)
        if step % 50 == 0:
            await ctx.sleep(0.001)
    return [total, step]


async def main(store: str, ledger: str, life: int) -> None:
    _ledger.append(sqlite3.connect(ledger, timeout=30))
    _life[0] = life
    engine = await Engine.open(f"sqlite:///{store}", app, wait=True)
    async with engine:
        run = await engine.start(count, STEPS, id="count")
        print("running", flush=True)
        print(await run.result(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
