"""The IndexedDB store keeps every promise of the port, in the browser that is really there."""

from __future__ import annotations

import time

from weft_core.store import Store, open_store
from weft_core.testing.stores import PROMISES, check_store


async def check(durability: str) -> None:
    name = f"promises-{time.time_ns()}"

    async def make() -> Store:
        return await open_store(f"indexeddb:{name}?durability={durability}")

    report = await check_store(make, reopens=True)
    assert report.passed == PROMISES


async def test_strict_keeps_every_promise() -> None:
    await check("strict")


async def test_relaxed_keeps_every_promise() -> None:
    await check("relaxed")
