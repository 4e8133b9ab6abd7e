"""`Engine`: what a program opens to advance runs. It is a `Client` that also owns its store and runs a pump."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from weft_core.client import Client
from weft_core.engine.activities import Activities
from weft_core.engine.host import Host
from weft_core.engine.loader import store_units
from weft_core.engine.pump import Pump
from weft_core.errors import Conflict, StoreCorrupt, StoreOwned, WeftError
from weft_core.kernel.records import RunRecord, dump, parse
from weft_core.model.app import App
from weft_core.store import keys, open_store
from weft_core.store.port import Batch, Store

log = logging.getLogger("weft")

FORMAT = 1
"""The version of the store's layout that this engine writes."""


class Engine(Client):
    """Advances the runs of one app on one store.

    ```python
    engine = await Engine.open("sqlite:///shop.db", app)
    async with engine:
        run = await engine.start(checkout, order)
        print(await run.result())
    ```

    `open` takes ownership (at most one engine a store); entering the context starts advancing runs; leaving it stops at
    the last commit and closes the store. `activities` maps names to functions that replace or add to the app's.
    """

    app: App

    def __init__(self, store: Store, app: App, *, host: Host | None = None) -> None:
        super().__init__(store, app)
        self.host = host or Host()
        self.id = os.urandom(8).hex()
        self.activities = Activities(app.activities)
        self._pump: Pump | None = None
        self._task: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] | None = None
        self._patient = False
        self._evict: Callable[[str], bool] | None = None
        self._open = False
        self._warned = False

    @classmethod
    async def open(  # type: ignore[override]
        cls, url: str | Store, app: App, *, wait: bool = False, host: Host | None = None
    ) -> Engine:
        """Open a store (`memory:`, `sqlite:///path`, `indexeddb:name`, or a `Store`) and become its engine.

        Raises `StoreOwned` when another engine has it, or waits for it with `wait=True`.
        """
        store = await open_store(url) if isinstance(url, str) else url
        engine = cls(store, app, host=host)
        try:
            await engine._acquire(wait=wait)
        except BaseException:
            await store.close()
            raise
        return engine

    async def _acquire(self, *, wait: bool) -> None:
        await self.store.acquire(wait=wait)
        rows = await self.store.get([keys.FORMAT, keys.OWNER])
        if keys.FORMAT in rows:
            found = parse(rows[keys.FORMAT].value, "format row").get("format")
            if found != FORMAT:
                raise StoreCorrupt(
                    f"{self.store.url} has layout {found!r}, and this version of Weft knows {FORMAT}; "
                    "use the version that wrote it"
                )
        owner = rows.get(keys.OWNER)
        fence = 1 if owner is None else int(parse(owner.value, "owner row").get("fence", 0)) + 1
        batch = Batch(
            expect={keys.OWNER: 0 if owner is None else owner.version},
            put={
                keys.OWNER: dump({"owner": self.id, "fence": fence, "at": self.host.now_ms()}),
                keys.FORMAT: dump({"format": FORMAT}),
            },
        )
        try:
            version = await self.store.commit(batch)
        except Conflict as conflict:
            raise StoreOwned(f"another engine took {self.store.url} at this very moment; try again") from conflict
        await store_units(self.store, self.app)
        self._open = True
        self._pump = Pump(
            self.store,
            self.app,
            host=self.host,
            activities=self.activities,
            owner_version=version,
            patient=self._patient,
            evict=self._evict,
        )
        self._unwatch = self.store.watch(self._pump.hint)

    async def __aenter__(self) -> Engine:
        self.run_in_background()
        await asyncio.sleep(0)  # let the loop begin, so that what is started now joins its commits
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def run_in_background(self) -> None:
        """Start advancing runs on the current event loop. `async with engine` does this."""
        if self._pump is None:
            raise WeftError("this engine is closed; open a new one")
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._pump.run(), name=f"weft-engine-{self.id}")

    async def serve(self) -> None:
        """Advance runs until cancelled. Raises `StoreOwned` when another engine takes the store over."""
        self.run_in_background()
        assert self._task is not None
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Commit what has ended, stop, give the store back and close it. Runs go on where they are with the next engine.

        Activities under way are cancelled; the next engine makes those attempts again.
        """
        await self._halt(finish=True)
        if self._open:
            self._open = False
            await self.store.release()
            await self.store.close()
            self.host.close()

    async def _halt(self, *, finish: bool = False) -> None:
        pump, task = self._pump, self._task
        self._pump = self._task = None
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        if pump is None:
            return
        await pump.stop(finish=finish)
        if task is not None:
            try:
                await task
            except asyncio.CancelledError:
                pass
            except Exception:
                pass  # it was logged, and those who waited for something have been told
        else:
            pump.forget_all()

    # --- what a client does, joined to the engine's own commits ------------------------------------------------------

    def _now_ms(self) -> int:
        return self.host.now_ms()

    async def _commit(self, batch: Batch, run_id: str, new: RunRecord | None = None) -> None:
        pump = self._pump
        if pump is not None and pump.running:
            await pump.submit(batch, run_id, new)
        else:
            await super()._commit(batch, run_id, new)
            if pump is not None:
                pump.notify(run_id)

    async def _wait_closed(self, run_id: str) -> RunRecord:
        while True:
            pump = self._pump
            if pump is None:
                return await super()._wait_closed(run_id)
            waiting = pump.wait_closed(run_id)
            try:
                if pump.follows(run_id):
                    closed = await waiting
                    if closed is not None:
                        return closed
                    continue
                record = await self._record(run_id)
                if record.closed or (record.problem is not None and run_id in pump.parking):
                    return record
                await self._warn_if_not_entered()
                await waiting
            finally:
                pump.stop_waiting(run_id, waiting)

    async def _warn_if_not_entered(self) -> None:
        """Say once that somebody waits for a run which nobody advances: entering comes next, or was forgotten."""
        if self._task is None and not self._warned:
            await asyncio.sleep(0)  # a task that is about to `serve` may not have begun
        if self._task is None and not self._warned:
            self._warned = True
            log.warning(
                "a result is waited for, and this engine advances no run yet: enter it with `async with engine:`, or "
                "let a task await engine.serve()"
            )


async def run_app(app: App, workflow: Any, *args: Any, url: str | Store = "memory:", id: str | None = None) -> Any:
    """Open an engine, start a run, wait for its result, close."""
    engine = await Engine.open(url, app)
    async with engine:
        handle = await engine.start(workflow, *args, id=id)
        return await handle.result()


def run_sync(app: App, workflow: Any, *args: Any, url: str | Store = "memory:", id: str | None = None) -> Any:
    """For scripts: start (or, with the same `id` on the same store, continue) a run and give its result."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise WeftError(
            "run_sync starts an event loop of its own, and one is running here: open an engine instead, "
            "`async with await Engine.open(url, app) as engine`, and await what `engine.start(…)` gives"
        )
    return asyncio.run(run_app(app, workflow, *args, url=url, id=id))
