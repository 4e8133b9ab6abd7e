"""Every error Weft raises, in one tree.

    WeftError                     code "weft"
    ├── DeclarationError          the app is declared wrongly; raised by decorators, before anything runs
    │   └── UnsupportedConstruct  a construct the resumable compiler refuses (file, line, construct, remedy)
    ├── CheckpointError           a value or frame cannot be stored; raised at the `await`
    │   └── NotDurable            something was awaited that is not an operation of the engine
    ├── DecodeError               stored text cannot be turned back into values (corrupt or foreign)
    │   └── LimitExceeded         a named limit of the codec or the engine was passed
    ├── CodeChanged               a run is suspended in code that no longer exists in this app
    ├── ActivityError             an activity failed with an exception class this process does not know
    ├── NotFound                  no such run, workflow, activity, signal …
    │   ├── RunNotFound
    │   ├── UnknownWorkflow
    │   └── UnknownActivity
    ├── AlreadyExists             a run with this id exists and disagrees
    ├── RunClosed                 the run has already ended; nothing more can be delivered to it
    ├── RunFailed                 `result()` of a run that ended without a result
    │   ├── RunCancelled
    │   ├── RunTerminated
    │   └── RunTimedOut
    └── StoreError
        ├── Conflict              a precondition of a commit did not hold; nothing was written
        ├── StoreUnavailable      the store could not be reached or did not answer; outcome may be unknown
        ├── StoreFull             no room; nothing was written
        ├── StoreCorrupt          the file is not a Weft store, or is damaged
        └── StoreOwned            another engine owns this store

    ActivityTimeout(ActivityError, TimeoutError)   an attempt, or all of them together, took too long
    Cancelled(asyncio.CancelledError)              thrown into a run, branch or activity that is being cancelled

Every error carries its facts as attributes and a stable `code` that TypeScript and HTTP share, and its message says
what happened and what to do about it. Adapters translate foreign errors into this tree in one table each.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar


class WeftError(Exception):
    """The root of everything Weft raises itself. `code` is stable across versions and languages."""

    code: ClassVar[str] = "weft"


class DeclarationError(WeftError):
    """An app, workflow or activity is declared in a way that cannot work."""

    code = "declaration"


class UnsupportedConstruct(DeclarationError):
    """The resumable compiler refuses a construct. Carries where it stands and what to write instead."""

    code = "unsupported_construct"

    def __init__(self, *, construct: str, remedy: str, filename: str, line: int, function: str) -> None:
        super().__init__(f"{filename}:{line}: {construct} cannot be used in {function!r}: {remedy}")
        self.construct = construct
        self.remedy = remedy
        self.filename = filename
        self.line = line
        self.function = function


class CheckpointError(WeftError):
    """A value that is alive across an `await` cannot be stored.

    `variable` is the local's name with the path inside it (`order["client"]`), `type_name` the offending type,
    `filename`/`line` the `await`. Raised at the `await`, before the operation's side effect begins.
    """

    code = "checkpoint"

    def __init__(
        self,
        message: str,
        *,
        variable: str | None = None,
        type_name: str | None = None,
        filename: str | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.variable = variable
        self.type_name = type_name
        self.filename = filename
        self.line = line

    def locate(self, filename: str, line: int) -> None:
        """Tell where it was, unless that is told already."""
        if self.line is None:
            self.filename, self.line = filename, line
            self.args = (str(self).replace(" cannot be stored: ", f" cannot be stored ({filename}:{line}): ", 1),)


class NotDurable(CheckpointError):
    """Something was awaited in a workflow that Weft cannot make durable (`asyncio.sleep`, a future, …)."""

    code = "not_durable"


class DecodeError(WeftError):
    """Stored text is corrupt, or names a class or function this app does not know."""

    code = "decode"


class LimitExceeded(DecodeError):
    """A named limit was passed: `limit` is its name, `maximum` its value, `actual` what was met."""

    code = "limit_exceeded"

    def __init__(self, message: str, *, limit: str, maximum: int, actual: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.maximum = maximum
        self.actual = actual


class InterpreterDied(WeftError):
    """The interpreter itself died while it moved this run, twice. The run stays suspended and intact."""

    code = "interpreter_died"


class CodeChanged(WeftError):
    """A run waits in code whose digest is not the one this app has. The run stays suspended and intact."""

    code = "code_changed"


class ActivityError(WeftError):
    """An activity failed with an exception class unknown here: type name, message and traceback as text."""

    code = "activity"

    def __init__(self, message: str, *, type_name: str = "", traceback_text: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.traceback_text = traceback_text


class ActivityTimeout(ActivityError, TimeoutError):
    """An activity's attempt, or its attempts together, passed their time limit."""

    code = "activity_timeout"


