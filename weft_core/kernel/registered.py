"""The engine's own classes that may appear in stored values, under stable names."""

from __future__ import annotations

from typing import Any

from weft_core import errors
from weft_core.kernel.context import Outcome, Task, Timeout
from weft_core.model.app import App
from weft_core.model.retry import Retry

_ERRORS = (
    errors.WeftError,
    errors.DeclarationError,
    errors.CheckpointError,
    errors.NotDurable,
    errors.DecodeError,
    errors.CodeChanged,
    errors.ActivityError,
    errors.ActivityTimeout,
    errors.NotFound,
    errors.RunNotFound,
    errors.UnknownWorkflow,
    errors.UnknownActivity,
    errors.AlreadyExists,
    errors.RunClosed,
    errors.RunFailed,
    errors.RunCancelled,
    errors.RunTerminated,
    errors.RunTimedOut,
    errors.Cancelled,
)


def install(app: App) -> None:
    """Make an app's codec know the engine's own classes. Doing it twice changes nothing."""
    registry = app.registry
    registry.register(Task, name="weft.Task", encode=_task_out, decode=_task_in)
    registry.register(Timeout, name="weft.Timeout", encode=_timeout_out, decode=_timeout_in)
    registry.register(Outcome, name="weft.Outcome")
    registry.register(Retry, name="weft.Retry")
    for cls in _ERRORS:
        registry.register(cls, name=f"weft.{cls.__name__}")


def _task_out(task: Task) -> list[Any]:
    return [task.context, task.id, task.outcome]


def _task_in(parts: list[Any]) -> Task:
    return Task(*parts)


def _timeout_out(timeout: Timeout) -> list[Any]:
    return [timeout.duration_ms, timeout.id]


def _timeout_in(parts: list[Any]) -> Timeout:
    return Timeout(*parts)
