"""Runs tests where there is no pytest and no `asyncio.run`: on the pumped loop inside Pyodide.

The modules are plain: `async def test_…(make: Harness)`, each with a fresh store, or without an argument. `start` returns
at once; `say` hears one line a test, `ended` the number of failures at the end.
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


def tests(package_name: str, words: str) -> Iterator[tuple[str, Callable[..., Awaitable[None]]]]:
    """Every test of the package whose name holds all the words, in the order of files and lines."""
    package = importlib.import_module(package_name)
    for found in pkgutil.iter_modules(package.__path__):
        if not found.name.startswith(("test_", "inside_")):
            continue
        module = importlib.import_module(f"{package_name}.{found.name}")
        for name, function in vars(module).items():
            title = f"{found.name}::{name}"
            wanted = name.startswith("test_") and all(word in title for word in words.split())
            if wanted and inspect.iscoroutinefunction(function):
                yield title, function


async def one(function: Callable[..., Awaitable[None]], url: str, mode: Any) -> None:
    if not inspect.signature(function).parameters:
        async with asyncio.timeout(TEST_SECONDS_MAX):
            return await function()
    from tests.suite.harness import Harness
    from weft_core.store import open_store

    count = 0

    async def make_store() -> Any:
        nonlocal count
        count += 1
        place, mark, options = url.partition("?")
        fresh = "" if url == "memory:" else f"-{time.time_ns()}-{count}"
        return await open_store(f"{place}{fresh}{mark}{options}")

    harness = Harness(make_store, restart=mode)
    try:
        async with asyncio.timeout(TEST_SECONDS_MAX):
            await function(make=harness)
    finally:
        await harness.close()


async def every(package: str, url: str, mode: Any, words: str, say: Callable[[str], None]) -> int:
    passed = failed = 0
    began = time.monotonic()
    for title, function in tests(package, words):
        at = time.monotonic()
        try:
            await one(function, url, mode)
        except Exception:
            failed += 1
            say(f"FAILED {title}\n{traceback.format_exc()}")
        else:
            passed += 1
            say(f"ok {title} ({(time.monotonic() - at) * 1000:.0f} ms)")
    say(f"{passed} passed, {failed} failed in {package} on {url} restart={mode} in {time.monotonic() - began:.1f} s")
    return failed if passed or failed else 1


def start(package: str, url: str, mode: str, words: str, say: Any, ended: Any) -> None:
    """Begin; JavaScript goes on. `mode` is "never", "everywhere" or the seed of random restarts."""
    loop = PumpedLoop()

    async def main() -> None:
        try:
            count = await every(package, url, int(mode) if mode.isdigit() else mode, words, say)
        except BaseException:
            say(traceback.format_exc())
            count = 1
        ended(count)

    running.append(run(main(), loop=loop))


running: list[asyncio.Task[None]] = []  # a loop alone does not keep a waiting task alive
