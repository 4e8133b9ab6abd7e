"""The pumped loop keeps what asyncio promises."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator

import js
from pyodide.ffi import create_proxy

from weft_core.engine.host_browser import TURN_MS_MAX, PumpedLoop


async def test_the_running_loop_is_the_pumped_one() -> None:
    assert isinstance(asyncio.get_running_loop(), PumpedLoop)


async def test_timers_fire_in_order_and_never_early() -> None:
    loop, fired = asyncio.get_running_loop(), []
    began = loop.time()
    for delay in (0.03, 0.01, 0.02, 0.0):
        loop.call_later(delay, lambda d=delay: fired.append((d, loop.time() - began)))
    await asyncio.sleep(0.05)
    assert [delay for delay, _ in fired] == [0.0, 0.01, 0.02, 0.03]
    assert all(at >= delay - 0.002 for delay, at in fired), fired


async def test_a_timer_that_comes_earlier_than_the_armed_one_is_armed() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    late = loop.call_later(60, lambda: None)
    await asyncio.sleep(0)
    loop.call_later(0.02, done.set)
    began = loop.time()
    await done.wait()
    assert loop.time() - began < 1
    late.cancel()


async def test_a_cancelled_timer_does_not_fire() -> None:
    fired: list[int] = []
    handle = asyncio.get_running_loop().call_later(0.005, fired.append, 1)
    handle.cancel()
    await asyncio.sleep(0.02)
    assert fired == []


async def test_timeouts_task_groups_and_gather_work() -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    results = []
    async with asyncio.TaskGroup() as group:
        for i in range(5):
            group.create_task(asyncio.sleep(0.001 * (5 - i))).add_done_callback(lambda _, i=i: results.append(i))
    assert sorted(results) == [0, 1, 2, 3, 4]
    assert await asyncio.gather(*(asyncio.sleep(0, i) for i in range(100))) == list(range(100))


async def test_eager_tasks_run_at_once_up_to_their_first_wait() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("begun")
        await asyncio.sleep(0)
        seen.append("ended")

    task = asyncio.Task(work(), loop=asyncio.get_running_loop(), eager_start=True)
    assert seen == ["begun"]
    await task
    assert seen == ["begun", "ended"]


async def test_a_task_keeps_the_context_it_was_given() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
    context = contextvars.copy_context()
    context.run(name.set, "given")

    async def work() -> str:
        await asyncio.sleep(0)
        return name.get()

    assert await asyncio.get_running_loop().create_task(work(), context=context) == "given"
    assert name.get() == "none"


async def test_a_promise_can_be_awaited_and_its_rejection_is_raised() -> None:
    assert await js.Promise.resolve(7) == 7
    told = ""
    try:
        await js.Promise.reject(js.Error.new("not this time"))
    except Exception as error:
        told = str(error)
    assert "not this time" in told


async def test_javascript_gets_in_between_the_turns_of_a_busy_loop() -> None:
    heard: list[float] = []
    listen = create_proxy(lambda *_: heard.append(time.monotonic()))
    channel = js.MessageChannel.new()
    channel.port1.onmessage = listen
    channel.port2.postMessage(0)
    began = time.monotonic()
    while not heard and time.monotonic() - began < 5:
        await asyncio.sleep(0)
    channel.port1.close()
    listen.destroy()
    assert heard
    assert (heard[0] - began) * 1000 < 50 * TURN_MS_MAX


async def test_an_abandoned_async_generator_is_closed() -> None:
    closed = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.set()

    async for _ in numbers():
        break
    async with asyncio.timeout(5):
        await closed.wait()


async def test_an_error_in_a_callback_does_not_stop_the_loop() -> None:
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    try:
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_the_loop_refuses_to_be_run() -> None:
    loop, told = asyncio.get_running_loop(), []
    for call in (loop.run_forever, lambda: loop.run_until_complete(loop.create_future())):
        try:
            call()
        except RuntimeError as error:
            told.append(str(error))
    assert len(told) == 2
    assert all("driven by JavaScript" in text for text in told)
