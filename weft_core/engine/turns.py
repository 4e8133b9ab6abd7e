"""The turns of one round and the one batch they share.

A run that is new makes its first turn before anything of it is written: its start and the turn are one commit. When it
turns out not to be new, nothing was written, and the starts of the round are committed by themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from weft_core.engine.activities import Attempt
from weft_core.engine.attempts import Facts, deliver
from weft_core.engine.loader import Loaded, refresh_inbox
from weft_core.engine.parking import fenced
from weft_core.engine.residents import Residents
from weft_core.engine.rows import add_changes
from weft_core.engine.submissions import Submission, Submissions
from weft_core.errors import Conflict, StoreError, StoreFull, WeftError
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.step import step, unwritten
from weft_core.kernel.writing import changes
from weft_core.store import keys
from weft_core.store.port import Batch, Store

log = logging.getLogger("weft")
NO_FACTS: Facts = []

CONFLICT_RETRIES_MAX = 100
"""How often a round is made again because clients wrote to its runs at the same moment."""


def engine_failed(run_id: str, error: Exception) -> WeftError:
    """Why a run is parked: the error itself, or one that says that the engine, not the run, was wrong."""
    if isinstance(error, WeftError):
        return error
    log.error("run %s: the engine itself failed; the run is parked", run_id, exc_info=error)
    return WeftError(f"{type(error).__name__}: {error}")


class Turns:
    """The runs that have moved in this round, and what they want written.

    `problems`: those that could not, with what is wrong; they are to be parked.
    """

    def __init__(
        self,
        store: Store,
        runs: Residents,
        submissions: Submissions,
        commit: Callable[[Batch], Awaitable[int]],
        owner_version: int,
    ) -> None:
        self.made: list[Loaded] = []
        self.problems: list[tuple[str, WeftError]] = []
        self.batch = Batch(expect={keys.OWNER: owner_version})
        self._store = store
        self._runs = runs
        self._submissions = submissions
        self._commit = commit
        self._owner_version = owner_version

    @property
    def moved(self) -> dict[str, int]:
        """The runs among those made that were there before, with the versions of their ready rows."""
        return {loaded.keys.run_id: loaded.ready_version for loaded in self.made if loaded.start is None}

    def move(self, loaded: Loaded, facts: Facts, now: int) -> None:
        """Give a run its facts, let it move and add what it wants written."""
        machine = loaded.machine
        try:
            if type(facts) is Attempt and facts.ok and loaded.ready_version:
                row = step(machine, facts, facts.text, facts.value, now)
                if row is not None:
                    loaded.turn = machine.plain
                    self.batch.put[loaded.keys.fiber + facts.fiber_id] = row
                    self.made.append(loaded)
                    return
            else:
                deliver(machine, facts, now)
                machine.advance(now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            self.problems.append((loaded.keys.run_id, engine_failed(loaded.keys.run_id, error)))
            return
        self._add_changes(loaded)
        self.made.append(loaded)

    def begin(self, start: Submission, now: int) -> None:
        """Let a new run make its first turn. If it cannot, it is started the longer way, and there is a run to park."""
        if start.run_id in self._runs:  # it is not new, and perhaps among those that have moved
            self._submissions.give_back([start])
            return
        try:
            loaded = self._runs.begin(start)
            loaded.machine.advance(now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception:
            self._submissions.give_back([start])
            return
        self._add_changes(loaded)
        self.made.append(loaded)

    async def commit(self, now: int) -> int:
        """Commit all turns together; the commit's number. Raises `StoreOwned` when the engine has been replaced."""
        for _ in range(CONFLICT_RETRIES_MAX):
            try:
                return await self._commit(self.batch) if self.batch else 0
            except Conflict as conflict:
                if conflict.key == keys.OWNER:
                    raise fenced() from conflict
                stale = self._touching(conflict.key)
                if stale is None:
                    raise
                self.batch = Batch(expect={keys.OWNER: self._owner_version})
                for loaded in self.made:
                    if isinstance(loaded.turn, Fiber):
                        unwritten(loaded.machine, loaded.turn)
                if stale.start is not None:
                    self._begin_apart()
                else:
                    await refresh_inbox(self._store, stale)
                    self.made.remove(stale)
                for loaded in self.made:
                    self._add_changes(loaded)
                if stale.start is None:
                    self.move(stale, NO_FACTS, now)
        raise StoreError(f"clients changed the same runs {CONFLICT_RETRIES_MAX} times during one round")

    def fail_starts(self, error: BaseException) -> None:
        """Nothing of the new runs is known to be durable: tell those who started them, or try the starts by themselves."""
        if isinstance(error, StoreFull) and len(self.made) > 1:
            self._begin_apart()  # each fits or does not, whatever the others hold
            return
        for loaded in self.made:
            if loaded.start is not None:
                loaded.machine.forget()
                loaded.start.fail(error)

    def _touching(self, key: str) -> Loaded | None:
        for loaded in self.made:
            if key in (loaded.keys.ready, loaded.keys.seq) or (loaded.start is not None and key == loaded.keys.run):
                return loaded
        return None

    def _begin_apart(self) -> None:
        """One of the new runs is not new: who has which id is found out in commits of the starts alone."""
        for loaded in self.made:
            if loaded.start is not None:
                loaded.machine.forget()
                self._submissions.give_back([loaded.start])
        self.made = [loaded for loaded in self.made if loaded.start is None]

    def _add_changes(self, loaded: Loaded) -> None:
        """Add all that a run wants written to the batch."""
        batch = self.batch
        if loaded.start is not None:
            batch.expect.update(loaded.start.batch.expect)
        loaded.turn = change = changes(loaded.machine)
        add_changes(batch, loaded.keys, change, ready_version=loaded.ready_version, seq_version=loaded.seq_version)
