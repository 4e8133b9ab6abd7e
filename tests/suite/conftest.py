"""Under CPython: the suite on memory and SQLite, each run normally, with every run restarted at every wait, and at random."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.suite.harness import Harness
from weft_core.store import open_store
from weft_core.store.port import Store

MODES = ["memory-never", "memory-everywhere", "memory-20261123", "sqlite-never", "sqlite-everywhere"]


@pytest.fixture(params=MODES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    backend, mode = request.param.split("-")
    restart: Any = int(mode) if mode.isdigit() else mode

    count = itertools.count()

    async def store() -> Store:
        return await open_store("memory:" if backend == "memory" else f"sqlite:///{tmp_path}/suite{next(count)}.db")

    return Harness(store, restart=restart)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests, and close what their harness opened."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        try:
            async with asyncio.timeout(60):
                await pyfuncitem.obj(**arguments)
        finally:
            harness = arguments.get("make")
            if harness is not None:
                await harness.close()

    asyncio.run(run())
    return True
