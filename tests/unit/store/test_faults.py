"""The faulty store does what its plan says, at the call it says, and to no other."""

from __future__ import annotations

import asyncio

import pytest

from weft_core.errors import Conflict, StoreFull, StoreUnavailable
from weft_core.store import Batch
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.testing import check_store
from weft_core.testing.faults import (
    FAULT_KINDS,
    Call,
    Fault,
    FaultKind,
    FaultyStore,
    Killed,
    SnapshotStore,
    every_fault,
)
from weft_core.testing.stores import PROMISES


def put(value: str) -> Batch:
    return Batch(put={"a": value})


async def values(place: MemoryPlace) -> list[str]:
    return [row.value for row in await MemoryStore(place).scan("a", "b")]


async def test_without_a_plan_it_is_a_store_like_its_inner_one() -> None:
    place = MemoryPlace()
    report = await check_store(lambda: FaultyStore(MemoryStore(place)), reopens=True)
    assert report.passed == PROMISES


@pytest.mark.parametrize(("kind", "left"), [("die_before", ["1"]), ("die_after", ["2"])])
async def test_death_before_and_after(kind: FaultKind, left: list[str]) -> None:
    place, deaths = MemoryPlace(), []
    store = FaultyStore(MemoryStore(place), [Fault(kind=kind, at=3)], on_death=lambda: deaths.append(1))
    await store.acquire()
    await store.commit(put("1"))
    with pytest.raises(Killed):
        await store.commit(put("2"))
    assert await values(place) == left
    assert store.dead
    for call in (store.commit(put("3")), store.get(["a"]), store.scan("a", "b"), store.acquire(), store.close()):
        with pytest.raises(Killed):
            await call
    assert deaths == [1]
    assert store.call_count == 3
    await MemoryStore(place).acquire()  # a dead owner owns nothing


@pytest.mark.parametrize(
    ("kind", "left", "applied"), [("fail_before", ["1", "3"], False), ("fail_after", ["2", "3"], None)]
)
async def test_one_failure(kind: FaultKind, left: list[str], applied: bool | None) -> None:
    place = MemoryPlace()
    store = FaultyStore(MemoryStore(place), [Fault(kind=kind, at=2)])
    await store.commit(put("1"))
    with pytest.raises(StoreUnavailable) as caught:
        await store.commit(put("2"))
    assert caught.value.applied is applied
    assert await values(place) == left[:1]
    await store.commit(put("3"))
    assert await values(place) == left[1:]
    assert [call.name for call in store.calls] == ["commit"] * 3
    assert [call.batch.put["a"] for call in store.calls if call.batch] == ["1", "2", "3"]


async def test_failure_for_ever() -> None:
    store = FaultyStore(MemoryStore(), [Fault(kind="fail_for_ever", at=2)])
    await store.commit(put("1"))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await store.get(["a"])
    assert store.call_count == 4


async def test_no_room_and_a_real_conflict() -> None:
    place = MemoryPlace()
    store = FaultyStore(MemoryStore(place), [Fault(kind="full", at=2), Fault(kind="conflict", at=3, prefix="a")])
    first = await store.commit(Batch(put={"a": "1", "owner": "me"}))
    with pytest.raises(StoreFull):
        await store.commit(put("2"))
    with pytest.raises(Conflict) as caught:
        await store.commit(Batch(expect={"owner": first, "a": first}, put={"a": "3"}))
    assert caught.value.key == "a"
    rows = await store.get(["a"])
    assert (rows["a"].value, rows["a"].version) == ("1", caught.value.actual)
    assert [fault.kind for fault in store.fired] == ["full", "conflict"]


async def test_a_fault_that_does_not_fit_its_call_does_not_fire() -> None:
    store = FaultyStore(MemoryStore(), [Fault(kind="full", at=1), Fault(kind="conflict", at=2)])
    await store.get(["a"])
    await store.commit(put("1"))
    assert store.fired == []


async def test_frozen_and_thawed() -> None:
    place = MemoryPlace()
    store = FaultyStore(MemoryStore(place), [Fault(kind="freeze", at=1)])
    late = asyncio.ensure_future(store.commit(put("late")))
    await asyncio.sleep(0)
    assert await values(place) == []
    store.thaw()
    await late
    assert await values(place) == ["late"]


async def test_a_death_reaches_calls_that_are_on_their_way() -> None:
    store = FaultyStore(MemoryStore(), [Fault(kind="freeze", at=1)])
    late = asyncio.ensure_future(store.commit(put("late")))
    await asyncio.sleep(0)
    store.die()
    store.thaw()
    with pytest.raises(Killed):
        await late


async def test_a_plan_may_be_a_function() -> None:
    def plan(call: Call) -> FaultKind | None:
        return "fail_before" if call.name == "scan" else None

    store = FaultyStore(MemoryStore(), plan)
    await store.get(["a"])
    with pytest.raises(StoreUnavailable):
        await store.scan("a", "b")


async def test_hints_end_with_death() -> None:
    place, rings = MemoryPlace(), []
    store = FaultyStore(MemoryStore(place))
    store.watch(lambda: rings.append(1))
    await MemoryStore(place).commit(put("1"))
    store.die()
    await MemoryStore(place).commit(put("2"))
    assert rings == [1]


def test_every_fault_is_listed() -> None:
    faults = list(every_fault(3, FAULT_KINDS))
    assert len({(fault.at, fault.kind) for fault in faults}) == 3 * len(FAULT_KINDS)


async def test_a_snapshot_store_goes_back_to_any_commit() -> None:
    place = MemoryPlace()
    await MemoryStore(place).commit(put("before"))
    store = SnapshotStore(place)
    for n in range(4):
        await store.commit(Batch(put={"a": str(n), f"a/{n}": "x"}, delete={f"a/{n - 1}"}))
        with pytest.raises(Conflict):
            await store.commit(Batch(expect={"a": 0}, put={"a": "no"}))
    assert store.commit_count == 4
    assert await store.at(0).scan("a", "b") == [("a", "before", 1)]
    assert await store.at(2).scan("a", "b") == [("a", "1", 3), ("a/1", "x", 3)]
    assert await store.at(4).scan("a", "b") == await store.scan("a", "b")
    copy = store.copy()
    await copy.commit(put("copy"))
    assert (await store.get(["a"]))["a"].value == "3"
