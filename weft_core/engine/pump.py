"""The engine's loop. A round takes every run that can move, lets the kernel advance it, and commits all in one batch.

What a round may rely on, in order: facts are kept until the commit that consumed them is durable; activities start and
waiters hear of a result only after that commit; a commit that failed makes the engine forget its copies of the runs
concerned and read them again, so memory never runs ahead of the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from weft_core.engine.activities import Activities, Attempt
from weft_core.engine.host import Host
from weft_core.engine.loader import Loaded, load_run, refresh_inbox
from weft_core.engine.rows import RunKeys, add_changes
from weft_core.errors import Conflict, StoreError, StoreOwned, WeftError
from weft_core.kernel.changes import Changes
from weft_core.kernel.records import RunRecord, dump
from weft_core.model.app import App
from weft_core.store import keys
from weft_core.store.port import Batch, Store

log = logging.getLogger("weft")

DUE_SCAN_MAX = 1_000
"""Timers one round fires."""
ROUND_RUNS_MAX = 2_000
"""Runs one round advances; more wait for the next, so that a commit stays small enough to be quick."""
YIELD_AFTER_MS = 2
"""How long the loop may go on without letting other tasks of the event loop run."""
CONFLICT_RETRIES_MAX = 100
"""How often a round is made again because clients wrote to its runs at the same moment."""
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0
"""How long the engine waits before it tries a store again that failed: first, and at most."""
PROBLEM_MESSAGE_MAX = 2_000
"""Characters kept of why a run is parked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An attempt's result, kept until the commit that consumed it."""

    run_id: str
    fiber_id: str
    operation_id: str
    attempt: int
    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A heartbeat with its details."""

    run_id: str
    fiber_id: str
    operation_id: str
    attempt: int
    details: str


@dataclass(slots=True, kw_only=True)
class Submission:
    """A client's batch that joins the next commit."""

    batch: Batch
    run_id: str
    done: asyncio.Future[None]


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
        self.activities = activities
        self.owner_version = owner_version
        self.patient = patient
        self.evict = evict
        self.running = False
        self.failure: BaseException | None = None
        self.stuck: dict[str, WeftError] = {}
        self._stuck_versions: dict[str, int] = {}
        self._problems: list[tuple[str, WeftError]] = []
        self._loaded: dict[str, Loaded] = {}
        self._todo: dict[str, bool] = {}
        self._facts: dict[str, list[Result | Beat]] = {}
        self._attempts: dict[tuple[str, str], Attempt] = {}
        self._submissions: list[Submission] = []
        self._closed_waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._hinted = True
        self._next_due: int | None = 0
        self._disarm: Callable[[], None] | None = None
        self._closing = False
        self.rounds = 0

    # --- from outside --------------------------------------------------------------------------------------------------

    def hint(self) -> None:
        """The store may have changed."""
        self._hinted = True
        self._wake.set()

    def notify(self, run_id: str) -> None:
        """Something was committed for this run by this process."""
        self._todo[run_id] = True
        self._wake.set()

    def clock_changed(self) -> None:
        """Time has moved by more than passing: look at the timers."""
        self._wake.set()

    async def submit(self, batch: Batch, run_id: str) -> None:
        """Commit a client's batch together with others. Raises what `Store.commit` raises."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._submissions.append(Submission(batch=batch, run_id=run_id, done=done))
        self._wake.set()
        await done

    def wait_closed(self, run_id: str) -> asyncio.Future[None]:
        """A future that is set when a commit of this engine closes or parks the run."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed_waiters.setdefault(run_id, []).append(future)
        return future

    def wait_idle(self) -> asyncio.Future[None]:
        """A future that is set when no run can move until time passes, an attempt ends or something arrives."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle_waiters.append(future)
        self._wake.set()
        return future

    @property
    def attempts(self) -> int:
        """Attempts under way."""
        return len(self._attempts)

    @property
    def next_due(self) -> int | None:
        """When the next timer is due (ms), as far as is known."""
        return self._next_due

    @property
    def loaded_count(self) -> int:
        """Runs in memory."""
        return len(self._loaded)

    async def stop(self) -> None:
        """Abort attempts and forget everything in memory. What is committed stays as it is."""
        self._closing = True
        self._wake.set()
        attempts = list(self._attempts.values())
        self._attempts.clear()
        for attempt in attempts:
            attempt.abort()
        tasks = [a.task for a in attempts if a.task is not None and not a.task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        self.forget_all()

    def forget_all(self) -> None:
        for loaded in self._loaded.values():
            loaded.machine.forget()
        self._loaded.clear()
        if self._disarm is not None:
            self._disarm()
            self._disarm = None

    # --- the loop --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Go round until stopped. A lost fence ends the loop; a failing store is tried again with growing pauses."""
        self.running = True
        backoff = BACKOFF_FIRST_S
        yielded = self.host.now_ms()
        try:
            while not self._closing:
                try:
                    worked = await self._round()
                    backoff = BACKOFF_FIRST_S
                except StoreOwned:
                    raise
                except StoreError as error:
                    log.warning("the store failed, trying again in %.2f s: %s", backoff, error)
                    await self._pause(backoff)
                    backoff = min(backoff * 2, BACKOFF_MAX_S)
                    self._hinted = True
                    self._next_due = 0
                    continue
                if not worked and not self._wake.is_set():
                    self._settle_idle()
                    self._arm()
                    await self._wake.wait()
                    yielded = self.host.now_ms()
                elif self.host.now_ms() - yielded > YIELD_AFTER_MS:
                    await asyncio.sleep(0)
                    yielded = self.host.now_ms()
                self._wake.clear()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.running = False
            self._fail_waiters()

    async def _pause(self, seconds: float) -> None:
        self._wake.clear()
        undo = self.host.call_at(self.host.now_ms() + int(seconds * 1000), self._wake.set)
        await self._wake.wait()
        undo()

    async def _round(self) -> bool:
        self.rounds += 1
        worked = False
        if self._submissions:
            await self._commit_submissions()
            worked = True
        if self._hinted:
            self._hinted = False
            await self._find_ready()
        now = self.host.now_ms()
        if self._next_due is not None and now >= self._next_due:
            await self._find_due(now)
        if self._facts or self._todo:
            worked = True
            await self._advance(now)
        return worked

    async def _commit_submissions(self) -> None:
        """Commit clients' batches, as many together as touch different rows."""
        waiting, self._submissions = self._submissions, []
        while waiting:
            merged = Batch()
            touched: set[str] = set()
            together: list[Submission] = []
            later: list[Submission] = []
            for submission in waiting:
                batch = submission.batch
                rows = {*batch.expect, *batch.put, *batch.delete}
                if rows & touched or (batch.delete_range and together):
                    later.append(submission)
                    continue
                touched |= rows
                merged.expect.update(batch.expect)
                merged.put.update(batch.put)
                merged.delete |= batch.delete
                merged.delete_range += batch.delete_range
                together.append(submission)
                if batch.delete_range:
                    later += waiting[waiting.index(submission) + 1 :]
                    break
            waiting = later
            await self._commit_together(merged, together)

    async def _commit_together(self, merged: Batch, together: list[Submission]) -> None:
        while together:
            try:
                await self.store.commit(merged)
            except Conflict as conflict:
                loser = next((s for s in together if conflict.key in s.batch.expect), None)
                if loser is None:
                    raise
                together.remove(loser)
                merged = Batch()
                for submission in together:
                    merged.expect.update(submission.batch.expect)
                    merged.put.update(submission.batch.put)
                    merged.delete |= submission.batch.delete
                    merged.delete_range += submission.batch.delete_range
                if not loser.done.done():
                    loser.done.set_exception(conflict)
            except BaseException as error:
                for submission in together:
                    if not submission.done.done():
                        submission.done.set_exception(error)
                return
            else:
                for submission in together:
                    self._todo[submission.run_id] = True
                    if not submission.done.done():
                        submission.done.set_result(None)
                return

    async def _find_ready(self) -> None:
        """Runs that clients wrote to, or that were active when an engine died."""
        start, end = "ready/", keys.prefix_end("ready/")
        while True:
            rows = await self.store.scan(start, end)
            for row in rows:
                run_id = keys.unquote(row.key[6:])
                loaded = self._loaded.get(run_id)
                if loaded is None or loaded.ready_version != row.version:
                    if loaded is None and run_id in self.stuck and self._stuck_versions.get(run_id) == row.version:
                        continue
                    self._todo[run_id] = True
            if len(rows) < 1_000:
                return
            start = rows[-1].key + "\x00"

    async def _find_due(self, now: int) -> None:
        rows = await self.store.scan("timer/", keys.timer_until(now), limit=DUE_SCAN_MAX)
        for row in rows:
            run_id = keys.unquote(row.key.split("/")[2])
            if run_id not in self.stuck:
                self._todo.setdefault(run_id, False)
        if len(rows) < DUE_SCAN_MAX:
            following = await self.store.scan(
                keys.timer_until(now), keys.prefix_end("timer/"), limit=1
            )
            self._next_due = int(following[0].key.split("/")[1]) if following else None

    async def _advance(self, now: int) -> None:
        todo, facts = self._todo, self._facts
        chosen = list(dict.fromkeys([*facts, *todo]))[:ROUND_RUNS_MAX]
        turn: dict[str, Loaded] = {}
        taken: dict[str, list[Result | Beat]] = {}
        try:
            for run_id in chosen:
                inbox = todo.pop(run_id, None)
                given = facts.pop(run_id, [])
                if given:
                    taken[run_id] = given
                loaded = await self._bring(run_id, bool(inbox))
                if loaded is None:
                    continue
                turn[run_id] = loaded
                if not self._turn(loaded, given, now):
                    del turn[run_id]
            await self._commit_turns(turn, now)
        except StoreError:
            # Nothing or everything was written: forget what memory believes and read it again, with the same facts.
            for run_id in chosen:
                self._forget(run_id)
                todo[run_id] = True
            for run_id, given in taken.items():
                facts[run_id] = given + facts.get(run_id, [])
            raise

    async def _bring(self, run_id: str, inbox: bool) -> Loaded | None:
        loaded = self._loaded.get(run_id)
        try:
            if loaded is not None:
                if inbox:
                    await refresh_inbox(self.store, loaded)
                return loaded
            loaded = await load_run(
                self.store,
                self.app,
                RunKeys(run_id),
                find_activity=self.activities.__getitem__,
                patient=self.patient,
            )
        except StoreError:
            raise
        except WeftError as error:
            await self._park_with_problem(run_id, error)
            return None
        if loaded is None:
            await self._clear_ready(run_id)
            self._tell_closed(run_id)
            return None
        self.stuck.pop(run_id, None)
        self._loaded[run_id] = loaded
        return loaded

    async def _clear_ready(self, run_id: str) -> None:
        """A ready row or timer of a run that has ended or never was: it would be found again for ever."""
        key = keys.ready(run_id)
        rows = await self.store.get([key])
        if key in rows:
            try:
                await self.store.commit(
                    Batch(expect={keys.OWNER: self.owner_version, key: rows[key].version}, delete={key})
                )
            except Conflict as conflict:
                if conflict.key == keys.OWNER:
                    raise self._fenced() from conflict

    def _turn(self, loaded: Loaded, facts: list[Result | Beat], now: int) -> bool:
        """Give a run its facts and let it move. False when it had to be parked with a problem."""
        machine = loaded.machine
        try:
            for fact in facts:
                match fact:
                    case Result(ok=True):
                        machine.activity_completed(fact.fiber_id, fact.operation_id, fact.attempt, fact.text, now)
                    case Result():
                        machine.activity_failed(fact.fiber_id, fact.operation_id, fact.attempt, fact.text, now)
                    case Beat():
                        machine.heartbeat(fact.fiber_id, fact.operation_id, fact.attempt, fact.details)
            machine.advance(now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            if not isinstance(error, WeftError):
                log.exception("run %s: the engine itself failed; the run is parked", loaded.keys.run_id)
            problem = error if isinstance(error, WeftError) else WeftError(f"{type(error).__name__}: {error}")
            self._problems.append((loaded.keys.run_id, problem))
            return False
        return True

    async def _commit_turns(self, turn: dict[str, Loaded], now: int) -> None:
        for _ in range(CONFLICT_RETRIES_MAX):
            batch = Batch(expect={keys.OWNER: self.owner_version})
            changes: dict[str, Changes] = {}
            for run_id, loaded in turn.items():
                change = changes[run_id] = loaded.machine.changes()
                if change or loaded.ready_version == 0 or change.parked or change.dispatch:
                    add_changes(
                        batch,
                        loaded.keys,
                        change,
                        ready_version=loaded.ready_version,
                        seq_version=loaded.seq_version,
                        ready_row='{"active":true}',
                    )
            try:
                number = await self.store.commit(batch) if batch else 0
            except Conflict as conflict:
                if conflict.key == keys.OWNER:
                    raise self._fenced() from conflict
                stale = next((t for t in turn.values() if conflict.key in (t.keys.ready, t.keys.seq)), None)
                if stale is None:
                    raise
                await refresh_inbox(self.store, stale)
                if not self._turn(stale, [], now):
                    del turn[stale.keys.run_id]
                continue
            self._after_commit(turn, changes, number)
            problems, self._problems[:] = list(self._problems), []
            for run_id, problem in problems:
                await self._park_with_problem(run_id, problem)
            return
        raise StoreError(f"clients changed the same runs {CONFLICT_RETRIES_MAX} times during one round")

    def _fenced(self) -> StoreOwned:
        return StoreOwned(
            "another engine has taken over this store; this one stops and writes nothing more. "
            "Nothing is lost: the other engine has every committed step"
        )

    def _after_commit(self, turn: dict[str, Loaded], changes: dict[str, Changes], number: int) -> None:
        starting: list[Attempt] = []
        for run_id, loaded in turn.items():
            change = changes[run_id]
            if change.timers_set:
                first = min(at for at, _ in change.timers_set)
                if self._next_due is None or first < self._next_due:
                    self._next_due = first
            for line in change.logs:
                log.log(_LEVELS[line.level], "%s: %s", run_id, line.message)
            for fiber_id, operation_id in change.abort:
                self._abort(run_id, fiber_id, operation_id)
            if change.closed:
                self._abort_all(run_id)
                self._forget(run_id)
                self._tell_closed(run_id)
                continue
            loaded.machine.committed()
            if change.parked:
                loaded.ready_version = 0
            elif loaded.ready_version == 0:
                loaded.ready_version = number
            for dispatch in change.dispatch:
                attempt = self._attempt(run_id, dispatch)
                if attempt is not None:
                    starting.append(attempt)
            if loaded.machine.more:
                self._todo[run_id] = True
            if change.parked or (self.evict is not None and self.evict(run_id)):
                self._forget(run_id)
        for attempt in starting:
            attempt.start()

    def _attempt(self, run_id: str, dispatch: Any) -> Attempt | None:
        key = (run_id, dispatch.fiber_id)
        under_way = self._attempts.get(key)
        if under_way is not None:
            same = under_way.dispatch
            if same.operation_id == dispatch.operation_id and same.attempt == dispatch.attempt:
                return None
            under_way.abort()
        if any(
            isinstance(f, Result) and (f.fiber_id, f.operation_id, f.attempt)
            == (dispatch.fiber_id, dispatch.operation_id, dispatch.attempt)
            for f in self._facts.get(run_id, ())
        ):
            return None  # it has ended while the run was being read again
        attempt = Attempt(
            run_id,
            dispatch,
            self.activities[dispatch.activity],
            codec=self.app.codec,
            host=self.host,
            on_report=self._reported,
            on_beat=self._beaten,
        )
        self._attempts[key] = attempt
        return attempt

    def _reported(self, attempt: Attempt, ok: bool, text: str) -> None:
        dispatch = attempt.dispatch
        key = (attempt.run_id, dispatch.fiber_id)
        if self._attempts.get(key) is attempt:
            del self._attempts[key]
        fact = Result(
            run_id=attempt.run_id,
            fiber_id=dispatch.fiber_id,
            operation_id=dispatch.operation_id,
            attempt=dispatch.attempt,
            ok=ok,
            text=text,
        )
        self._facts.setdefault(attempt.run_id, []).append(fact)
        self._wake.set()

    def _beaten(self, attempt: Attempt, details: str) -> None:
        dispatch = attempt.dispatch
        fact = Beat(
            run_id=attempt.run_id,
            fiber_id=dispatch.fiber_id,
            operation_id=dispatch.operation_id,
            attempt=dispatch.attempt,
            details=details,
        )
        self._facts.setdefault(attempt.run_id, []).append(fact)
        self._wake.set()

    def _abort(self, run_id: str, fiber_id: str, operation_id: str) -> None:
        attempt = self._attempts.get((run_id, fiber_id))
        if attempt is not None and attempt.dispatch.operation_id == operation_id:
            del self._attempts[run_id, fiber_id]
            attempt.abort()

    def _abort_all(self, run_id: str) -> None:
        for key in [key for key in self._attempts if key[0] == run_id]:
            self._attempts.pop(key).abort()

    async def _park_with_problem(self, run_id: str, error: WeftError) -> None:
        """Set a run aside that cannot be advanced here, with the reason, and leave everything else of it alone."""
        log.error("run %s is parked: %s", run_id, error)
        self._forget(run_id)
        self.stuck[run_id] = error
        run_key, ready_key = keys.run(run_id), keys.ready(run_id)
        rows = await self.store.get([run_key, ready_key])
        if ready_key in rows:
            self._stuck_versions[run_id] = rows[ready_key].version
        try:
            record = RunRecord.from_json(rows[run_key].value)
        except (KeyError, WeftError):
            self._tell_closed(run_id)
            return  # its own record is gone or damaged: nothing may be written over it
        record.problem = {"code": error.code, "message": str(error)[:PROBLEM_MESSAGE_MAX]}
        record.status = "suspended"
        batch = Batch(
            expect={keys.OWNER: self.owner_version, run_key: rows[run_key].version},
            put={run_key: record.to_json()},
        )
        if ready_key not in rows:
            batch.put[ready_key] = dump({"problem": error.code})
        try:
            number = await self.store.commit(batch)
            self._stuck_versions.setdefault(run_id, number)
        except Conflict as conflict:
            if conflict.key == keys.OWNER:
                raise self._fenced() from conflict
        self._tell_closed(run_id)

    def _forget(self, run_id: str) -> None:
        loaded = self._loaded.pop(run_id, None)
        if loaded is not None:
            loaded.machine.forget()

    def _tell_closed(self, run_id: str) -> None:
        for future in self._closed_waiters.pop(run_id, ()):
            if not future.done():
                future.set_result(None)

    def _settle_idle(self) -> None:
        waiters, self._idle_waiters = self._idle_waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(None)

    def _fail_waiters(self) -> None:
        error = self.failure or StoreError("the engine has stopped")
        waiting = [*self._idle_waiters, *(s.done for s in self._submissions)]
        for futures in self._closed_waiters.values():
            waiting += futures
        self._idle_waiters, self._submissions, self._closed_waiters = [], [], {}
        for future in waiting:
            if not future.done():
                if isinstance(error, asyncio.CancelledError):
                    future.cancel()
                else:
                    future.set_exception(error)

    def _arm(self) -> None:
        if self._disarm is not None:
            self._disarm()
            self._disarm = None
        if self._next_due is not None:
            self._disarm = self.host.call_at(self._next_due, self._wake.set)


_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