class NotFound(WeftError):
    """Something named does not exist."""

    code = "not_found"


class RunNotFound(NotFound):
    """No run has this id in this store."""

    code = "run_not_found"


class UnknownWorkflow(NotFound):
    """The app declares no workflow of this name. The run is left alone; other runs go on."""

    code = "unknown_workflow"


class UnknownActivity(NotFound):
    """The app declares no activity of this name."""

    code = "unknown_activity"


class AlreadyExists(WeftError):
    """A run with this id exists and its workflow or input differ, or `if_exists="fail"`."""

    code = "already_exists"


class RunClosed(WeftError):
    """The run has ended, so a signal, update or command could not be delivered to it."""

    code = "run_closed"


class RunFailed(WeftError):
    """The run ended without a result and its error's class is not known here; `status` says how it ended.

    Also of a run that is parked: then `problem` is the code of the error that parked it, empty otherwise.
    """

    code = "run_failed"

    def __init__(self, message: str, *, run_id: str = "", status: str = "failed", problem: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id
        self.status = status
        self.problem = problem


class RunCancelled(RunFailed):
    """The run was cancelled."""

    code = "run_cancelled"


class RunTerminated(RunFailed):
    """The run was terminated: ended at once, without running its `finally` blocks."""

    code = "run_terminated"


class RunTimedOut(RunFailed):
    """The run passed its workflow's timeout."""

    code = "run_timed_out"


class StoreError(WeftError):
    """Something is wrong with the store itself."""

    code = "store"


class Conflict(StoreError):
    """A precondition did not hold and nothing was written.

    `key` is the first key whose version differed, `expected` the version asked for (0: absent), `actual` what it is.
    """

    code = "conflict"

    def __init__(self, key: str, *, expected: int, actual: int) -> None:
        super().__init__(f"{key!r} is at version {actual}, not {expected}; nothing was written")
        self.key = key
        self.expected = expected
        self.actual = actual


class StoreUnavailable(StoreError):
    """The store could not be reached. `applied` is False when surely nothing was written, None when unknown.

    `gone`: what was opened was deleted or replaced meanwhile and does not come back; an engine on it ends.
    """

    code = "store_unavailable"

    def __init__(self, message: str, *, applied: bool | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.applied = applied
        self.gone = gone


class StoreFull(StoreError):
    """The disk or the browser's quota is exhausted; nothing was written."""

    code = "store_full"


class StoreCorrupt(StoreError):
    """The store's content is damaged or is not a Weft store."""

    code = "store_corrupt"


class StoreOwned(StoreError):
    """Another live engine owns this store. Use a `Client`, or stop the other engine."""

    code = "store_owned"


class Cancelled(asyncio.CancelledError):
    """Thrown at the `await` of a run, branch or activity that is being cancelled.

    A subclass of `asyncio.CancelledError`, so `except Exception` does not catch it and `finally` blocks run (and may
    await). `reason` is what the canceller said.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.scope: str | None = None
        """The time limit that ran out, when one did; None for a cancellation."""
