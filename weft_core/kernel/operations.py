"""What a workflow can await. Each is a value that says what is wanted; nothing happens until it reaches the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from weft_core.resume import Operation

if TYPE_CHECKING:
    from weft_core.model.app import Activity
    from weft_core.model.retry import Retry

BranchMode = Literal["all", "race", "settled"]


class Options(NamedTuple):
    """What a call of an activity says beside its positional arguments."""

    kwargs: dict[str, Any]
    retry: Retry | None = None
    timeout_ms: int | None = None
    total_timeout_ms: int | None = None
    key: str | None = None


class RunActivity(Operation[Any]):
    """Run an activity and give its result. Nearly every call has no `options`."""

    __slots__ = ("activity", "args", "options")

    def __init__(self, activity: Activity[..., Any], args: tuple[Any, ...], options: Options | None = None) -> None:
        self.activity = activity
        self.args = args
        self.options = options


class Sleep(Operation[Any]):
    """Wait for a duration, or until an instant. Exactly one of the two is set."""

    __slots__ = ("duration_ms", "until_ms")

    def __init__(self, *, duration_ms: int | None = None, until_ms: int | None = None) -> None:
        self.duration_ms = duration_ms
        self.until_ms = until_ms


class WaitForSignal(Operation[Any]):
    """Wait for the next signal of a name. Without a default, running out of time raises `TimeoutError`."""

    __slots__ = ("default", "has_default", "name", "timeout_ms")

    def __init__(self, name: str, timeout_ms: int | None, default: Any, has_default: bool) -> None:
        self.name = name
        self.timeout_ms = timeout_ms
        self.default = default
        self.has_default = has_default


class Branches(Operation[Any]):
    """Run branches side by side, at most `limit` at a time, and join them as `mode` says."""

    __slots__ = ("branches", "limit", "mode")

    def __init__(self, mode: BranchMode, branches: Sequence[Any], limit: int | None) -> None:
        self.mode = mode
        self.branches = branches
        self.limit = limit


class MapItems(Operation[Any]):
    """Apply an activity or a resumable function to each item, at most `limit` at a time; results in order."""

    __slots__ = ("items", "limit", "target")

    def __init__(self, target: Any, items: list[Any], limit: int | None) -> None:
        self.target = target
        self.items = items
        self.limit = limit


class Join(Operation[Any]):
    """Wait for a background branch and give its result."""

    __slots__ = ("task",)

    def __init__(self, task: Any) -> None:
        self.task = task


class EnterTimeout(Operation[Any]):
    """Begin a time limit on the current fiber. Answered at once."""

    __slots__ = ("scope",)

    def __init__(self, scope: Any) -> None:
        self.scope = scope


class ExitTimeout(Operation[Any]):
    """End a time limit. Answered at once: `TimeoutError` when it was this limit that ended the block."""

    __slots__ = ("error", "scope")

    def __init__(self, scope: Any, error: BaseException | None) -> None:
        self.scope = scope
        self.error = error
