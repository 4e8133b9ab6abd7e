"""Looking at a run from outside: how it stands, its stacks, lines and variables as stored. Runs nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from weft_core.errors import DeclarationError, DecodeError, RunCancelled, RunFailed, RunTerminated, RunTimedOut
from weft_core.kernel.records import RunRecord, Status, parse, status_of
from weft_core.model.app import Workflow
from weft_core.model.durations import to_datetime
from weft_core.resume.values import ValueCodec

ROOT = "0"
_CONTEXT = {"$live": "ctx"}  # how a frame says that a variable is the run's own context: nothing to see


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One run as `list` shows it. Instants are aware UTC."""

    id: str
    workflow: str
    version: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    problem: dict[str, str] | None

    @classmethod
    def of(cls, record: RunRecord, status: Status | None = None) -> RunInfo:
        """What a record shows; `status` where more is known than the record says (`waiting`)."""
        return cls(
            id=record.id,
            workflow=record.workflow,
            version=record.version,
            status=status or record.status,
            created_at=to_datetime(record.created_at),
            started_at=None if record.started_at is None else to_datetime(record.started_at),
            closed_at=None if record.closed_at is None else to_datetime(record.closed_at),
            problem=record.problem,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameView:
    """One frame of a waiting stack. `locals` are the live variables as stored (plain JSON for plain data)."""

    function: str
    line: int
    filename: str | None
    source: str | None
    locals: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FiberView:
    """One strand of a run: outermost frame first, and what it waits for or that it has ended.

    `waiting_for` is as stored: `op`, and for an activity (`run`) its `activity` and `attempt`; while it is tried again also
    `last_error`, the class and message of what the last attempt raised, at most 2,000 characters.
    """

    id: str
    frames: tuple[FrameView, ...]
    waiting_for: dict[str, Any] | None
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """An error as stored: the name of its class, its message, its traceback ("" where there is none), its cause."""

    type: str
    message: str
    traceback: str
    cause: ErrorView | None

    @classmethod
    def of(cls, body: dict[str, Any]) -> ErrorView:
        """What the codec wrote of an error."""
        from weft_core.resume.values.types.errors import traceback_text

        frames = [
            (str(file), int(line), str(name), str(source)) for file, line, name, source in body.get("traceback", ())
        ]
        cause = (body.get("cause") or {}).get("$error")
        return cls(
            type=str(body["type"]),
            message=str(body["message"]),
            traceback=traceback_text(frames),
            cause=None if cause is None else cls.of(cause),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A run as stored: its status, every strand of it, and how it ended.

    `result` is as stored (plain JSON for plain data), `error` what a run failed with, or was stopped by; `reason` is
    why it was cancelled, terminated or timed out, where one was given.
    """

    id: str
    workflow: str
    status: str
    fibers: tuple[FiberView, ...]
    result: Any = None
    error: ErrorView | None = None
    reason: str | None = None

    @property
    def line(self) -> int | None:
        """The source line where the root stands (its innermost frame), None when it stands nowhere."""
        for fiber in self.fibers:
            if fiber.id == ROOT and fiber.frames:
                return fiber.frames[-1].line
        return None

    @property
    def locals(self) -> dict[str, Any]:
        """The variables of the root's innermost frame."""
        for fiber in self.fibers:
            if fiber.id == ROOT and fiber.frames:
                return fiber.frames[-1].locals
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSource:
    """The source of a compiled function, as every engine keeps it in the store."""

    source: str
    filename: str
    first_line: int

    @classmethod
    def of(cls, text: str) -> StoredSource | None:
        """What a unit row holds; None for a damaged one, since it is only for people to read."""
        try:
            row = parse(text, "unit row")
            return cls(source=str(row["source"]), filename=str(row["filename"]), first_line=int(row["first_line"]))
        except (DecodeError, KeyError, TypeError, ValueError):
            return None


def digests(fibers: Iterable[str]) -> set[str]:
    """The units that the rows of some fibers mention."""
    return {digest for text in fibers for digest in re.findall(r'"digest":"([0-9a-f]{1,128})"', text)}


def inspect_fibers(
    record: RunRecord, fibers: Mapping[str, str], sources: Mapping[str, StoredSource | None]
) -> Inspection:
    """Read the rows of a run's fibers, with the sources there are by digest. Raises `DecodeError` for damaged ones."""
    read = []
    for fiber_id, text in sorted(fibers.items()):
        try:
            read.append(_fiber(fiber_id, text, sources))
        except (DecodeError, AttributeError, TypeError, ValueError) as error:
            raise DecodeError(
                f"the row of fiber {fiber_id} of run {record.id!r} is damaged: {error}. Restore the store from a backup, "
                "or terminate the run; other runs are not affected"
            ) from error
    try:
        failed = None if record.error is None else ErrorView.of(parse(record.error, "error"))
    except (DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(
            f"the error of run {record.id!r} is damaged: {error}; restore the store from a backup"
        ) from error
    return Inspection(
        id=record.id,
        workflow=record.workflow,
        status=status_of(record, fibers.values()),
        fibers=tuple(read),
        result=None if record.result is None else json.loads(record.result),
        error=failed,
        reason="the run passed its workflow's timeout" if record.status == "timed_out" else record.cancel_reason,
    )


def _fiber(fiber_id: str, text: str, sources: Mapping[str, StoredSource | None]) -> FiberView:
    raw = parse(text, "row")
    wait = raw.get("wait")
    return FiberView(
        id=fiber_id,
        frames=tuple(_frame(frame, sources) for frame in raw.get("frames", ())),
        waiting_for=None if wait is None else {k: v for k, v in wait.items() if k not in ("args", "items")},
        ended="done" in raw,
    )


def _frame(frame: dict[str, Any], sources: Mapping[str, StoredSource | None]) -> FrameView:
    line = int(frame.get("line", 0))
    unit = sources.get(str(frame.get("digest", "")))
    source = None
    if unit is not None:
        lines = unit.source.splitlines()
        if 0 <= line - unit.first_line < len(lines):
            source = lines[line - unit.first_line].strip()
    variables = {
        name: value for name, value in frame.get("locals", {}).items() if not name.startswith("@") and value != _CONTEXT
    }
    return FrameView(
        function=str(frame.get("unit", "")),
        line=line,
        filename=None if unit is None else unit.filename,
        source=source,
        locals=variables,
    )


def check_list(workflow: object, status: object, id_prefix: object, limit: object) -> tuple[str | None, Any]:
    """The workflow's name and the statuses that a list is asked for. Raises `DeclarationError` for what is neither."""
    if isinstance(workflow, Workflow):
        workflow = workflow.name
    if workflow is not None and not isinstance(workflow, str):
        raise DeclarationError(f"workflow= takes a workflow or its name, not {workflow!r}")
    if not isinstance(id_prefix, str):
        raise DeclarationError(f"id_prefix= takes a text, not {id_prefix!r}")
    if type(limit) is not int or limit < 1:
        raise DeclarationError(f"limit= takes a whole number of at least 1, not {limit!r}")
    if status is None:
        return workflow, None
    wanted = [status] if isinstance(status, str) or not isinstance(status, Iterable) else list(status)
    for one in wanted:
        if one not in get_args(Status):
            raise DeclarationError(f"there is no status {one!r}; there are {', '.join(get_args(Status))}")
    return workflow, wanted


def read_state(run_id: str, text: str, codec: ValueCodec) -> dict[str, Any]:
    """A run's public state. Raises `DecodeError` that names the run."""
    try:
        value = codec.decode(text)
        if isinstance(value, dict):
            return value
        raise DecodeError("it is not a dict")
    except DecodeError as error:
        raise DecodeError(
            f"the state of run {run_id!r} cannot be read: {error}. Open the client with the run's app if it is a class "
            "that is missing; if the row is damaged, restore the store from a backup"
        ) from error


def stand_in(run_id: str, error: DecodeError) -> RunRecord:
    """What is shown of a run whose record cannot be read, so that it does not hide the others."""
    record = RunRecord(id=run_id, workflow="?", version="?", status="suspended", input="null", created_at=0)
    record.problem = {"code": error.code, "message": str(error)}
    return record


def failure(record: RunRecord, codec: ValueCodec) -> Exception:
    """What `result()` raises of a run that has ended without a result, or is parked."""
    run_id, reason = record.id, record.cancel_reason
    match record.status:
        case "cancelled":
            return RunCancelled(f"run {run_id!r} was cancelled: {reason}", run_id=run_id, status="cancelled")
        case "terminated":
            return RunTerminated(f"run {run_id!r} was terminated: {reason}", run_id=run_id, status="terminated")
        case "timed_out":
            return RunTimedOut(f"run {run_id!r} passed its workflow's timeout", run_id=run_id, status="timed_out")
        case "failed" if record.error is not None:
            error = codec.decode_error(record.error)
            if isinstance(error, Exception):
                return error
            # Raised here, a CancelledError or SystemExit would be taken for the caller's own.
            failed = RunFailed(f"run {run_id!r} failed: {type(error).__name__}: {error}", run_id=run_id)
            failed.__cause__ = error
            return failed
        case _:
            problem = record.problem or {}
            code, message = problem.get("code", record.status), problem.get("message", "")
            told = f"run {run_id!r} is parked ({code}): {message}"
            return RunFailed(told, run_id=run_id, status=record.status, problem=str(problem.get("code", "")))
