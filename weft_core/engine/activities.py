"""Attempts of activities: calling the function, its time limits, heartbeats and cancellation, and what it reports."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from weft_core.errors import ActivityTimeout, CheckpointError, UnknownActivity
from weft_core.kernel.changes import Dispatch
from weft_core.model.app import Activity

if TYPE_CHECKING:
    from weft_core.engine.host import Host
    from weft_core.resume.values import ValueCodec

_current: contextvars.ContextVar[ActivityInfo] = contextvars.ContextVar("weft_activity")


class ActivityInfo:
    """What an activity can know of its attempt. Get it with `activity_info()`.

    `key` is the idempotency key: the same on every attempt of this operation, also after a crash; give it to the
    outside system. `attempt` counts from 1. `last_details` is what the latest attempt that reported anything said.
    """

    def __init__(self, run_id: str, dispatch: Dispatch, last_details: Any, beat: Callable[[Any], None]) -> None:
        self.run_id = run_id
        self.activity = dispatch.activity
        self.attempt = dispatch.attempt
        self.key = dispatch.key
        self.last_details = last_details
        self.cancelled = False
        self._beat = beat

    def heartbeat(self, details: Any = None) -> None:
        """Say that the attempt is alive, and how far it is; `details` are stored and given to the next attempt.

        Works from the activity's thread too. Raises `CheckpointError` for details that cannot be stored.
        """
        self._beat(details)


def activity_info() -> ActivityInfo:
    """The attempt this code runs in. Raises `LookupError` outside of an activity."""
    try:
        return _current.get()
    except LookupError:
        raise LookupError("activity_info() works inside an activity that an engine runs") from None


class Attempt:
    """One attempt under way. It reports exactly once, unless it is aborted: then never."""

    __slots__ = (
        "_beat_timer",
        "_codec",
        "_host",
        "_loop",
        "_on_beat",
        "_on_report",
        "_timer",
        "activity",
        "dispatch",
        "info",
        "reported",
        "run_id",
        "task",
    )

    def __init__(
        self,
        run_id: str,
        dispatch: Dispatch,
        activity: Activity[..., Any],
        *,
        codec: ValueCodec,
        host: Host,
        on_report: Callable[[Attempt, bool, str], None],
        on_beat: Callable[[Attempt, str], None],
    ) -> None:
        self.run_id = run_id
        self.dispatch = dispatch
        self.activity = activity
        self.reported = False
        self.task: asyncio.Task[None] | None = None
        self.info: ActivityInfo | None = None
        self._codec = codec
        self._host = host
        self._on_report = on_report
        self._on_beat = on_beat
        self._timer: Callable[[], None] | None = None
        self._beat_timer: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Call the activity. It may be over when this returns."""
        context = contextvars.copy_context()
        self.task = self._host.spawn(self._run(), context)
        if self.reported:
            return
        deadlines = []
        if self.dispatch.timeout_ms is not None:
            deadlines.append(self._host.now_ms() + self.dispatch.timeout_ms)
        if self.dispatch.total_until_ms is not None:
            deadlines.append(self.dispatch.total_until_ms)
        if deadlines:
            self._arm(min(deadlines))
        if self.activity.heartbeat_ms is not None:
            self._arm_beat(self.activity.heartbeat_ms)

    async def _run(self) -> None:
        dispatch, codec = self.dispatch, self._codec
        try:
            args, kwargs = codec.decode(dispatch.args)
            details = None if dispatch.details is None else codec.decode(dispatch.details)
            self.info = ActivityInfo(self.run_id, dispatch, details, self._heartbeat)
            _current.set(self.info)
            function = self.activity.function
            if self.activity.is_async:
                result = await function(*args, **kwargs)
            else:
                if self._host.threads:
                    result = await self._host.in_thread(lambda: function(*args, **kwargs))
                else:
                    result = function(*args, **kwargs)
                if isinstance(result, Awaitable):
                    result = await result
            text = codec.encode(result, what=f"result of {dispatch.activity}")
        except CheckpointError as error:
            error.non_retryable = True  # type: ignore[attr-defined]  # it did its work; its result cannot be kept
            self._report(False, codec.encode_error(error))
        except (KeyboardInterrupt, SystemExit):
            raise
        except asyncio.CancelledError as error:
            if self.task is not None and self.reported:
                raise
            # Nobody aborted it: the activity raised this itself, which is a failure like any other.
            self._report(False, codec.encode_error(RuntimeError(f"the activity was cancelled from inside: {error}")))
        except BaseException as error:
            self._report(False, codec.encode_error(error))
        else:
            self._report(True, text)

    def _report(self, ok: bool, text: str) -> None:
        if self.reported:
            return
        self.reported = True
        self._disarm()
        self._on_report(self, ok, text)

    def _heartbeat(self, details: Any) -> None:
        text = self._codec.encode(details, what="heartbeat details")
        if self._host.threads:
            self._loop.call_soon_threadsafe(self._beaten, text)
        else:
            self._beaten(text)

    def _beaten(self, text: str) -> None:
        if self.reported:
            return
        if self.activity.heartbeat_ms is not None:
            self._arm_beat(self.activity.heartbeat_ms)
        self._on_beat(self, text)

    def _arm(self, at_ms: int) -> None:
        # A platform timer may come early (it is trusted for a bounded span only): look at the clock again.
        def fire() -> None:
            if self._host.now_ms() < at_ms:
                self._timer = self._host.call_at(at_ms, fire)
            else:
                self._expire(f"an attempt of activity {self.dispatch.activity!r} passed its time limit")

        self._timer = self._host.call_at(at_ms, fire)

    def _arm_beat(self, span_ms: int) -> None:
        if self._beat_timer is not None:
            self._beat_timer()
        at_ms = self._host.now_ms() + span_ms

        def fire() -> None:
            if self._host.now_ms() < at_ms:
                self._beat_timer = self._host.call_at(at_ms, fire)
            else:
                self._expire(f"activity {self.dispatch.activity!r} gave no heartbeat for {span_ms / 1000:g} s")

        self._beat_timer = self._host.call_at(at_ms, fire)

    def _expire(self, message: str) -> None:
        """The attempt took too long: report that now, and ask the code to stop. A thread cannot be stopped."""
        if self.reported:
            return
        self._report(False, self._codec.encode_error(ActivityTimeout(message)))
        self._stop()

    def abort(self) -> None:
        """Nobody wants the result any more: cancel it and hear nothing of it again."""
        self.reported = True
        self._disarm()
        self._stop()

    def _stop(self) -> None:
        if self.info is not None:
            self.info.cancelled = True
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
        found = self._own.get(name) or self._declared.get(name)
        if found is None:
            names = ", ".join(sorted({*self._own, *self._declared})) or "none"
            raise UnknownActivity(
                f"no activity {name!r} here; there are: {names}. Declare it with @app.activity, or register it with "
                f"engine.activities[{name!r}] = function"
            )
        return found
