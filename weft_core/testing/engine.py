"""`TestEngine`: an engine with a virtual clock that can crash, and restart runs at every wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any, Literal

from weft_core.engine.activities import Attempt
from weft_core.engine.engine import Engine
from weft_core.engine.host import Host
from weft_core.errors import DeclarationError
from weft_core.model.app import App
from weft_core.model.durations import Duration, milliseconds
from weft_core.store import open_store
from weft_core.store.memory import MemoryStore
from weft_core.store.port import Store

START_MS = 1_767_225_600_000
"""When virtual time begins: 2026-01-01T00:00:00Z."""
PATIENCE: Duration = "2s"
"""Real time in which one of the activities under way has to end, unless `patience=` says otherwise: else they hang."""
HANGING_S = 0.05
"""Real seconds those that were found to hang are given to end all the same, whenever time is about to pass."""
TURNS_MAX = 1_000_000
"""Timers one `advance` fires before it says that the workflow never stops setting them."""

Restart = Literal["never", "everywhere"] | int


class VirtualHost(Host):
    """A host whose clock moves only when told. Its timers fire when the clock passes them. `begun` counts attempts."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now = now_ms
        self._timers: dict[int, tuple[int, Callable[[], None]]] = {}
        self._count = 0
        self.begun = 0

    def now_ms(self) -> int:
        return self._now

    def spawn(
        self, coroutine: Coroutine[Any, Any, None], context: Context, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Task[None]:
        self.begun += 1
        return super().spawn(coroutine, context, loop)

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        self._count += 1
        ident = self._count
        if at_ms <= self._now:
            asyncio.get_running_loop().call_soon(callback)
            return lambda: None
        self._timers[ident] = (at_ms, callback)
        return lambda: self._timers.pop(ident, None) and None

    def next_timer(self) -> int | None:
        """When the first armed timer is due."""
        return min((at for at, _ in self._timers.values()), default=None)

    def move_to(self, now_ms: int) -> None:
        """Set the clock and fire what became due, in order."""
        self._now = max(self._now, now_ms)
        due = sorted((at, i) for i, (at, _) in self._timers.items() if at <= self._now)
        for _, ident in due:
            timer = self._timers.pop(ident, None)
            if timer is not None:
                timer[1]()


class TestEngine(Engine):
    """An engine for tests.

    `restart="everywhere"` drops every run from memory at every single wait and resumes it from the store; an int is the
    seed of random such points. Time is virtual: `await engine.advance("1h")`. The store (default `memory:`) stays open
    over `crash()`.

    Time passes only when nothing else moves. Activities do their work in real time, so they are waited for as long as one
    of them ends every `patience`, a duration of real time; then they are taken for hanging, and time passes beside them.
    Give a short one where tests have activities that wait for ever.
    """

    __test__ = False  # pytest would take the class for tests

    def __init__(
        self, app: App, *, store: str | Store = "memory:", restart: Restart = "never", patience: Duration = PATIENCE
    ) -> None:
        host = VirtualHost()
        super().__init__(MemoryStore() if isinstance(store, str) else store, app, host=host)
        self._url = store if isinstance(store, str) else None
        self.host: VirtualHost = host
        self.restart = restart
        self._patience_s = milliseconds(patience) / 1000
        self._hanging: set[Attempt] = set()
        match restart:
            case "never":
                pass
            case "everywhere":
                self._patient = True
                self._evict = _always
            case int() if type(restart) is int:
                random = Random(restart)
                self._evict = lambda _run: random.random() < 0.5
            case _:
                raise DeclarationError(
                    f"restart= takes 'never', 'everywhere' or an int, the seed of random points, not {restart!r}"
                )

    async def __aenter__(self) -> TestEngine:
        if self._url is not None:
            self.store, self._url = await open_store(self._url), None
        if self._pump is None:
            await self._acquire(wait=False)
        await super().__aenter__()
        return self

    async def settle(self) -> None:
        """Wait until nothing more can happen without time passing or something arriving.

        Activities under way are waited for with `patience`; those that hang are left hanging, so that their time limits
        can be tested.
        """
        clock = asyncio.get_running_loop().time
        quiet_since, seen = clock(), None
        while True:
            pump = self._pump
            if pump is None:
                return
            await pump.wait_idle()
            if pump.settled:
                return
            under_way = pump.under_way
            found = self.host.begun, under_way
            if found != seen:
                quiet_since, seen = clock(), found
            elif clock() - quiet_since >= (HANGING_S if self._hanging.issuperset(under_way) else self._patience_s):
                self._hanging = set(under_way)
                return
            await asyncio.sleep(0.001)

    async def advance(self, duration: Duration) -> None:
        """Let virtual time pass, firing every timer on the way at its own instant.

        An activity with a heartbeat limit may give one right before each instant. It has the patience the others have;
        when that is over it must do so every 50 ms of real time (`HANGING_S`), or its limit passes in virtual time.
        """
        end = self.host.now_ms() + milliseconds(duration)
        for _ in range(TURNS_MAX):
            await self.settle()
            pump = self._pump
            due = None if pump is None else pump.next_due
            armed = self.host.next_timer()
            candidates = [at for at in (due, armed) if at is not None and at <= end]
            if not candidates:
                break
            following = min(candidates)
            beating = pump is not None and any(attempt.activity.heartbeat_ms for attempt in pump.under_way)
            if beating and following - 1 > self.host.now_ms():
                self.host.move_to(following - 1)
                continue
            self.host.move_to(following)
            if pump is not None:
                pump.clock_changed()
        else:
            raise RuntimeError(f"more than {TURNS_MAX:,} timers fired (TURNS_MAX): a workflow never stops setting them")
        self.host.move_to(end)
        await self.settle()

    async def crash(self) -> None:
        """Drop everything that is not in the store, as a killed process would, and start again on it.

        Attempts of activities under way are abandoned; the new engine makes them again.
        """
        await self._halt()
        await self.store.release()
        await self._acquire(wait=False)
        self.run_in_background()

    async def evict(self) -> None:
        """Drop every run from memory and keep the activities under way."""
        if self._pump is not None:
            self._pump.forget_all()

    @property
    def now_ms(self) -> int:
        """Virtual milliseconds since 1970."""
        return self.host.now_ms()


def _always(_run: str) -> bool:
    return True
