"""The engine's loop. A round takes every run that can move, lets the kernel advance it, and commits all in one batch.

What a round may rely on, in order: facts are kept until the commit that consumed them is durable; activities start and
waiters hear of a result only after that commit; a commit that failed makes the engine forget its copies of the runs
concerned and read them again, so memory never runs ahead of the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from itertools import islice

from weft_core.engine.activities import Activities, Attempt
from weft_core.engine.agenda import Agenda
from weft_core.engine.arrivals import NOBODY, Arrivals
from weft_core.engine.attempts import Attempts
from weft_core.engine.crowded import Crowded
from weft_core.engine.host import Host
from weft_core.engine.loader import Loaded
from weft_core.engine.parking import Parking
from weft_core.engine.residents import Residents
from weft_core.engine.submissions import Submission, Submissions
from weft_core.engine.turns import NO_FACTS, Turns
from weft_core.engine.waiters import Waiters
from weft_core.errors import Conflict, StoreError, StoreFull, StoreOwned, StoreUnavailable, UnknownActivity, WeftError
from weft_core.kernel.changes import Changes
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.records import RunRecord
from weft_core.kernel.waits import ActivityWait
from weft_core.kernel.writing import committed
from weft_core.model.app import App
from weft_core.store.port import Batch, Store

log = logging.getLogger("weft")

ROUND_RUNS_MAX = 2_000
"""Runs one round advances; more wait for the next, so that a commit stays small enough to be quick."""
YIELD_AFTER_MS = 2
"""How long the loop may go on without letting other tasks of the event loop run."""
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0
"""How long the engine waits before it tries a store again that failed: first, and at most."""


class Pump:
    """One engine's loop over one store. `evict` decides after each commit whether a run leaves memory (tests do)."""

    def __init__(
        self,
        store: Store,
        app: App,
        *,
        host: Host,
        activities: Activities,
        owner_version: int,
        patient: bool = False,
        evict: Callable[[str], bool] | None = None,
    ) -> None:
        self.store = store
        self.app = app
        self.host = host
        self.owner_version = owner_version
        self.evict = evict
        self.running = False
        self._ended = False
        self._committing = False
        self.failure: BaseException | None = None
        self._gone: StoreUnavailable | None = None
        self._wake = asyncio.Event()
        self.parking = Parking(store, owner_version)
        self._attempts = Attempts(activities=activities, codec=app.codec, host=host, wake=self._wake.set)
        self._submissions = Submissions(self._commit, self._submitted)
        self._runs = Residents(store, app, find_activity=activities.find, patient=patient)
        self._waiters = Waiters()
        self._crowded = Crowded(self._attempts)
        self._agenda = Agenda(store, self._runs, self.parking, self._crowded)
        self._arrivals = Arrivals(
            store, self._runs, self._agenda, self.parking, self._waiters, self._park, self._attempts.keep_wanted
        )
        self._disarm: Callable[[], None] | None = None
        self._closing = False
        self._finish = False

    # --- from outside --------------------------------------------------------------------------------------------------

    def hint(self) -> None:
        """The store may have changed. A store rings once for each own commit before it returns: that is no news."""
        if self._committing:
            self._committing = False
            return
        self._agenda.hinted = True
        self._wake.set()

    def notify(self, run_id: str) -> None:
        """Something was committed for this run by this process."""
        self._agenda.todo[run_id] = True
        self._wake.set()

    def suspect(self, run_ids: Iterable[str]) -> None:
        """Python died when these moved together: each moves by itself first."""
        for run_id in run_ids:
            self._agenda.todo[run_id] = True
            self._crowded.try_alone(run_id)

    def clock_changed(self) -> None:
        """Time has moved by more than passing: look at the timers."""
        self._wake.set()

    async def submit(self, batch: Batch, run_id: str, new: RunRecord | None = None) -> None:
        """Commit a client's batch (that starts the run `new`) together with others. Raises what `Store.commit` raises."""
        done = self._submissions.add(batch, run_id, new)
        self._wake.set()
        self._tell_if_ended()
        await done

    def _submitted(self, submission: Submission, number: int) -> None:
        if submission.new is not None:
            self._runs.expect(submission.new, number)
        self._agenda.todo[submission.run_id] = True

    def follows(self, run_id: str) -> bool:
        """Whether the run is open and in memory, so that its end will not be missed."""
        return run_id in self._runs

    def wait_closed(self, run_id: str) -> asyncio.Future[RunRecord | None]:
        """A future that is set when a commit of this engine closes the run (to its record) or parks it (to None)."""
        future = self._waiters.wait_closed(run_id)
        self._tell_if_ended()
        return future

    def stop_waiting(self, run_id: str, future: asyncio.Future[RunRecord | None]) -> None:
        """Nobody waits for this any more."""
        self._waiters.forget(run_id, future)

    def wait_idle(self) -> asyncio.Future[None]:
        """A future that is set when no run can move until time passes, an attempt ends or something arrives."""
        future = self._waiters.wait_idle()
        self._wake.set()
        self._tell_if_ended()
        return future

    @property
    def under_way(self) -> list[Attempt]:
        """Attempts under way."""
        return self._attempts.all()

    @property
    def settled(self) -> bool:
        """Whether nothing is under way and nothing waits to be consumed by a round."""
        return not (len(self._attempts) or self._attempts.facts or self._agenda.todo or self._submissions)

    @property
    def next_due(self) -> int | None:
        """When the next timer is due, or a run that did not fit is to be tried again (ms), as far as is known."""
        due, again = self._agenda.next_due, self._crowded.next_due
        return due if again is None else again if due is None else min(due, again)

    @property
    def loaded_count(self) -> int:
        """Runs in memory."""
        return len(self._runs.loaded)

    async def stop(self, *, finish: bool) -> None:
        """Abort attempts and forget everything in memory. What is committed stays as it is.

        With `finish`, attempts that have ended are committed before the loop does.
        """
        self._closing = True
        self._finish = finish
        self._wake.set()
        attempts = self._attempts.abort_all(keep_facts=finish)
        tasks = [a.task for a in attempts if a.task is not None and not a.task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        self.forget_all()

    def forget_all(self) -> None:
        self._runs.forget_all()
        if self._disarm is not None:
            self._disarm()
            self._disarm = None

    # --- the loop --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Go round until stopped. A lost fence or store ends the loop; a failing one is tried again with growing pauses."""
        self.running = True
        backoff = BACKOFF_FIRST_S
        yielded = self.host.now_ms()
        try:
            while not self._closing:
                now = self.host.now_ms()
                if not 0 <= now - yielded <= YIELD_AFTER_MS:  # a clock may be set back
                    await asyncio.sleep(0)
                    now = yielded = self.host.now_ms()
                try:
                    worked = await self._round(now)
                    if self._gone is not None:
                        raise self._gone
                    if not self._crowded.full:
                        backoff = BACKOFF_FIRST_S
                except StoreOwned:
                    raise
                except StoreError as error:
                    if isinstance(error, StoreUnavailable) and error.gone:
                        raise
                    log.warning("the store failed, trying again in %.2f s: %s", backoff, error)
                    if not self._submissions.hurry() and not self._closing:  # those who wait are to be told now
                        await self._pause(backoff)
                    backoff = min(backoff * 2, BACKOFF_MAX_S)
                    self._agenda.look_again()
                    continue
                if not worked and not self._wake.is_set():
                    self._waiters.tell_idle()
                    self._arm()
                    await self._wake.wait()
                    yielded = self.host.now_ms()
                self._wake.clear()
            if self._finish and self._attempts.facts:
                with suppress(StoreError):  # then it will be done again
                    await self._advance(self.host.now_ms())
                self.forget_all()
        except BaseException as error:
            self.failure = error
            if isinstance(error, Exception) and not isinstance(error, WeftError):
                log.exception("the engine stops: it failed itself")
            raise
        finally:
            self.running = False
            self._ended = True
            self._fail_waiters()

    async def _pause(self, seconds: float) -> None:
        self._waiters.tell_idle()  # nothing moves until time passes
        self._wake.clear()
        undo = self.host.call_at(self.host.now_ms() + int(seconds * 1000), self._wake.set)
        await self._wake.wait()
        undo()

    async def _round(self, now: int) -> bool:
        worked = False
        if self._submissions.waiting:
            await self._submissions.commit()
            worked = True
            now = self.host.now_ms()
        agenda = self._agenda
        if agenda.hinted or (agenda.next_due is not None and now >= agenda.next_due):
            await agenda.find(now)
        self._crowded.bring_back(now, agenda.todo)
        if self._attempts.facts or agenda.todo or self._submissions:
            worked = True
            await self._advance(now)
        return worked

    async def _advance(self, now: int) -> None:
        alone = self._crowded.next()
        work = taken = self._attempts.take(ROUND_RUNS_MAX) if alone is None else self._attempts.take_of(alone)
        todo, resident = self._agenda.todo, self._runs.loaded
        if alone is not None:
            work = taken or {alone: NO_FACTS}
        elif todo:
            others = islice((run_id for run_id in todo if run_id not in taken), ROUND_RUNS_MAX - len(taken))
            work = taken | dict.fromkeys(others, NO_FACTS)
        entering = self.host.entering
        if entering is not None:
            entering(work)
        turns = Turns(self.store, self._runs, self._submissions, self._commit, self.owner_version)
        try:
            brought: Set[str] = NOBODY
            if not work.keys() <= resident.keys():
                brought = await self._arrivals.bring_all(work)
            for run_id, facts in work.items():
                loaded = resident.get(run_id)
                if loaded is None or run_id in todo:
                    loaded = await self._arrivals.look(run_id, loaded, brought)
                    if loaded is None:
                        continue
                turns.move(loaded, facts, now)
            starts = self._submissions.take_starts(ROUND_RUNS_MAX if alone is None else 0)
            if starts and entering is not None:
                entering([*work, *(start.run_id for start in starts)])
            for start in starts:
                turns.begin(start, now)
            number = await turns.commit(now)
            self._after_commit(turns.made, number, turns.problems)
            self._crowded.fitted(alone)
            for problem in turns.problems:
                await self._park(*problem)
        except StoreError as error:
            # Nothing or everything was written: forget what memory believes and read it again, with the same facts.
            moved, count = turns.moved, len(turns.made)
            turns.fail_starts(error)
            for run_id in work:
                self._runs.forget(run_id)
                todo[run_id] = True
            for run_id, facts in taken.items():
                self._attempts.give_back(run_id, facts)
            if not isinstance(error, StoreFull) or count == 0:
                raise
            if count > 1:
                for run_id in moved:
                    self._crowded.try_alone(run_id)
                return
            for run_id, version in moved.items():
                if not self._crowded.refused(run_id, version, error, now):
                    raise
                todo.pop(run_id)

    async def _commit(self, batch: Batch) -> int:
        self._committing = True  # see `hint`
        try:
            return await self.store.commit(batch)
        except Conflict:
            raise
        except BaseException as error:
            if isinstance(error, StoreUnavailable) and error.gone:
                self._gone = error  # whoever this batch is of hears it, too
            self._agenda.hinted = True  # it may have taken effect all the same, also for runs that are not in memory
            raise
        finally:
            self._committing = False

    def _after_commit(self, turns: list[Loaded], number: int, problems: list[tuple[str, WeftError]]) -> None:
        """What follows from turns that are durable: attempts start, waiters hear, runs that wait may leave memory.

        Runs whose attempts cannot be made (the app has no such activity any more) are added to `problems`.
        """
        start, closing, evict = self._attempts.start, self._closing, self.evict
        loop = asyncio.get_running_loop()
        for loaded in turns:
            run_id, turn = loaded.keys.run_id, loaded.turn
            loaded.turn = None
            if type(turn) is Fiber:
                wait = turn.wait
                if evict is not None and evict(run_id):
                    self._runs.forget(run_id)
                if not closing and type(wait) is ActivityWait:  # a loop that stops begins nothing
                    try:
                        start(run_id, turn.id, wait, loop)
                    except UnknownActivity as error:
                        problems.append((run_id, error))
                continue
            assert isinstance(turn, Changes)
            if loaded.start is not None:
                self._runs.add(loaded)
                loaded.start.succeed()
                loaded.start = None
            if self._settle(loaded, turn, number) and not closing:
                try:
                    for fiber_id, wait in turn.dispatch:
                        start(run_id, fiber_id, wait, loop)
                except UnknownActivity as error:
                    problems.append((run_id, error))

    def _settle(self, loaded: Loaded, change: Changes, number: int) -> bool:
        """What follows from durable changes, but for starting attempts. Whether the run is still open."""
        run_id, machine = loaded.keys.run_id, loaded.machine
        if change.timers_set:
            self._agenda.expect(min(at for at, _ in change.timers_set))
        for line in change.logs:
            log.log(_LEVELS[line.level], "%s: %s", run_id, line.message)
        for fiber_id, operation_id in change.abort:
            self._attempts.abort(run_id, fiber_id, operation_id)
        if change.closed:
            self._attempts.abort_run(run_id)
            self._runs.forget(run_id)
            self._waiters.tell_closed(run_id, machine.record)
            return False
        committed(machine)
        if change.parked:
            loaded.ready_version = 0
            self._runs.rest(run_id)
        else:
            if loaded.ready_version == 0:
                loaded.ready_version = number
            self._runs.work(run_id)
        if machine.more:
            self._agenda.todo[run_id] = True
        if self.evict is not None and self.evict(run_id):
            self._runs.forget(run_id)
        return True

    async def _park(self, run_id: str, error: WeftError) -> None:
        self._runs.forget(run_id)
        record = await self.parking.end_if_asked(run_id, self.host.now_ms())
        if record is None:
            await self.parking.park(run_id, error)
        else:
            self._attempts.abort_run(run_id)
        self._waiters.tell_closed(run_id, record)

    def _tell_if_ended(self) -> None:
        """Nobody may wait for a loop that is over."""
        if self._ended:
            self._fail_waiters()

    def _fail_waiters(self) -> None:
        closed = StoreError(
            "this engine was closed: the next engine of the store goes on with all that was committed; open one, and ask again"
        )
        self._waiters.fail(self.failure or closed, self._submissions.withdraw())

    def _arm(self) -> None:
        if self._disarm is not None:
            self._disarm()
            self._disarm = None
        due = self.next_due
        if due is not None:
            self._disarm = self.host.call_at(due, self._wake.set)


_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
