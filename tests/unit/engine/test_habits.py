"""What people who know asyncio write in a workflow is refused with the name of what does the same durably."""

from __future__ import annotations

import asyncio
import re
from asyncio.futures import _PyFuture  # type: ignore[attr-defined]

import pytest

from weft_core import App, CheckpointError, Context
from weft_core.testing import TestEngine

app = App("habits")


@app.resumable
async def part(ctx: Context) -> None:
    await ctx.sleep(1)


@app.workflow
async def gather(ctx: Context) -> None:
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))


@app.workflow
async def plain_future(ctx: Context) -> None:
    await _PyFuture(loop=asyncio.get_running_loop())  # what `await` meets where asyncio has no C module


@app.workflow
async def create_task(ctx: Context) -> None:
    await asyncio.create_task(asyncio.sleep(0))


@app.workflow
async def task_kept(ctx: Context) -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await ctx.sleep(1)
    await task


@app.workflow
async def wait(ctx: Context) -> None:
    await asyncio.wait([asyncio.create_task(asyncio.sleep(0))])


@app.workflow
async def wait_for(ctx: Context) -> None:
    await asyncio.wait_for(part(ctx), 5)


@app.workflow
async def timeout(ctx: Context) -> None:
    async with asyncio.timeout(5):
        await ctx.sleep(1)


@app.workflow
async def group_left(ctx: Context) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))


@app.workflow
async def group_kept(ctx: Context) -> None:
    async with asyncio.TaskGroup():
        await ctx.sleep(1)


@app.workflow
async def event(ctx: Context) -> None:
    await asyncio.Event().wait()


@app.workflow
async def queue(ctx: Context) -> None:
    await asyncio.Queue[int]().get()


@app.workflow
async def semaphore(ctx: Context) -> None:
    async with asyncio.Semaphore(2):
        await ctx.sleep(1)


@app.workflow
async def to_thread(ctx: Context) -> None:
    await asyncio.to_thread(int)


@pytest.mark.parametrize(
    ("name", "what", "instead"),
    [
        ("gather", "awaits a future of asyncio", "`ctx.gather(…)`, which is `ctx.all(…)`"),
        ("plain_future", "awaits a future of asyncio", "`ctx.gather(…)`"),
        ("create_task", "awaits a future of asyncio", "`ctx.start(…)`"),
        ("task_kept", "its type is _asyncio.Task", "`ctx.start(…)`"),
        ("wait", "awaits 'asyncio.wait'", "`ctx.settled(…)`"),
        ("wait_for", "awaits 'asyncio.wait_for'", "`async with ctx.timeout(…):`"),
        ("timeout", "its type is asyncio.timeouts.Timeout", "`async with ctx.timeout(…):`"),
        ("group_left", "awaits 'asyncio.TaskGroup'", "`ctx.start(…)`"),
        ("group_kept", "its type is asyncio.taskgroups.TaskGroup", "`ctx.start(…)`"),
        ("event", "awaits 'asyncio.Event.wait'", "`ctx.wait_for_signal(…)`"),
        ("queue", "awaits 'asyncio.Queue.get'", "`ctx.wait_for_signal(…)`"),
        ("semaphore", "its type is asyncio.locks.Semaphore", "`limit=`"),
        ("to_thread", "awaits 'asyncio.to_thread'", "do it in an activity and await `ctx.run(activity, …)`"),
    ],
)
async def test_each_is_pointed_to_what_does_the_same(name: str, what: str, instead: str) -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(name)
        with pytest.raises((CheckpointError, ExceptionGroup)) as caught:
            await run.result()
    error = caught.value
    if isinstance(error, ExceptionGroup):  # the TaskGroup made one of it
        (error,) = error.exceptions
    told = re.sub(r"\s+", " ", str(error))
    assert what in told and instead in told
    assert "decorate that function" not in told
