"""The documents that stand in the store, as JSON text; `browser/src/records.ts` is the same in TypeScript.

run record      {"id", "workflow", "version", "status", "input": [args, kwargs], "created_at", …}; times are ms since 1970
inbox row       {"kind": "signal" | "cancel" | "terminate" | "suspend" | "resume", "name", "payload", "id", "at"}
fiber row       {"n", "h", "wait": {…} | "done": {"ok": value} or {"error": error}, "frames": [...], …}
history row     [{"n", "at", "kind", …}, …]

`input`, `payload`, `ok`, `result` are values as the codec writes them: plain JSON for plain data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any, Literal, cast

from weft_core.errors import DecodeError

Status = Literal[
    "pending",
    "running",
    "waiting",
    "suspended",
    "completed",
    "failed",
    "cancelled",
    "terminated",
    "timed_out",
    "moved",
]
CLOSED: frozenset[str] = frozenset({"completed", "failed", "cancelled", "terminated", "timed_out", "moved"})
OPEN: frozenset[str] = frozenset({"pending", "running", "waiting", "suspended"})

HISTORY_MAX = 100
"""History entries kept for a run; the oldest go first. Stored bytes must not follow the number of steps."""
HISTORY_CHUNK = 16
"""Entries of a history row; fewer ride in the row of a fiber."""
HISTORY_ROWS_MAX = HISTORY_MAX // HISTORY_CHUNK + 2
"""History rows of a run, a ring: HISTORY_MAX entries, one row that is half full, and the one that is overwritten."""

InboxKind = Literal["signal", "cancel", "terminate", "suspend", "resume"]

_MAY_BE_THERE = {
    **dict.fromkeys(("start_at", "started_at", "closed_at", "timeout_at"), int),
    "cancel_reason": str,
    "problem": dict,
}
"""Optional fields of a run record that are read as they are, with their types."""

_INBOX_KINDS = frozenset({"signal", "cancel", "terminate", "suspend", "resume"})


def parse(text: str, what: str) -> dict[str, Any]:
    """A stored JSON object, or `DecodeError` that names what it was meant to be."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the {what} is not JSON ({error}); it was damaged outside of Weft") from error
    if not isinstance(value, dict):
        raise DecodeError(f"the {what} is not a JSON object; it was damaged outside of Weft")
    return value


_dumps = json.JSONEncoder(separators=(",", ":")).encode


def dump(value: Any) -> str:
    """Compact ASCII JSON."""
    return encode_basestring_ascii(value) if type(value) is str else _dumps(value)


@lru_cache(maxsize=4096)
def quoted(name: str) -> str:
    """The JSON text of a name that will be needed again and again."""
    return _dumps(name)


