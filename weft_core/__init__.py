"""Weft: durable workflows as ordinary async functions. Their progress is data: resuming never replays.

A name is imported when it is first asked for, so that a program loads what it uses: a client has no need of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft_core.client import Client, RunHandle
    from weft_core.engine.activities import ActivityInfo, activity_info
    from weft_core.engine.engine import Engine, run_sync
    from weft_core.errors import (
        ActivityError,
        ActivityTimeout,
        AlreadyExists,
        Cancelled,
        CheckpointError,
        CodeChanged,
        Conflict,
        DeclarationError,
        DecodeError,
        InterpreterDied,
        LimitExceeded,
        NotDurable,
        NotFound,
        RunCancelled,
        RunClosed,
        RunFailed,
        RunNotFound,
        RunTerminated,
        RunTimedOut,
        StoreCorrupt,
        StoreError,
        StoreFull,
        StoreOwned,
        StoreUnavailable,
        UnknownActivity,
        UnknownWorkflow,
        UnsupportedConstruct,
        WeftError,
    )
    from weft_core.inspection import Inspection, RunInfo
    from weft_core.kernel.context import Context, Outcome, Task
    from weft_core.model.app import Activity, App, Resumable, Workflow
    from weft_core.model.retry import Retry
    from weft_core.resume import Operation

__version__ = "0.1.0"

__all__ = [
    "Activity",
    "ActivityError",
    "ActivityInfo",
    "ActivityTimeout",
    "AlreadyExists",
    "App",
    "Cancelled",
    "CheckpointError",
    "Client",
    "CodeChanged",
    "Conflict",
    "Context",
    "DeclarationError",
    "DecodeError",
    "Engine",
    "Inspection",
    "InterpreterDied",
    "LimitExceeded",
    "NotDurable",
    "NotFound",
    "Operation",
    "Outcome",
    "Resumable",
    "Retry",
    "RunCancelled",
    "RunClosed",
    "RunFailed",
    "RunHandle",
    "RunInfo",
    "RunNotFound",
    "RunTerminated",
    "RunTimedOut",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreOwned",
    "StoreUnavailable",
    "Task",
    "UnknownActivity",
    "UnknownWorkflow",
    "UnsupportedConstruct",
    "WeftError",
    "Workflow",
    "activity_info",
    "run_sync",
]

_HOMES = {
    "Activity": "model.app",
    "ActivityInfo": "engine.activities",
    "App": "model.app",
    "Client": "client",
    "Context": "kernel.context",
    "Engine": "engine.engine",
    "Inspection": "inspection",
    "Operation": "resume",
    "Outcome": "kernel.context",
    "Resumable": "model.app",
    "Retry": "model.retry",
    "RunHandle": "client",
    "RunInfo": "inspection",
    "Task": "kernel.context",
    "Workflow": "model.app",
    "activity_info": "engine.activities",
    "run_sync": "engine.engine",
}
"""The modules of the public names; whatever is not here is an error, from `errors`."""

if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of the package's

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
        globals()[name] = found  # asked once
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
