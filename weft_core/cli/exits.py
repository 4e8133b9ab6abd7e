"""Exit codes, and the one table that turns errors into a line, a hint and a code. See `docs/reference/cli.md`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from weft_core import errors


class Exit(IntEnum):
    """What scripts can rely on."""

    OK = 0
    RUN_FAILED = 1  # the run ended without a result: its own error, cancelled, terminated, timed out
    USAGE = 2  # the command line or an input document is wrong (argparse exits with this too)
    APP = 3  # the app cannot be loaded, or declares something that cannot work
    NOT_FOUND = 4  # no such run, workflow, activity or store
    STORE = 5  # the store is owned by another engine, unreachable, full or damaged
    PARKED = 6  # the run is stored and intact, but cannot go on as things are
    REFUSED = 7  # the run exists already with another input, or has ended
    UNHEALTHY = 8  # `weft doctor` found something that needs a person
    INTERRUPTED = 130  # Ctrl-C; whatever was running is stored and goes on with `weft resume`


class UsageProblem(Exception):
    """Something on the command line is wrong in a way that argparse cannot see. `code` is as stable as an error's."""

    def __init__(self, message: str, *, hint: str, exit: Exit = Exit.USAGE, code: str = "usage") -> None:
        super().__init__(message)
        self.hint = hint
        self.exit = exit
        self.code = code


class RunEnded(Exception):
    """A run ended without a result. `__cause__` is its error as the client raised it."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An error as the shell shows it: one line, what to do, and the exit code."""

    exit: Exit
    code: str
    message: str
    hint: str


_TABLE: tuple[tuple[type[BaseException], Exit, str], ...] = (
    (errors.StoreOwned, Exit.STORE, "`weft runs …` works all the same; --wait waits for its turn"),
    (errors.StoreFull, Exit.STORE, "make room; nothing was written"),
    (errors.StoreCorrupt, Exit.STORE, "is --db right? If so, `weft doctor` says more"),
    (errors.StoreUnavailable, Exit.STORE, "check the path and its permissions"),
    (errors.StoreError, Exit.STORE, "check --db, or $WEFT_DB"),
    (errors.RunNotFound, Exit.NOT_FOUND, "is it in another store? --db or $WEFT_DB names one"),
    (errors.NotFound, Exit.NOT_FOUND, "check the name, and that APP is the app that declares it"),
    (errors.AlreadyExists, Exit.REFUSED, "give another --id, or leave --id out"),
    (errors.RunClosed, Exit.REFUSED, "`weft runs show` tells how it ended"),
    (errors.CodeChanged, Exit.PARKED, "`weft doctor APP` shows every run that waits in changed code"),
    (errors.DeclarationError, Exit.APP, "correct the app; no run was touched"),
    (errors.CheckpointError, Exit.USAGE, "give the run a path or an id instead of the value itself"),
    (errors.DecodeError, Exit.STORE, "`weft doctor` names everything that is damaged; other runs are not affected"),
)

_WHERE = "--traceback shows where it came from"


def explain(error: BaseException) -> Explained:
    """The row of the table for an error."""
    match error:
        case UsageProblem():
            return Explained(exit=error.exit, code=error.code, message=_line(error), hint=error.hint)
        case RunEnded():
            return _ended(error)
        case KeyboardInterrupt():
            hint = "`weft resume` goes on with it"
            message = "interrupted; whatever was running is stored"
            return Explained(exit=Exit.INTERRUPTED, code="interrupted", message=message, hint=hint)
        case errors.WeftError():
            for cls, code, hint in _TABLE:
                if isinstance(error, cls):
                    return Explained(exit=code, code=error.code, message=_line(error), hint=hint)
            return Explained(exit=Exit.RUN_FAILED, code=error.code, message=_line(error), hint=_WHERE)
        case _:
            text = f"{type(error).__name__}: {_line(error)}"
            return Explained(exit=Exit.RUN_FAILED, code="unexpected", message=text, hint=_WHERE)


def _ended(error: RunEnded) -> Explained:
    cause = error.__cause__
    if error.status in ("pending", "running", "waiting", "suspended"):
        damaged = getattr(cause, "problem", "") == errors.DecodeError.code
        return Explained(
            exit=Exit.PARKED,
            code=getattr(cause, "problem", "") or getattr(cause, "code", "parked"),
            message=_line(cause),
            hint="restore the store from a backup; other runs are not affected"
            if damaged
            else "the run is intact; correct the cause, then `weft resume`",
        )
    told = isinstance(cause, errors.RunFailed)
    return Explained(
        exit=Exit.RUN_FAILED,
        code=cause.code if isinstance(cause, errors.WeftError) else "run_failed",
        message=_line(cause) if told else f"run {error.run_id!r} failed: {type(cause).__name__}: {_line(cause)}",
        hint=f"`weft runs show {error.run_id}` tells what it did; --traceback shows where it failed",
    )


def _line(error: BaseException | None) -> str:
    return " ".join(str(error).split()) or type(error).__name__
