"""For every room of tests: run `async def` tests, and print the versions that a failure needs to be repeated."""

from __future__ import annotations

import asyncio
import inspect
import platform
import sqlite3
import sys
from pathlib import Path

import pytest

BROWSER = Path(__file__).parent / "browser"

ASYNC_TEST_SECONDS_MAX = 120
"""How long one `async def` test may take before it is called hung."""


def pytest_report_header() -> str:
    return f"python {platform.python_version()} ({sys.executable}), sqlite {sqlite3.sqlite_version}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: once it has started, its driver keeps an event loop in this thread."""
    items.sort(key=lambda item: BROWSER in item.path.parents)


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test on a loop of its own. A room with fixtures to close does it in its own conftest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        async with asyncio.timeout(ASYNC_TEST_SECONDS_MAX):
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True
