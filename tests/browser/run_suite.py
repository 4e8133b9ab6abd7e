"""Runs tests/suite where there is no pytest and no `asyncio.run`: on the pumped loop inside Pyodide.

The suite's modules are plain: `async def test_…(make: Harness)`. Each test gets a fresh store. `start` returns at once;
`say` hears one line a test, `ended` the number of failures at the end.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from weft_core.engine.host_browser import PumpedLoop, run

TEST_SECONDS_MAX = 120
"""How long one test may take before it is called hung."""


def tests(words: str) -> Iterator[tuple[str, Callable[..., Awaitable[None]]]]:
    """Every test of the suite whose name holds all the words, in the order of files and lines."""
    package = importlib.import_module("tests.suite")
    for found in pkgutil.iter_modules(package.__path__):
        if not found.name.startswith("test_"):
            continue
        module = importlib.import_module(f"tests.suite.{found.name}")
        for name, function in vars(module).items():
            title = f"{found.name}::{name}"
            wanted = name.startswith("test_") and all(word in title for word in words.split())
            if wanted and inspect.iscoroutinefunction(function):
                yield title, function


async def one(function: Callable[..., Awaitable[None]], url: str, mode: Any) -> None:
    from tests.suite.harness import Harness
    from weft_core.store import open_store

    count = 0

    async def make_store() -> Any:
        nonlocal count
        count += 1
        return await open_store(url if url == "memory:" else f"{url}-{time.time_ns()}-{count}")

    harness = Harness(make_store, restart=mode)
    parameters = inspect.signature(function).parameters
    try:
        async with asyncio.timeout(TEST_SECONDS_MAX):
            await function(**({"make": harness} if "make" in parameters else {}))
    finally:
        await harness.close()


async def every(url: str, mode: Any, words: str, say: Callable[[str], None]) -> int:
    passed = failed = 0
    began = time.monotonic()
    for title, function in tests(words):
        at = time.monotonic()
        try:
            await one(function, url, mode)
        except Exception:
            failed += 1
            say(f"FAILED {title}\n{traceback.format_exc()}")
        else:
            passed += 1
            say(f"ok {title} ({(time.monotonic() - at) * 1000:.0f} ms)")
    say(f"{passed} passed, {failed} failed on {url} restart={mode} in {time.monotonic() - began:.1f} s")
    return failed if passed or failed else 1


def start(url: str, mode: str, words: str, say: Any, ended: Any) -> None:
    """Begin; JavaScript goes on. `mode` is "never", "everywhere" or the seed of random restarts."""
    loop = PumpedLoop()

    async def main() -> None:
        try:
            count = await every(url, int(mode) if mode.isdigit() else mode, words, say)
        except BaseException:
            say(traceback.format_exc())
            count = 1
        ended(count)

    running.append(run(main(), loop=loop))


running: list[asyncio.Task[None]] = []  # a loop alone does not keep a waiting task alive
