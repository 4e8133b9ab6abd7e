"""`ctx`: what a workflow sees of its run. Every method returns an operation; only `await` (or a branch) makes it act."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from weft_core.errors import DeclarationError, UnknownActivity
from weft_core.kernel.operations import (
    Branches,
    EnterTimeout,
    ExitTimeout,
    Join,
    MapItems,
    Options,
    RunActivity,
    Sleep,
    WaitForSignal,
)
from weft_core.model.app import Activity, Resumable
from weft_core.model.durations import Duration, instant_ms, left_ms, milliseconds, to_datetime
from weft_core.model.retry import Retry, check_retry
from weft_core.resume import Operation, drop, unit_of

if TYPE_CHECKING:
    from weft_core.kernel.machine import Machine

P = ParamSpec("P")
R = TypeVar("R")

BRANCHES_MAX = 100_000
"""Branches of one `ctx.all`, `race` or `settled`, and items of one `ctx.map`."""


def tasks_of() -> Any:
    """The module of background branches; it makes `Task`s, so it can only be imported once this one is there."""
    from weft_core.kernel import tasks

    return tasks


class _Missing:
    pass


_MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """How one branch of `ctx.settled` ended: `ok` with its `value`, or not, with its `error`."""

    ok: bool
    value: R | None = None
    error: BaseException | None = None


class Log:
    """`ctx.log`: lines kept in the run's history and passed to the host's logging once the turn is durable."""

    __slots__ = ("_machine",)

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def debug(self, message: str, *args: object) -> None:
        self._machine.log("debug", _text(message, args))

    def info(self, message: str, *args: object) -> None:
        self._machine.log("info", _text(message, args))

    def warning(self, message: str, *args: object) -> None:
        self._machine.log("warning", _text(message, args))

    def error(self, message: str, *args: object) -> None:
        self._machine.log("error", _text(message, args))

    __call__ = info


def _text(message: str, args: tuple[object, ...]) -> str:
    try:
        return message % args if args else message
    except Exception:  # a line that does not fit its arguments ends no run
        return f"{message} {args!r}"


class Task(Operation[Any]):
    """A background branch made by `ctx.start`. `await` it for its result; it may be awaited again."""

    __slots__ = ("context", "id", "outcome")

    def __init__(self, context: Context, fiber_id: str, outcome: str | None = None) -> None:
        self.context = context
        self.id = fiber_id
        self.outcome = outcome
        if outcome is None:
            context._machine.own("handles").setdefault(fiber_id, []).append(self)

    def __await__(self) -> Any:
        return Join(self).__await__()

    @property
    def done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.outcome is not None or tasks_of().done(self.context._machine, self.id)

    def cancel(self, reason: str = "cancelled by the workflow") -> None:
        """Ask it to stop: `Cancelled` is raised inside it, its `finally` blocks run. Does nothing once it ended."""
        if self.outcome is None:
            tasks_of().cancel(self.context._machine, self.id, reason)

    def __repr__(self) -> str:
        return f"<Task {self.id}>"


class Timeout:
    """`async with ctx.timeout("5m"):` raises `TimeoutError` inside when the time is over, as `asyncio.timeout` does."""

    __slots__ = ("duration_ms", "id")

    def __init__(self, duration_ms: int, scope_id: str = "") -> None:
        self.duration_ms = duration_ms
        self.id = scope_id

    def __aenter__(self) -> EnterTimeout:
        return EnterTimeout(self)

    def __aexit__(self, _type: Any, error: BaseException | None, _traceback: Any) -> ExitTimeout:
        return ExitTimeout(self, error)


class Context:
    """What a workflow sees of its run. One object a run; it is stored in frames as a reference, never as a copy."""

    __slots__ = ("_machine", "_state", "log")

    def __init__(self, machine: Machine, state: dict[str, Any]) -> None:
        self._machine = machine
        self.log = Log(machine)
        self._state = state

    @property
    def state(self) -> dict[str, Any]:
        """The run's public state: a dict that is stored with every step, and shown by `run.state()`."""
        return self._state

    @state.setter
    def state(self, value: object) -> None:
        raise AttributeError("ctx.state cannot be replaced; change it in place: ctx.state.clear(), ctx.state.update(…)")

    # --- what the run is -------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id."""
        return self._machine.record.id

    @property
    def workflow(self) -> str:
        """The name of the workflow the run was started with."""
        return self._machine.record.workflow

    @property
    def attempt(self) -> int:
        """Which execution of this id this is, from 1: one more with each `if_exists="restart_if_closed"`."""
        return self._machine.record.execution

    @property
    def started_at(self) -> datetime:
        """When the run first moved (aware, UTC)."""
        return to_datetime(self._machine.record.started_at or self._machine.record.created_at)

    @property
    def cancelled(self) -> bool:
        """Whether cancelling this run was asked for."""
        return self._machine.record.cancel_reason is not None

    def now(self) -> datetime:
        """The time of this turn by the engine's clock (aware, UTC; virtual in tests)."""
        return to_datetime(self._machine.now)

    # --- waiting ---------------------------------------------------------------------------------------------------

    @overload
    def run(
        self,
        activity: Activity[P, Coroutine[Any, Any, R]],
        /,
        *args: Any,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        total_timeout: Duration | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> Operation[R]: ...
    @overload
    def run(
        self,
        activity: Activity[P, R] | str,
        /,
        *args: Any,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        total_timeout: Duration | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> Operation[R]: ...
    def run(
        self,
        activity: Any,
        /,
        *args: Any,
        retry: Retry | None = None,
        timeout: Duration | None = None,
        total_timeout: Duration | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> Operation[Any]:
        """Run an activity and give its result, retried by its policy (or `retry`).

        `timeout` bounds one attempt, `total_timeout` all of them with the waits between; `key` replaces the
        idempotency key. After the last attempt the activity's own exception is raised here, with a note.
        `UnknownActivity` when the app has none of that name.
        """
        machine = self._machine
        is_one = type(activity) is Activity
        found = machine.find_activity(activity.name) if is_one else find_activity(machine, activity)
        if retry is None and timeout is None and total_timeout is None and key is None and not kwargs:
            return RunActivity(found, args)
        check_retry(retry)
        if key is not None and not isinstance(key, str):
            raise DeclarationError(f"an idempotency key is a text, not {key!r}")
        limit = None if timeout is None else milliseconds(timeout)
        total = None if total_timeout is None else milliseconds(total_timeout)
        return RunActivity(found, args, Options(kwargs, retry, limit, total, key))

    def sleep(self, duration: Duration) -> Operation[None]:
        """Wait for a duration; it may be months. Never early, also when everything was off when it fell due.

        One that is below zero, such as `deadline - ctx.now()`, is over.
        """
        return Sleep(duration_ms=left_ms(duration))

    def sleep_until(self, instant: datetime) -> Operation[None]:
        """Wait until an instant (an aware `datetime`). One that has passed goes on at once."""
        return Sleep(until_ms=instant_ms(instant))

    def wait_for_signal(self, name: str, *, timeout: Duration | None = None, default: Any = _MISSING) -> Operation[Any]:
        """The payload of the next signal of this name. Signals are buffered, in order, each consumed exactly once.

        With `timeout`, running out of time gives `default`, or raises `TimeoutError` when there is none.
        """
        if not isinstance(name, str):
            raise DeclarationError(f"a signal's name is a text, not {name!r}")
        missing = default is _MISSING
        return WaitForSignal(
            name, None if timeout is None else milliseconds(timeout), None if missing else default, not missing
        )

    # --- branching -------------------------------------------------------------------------------------------------

    def all(self, *branches: Any, limit: int | None = None) -> Operation[list[Any]]:
        """Run branches side by side; their results in order. The first error cancels the rest and is raised.

        A branch is an operation, the call of a resumable function, or a `Task`. Each is retried and checkpointed on
        its own. At most `limit` are under way at once (default: all). What a branch is given is copied: give results back.
        """
        return Branches("all", _branches(branches), _limit(limit))

    def gather(self, *branches: Any, limit: int | None = None) -> Operation[list[Any]]:
        """The same as `all`, under asyncio's name."""
        return self.all(*branches, limit=limit)

    def settled(self, *branches: Any, limit: int | None = None) -> Operation[list[Outcome[Any]]]:
        """Run branches side by side and wait for every one; never raises for a branch. Gives `Outcome`s in order."""
        return Branches("settled", _branches(branches), _limit(limit))

    def race(self, *branches: Any) -> Operation[Any]:
        """The result (or error) of the first branch to end. The losers are cancelled, their `finally` blocks run."""
        if not branches:
            raise DeclarationError("ctx.race needs at least one branch: nothing would ever win")
        return Branches("race", _branches(branches), None)

    def map(self, target: Any, items: Iterable[Any], *, limit: int | None = None) -> Operation[list[Any]]:
        """Apply an activity or a resumable function to each item; results in order, at most `limit` at a time.

        A resumable function is called as `function(ctx, item)`. The first error cancels the rest and is raised. Items are
        copied.
        """
        listed = list(items)
        if len(listed) > BRANCHES_MAX:
            raise DeclarationError(f"ctx.map takes at most {BRANCHES_MAX:,} items (BRANCHES_MAX), not {len(listed):,}")
        wanted = MapItems(_map_target(self._machine, target), listed, _limit(limit))
        if listed and isinstance(target, Resumable):
            # One that cannot be called so says it here, not when a branch begins.
            drop(target.unit(self, listed[0]))
        return wanted

    def start(self, branch: Any) -> Task:
        """Start a branch in the background. It begins at the next `await`, and is cancelled when the run ends first.

        What it is given is copied.
        """
        return cast(Task, tasks_of().start(self._machine, branch))

    def timeout(self, duration: Duration) -> Timeout:
        """`async with ctx.timeout("5m"):` — raises `TimeoutError` inside the block when the time is over.

        One of zero or less, such as `deadline - ctx.now()`, is over at the first wait inside.
        """
        return Timeout(left_ms(duration))


def _branches(branches: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(branches) > BRANCHES_MAX:
        raise DeclarationError(f"at most {BRANCHES_MAX:,} branches at once (BRANCHES_MAX), not {len(branches):,}")
    for branch in branches:
        check_branch(branch)
    calls = [id(branch) for branch in branches if isinstance(branch, Coroutine)]
    if len(set(calls)) < len(calls):
        raise DeclarationError("the same call is given twice; call the function once for each branch")
    return branches


def check_branch(branch: Any) -> None:
    """Raise `DeclarationError` unless `branch` can be a branch."""
    if isinstance(branch, Operation):
        return
    if isinstance(branch, Coroutine) and unit_of(branch) is not None:
        if getattr(branch, "cr_frame", None) is None:
            raise DeclarationError(
                f"{branch!r} was awaited or given as a branch before; call the function again, or keep the Task of "
                "ctx.start, which may be awaited many times"
            )
        return
    raise DeclarationError(
        f"{branch!r} cannot be a branch: give an operation (ctx.run(…), ctx.sleep(…)), a Task, or the call of an "
        "@app.resumable function"
    )


def _limit(limit: int | None) -> int | None:
    if limit is not None and (type(limit) is not int or limit < 1):
        raise DeclarationError(f"limit is a whole number of at least 1, not {limit!r}")
    return limit


def find_activity(machine: Machine, activity: Any) -> Activity[..., Any]:
    """The activity that runs for one given by object or name. Raises `UnknownActivity`."""
    if isinstance(activity, Activity):
        return machine.find_activity(activity.name)
    if isinstance(activity, str):
        return machine.find_activity(activity)
    remedy = "decorate the function with @app.activity and pass it, or its name"
    if isinstance(activity, Resumable):
        remedy = f"await it by itself, `await {activity.__name__}(ctx, …)`"
    raise UnknownActivity(f"{activity!r} is not an activity: {remedy}")


def _map_target(machine: Machine, target: Any) -> str:
    if isinstance(target, Resumable):
        return f"unit:{target.name}"
    if isinstance(getattr(target, "__func__", None) or getattr(target, "func", None), Resumable):
        raise DeclarationError(
            f"ctx.map takes a resumable function itself, not a method of an object or a partial ({target!r}): write "
            "`ctx.all(*[f(ctx, x) for x in items])`, which takes limit=, too"
        )
    return f"activity:{find_activity(machine, target).name}"
