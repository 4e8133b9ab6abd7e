"""Bringing runs into memory, with what clients have written to them meanwhile. A run that cannot be read is parked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set

from weft_core.engine.agenda import Agenda
from weft_core.engine.loader import Loaded, refresh_inbox
from weft_core.engine.parking import Parking
from weft_core.engine.residents import Residents
from weft_core.engine.turns import engine_failed
from weft_core.engine.waiters import Waiters
from weft_core.errors import StoreError, WeftError
from weft_core.kernel.machine import Machine
from weft_core.store.port import Row, Store

NOBODY: frozenset[str] = frozenset()


class Arrivals:
    """What a round does before its runs move.

    `park` sets a run aside with what is wrong with it; `keep_wanted` aborts the attempts that a run which was read, or has
    ended, does not wait for.
    """

    def __init__(
        self,
        store: Store,
        runs: Residents,
        agenda: Agenda,
        parking: Parking,
        waiters: Waiters,
        park: Callable[[str, WeftError], Awaitable[None]],
        keep_wanted: Callable[[str, Machine | None], None],
    ) -> None:
        self._store = store
        self._runs = runs
        self._agenda = agenda
        self._parking = parking
        self._waiters = waiters
        self._park = park
        self._keep_wanted = keep_wanted

    async def bring_all(self, run_ids: Iterable[str]) -> Set[str]:
        """Bring those that are not in memory at once. Gives which."""
        away = {run_id for run_id in run_ids if run_id not in self._runs}
        if len(away) < 2:
            return NOBODY
        rows = await self._runs.read(away)
        ended = await asyncio.gather(*(self._bring(run_id, None, rows) for run_id in away), return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome
        return away

    async def look(self, run_id: str, loaded: Loaded | None, brought: Set[str]) -> Loaded | None:
        """The run with what clients wrote to it, None when there is nothing to advance."""
        inbox = self._agenda.todo.pop(run_id, False)
        if run_id in brought or (loaded is not None and not inbox):
            return loaded
        return await self._bring(run_id, loaded)

    async def _bring(self, run_id: str, loaded: Loaded | None, rows: Mapping[str, Row] | None = None) -> Loaded | None:
        """A run with its inbox read, `loaded` again or from the store; None when there is nothing to advance."""
        try:
            if loaded is not None:
                await refresh_inbox(self._store, loaded)
                return loaded
            loaded = await self._runs.bring(run_id, rows)
        except StoreError:
            raise
        except Exception as error:
            await self._park(run_id, engine_failed(run_id, error))
            return None
        self._keep_wanted(run_id, None if loaded is None else loaded.machine)
        if loaded is None:
            await self._parking.clear_ready(run_id)
            self._waiters.tell_closed(run_id)
            return None
        self._parking.leave(run_id)
        start_at = loaded.machine.record.start_at
        if start_at is not None:
            self._agenda.expect(start_at)  # a client has set this timer
        return loaded
