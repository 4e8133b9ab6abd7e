"""Weft: durable workflows as ordinary async functions. Their progress is data: resuming never replays."""

from __future__ import annotations

from weft_core.client import Client, RunHandle, RunInfo
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
