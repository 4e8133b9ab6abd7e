"""One run's state machine. Facts come in (start, activity results, the inbox, the time), changes come out.

It holds no clock, no store and no event loop: `now` is given with each turn, and a turn's `Changes` grow until the
engine says they are committed. Lost changes are not undone: the engine forgets the machine and loads the run again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from weft_core import resume
from weft_core.errors import Cancelled, CheckpointError, DecodeError
from weft_core.kernel import branches, commands, ending, tasks, timers
from weft_core.kernel.changes import LogLine
from weft_core.kernel.context import Context, Task
from weft_core.kernel.drive import IN_STATE, cancelled, drive, keep_aliases, revive
from weft_core.kernel.empty import NO_NAMES, NO_ROWS, NOTHING, own
from weft_core.kernel.fibers import ROOT, Fiber, began
from weft_core.kernel.history import History
from weft_core.kernel.large import LargeValues
from weft_core.kernel.records import InboxRow, RunRecord
from weft_core.kernel.waits import Interrupt, SignalWait
from weft_core.kernel.writing import armed
from weft_core.model.app import Activity, App
from weft_core.resume.values import Externals

LOG_LINE_MAX = 2_000
"""Characters kept of one line a workflow logs."""


class Machine:
    """The state machine of one run. `find_activity` is the engine's, which may know more than the app."""

    __slots__ = (
        "abort",
        "activity_count",
        "aliased",
        "app",
        "arrived",
        "codec",
        "consumed",
        "context",
        "current",
        "dispatch",
        "due",
        "externals",
        "fibers",
        "find_activity",
        "handles",
        "history",
        "inbox_next",
        "interrupt_next",
        "joiners",
        "large",
        "logs",
        "more",
        "moved",
        "new_tasks",
        "now",
        "offers",
        "patient",
        "plain",
        "queue",
        "record",
        "record_changed",
        "signal_order",
        "signal_waiters",
        "signals",
        "state",
        "state_text",
        "stored_due",
        "stored_state_text",
    )

    def __init__(
        self, record: RunRecord, app: App, *, find_activity: Callable[[str], Activity[..., Any]], patient: bool = False
    ) -> None:
        self.record = record
        self.app = app
        self.codec = app.codec
        self.find_activity = find_activity
        self.patient = patient
        self.plain: Fiber | None = None  # the one that has moved last, by a plain `step`, and nothing since
        self.now = 0
        self.state: dict[str, Any] = {}
        self.context = Context(self, self.state)
        self.externals = Externals({"ctx": self.context, "state": self.state, "log": self.context.log})
        self.fibers: dict[str, Fiber] = {}
        self.queue: list[tuple[Fiber, str, Any]] = NO_ROWS
        self.current: Fiber | None = None
        self.signals: dict[str, deque[InboxRow]] = NOTHING
        self.offers: dict[str, None] = NOTHING
        self.signal_waiters: dict[str, list[Fiber]] = NOTHING
        self.signal_order = 0
        self.joiners: dict[str, list[Fiber]] = NOTHING
        self.interrupt_next: dict[str, Interrupt] = NOTHING
        self.new_tasks: list[Fiber] = NO_ROWS
        self.handles: dict[str, list[Task]] = NOTHING
        self.more = False
        self.activity_count = 0
        self.inbox_next = 1
        self.arrived: list[InboxRow] = NO_ROWS
        self.dispatch: dict[str, None] = NOTHING  # in the order that attempts are to begin
        self.abort: list[tuple[str, str]] = NO_ROWS
        self.moved: dict[str, Fiber | None] = NOTHING
        self.due: dict[str, int] = NOTHING
        self.stored_due: dict[str, int] = NOTHING
        self.record_changed = False
        self.aliased: set[str] = NO_NAMES
        self.state_text = "{}"
        self.stored_state_text = "{}"
        self.large = LargeValues(NOTHING)
        self.consumed: list[int] = NO_ROWS
        self.history = History(record.history_count)
        self.logs: list[LogLine] = NO_ROWS

    def own(self, name: str) -> Any:
        """A table that may be empty, to be added to (see `empty`)."""
        return own(self, name)

    # --- loading ---------------------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        record: RunRecord,
        app: App,
        *,
        find_activity: Callable[[str], Activity[..., Any]],
        fibers: Mapping[str, str],
        state: str | None,
        values: dict[str, str],
        patient: bool = False,
    ) -> Machine:
        """The machine of a stored run. Raises `DecodeError` for damaged rows; nothing of the workflow runs."""
        machine = cls(record, app, find_activity=find_activity, patient=patient)
        machine.large = LargeValues(values)
        if state is not None:
            loaded = app.codec.decode(state)
            if not isinstance(loaded, dict):
                raise DecodeError("the run's public state is not a dict; it was damaged outside of Weft")
            machine.state.update(loaded)
            machine.state_text = machine.stored_state_text = state
        for fiber_id, text in fibers.items():
            fiber = Fiber.from_json(fiber_id, text, machine.history)
            machine.fibers[fiber_id] = fiber
            machine.large.count(fiber.values)
            if fiber.due is not None:
                machine.own("due")[fiber_id] = fiber.due
        if record.started_at is not None and ROOT not in machine.fibers:
            raise DecodeError(f"the row of fiber {ROOT} is missing; it was deleted outside of Weft")
        machine._arm()
        for fiber in machine.fibers.values():
            if fiber.frames is not None and IN_STATE in fiber.frames:
                fiber.coroutine = revive(machine, fiber)  # while the state is as it was: its variables are parts of it
                machine.own("aliased").add(fiber.id)
        waiting = [f for f in machine.fibers.values() if f.wait is not None and f.outcome is None and not f.queued]
        waiting.sort(key=lambda f: (f.wait.order if isinstance(f.wait, SignalWait) else 0, began(f.id)))
        machine.signal_order = max(
            (f.wait.order for f in waiting if isinstance(f.wait, SignalWait)), default=machine.signal_order
        )
        for fiber in waiting:
            # A fiber may have been forgotten by one before it (a join that was complete).
            if fiber.id in machine.fibers and fiber.wait is not None:
                branches.register(machine, fiber)
        return machine

    def _arm(self) -> None:
        """Know the timers that stand in the store."""
        record = self.record
        if record.closed:
            return
        if record.started_at is not None and record.timeout_at is not None:
            self.own("due")[""] = record.timeout_at
        elif record.started_at is None and record.start_at is not None:
            self.own("due")[""] = record.start_at
        self.stored_due = dict(armed(self))

    @classmethod
    def new(
        cls, record: RunRecord, app: App, *, find_activity: Callable[[str], Activity[..., Any]], patient: bool = False
    ) -> Machine:
        """The machine of a run that has just been started: its record is all there is."""
        machine = cls(record, app, find_activity=find_activity, patient=patient)
        if record.start_at is not None:
            machine._arm()
        return machine

    # --- facts -----------------------------------------------------------------------------------------------------

    def receive(self, rows: Sequence[InboxRow]) -> None:
        """Rows of the inbox in order of arrival, for the next turn. Rows that were received before are passed over."""
        self.plain = None
        for row in rows:
            if row.n >= self.inbox_next:
                self.inbox_next = row.n + 1
                self.own("arrived").append(row)

    def advance(self, now: int) -> None:
        """One turn: take in what arrived, fire what is due at `now`, let every fiber that can move run to its next wait."""
        self.now = now
        self.plain = None
        record = self.record
        if self.arrived:
            self._take_in()
        status = record.status
        if status != "running":
            if status != "pending":
                return
            if record.start_at is not None and now < record.start_at and record.cancel_reason is None:
                return  # the client that started it has set its timer
            self._begin_run()
        if self.offers:
            self.drain()  # a signal that is there wins over a time limit that is over
        if self.due:
            timers.fire(self)
        self.settle()

    def settle(self) -> None:
        """Let everything that can move move; end the run when its root has ended."""
        if self.new_tasks:
            tasks.begin_new(self)
        if self.queue or self.offers:
            self.drain()
        root = self.fibers.get(ROOT)
        if root is not None and root.outcome is not None:
            ending.end(self)

    # --- turns -----------------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        rows, self.arrived = self.arrived, NO_ROWS
        for row in rows:
            if row.kind == "signal":
                self.own("signals").setdefault(row.name, deque()).append(row)
                self.offer(row.name)
            else:
                self.own("consumed").append(row.n)
                commands.obey(self, row)

    def _begin_run(self) -> None:
        record = self.record
        workflow = self.app.find_workflow(record.workflow)
        record.status = "running"
        record.started_at = self.now
        if self.due:
            self.due.pop("", None)
        if workflow.timeout_ms is not None:
            record.timeout_at = self.now + workflow.timeout_ms
            self.own("due")[""] = record.timeout_at
        self.record_changed = True
        self.note("started", name=record.workflow)
        root = Fiber(ROOT)
        self.fibers[ROOT] = root
        if record.cancel_reason is not None:
            self.finish_error(root, Cancelled(record.cancel_reason))
            return
        try:
            args, kwargs = self.codec.decode(record.input)
            call = workflow.unit(self.context, *args, **kwargs)
        except (TypeError, ValueError) as error:
            self.finish_error(root, error)
            return
        root.coroutine = call
        root.frames = "[]"
        self.queue = [(root, "value", None)]

    def drain(self) -> None:
        """Let everything that is queued move."""
        while self.queue or self.offers:
            if not self.queue:
                self._give_signal()
                continue
            moving, self.queue = self.queue, NO_ROWS
            for fiber, kind, payload in moving:
                drive(self, fiber, kind, payload)
                if self.new_tasks:
                    tasks.begin_new(self)

    # --- what fibers do to the run -----------------------------------------------------------------------------------

    def move(self, fiber: Fiber, kind: str, payload: Any) -> None:
        """A fiber's wait is over. Kinds: value (text), atom (the value), outcome (text), list / settled (texts), joined,
        interrupt, throw.
        """
        fiber.wait = None
        self.own("moved")[fiber.id] = fiber
        if fiber.due is not None or fiber.scopes:
            self._set_due(fiber)
        self.own("queue").append((fiber, kind, payload))

    def touch(self, fiber: Fiber) -> None:
        """The fiber's row changes with this turn."""
        self.own("moved")[fiber.id] = fiber
        wait = fiber.wait
        if fiber.due is not None or fiber.scopes or (wait is not None and wait.due is not None):
            self._set_due(fiber)

    def _set_due(self, fiber: Fiber) -> None:
        due = fiber.next_due()
        if due != fiber.due:
            fiber.due = due
            if due is None:
                self.due.pop(fiber.id, None)
            else:
                self.own("due")[fiber.id] = due

    def release(self, fiber: Fiber) -> None:
        """The fiber is gone: its row, timer and values go with this turn."""
        self.own("moved")[fiber.id] = None
        if self.due:
            self.due.pop(fiber.id, None)
        self.large.drop(fiber.values)
        fiber.values = frozenset()
        self.history.take_back(fiber)
        fiber.due = None
        if fiber.coroutine is not None:
            resume.drop(fiber.coroutine)
            fiber.coroutine = None

    def offer(self, name: str) -> None:
        """Have buffered signals of a name given to the fibers that wait for it, both first come, first served."""
        if name in self.signals and self.signal_waiters.get(name) and self.record.status != "suspended":
            self.own("offers")[name] = None

    def _give_signal(self) -> None:
        """Give one signal to one fiber. What that does may change who else waits: the losers of a race consume nothing."""
        name = next(iter(self.offers))
        waiters, rows = self.signal_waiters.get(name), self.signals.get(name)
        if not waiters or not rows:
            del self.offers[name]
            return
        fiber, row = waiters.pop(0), rows.popleft()
        if not rows:
            del self.signals[name]
        self.own("consumed").append(row.n)
        self.note("signal_received", name=name, fiber=fiber.id)
        self.move(fiber, "value", row.payload)

    def settle_activity(self, fiber: Fiber, kind: str, payload: Any) -> None:
        """An activity has its result (kind "value" or "atom") or its outcome; the fiber moves."""
        self.activity_count -= 1
        if self.dispatch:
            self.dispatch.pop(fiber.id, None)
        self.move(fiber, kind, payload)

    def finish_value(self, fiber: Fiber, value: Any, coroutine: Coroutine[Any, Any, Any] | None = None) -> None:
        """The fiber (its `coroutine`) returned. A value that cannot be stored is an error of the fiber instead."""
        try:
            text = self.codec.encode(value, what="return value")
            self.encode_state()
        except CheckpointError as error:
            self.finish_error(fiber, resume.located(error, coroutine))
            return
        self.finish_outcome(fiber, f'{{"ok":{text}}}')

    def finish_error(self, fiber: Fiber, error: BaseException) -> None:
        try:
            self.encode_state()
        except CheckpointError:
            pass  # the error says more; the state stays as it was
        mark = ',"cancelled":true' if isinstance(error, Cancelled) else ""
        self.finish_outcome(fiber, f'{{"error":{self.codec.encode_error(error)}{mark}}}')

    def finish_cancelled(self, fiber: Fiber, why: Interrupt) -> None:
        self.finish_error(fiber, cancelled(why))

    def finish_outcome(self, fiber: Fiber, outcome: str) -> None:
        fiber.outcome = outcome
        fiber.coroutine = None
        fiber.encoder = None
        fiber.frames = None
        fiber.wait = None
        fiber.scopes = ()
        fiber.queued = False
        self.large.drop(fiber.values)
        fiber.values = frozenset()
        if self.interrupt_next:
            self.interrupt_next.pop(fiber.id, None)
        self.touch(fiber)
        if fiber.id == ROOT and (self.queue or self.interrupt_next):
            tasks.asked_already(self)
        branches.ended(self, fiber, failed=not outcome.startswith('{"ok":'))

    def open_outcome(self, text: str) -> tuple[Any, BaseException | None]:
        """The value and no error, or no value and the error, of an outcome's text."""
        if text.startswith('{"ok":'):
            return self.codec.decode(text[6:-1]), None
        return None, self.codec.decode_error(text[9:-1].removesuffix(',"cancelled":true'))

    # --- values, state, names ----------------------------------------------------------------------------------------

    def encode_state(self) -> None:
        if self.state or self.state_text != "{}":
            text = self.codec.encode(self.state, what="ctx.state")
            if text != self.state_text:
                self.state_text = text
                tasks.share(self, text)
            if self.aliased:
                keep_aliases(self)

    def find_unit(self, name: str) -> resume.Unit:
        """A resumable function of the app by name, for the branches of a map."""
        found = self.app.resumables.get(name) or self.app.workflows.get(name)
        if found is None:
            raise DecodeError(f"app {self.app.name!r} no longer has the resumable function {name!r}")
        return found.unit

    # --- history -------------------------------------------------------------------------------------------------------

    def note(self, kind: str, **facts: Any) -> None:
        """An entry of the run's history, for people."""
        self.history.note(self.now, kind, facts)

    def log(self, level: str, message: str) -> None:
        line = str(message)[:LOG_LINE_MAX]
        self.own("logs").append(LogLine(level=level, message=line))
        self.note("log", level=level, message=line)

    def forget(self) -> None:
        """Let go of everything alive without running any of the user's code. Nothing but the record is to be used after."""
        self.drop_coroutines()
        # The context knows the machine, and the machine the context: without that circle all of it is free at once, and
        # not when the garbage collector has gone through everything.
        self.externals.clear()
        del self.context

    def drop_coroutines(self) -> None:
        """Let go of every live call stack, without running any of the user's code."""
        for fiber in self.fibers.values():
            if fiber.coroutine is not None:
                resume.drop(fiber.coroutine)
                fiber.coroutine = None
