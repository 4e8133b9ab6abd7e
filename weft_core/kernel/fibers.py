"""One strand of a run: its frames, or what it waits for, or its outcome; and its row in the store."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from weft_core.errors import DecodeError
from weft_core.kernel.history import BETWEEN, History
from weft_core.kernel.records import dump, parse
from weft_core.kernel.waits import Interrupt, Wait, wait_from_json
from weft_core.resume.values import FiberEncoder

ROOT = "0"
NO_VALUES: frozenset[str] = frozenset()


def began(fiber_id: str) -> tuple[int, ...]:
    """Sorts fibers by where they stand in their run, which is the order they began in: `0.9` before `0.10`. "" is the run."""
    return tuple(map(int, fiber_id.split("."))) if fiber_id else ()


class Scope:
    """A time limit (`async with ctx.timeout`) that a fiber is inside of.

    `further`: what has interrupted the fiber since it is inside and ends more than this limit does: a cancellation, or a
    limit around this one. It is not to be lost when this one is over, too, while that stops something.
    """

    __slots__ = ("due", "expired", "further", "id")

    def __init__(self, *, id: str, due: int, expired: bool = False, further: Interrupt | None = None) -> None:
        self.id = id
        self.due = due
        self.expired = expired
        self.further = further

    def parts(self) -> list[Any]:
        """What stands of it in the fiber's row."""
        parts = [self.id, self.due, self.expired]
        return parts if self.further is None else [*parts, self.further.to_json()]


class Fiber:
    """One strand of a run.

    `frames` is the text of its call stack, None for a branch that is a bare operation. `coroutine` is that stack as a
    live object, made from the text when the fiber has to move. `outcome` is `{"ok": …}` or `{"error": …}` as text once
    it ended. `count` numbers its operations and children. `task` marks a background branch, `queued` one that waits for
    a free slot and has not begun, `stopped` a background branch that was cancelled at the end of the run, `shared` one whose
    handle other fibers hold too. `entries` is the
    text of those of the run's history that ride in this row.
    """

    __slots__ = (
        "coroutine",
        "count",
        "due",
        "encoder",
        "entries",
        "frames",
        "heard",
        "id",
        "joined",
        "outcome",
        "parent_id",
        "queued",
        "scopes",
        "shared",
        "stopped",
        "task",
        "values",
        "wait",
    )

    def __init__(self, fiber_id: str, *, task: bool = False) -> None:
        self.id = fiber_id
        self.parent_id = fiber_id.rpartition(".")[0]
        self.coroutine: Coroutine[Any, Any, Any] | None = None
        self.frames: str | None = None
        self.wait: Wait | None = None
        self.encoder: FiberEncoder | None = None
        self.scopes: Sequence[Scope] = ()
        self.count = 0
        self.due: int | None = None
        self.values = NO_VALUES
        self.entries = ""
        self.outcome: str | None = None
        self.joined: str | None = None
        self.heard: list[tuple[str, str]] | None = None
        self.task = task
        self.queued = False
        self.stopped = False
        self.shared = False

    def next_number(self) -> int:
        self.count += 1
        return self.count

    def next_due(self) -> int | None:
        """When something of this fiber is due next: its wait or one of its time limits."""
        if self.outcome is not None or self.queued:
            return None
        due = self.wait.due if self.wait is not None else None
        for scope in self.scopes:
            if not scope.expired and (due is None or scope.due < due):
                due = scope.due
        return due

    def to_json(self, marks: str) -> str:
        """The row; `marks` say how far the history has counted."""
        if self.entries:
            marks = f'{marks},"e":[{self.entries}]'
        if not (self.outcome is not None or self.task or self.queued or self.stopped or self.scopes or self.values):
            # Nearly every row is like this: the fiber waits in its frames.
            if self.wait is not None and self.frames is not None:
                return f'{{"n":{self.count},{marks},"wait":{self.wait.to_json()},"frames":{self.frames}}}'
        text = f'{{"n":{self.count},{marks}'
        if self.task:
            text += ',"task":true'
        if self.queued:
            text += ',"queued":true'
        if self.shared:
            text += ',"shared":true'
        if self.stopped:
            text += ',"stopped":true'
        if self.joined is not None:
            text += f',"joined":"{self.joined}"'
        if self.outcome is not None:
            return f'{text},"done":{self.outcome}}}'
        if self.scopes:
            text += f',"scopes":{dump([scope.parts() for scope in self.scopes])}'
        if self.values:
            text += f',"values":{dump(sorted(self.values))}'
        if self.wait is not None:
            text += f',"wait":{self.wait.to_json()}'
        if self.frames is not None:
            text += f',"frames":{self.frames}'
        return text + "}"

    @classmethod
    def from_json(cls, fiber_id: str, text: str, history: History) -> Fiber:
        """The fiber of a row; tells `history` how far it had counted when the row was written."""
        raw = parse(text, f"row of fiber {fiber_id}")
        try:
            fiber = cls(fiber_id, task=bool(raw.get("task", False)))
            fiber.count = int(raw["n"])
            fiber.queued = bool(raw.get("queued", False))
            fiber.stopped = bool(raw.get("stopped", False))
            fiber.shared = bool(raw.get("shared", False))
            fiber.entries = BETWEEN.join([dump(entry) for entry in raw.get("e", ())])
            history.loaded(int(raw["h"]), int(raw["c"]))
            if "done" in raw:
                fiber.outcome = dump(raw["done"])
                fiber.joined = raw.get("joined")
                return fiber
            fiber.scopes = [
                Scope(id=i, due=int(due), expired=bool(expired), further=Interrupt.from_json(more[0] if more else None))
                for i, due, expired, *more in raw.get("scopes", ())
            ]
            fiber.values = frozenset(raw.get("values", ()))
            if "wait" in raw:
                fiber.wait = wait_from_json(raw["wait"])
            if "frames" in raw:
                fiber.frames = dump(raw["frames"])
            if fiber.wait is None and fiber.frames is None:
                raise DecodeError(f"the row of fiber {fiber_id} holds neither frames nor a wait")
            fiber.due = fiber.next_due()
            return fiber
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(f"the row of fiber {fiber_id} is damaged: {error!r}") from error
