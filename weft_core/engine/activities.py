"""Attempts of activities: calling the function, its time limits, heartbeats and cancellation, and what it reports."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from weft_core.errors import ActivityTimeout, CheckpointError, UnknownActivity
from weft_core.kernel.waits import ActivityWait
from weft_core.model.app import Activity
from weft_core.resume.values import ATOMS

if TYPE_CHECKING:
    from weft_core.engine.host import Host
    from weft_core.resume.values import ValueCodec

_NO_KEYWORDS: dict[str, Any] = {}
_current: contextvars.ContextVar[Attempt] = contextvars.ContextVar("weft_activity")


class ActivityInfo:
    """What an activity can know of its attempt. Get it with `activity_info()`.

    `key` is the idempotency key: the same on every attempt of this operation, also after a crash; give it to the
    outside system. `attempt` counts from 1. `last_details` is what the latest attempt that reported anything said.
    """

    def __init__(self, attempt: Attempt, last_details: Any) -> None:
        self.run_id = attempt.run_id
        self.activity = attempt.wait.activity
        self.attempt = attempt.number
        self.key = attempt.wait.key or f"{attempt.run_id}/{attempt.wait.operation_id}"
        self.last_details = last_details
        self._of = attempt

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the result any more: the attempt took too long, or its run has ended."""
        return self._of.stopped

    def heartbeat(self, details: Any = None) -> None:
        """Say that the attempt is alive, and how far it is; `details` are stored and given to the next attempt.

        Works from the activity's thread too. Raises `CheckpointError` for details that cannot be stored.
        """
        self._of.heartbeat(details)


def activity_info() -> ActivityInfo:
    """The attempt this code runs in. Raises `LookupError` outside of an activity."""
    try:
        return _current.get().info()
    except LookupError:
        raise LookupError("activity_info() works inside an activity that an engine runs") from None


class Reports(Protocol):
    """Who makes attempts and hears of them."""

    codec: ValueCodec
    host: Host

    def reported(self, attempt: Attempt) -> None: ...

    def beaten(self, attempt: Attempt, details: str) -> None: ...


