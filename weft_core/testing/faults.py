"""Stores that fail on purpose: for trying every crash of whatever uses a store.

`FaultyStore` stands between an engine and its store, numbers the calls, records them and fails as its plan says. A
typical exploration runs a scenario once without faults, then once more for every fault that `every_fault` lists:

    place = MemoryPlace()
    store = FaultyStore(MemoryStore(place), [Fault(kind="die_after", at=7)])
    ...                                   # run the scenario until it ends, or until `store.dead`
    recovered = MemoryStore(place)        # what the next process finds

`SnapshotStore` remembers each commit and can go back to any of them: an older copy restored, a lost unsynced tail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from weft_core.errors import StoreFull, StoreUnavailable
from weft_core.store.memory import MemoryPlace, MemoryStore
from weft_core.store.port import SCAN_LIMIT_DEFAULT, Batch, Row, Store

FaultKind: TypeAlias = Literal[
    "die_before", "die_after", "fail_before", "fail_after", "fail_for_ever", "full", "conflict", "freeze"
]
"""What happens at a call.

    die_before      the process dies before the call had an effect: `Killed` now, and at every later call
    die_after       the call takes effect, then the process dies
    fail_before     `StoreUnavailable(applied=False)`, nothing was written
    fail_after      a commit is applied, then `StoreUnavailable(applied=None)`; a read fails
    fail_for_ever   this call and all later ones fail as with `fail_before`
    full            a commit raises `StoreFull`, nothing was written
    conflict        somebody else writes the same text to a row that the commit expects, just before it
    freeze          the call waits until `thaw()`, then goes on: a process that was suspended
"""

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
_ONLY_COMMITS: frozenset[FaultKind] = frozenset({"full", "conflict"})


class Killed(BaseException):
    """The simulated process is dead. Not an `Exception`: nothing but the harness may handle it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: `kind` at the `at`-th counted call (1 is the first). `prefix`: the row that a `conflict` is about."""

    kind: FaultKind
    at: int
    prefix: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that reached a `FaultyStore`: its number, its name, and the batch of a commit."""

    number: int
    name: Literal["get", "scan", "commit", "acquire"]
    batch: Batch | None = None


Plan: TypeAlias = Iterable[Fault] | Callable[[Call], Fault | FaultKind | None]
"""Faults, or a function that decides for each call (from a seeded random generator, say)."""


