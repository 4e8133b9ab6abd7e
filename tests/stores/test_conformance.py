"""Every store keeps every promise of the port; and the suite that says so finds planted defects."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.stores.broken import BROKEN
from weft_core.store import Store, open_store
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.testing import check_store
from weft_core.testing.stores import PROMISES


def test_memory_keeps_every_promise() -> None:
    place = MemoryPlace()
    report = asyncio.run(check_store(lambda: MemoryStore(place), reopens=True))
    assert report.passed == PROMISES


def test_memory_without_a_common_place_skips_what_needs_one() -> None:
    report = asyncio.run(check_store(MemoryStore))
    assert set(report.passed) | set(report.skipped) == set(PROMISES)
    assert len(report.skipped) == 4


@pytest.mark.parametrize("options", ["", "?durability=strict", "?durability=relaxed"])
def test_sqlite_keeps_every_promise(tmp_path: Path, options: str) -> None:
    async def make() -> Store:
        return await open_store(f"sqlite:///{tmp_path}/shop.db{options}")

    report = asyncio.run(check_store(make, reopens=True))
    assert report.passed == PROMISES


@pytest.mark.parametrize("seed", range(1, 5))
def test_random_batches_agree_with_the_model_for_other_seeds(tmp_path: Path, seed: int) -> None:
    asyncio.run(check_store(lambda: open_store(f"sqlite:///{tmp_path}/shop.db"), reopens=True, seed=seed))


@pytest.mark.parametrize("broken", BROKEN)
def test_the_suite_finds_a_planted_defect(broken: type[MemoryStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft_core.testing.store_checks.handles.HINT_WAIT_S", 0.2)
    place = MemoryPlace()
    with pytest.raises(AssertionError, match="the store breaks a promise: ") as caught:
        asyncio.run(check_store(lambda: broken(place), reopens=True))
    print(f"{broken.__name__}: {caught.value}")


def test_the_planted_defects_are_as_many_as_stated() -> None:
    assert len(BROKEN) >= 25
