"""What a fiber can wait for, as durable data. A wait is made from an operation, stored in the fiber's row, read back."""

from __future__ import annotations

from typing import Any, cast

from weft_core.errors import DecodeError
from weft_core.kernel.operations import BranchMode
from weft_core.kernel.records import dump, quoted
from weft_core.model.app import Activity


class Interrupt:
    """Why a fiber is being cancelled. `scope` is the id of the time limit that ran out, None for a cancellation."""

    __slots__ = ("reason", "scope")

    def __init__(self, *, reason: str, scope: str | None = None) -> None:
        self.reason = reason
        self.scope = scope

    def to_json(self) -> dict[str, Any]:
        return {"reason": self.reason, "scope": self.scope}

    @classmethod
    def from_json(cls, raw: dict[str, Any] | None) -> Interrupt | None:
        return None if raw is None else cls(reason=str(raw["reason"]), scope=raw["scope"])


class ActivityWait:
    """An activity under way, or waiting for its next attempt at `retry_at`.

    `last_error` is what the attempt before this one said, for people. `outcome` is held only while the run is suspended:
    the result arrived, nobody may receive it yet. One is made for every step and most of it is as the class says, so only
    what differs is the object's own. What is not stored: `call`, the arguments, and `target`, what was found under the
    name when the wait began; both while it has just begun.
    """

    attempt: int = 1
    retry_at: int | None = None
    retry: str | None = None
    timeout_ms: int | None = None
    total_timeout_ms: int | None = None
    total_until: int | None = None
    key: str | None = None
    last_error: str | None = None
    details: str | None = None
    outcome: str | None = None

    def __init__(
        self,
        operation_id: str,
        activity: str,
        args: str,
        call: tuple[Any, ...] | None = None,
        target: Activity[..., Any] | None = None,
    ) -> None:
        self.operation_id = operation_id
        self.activity = activity
        self.args = args
        self.call = call
        self.target = target

    def begin(self, now: int) -> None:
        if self.total_timeout_ms is not None and self.total_until is None:
            self.total_until = now + self.total_timeout_ms

    @property
    def due(self) -> int | None:
        if self.retry_at is None:
            return None  # an attempt is under way: the engine watches its time limit
        return self.retry_at if self.total_until is None else min(self.retry_at, self.total_until)

    def head_json(self) -> str:
        """What every such wait says; all there is of one that has just begun and has no options."""
        return (
            f'{{"op":"run","id":"{self.operation_id}","activity":{quoted(self.activity)},"args":{self.args},'
            f'"attempt":{self.attempt}'
        )

    def to_json(self) -> str:
        text = self.head_json()
        if self.retry_at is not None:
            text += f',"retry_at":{self.retry_at}'
        if self.retry is not None:
            text += f',"retry":{self.retry}'
        if self.timeout_ms is not None:
            text += f',"timeout_ms":{self.timeout_ms}'
        if self.total_timeout_ms is not None:
            text += f',"total_timeout_ms":{self.total_timeout_ms}'
        if self.total_until is not None:
            text += f',"total_until":{self.total_until}'
        if self.key is not None:
            text += f',"key":{dump(self.key)}'
        if self.last_error is not None:
            text += f',"last_error":{dump(self.last_error)}'
        if self.details is not None:
            text += f',"details":{self.details}'
        if self.outcome is not None:
            text += f',"outcome":{self.outcome}'
        return text + "}"

    @property
    def label(self) -> str:
        return self.activity


class SleepWait:
    """A durable timer. `until` is set when the wait begins, which for a queued branch is later than its making."""

    __slots__ = ("duration_ms", "until")

    def __init__(self, *, duration_ms: int | None, until: int | None) -> None:
        self.duration_ms = duration_ms
        self.until = until

    def begin(self, now: int) -> None:
        if self.until is None:
            self.until = now + (self.duration_ms or 0)

    @property
    def due(self) -> int | None:
        return self.until

    def to_json(self) -> str:
        return f'{{"op":"sleep","duration_ms":{dump(self.duration_ms)},"until":{dump(self.until)}}}'

    @property
    def label(self) -> str:
        return "sleep"


class SignalWait:
    """Waiting for a signal. `order` is the place among all waits for signals of the run: first come, first served."""

    __slots__ = ("default", "name", "order", "timeout_ms", "until")

    def __init__(
        self,
        *,
        name: str,
        timeout_ms: int | None,
        default: str | None,
        until: int | None = None,
        order: int = 0,
    ) -> None:
        self.name = name
        self.timeout_ms = timeout_ms
        self.default = default
        self.until = until
        self.order = order

    def begin(self, now: int) -> None:
        if self.timeout_ms is not None and self.until is None:
            self.until = now + self.timeout_ms

    @property
    def due(self) -> int | None:
        return self.until

    def to_json(self) -> str:
        text = f'{{"op":"signal","name":{dump(self.name)},"order":{self.order}'
        if self.timeout_ms is not None:
            text += f',"timeout_ms":{self.timeout_ms},"until":{dump(self.until)}'
        if self.default is not None:
            text += f',"default":{self.default}'
        return text + "}"

    @property
    def label(self) -> str:
        return self.name