class FaultyStore:
    """A `Store` that passes calls on to `inner` and fails as `plan` says.

    Counted are `get`, `scan`, `commit` and `acquire`. `calls` records them, `fired` the faults that happened (a plan
    may name a call that never comes, or a fault that does not fit its call). `on_death` is called once, at death, and
    ownership of `inner` is free from then on, as after the death of a real process.
    """

    def __init__(self, inner: Store, plan: Plan = (), *, on_death: Callable[[], None] | None = None) -> None:
        self.inner = inner
        self.url = inner.url
        self.dead = False
        self.calls: list[Call] = []
        self.fired: list[Fault] = []
        self._plan = plan if callable(plan) else _by_number(plan)
        self._on_death = on_death
        self._broken = False
        self._thawed = asyncio.Event()

    @property
    def call_count(self) -> int:
        return len(self.calls)

    def thaw(self) -> None:
        """Let calls go on that a `freeze` stopped, now and later."""
        self._thawed.set()

    def die(self) -> None:
        """Die now, between two calls."""
        if not self.dead:
            self.dead = True
            crash = getattr(self.inner, "crash", None)
            if crash is not None:
                crash()
            if self._on_death is not None:
                self._on_death()

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        fault = await self._before("get")
        found = await self.inner.get(keys)
        self._after(fault, wrote=False)
        return found

    async def scan(self, start: str, end: str, *, limit: int = SCAN_LIMIT_DEFAULT, reverse: bool = False) -> list[Row]:
        fault = await self._before("scan")
        rows = await self.inner.scan(start, end, limit=limit, reverse=reverse)
        self._after(fault, wrote=False)
        return rows

    async def commit(self, batch: Batch) -> int:
        fault = await self._before("commit", batch)
        number = await self.inner.commit(batch)
        self._after(fault, wrote=bool(batch))
        return number

    async def acquire(self, *, wait: bool = False) -> None:
        fault = await self._before("acquire")
        await self.inner.acquire(wait=wait)
        self._after(fault, wrote=False)

    async def release(self) -> None:
        self._check_alive()
        await self.inner.release()

    async def close(self) -> None:
        self._check_alive()
        await self.inner.close()

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._check_alive()

        def unless_dead() -> None:
            if not self.dead:
                callback()

        return self.inner.watch(unless_dead)

    async def _before(
        self, name: Literal["get", "scan", "commit", "acquire"], batch: Batch | None = None
    ) -> Fault | None:
        """Number and record the call; do what the plan says shall happen before it takes effect."""
        self._check_alive()
        call = Call(number=len(self.calls) + 1, name=name, batch=batch)
        self.calls.append(call)
        if self._broken:
            raise StoreUnavailable(f"planted: call {call.number}, as all since the first failure", applied=False)
        fault = self._fault_for(call)
        if fault is None:
            return None
        if fault.kind == "conflict":
            touched = await self._touch(batch, fault.prefix)
            if not touched:
                return None
        self.fired.append(fault)
        match fault.kind:
            case "die_before":
                self.die()
                raise Killed(f"planted: died before call {call.number}")
            case "fail_before":
                raise StoreUnavailable(f"planted: call {call.number} failed", applied=False)
            case "fail_for_ever":
                self._broken = True
                raise StoreUnavailable(f"planted: call {call.number} failed, and all after it will", applied=False)
            case "full":
                raise StoreFull(f"planted: no room at call {call.number}")
            case "freeze":
                await self._thawed.wait()
                self._check_alive()
            case "die_after" | "fail_after" | "conflict":
                pass
        return fault

    def _after(self, fault: Fault | None, *, wrote: bool) -> None:
        if fault is not None and fault.kind == "die_after":
            self.die()
        self._check_alive()  # also when somebody else's call died while this one was on its way
        if fault is not None and fault.kind == "fail_after":
            raise StoreUnavailable(
                f"planted: call {fault.at} failed after it took effect", applied=None if wrote else False
            )

    def _fault_for(self, call: Call) -> Fault | None:
        planned = self._plan(call)
        fault = planned if planned is None or isinstance(planned, Fault) else Fault(kind=planned, at=call.number)
        if fault is not None and fault.kind in _ONLY_COMMITS and (call.name != "commit" or not call.batch):
            return None
        return fault

    async def _touch(self, batch: Batch | None, prefix: str) -> bool:
        """Rewrite the first row that the commit expects to exist; False when there is none."""
        assert batch is not None
        expected = [key for key, version in batch.expect.items() if version and key.startswith(prefix)]
        rows = await self.inner.get(expected[:1])
        if rows:
            await self.inner.commit(Batch(put={row.key: row.value for row in rows.values()}))
        return bool(rows)

    def _check_alive(self) -> None:
        if self.dead:
            raise Killed("planted: this process is dead")


def _by_number(faults: Iterable[Fault]) -> Callable[[Call], Fault | None]:
    planned = {fault.at: fault for fault in faults}
    return lambda call: planned.get(call.number)


def every_fault(call_count: int, kinds: Sequence[FaultKind] = FAULT_KINDS[:5]) -> Iterator[Fault]:
    """Every one of `kinds` at every one of the first `call_count` calls, in order of the calls."""
    for at in range(1, call_count + 1):
        for kind in kinds:
            yield Fault(kind=kind, at=at)


class SnapshotStore(MemoryStore):
    """A `MemoryStore` that remembers every commit made through it, so that any earlier moment can be had again."""

    def __init__(self, place: MemoryPlace | None = None) -> None:
        super().__init__(place)
        self._first = self.place.copy()
        self._batches: list[Batch] = []

    @property
    def commit_count(self) -> int:
        """How many writing commits were made through this handle."""
        return len(self._batches)

    async def commit(self, batch: Batch) -> int:
        number = await super().commit(batch)
        if number:
            self._batches.append(Batch({}, dict(batch.put), set(batch.delete), list(batch.delete_range)))
        return number

    def at(self, commit_count: int) -> MemoryStore:
        """A store of its own that holds what this one held after its first `commit_count` commits."""
        place = self._first.copy()
        for batch in self._batches[:commit_count]:
            place.apply(batch)
        return MemoryStore(place)