class Attempt:
    """One attempt under way, the `number`th of its operation. It reports exactly once, unless it is aborted: then never.

    Once reported, `ok` says whether `text` is that of the result or of the error; a result that is a number, a string or
    nothing is there as it is, in `value`, and `text` is None. An error itself is in `value` too.
    `stopped`: its code was asked to stop. Most attempts are over at once, so what only longer ones need is made when
    they turn out to be.
    """

    task: asyncio.Task[None] | None = None
    reported = False
    stopped = False
    ok = False
    text: str | None = None
    value: Any = None
    _details: str | None = None
    _info: ActivityInfo | None = None
    _loop: asyncio.AbstractEventLoop
    _timer: Callable[[], None] | None = None
    _beat_timer: Callable[[], None] | None = None

    def __init__(
        self, run_id: str, fiber_id: str, wait: ActivityWait, activity: Activity[..., Any], reports: Reports
    ) -> None:
        self.run_id = run_id
        self.fiber_id = fiber_id
        self.wait = wait
        self.number = wait.attempt
        self.activity = activity
        self._reports = reports

    def is_for(self, wait: ActivityWait) -> bool:
        """Whether this is the very attempt that the wait, perhaps read again meanwhile, asks for."""
        return self.number == wait.attempt and self.wait.operation_id == wait.operation_id

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the activity. It may be over when this returns."""
        wait = self.wait
        if wait.details is not None:
            self._details = wait.details
        host = self._reports.host
        self._loop = loop
        if wait.total_until is not None and host.now_ms() >= wait.total_until:
            total_s = (wait.total_timeout_ms or 0) / 1000
            self._failed(ActivityTimeout(f"activity {wait.activity!r} did not succeed within {total_s:g} s"))
            return  # it fell due while nothing ran
        task = host.spawn(self._run(), contextvars.copy_context(), loop)
        if self.reported:
            return
        self.task = task
        if self.activity.is_async or not host.threads:
            self._begun()
        elif wait.total_until is not None:
            self._arm(wait.total_until)

    def _begun(self) -> None:
        """The function is being called now, which for one in a thread is when a thread is free: its limits count from here."""
        if self.reported:
            return
        wait, host = self.wait, self._reports.host
        deadlines = []
        if wait.timeout_ms is not None:
            deadlines.append(host.now_ms() + wait.timeout_ms)
        if wait.total_until is not None:
            deadlines.append(wait.total_until)
        if deadlines:
            self._arm(min(deadlines))
        if self.activity.heartbeat_ms is not None:
            self._arm_beat(self.activity.heartbeat_ms)

    async def _run(self) -> None:
        codec = self._reports.codec
        try:
            call = self.wait.call
            args, kwargs = codec.decode(self.wait.args) if call is None else (call, _NO_KEYWORDS)
            _current.set(self)
            if self._details is not None:
                self.info()
            activity = self.activity
            function = activity.function
            if activity.is_async:
                result = await function(*args, **kwargs)
            else:
                host = self._reports.host
                if host.threads:
                    result = await host.in_thread(lambda: self._in_thread(function, args, kwargs))
                else:
                    result = function(*args, **kwargs)
                if isinstance(result, Awaitable):
                    result = await result
            text = None if type(result) in ATOMS else codec.encode(result, what=activity.result_name)
        except CheckpointError as error:
            error.non_retryable = True  # type: ignore[attr-defined]  # it did its work; its result cannot be kept
            self._failed(error)
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError as error:
            if self.task is not None and self.reported:
                raise
            # Nobody aborted it: the activity raised this itself, which is a failure like any other.
            self._failed(RuntimeError(f"the activity was cancelled from inside: {error}"))
        except BaseException as error:
            self._failed(error)
        else:
            self._report(True, text, None if text is not None else result)
        finally:
            self.task = None  # its context knows this attempt: a circle

    def _in_thread(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.wait.timeout_ms is not None or self.activity.heartbeat_ms is not None:
            self._loop.call_soon_threadsafe(self._begun)
        return function(*args, **kwargs)

    def _report(self, ok: bool, text: str | None, value: Any = None) -> None:
        if self.reported:
            return
        self.reported = True
        self.ok = ok
        self.text = text
        self.value = value
        if self._timer is not None or self._beat_timer is not None:
            self._disarm()
        self._reports.reported(self)

    def _failed(self, error: BaseException) -> None:
        if not self.reported:
            self._report(False, self._reports.codec.encode_error(error), error)

    def info(self) -> ActivityInfo:
        """What the activity can know of this attempt."""
        if self._info is None:
            details = self._details
            self._info = ActivityInfo(self, None if details is None else self._reports.codec.decode(details))
        return self._info

    def heartbeat(self, details: Any) -> None:
        """See `ActivityInfo.heartbeat`."""
        text = self._reports.codec.encode(details, what="heartbeat details")
        if asyncio._get_running_loop() is not self._loop:
            self._loop.call_soon_threadsafe(self._beaten, text)
        else:
            self._beaten(text)

    def _beaten(self, text: str) -> None:
        if self.reported:
            return
        if self.activity.heartbeat_ms is not None:
            self._arm_beat(self.activity.heartbeat_ms)
        self._reports.beaten(self, text)

    def _arm(self, at_ms: int) -> None:
        # A platform timer may come early (it is trusted for a bounded span only): look at the clock again.
        def fire() -> None:
            if self._reports.host.now_ms() < at_ms:
                self._timer = self._reports.host.call_at(at_ms, fire)
            else:
                self._expire(f"an attempt of activity {self.wait.activity!r} passed its time limit")

        if self._timer is not None:
            self._timer()
        self._timer = self._reports.host.call_at(at_ms, fire)

    def _arm_beat(self, span_ms: int) -> None:
        if self._beat_timer is not None:
            self._beat_timer()
        at_ms = self._reports.host.now_ms() + span_ms

        def fire() -> None:
            if self._reports.host.now_ms() < at_ms:
                self._beat_timer = self._reports.host.call_at(at_ms, fire)
            else:
                self._expire(f"activity {self.wait.activity!r} gave no heartbeat for {span_ms / 1000:g} s")

        self._beat_timer = self._reports.host.call_at(at_ms, fire)

    def _expire(self, message: str) -> None:
        """The attempt took too long: report that now, and ask the code to stop. A thread cannot be stopped."""
        if self.reported:
            return
        self._failed(ActivityTimeout(message))
        self._stop()

    def abort(self) -> None:
        """Nobody wants the result any more: cancel it and hear nothing of it again."""
        self.reported = True
        self._disarm()
        self._stop()

    def _stop(self) -> None:
        self.stopped = True
        if self.task is not None and not self.task.done():
            self.task.cancel()

    def _disarm(self) -> None:
        for cancel in (self._timer, self._beat_timer):
            if cancel is not None:
                cancel()
        self._timer = self._beat_timer = None


class Activities:
    """The activities an engine can run: the app's, and those registered with the engine by name.

    `engine.activities["charge"] = fake_charge` replaces one; the app's policy for that name stays.
    """

    def __init__(self, declared: dict[str, Activity[..., Any]]) -> None:
        self._declared = declared
        self._own: dict[str, Activity[..., Any]] = {}

    def __setitem__(self, name: str, function: Callable[..., Any] | Activity[..., Any]) -> None:
        if isinstance(function, Activity):
            function = function.function
        like = self._declared.get(name)
        from weft_core.model.retry import DEFAULT

        self._own[name] = Activity(
            function,
            name=name,
            retry=like.retry if like else DEFAULT,
            timeout_ms=like.timeout_ms if like else None,
            total_timeout_ms=like.total_timeout_ms if like else None,
            heartbeat_ms=like.heartbeat_ms if like else None,
        )

    def __delitem__(self, name: str) -> None:
        del self._own[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._declared

    def __getitem__(self, name: str) -> Activity[..., Any]:
        own = self._own
        found = own[name] if own and name in own else self._declared.get(name)
        if found is None:
            names = ", ".join(sorted({*self._own, *self._declared})) or "none"
            raise UnknownActivity(
                f"no activity {name!r} here; there are: {names}. Declare it with @app.activity, or register it with "
                f"engine.activities[{name!r}] = function"
            )
        return found