class RunRecord:
    """One run, as clients list it. `input`, `result` and `error` hold codec text; instants are ms since 1970.

    `execution` counts the runs that this id has had.
    """

    start_at: int | None = None
    started_at: int | None = None
    closed_at: int | None = None
    timeout_at: int | None = None
    timing_out: bool = False
    cancel_reason: str | None = None
    result: str | None = None
    error: str | None = None
    problem: dict[str, str] | None = None
    history_count: int = 0
    execution: int = 1

    def __init__(self, *, id: str, workflow: str, version: str, status: Status, input: str, created_at: int) -> None:
        self.id = id
        self.workflow = workflow
        self.version = version
        self.status: Status = status
        self.input = input
        self.created_at = created_at

    @property
    def closed(self) -> bool:
        return self.status in CLOSED

    def unpark(self) -> None:
        """Somebody thinks that what was wrong no longer is."""
        self.problem = None
        self.status = "running" if self.started_at is not None else "pending"

    def copy(self) -> RunRecord:
        """Another record that says the same."""
        made = RunRecord.__new__(RunRecord)
        made.__dict__.update(self.__dict__)
        return made

    def to_json(self) -> str:
        parts = [
            f'{{"id":{dump(self.id)},"workflow":{quoted(self.workflow)},"version":{quoted(self.version)},'
            f'"status":"{self.status}","input":{self.input},"created_at":{self.created_at}'
        ]
        if self.start_at is not None:
            parts.append(f'"start_at":{self.start_at}')
        if self.started_at is not None:
            parts.append(f'"started_at":{self.started_at}')
        if self.closed_at is not None:
            parts.append(f'"closed_at":{self.closed_at}')
        if self.timeout_at is not None:
            parts.append(f'"timeout_at":{self.timeout_at}')
        if self.timing_out:
            parts.append('"timing_out":true')
        if self.cancel_reason is not None:
            parts.append(f'"cancel_reason":{dump(self.cancel_reason)}')
        if self.result is not None:
            parts.append(f'"result":{self.result}')
        if self.error is not None:
            parts.append(f'"error":{self.error}')
        if self.problem is not None:
            parts.append(f'"problem":{dump(self.problem)}')
        if self.execution > 1:
            parts.append(f'"execution":{self.execution}')
        if self.history_count:
            parts.append(f'"history_count":{self.history_count}')
        return ",".join(parts) + "}"

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        raw = parse(text, "run record")
        try:
            status = raw["status"]
            if status not in CLOSED and status not in OPEN:
                raise DecodeError(f"a run record has the unknown status {status!r}")
            record = cls(
                id=_text(raw, "id"),
                workflow=_text(raw, "workflow"),
                version=str(raw.get("version", "1")),
                status=cast(Status, status),
                input=dump(raw["input"]),
                created_at=int(raw["created_at"]),
            )
            for name, kind in _MAY_BE_THERE.items():
                value = raw.get(name)
                if value is not None:
                    if type(value) is not kind:
                        raise TypeError(repr(name))
                    setattr(record, name, value)
            record.timing_out = bool(raw.get("timing_out", False))
            record.result = dump(raw["result"]) if "result" in raw else None
            record.error = dump(raw["error"]) if "error" in raw else None
            record.execution = int(raw.get("execution", 1))
            record.history_count = int(raw.get("history_count", 0))
            return record
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(f"a run record lacks or garbles {error}; it was damaged outside of Weft") from error


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name!r}")
    return value


def runs_activity(fiber: str) -> bool:
    """Whether a fiber's row says that an activity is under way, or will be tried again. A damaged row says nothing."""
    if '"wait":{"op":"run"' not in fiber:
        return False
    try:
        return bool(parse(fiber, "row of a fiber")["wait"]["op"] == "run")  # the text may be a variable's
    except (DecodeError, KeyError, TypeError):
        return False


def status_of(record: RunRecord, fibers: Iterable[str]) -> Status:
    """A run's status as people are told it, with the rows of its fibers: its record does not say whether it waits."""
    if record.status == "running" and not any(map(runs_activity, fibers)):
        return "waiting"
    return record.status


class InboxRow:
    """Something that arrived for a run: a signal, or a command. `n` is its place in the order of arrival."""

    __slots__ = ("at", "id", "kind", "n", "name", "payload")

    def __init__(self, *, n: int, kind: InboxKind, name: str, payload: str, id: str | None, at: int) -> None:
        self.n = n
        self.kind = kind
        self.name = name
        self.payload = payload
        self.id = id
        self.at = at

    def to_json(self) -> str:
        ident = f',"id":{dump(self.id)}' if self.id is not None else ""
        return f'{{"kind":"{self.kind}","name":{dump(self.name)},"payload":{self.payload}{ident},"at":{self.at}}}'

    @classmethod
    def from_json(cls, n: int, text: str) -> InboxRow:
        raw = parse(text, "inbox row")
        kind = raw.get("kind")
        if kind not in _INBOX_KINDS:
            raise DecodeError(f"an inbox row has the unknown kind {kind!r}")
        return cls(
            n=n,
            kind=cast(InboxKind, kind),
            name=str(raw.get("name", "")),
            payload=dump(raw.get("payload")),
            id=raw.get("id"),
            at=int(raw.get("at", 0)),
        )
