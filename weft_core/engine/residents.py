"""The runs that are in memory, and for how long they stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from weft_core.engine.loader import Loaded, load_run, new_run
from weft_core.engine.rows import RunKeys
from weft_core.engine.submissions import Submission
from weft_core.kernel.records import RunRecord
from weft_core.model.app import Activity, App
from weft_core.store.port import Row, Store

IDLE_RUNS_MAX = 256
"""Waiting runs that stay in memory; the least recently parked leave first."""


class Residents:
    """Runs in memory by id. What is committed of a run is all there is of it: forgetting one loses nothing."""

    def __init__(
        self, store: Store, app: App, *, find_activity: Callable[[str], Activity[..., Any]], patient: bool
    ) -> None:
        self.loaded: dict[str, Loaded] = {}
        self._store = store
        self._app = app
        self._find_activity = find_activity
        self._patient = patient
        self._new: dict[str, tuple[RunRecord, int]] = {}
        self._idle: dict[str, None] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self.loaded or run_id in self._new

    def expect(self, record: RunRecord, ready_version: int) -> None:
        """The start of this run has just been committed: when it is brought, there is nothing to read."""
        self._new[record.id] = record, ready_version

    def begin(self, start: Submission) -> Loaded:
        """A run whose start is not committed yet; `add` it when it is. Raises `UnknownWorkflow`."""
        assert start.new is not None
        loaded = self._fresh(start.new.copy(), 0)  # the client's own stays as it gave it
        loaded.start = start
        return loaded

    def add(self, loaded: Loaded) -> None:
        """The run that `begin` gave is durable."""
        self.loaded[loaded.keys.run_id] = loaded

    async def read(self, run_ids: Iterable[str]) -> Mapping[str, Row]:
        """What `bring` reads first of these runs: a store that is asked together answers sooner."""
        return await self._store.get([key for run_id in run_ids for key in RunKeys(run_id).first])

    async def bring(self, run_id: str, rows: Mapping[str, Row] | None = None) -> Loaded | None:
        """Read a run into memory; None when it has ended or never was. Raises what `load_run` raises.

        `rows` is what `read` has just given for it.
        """
        new = self._new.pop(run_id, None) if self._new else None
        if new is not None:
            loaded: Loaded | None = self._fresh(*new)
        else:
            loaded = await load_run(
                self._store,
                self._app,
                RunKeys(run_id),
                find_activity=self._find_activity,
                patient=self._patient,
                rows=rows,
            )
        if loaded is not None:
            self.loaded[run_id] = loaded
        return loaded

    def _fresh(self, record: RunRecord, ready_version: int) -> Loaded:
        return new_run(
            record,
            ready_version,
            self._app,
            RunKeys(record.id),
            find_activity=self._find_activity,
            patient=self._patient,
        )

    def rest(self, run_id: str) -> None:
        """The run waits; it may be needed again soon, so the latest few that wait stay."""
        self._idle.pop(run_id, None)
        self._idle[run_id] = None
        if len(self._idle) > IDLE_RUNS_MAX:
            self.forget(next(iter(self._idle)))

    def work(self, run_id: str) -> None:
        """The run no longer waits."""
        if self._idle:
            self._idle.pop(run_id, None)

    def forget(self, run_id: str) -> None:
        """Drop the run from memory. None of its code runs."""
        self._idle.pop(run_id, None)
        loaded = self.loaded.pop(run_id, None)
        if loaded is not None:
            loaded.machine.forget()

    def forget_all(self) -> None:
        """Drop every run."""
        for loaded in self.loaded.values():
            loaded.machine.forget()
        self.loaded.clear()
        self._new.clear()
        self._idle.clear()
