"""Plain activities run in threads of the engine's own; their limits count from when one is free for them."""

from __future__ import annotations

import asyncio
import threading
from unittest import mock

import pytest

from weft_core import App, Context, Retry, activity_info
from weft_core.errors import ActivityTimeout, RunNotFound
from weft_core.testing import TestEngine

LONG_S = 30


def held() -> tuple[App, threading.Event, threading.Event]:
    app, free, inside = App("held"), threading.Event(), threading.Event()

    @app.activity
    def holds() -> str:
        inside.set()
        assert free.wait(LONG_S)
        return threading.current_thread().name

    @app.activity(timeout="1s", heartbeat="1s", retry=Retry(max_attempts=1))
    def limited() -> int:
        activity_info().heartbeat("alive")
        return 2

    @app.activity(timeout="1s", retry=Retry(max_attempts=1))
    def overlong() -> None:
        inside.set()
        assert free.wait(LONG_S)

    @app.activity(total_timeout="10s", retry=Retry(max_attempts=1))
    def total() -> int:
        return 3

    @app.workflow
    async def run(ctx: Context, name: str) -> object:
        return await ctx.run(name)

    return app, free, inside


async def _until(event: threading.Event) -> None:
    await asyncio.get_running_loop().run_in_executor(None, event.wait, LONG_S)
    assert event.is_set()


async def test_an_activity_that_waits_for_a_thread_uses_up_none_of_its_time() -> None:
    app, free, inside = held()
    with mock.patch("weft_core.engine.host.THREADS_MAX", 1):
        async with TestEngine(app, patience="50ms") as engine:
            first = await engine.start("run", "holds")
            await _until(inside)
            second = await engine.start("run", "limited")
            late = await engine.start("run", "total")
            await engine.advance("1m")
            assert await second.status() == "running"
            with pytest.raises(TimeoutError):
                await late.result()  # all attempts together have their limit, whatever they wait for
            free.set()
            assert "weft-activity" in await first.result()
            assert await second.result() == 2


async def test_an_activity_that_has_its_thread_is_held_to_its_time() -> None:
    app, free, inside = held()
    async with TestEngine(app, patience="50ms") as engine:
        run = await engine.start("run", "overlong")
        await _until(inside)
        await engine.advance("1m")
        with pytest.raises(ActivityTimeout):
            await run.result()
        free.set()


async def test_waiting_in_vain_leaves_nothing_behind() -> None:
    app, free, inside = held()
    async with TestEngine(app) as engine:
        run = await engine.start("run", "holds")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await run.result(timeout="1ms")
        for _ in range(5):
            with pytest.raises(RunNotFound):
                await engine.handle("nobody").result()
        assert engine._pump is not None and not engine._pump._waiters._closed
        await _until(inside)
        free.set()
        await run.result()


async def test_threads_that_do_nothing_end_with_the_engine() -> None:
    app, free, _ = held()
    free.set()
    async with TestEngine(app) as engine:
        run = await engine.start("run", "holds")
        name = await run.result()
        thread = next(thread for thread in threading.enumerate() if thread.name == name)
    await asyncio.get_running_loop().run_in_executor(None, thread.join, LONG_S)
    assert not thread.is_alive()