class BranchWait:
    """Waiting for child fibers `first` … `first + count - 1`.

    A map makes its children as slots come free: `items` (text of the list) and `target` say from what. `chosen` is the
    child whose outcome decides (a race's winner, the first error); `interrupt` why the fiber itself is being cancelled.
    `left` and `made` are counted in memory and recounted from the children's rows after a restart, so a finishing
    child never rewrites its parent.
    """

    left: int = 0
    made: int = 0
    decoded_items: list[Any] | None = None

    def __init__(
        self,
        *,
        mode: BranchMode,
        first: int,
        count: int,
        limit: int | None,
        items: str | None = None,
        target: str | None = None,
        chosen: str | None = None,
        interrupt: Interrupt | None = None,
    ) -> None:
        self.mode: BranchMode = mode
        self.first = first
        self.count = count
        self.limit = limit
        self.items = items
        self.target = target
        self.chosen = chosen
        self.interrupt = interrupt
        self.waiting: list[str] = []

    def begin(self, now: int) -> None:
        pass

    @property
    def due(self) -> int | None:
        return None

    @property
    def stopping(self) -> bool:
        return self.chosen is not None or self.interrupt is not None

    def to_json(self) -> str:
        text = f'{{"op":"{self.mode}","first":{self.first},"count":{self.count}'
        if self.limit is not None:
            text += f',"limit":{self.limit}'
        if self.items is not None:
            text += f',"items":{self.items},"target":{dump(self.target)}'
        if self.chosen is not None:
            text += f',"chosen":{dump(self.chosen)}'
        if self.interrupt is not None:
            text += f',"interrupt":{dump(self.interrupt.to_json())}'
        return text + "}"

    @property
    def label(self) -> str:
        return f"{self.mode} of {self.count}"


class JoinWait:
    """Waiting for a background branch. `known`: its outcome, when it was received before."""

    __slots__ = ("fiber_id", "interrupt", "known")

    def __init__(self, *, fiber_id: str, interrupt: Interrupt | None = None, known: str | None = None) -> None:
        self.fiber_id = fiber_id
        self.interrupt = interrupt
        self.known = known

    def begin(self, now: int) -> None:
        pass

    @property
    def due(self) -> int | None:
        return None

    def to_json(self) -> str:
        text = f'{{"op":"join","fiber":{dump(self.fiber_id)}'
        if self.interrupt is not None:
            text += f',"interrupt":{dump(self.interrupt.to_json())}'
        if self.known is not None:
            text += f',"known":{self.known}'
        return text + "}"

    @property
    def label(self) -> str:
        return f"task {self.fiber_id}"


Wait = ActivityWait | SleepWait | SignalWait | BranchWait | JoinWait


def wait_from_json(raw: dict[str, Any]) -> Wait:
    """The wait a fiber's row holds. Raises `DecodeError` when it is none."""
    try:
        match raw["op"]:
            case "run":
                wait = ActivityWait(raw["id"], raw["activity"], dump(raw["args"]))
                wait.attempt = int(raw["attempt"])
                wait.retry_at = raw.get("retry_at")
                wait.retry = _text(raw, "retry")
                wait.timeout_ms = raw.get("timeout_ms")
                wait.total_timeout_ms = raw.get("total_timeout_ms")
                wait.total_until = raw.get("total_until")
                wait.key = raw.get("key")
                wait.last_error = raw.get("last_error")
                wait.details = _text(raw, "details")
                wait.outcome = _text(raw, "outcome")
                return wait
            case "sleep":
                return SleepWait(duration_ms=raw.get("duration_ms"), until=raw.get("until"))
            case "signal":
                return SignalWait(
                    name=raw["name"],
                    order=int(raw["order"]),
                    timeout_ms=raw.get("timeout_ms"),
                    until=raw.get("until"),
                    default=_text(raw, "default"),
                )
            case "all" | "race" | "settled" as mode:
                return BranchWait(
                    mode=cast(BranchMode, mode),
                    first=int(raw["first"]),
                    count=int(raw["count"]),
                    limit=raw.get("limit"),
                    items=_text(raw, "items"),
                    target=raw.get("target"),
                    chosen=raw.get("chosen"),
                    interrupt=Interrupt.from_json(raw.get("interrupt")),
                )
            case "join":
                return JoinWait(
                    fiber_id=raw["fiber"],
                    interrupt=Interrupt.from_json(raw.get("interrupt")),
                    known=_text(raw, "known"),
                )
            case other:
                raise DecodeError(f"a fiber waits for {other!r}, which this version of Weft does not know")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"a fiber's wait is damaged: {error!r}") from error


def _text(raw: dict[str, Any], name: str) -> str | None:
    return dump(raw[name]) if name in raw else None
