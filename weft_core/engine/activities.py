"""Attempts of activities: calling the function, its time limits, heartbeats and cancellation, and what it reports."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from weft_core.errors import ActivityTimeout, CheckpointError, DeclarationError, UnknownActivity
from weft_core.kernel.waits import ActivityWait
from weft_core.model.app import Activity
from weft_core.resume.values import ATOMS, SURELY_FITS

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
        try:
            call, activity = self.wait.call, self.activity
            _current.set(self)
            if call is not None and activity.is_async and self._details is None:
                result = await activity.function(*call)
            else:
                result = await self._called()
            kind = type(result)
            if kind in ATOMS and (kind is not str or len(result) <= SURELY_FITS):
                text = None
            else:
                text = self._reports.codec.encode(result, what=activity.result_name)
        except CheckpointError as error:
            error.non_retryable = True  # type: ignore[attr-defined]  # it did its work; its result cannot be kept
            self._failed(error)
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError as error:
            if self.task is not None and self.reported:
                raise
            # Nobody aborted it: the activity raised this itself, which is a failure like any other.
            failure = RuntimeError(f"the activity was cancelled from inside: {error}")
            failure.__cause__ = error
            self._failed(failure)
        except BaseException as error:
            if type(error) is TypeError and _called_wrongly(error):
                error.non_retryable = True  # type: ignore[attr-defined]  # trying again makes it no better
            self._failed(error)
        else:
            self._report(True, text, None if text is not None else result)
        finally:
            self.task = None  # its context knows this attempt: a circle

    async def _called(self) -> Any:
        """What the function gives, whichever kind it is."""
        call, activity, reports = self.wait.call, self.activity, self._reports
        args, kwargs = reports.codec.decode(self.wait.args) if call is None else (call, _NO_KEYWORDS)
        if self._details is not None:
            self.info()
        function = activity.function
        if activity.is_async:
            return await function(*args, **kwargs)
        host = reports.host
        if host.threads:
            result = await host.in_thread(lambda: self._in_thread(function, args, kwargs))
        else:
            result = function(*args, **kwargs)
        return await result if isinstance(result, Awaitable) else result

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


def _called_wrongly(error: TypeError) -> bool:
    """Whether the function did not even begin: its parameters are others than what it was given."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals is globals()


class Activities:
    """The activities an engine can run: the app's, and those registered with the engine by name.

    `engine.activities["charge"] = fake_charge` replaces one; the app's policy for that name stays.

    `elsewhere`: another engine may come to this store that knows activities which this one does not, as tabs do that were
    given different ones. A run that asks for one is parked until such an engine tries it; nothing is raised in the run.
    """

    def __init__(self, declared: dict[str, Activity[..., Any]]) -> None:
        self.elsewhere = False
        self._declared = declared
        self._own: dict[str, Activity[..., Any]] = {}
        self._found = _Found(self)
        self.find: Callable[[str], Activity[..., Any]] = self._found.__getitem__
        """What a run gets for a name; for one that may be known elsewhere, an activity that is not `here`."""

    def __setitem__(self, name: str, function: Callable[..., Any] | Activity[..., Any]) -> None:
        if isinstance(function, Activity):
            function = function.function
        if not callable(function):
            raise DeclarationError(f"engine.activities[{name!r}] takes a function, not {function!r}")
        like = self._declared.get(name)
        from weft_core.model.retry import DEFAULT

        self._own[name] = self._found[name] = Activity(
            function,
            name=name,
            retry=like.retry if like else DEFAULT,
            timeout_ms=like.timeout_ms if like else None,
            total_timeout_ms=like.total_timeout_ms if like else None,
            heartbeat_ms=like.heartbeat_ms if like else None,
        )

    def __delitem__(self, name: str) -> None:
        del self._own[name]
        del self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._declared

    def __getitem__(self, name: str) -> Activity[..., Any]:
        found = self._found[name]
        if not found.here:
            raise self.unknown(name)
        return found

    def unknown(self, name: str) -> UnknownActivity:
        """The error of a name that nothing is known under."""
        names = ", ".join(sorted({*self._own, *self._declared})) or "none"
        remedy = f"Declare it with @app.activity, or register it with engine.activities[{name!r}] = function"
        if self.elsewhere:
            remedy = (
                f"Declare it with @app.activity, or give it to Weft.open({{ activities: {{ {name} }} }}): the run goes on "
                "when a page that does runs the engine"
            )
        return UnknownActivity(f"no activity {name!r} here; there are: {names}. {remedy}")


class _Found(dict[str, Activity[..., Any]]):
    """What was looked up before. What an app has declared stays declared."""

    def __init__(self, all_: Activities) -> None:
        self._all = all_

    def __missing__(self, name: str) -> Activity[..., Any]:
        declared = self._all._declared
        if name in declared:
            found = self[name] = declared[name]
            return found
        if not self._all.elsewhere:
            raise self._all.unknown(name)
        from weft_core.model.retry import DEFAULT

        absent: Activity[..., Any] = Activity(
            _absent, name=name, retry=DEFAULT, timeout_ms=None, total_timeout_ms=None, heartbeat_ms=None
        )
        absent.here = False
        absent.limited = True  # nothing about it is as usual
        return absent


async def _absent(*args: Any, **kwargs: Any) -> Any:
    """Stands for an activity that is not here; nobody calls it."""
    raise AssertionError
