"""Why a value cannot be stored: travels up through the containers, which add their part of the path."""

from __future__ import annotations

from weft_core.errors import CheckpointError

ANYTHING_ELSE = (
    "keep plain data (dicts, lists, numbers, text), a dataclass or another class of the app; make such an object anew "
    "after the await, or register the class with app.register(…, encode=…, decode=…)"
)
TO_THE_TOP = "move the class to the top of its module, or keep plain data instead"

PARTS_SHOWN = 5
"""Parts of a long path that are shown at each end."""


class Refusal(Exception):
    """Internal. `reason` says what is wrong with `value_type`, `remedy` what to do instead."""

    def __init__(
        self, value: object, reason: str, remedy: str = ANYTHING_ELSE, *, cause: BaseException | None = None
    ) -> None:
        super().__init__(reason)
        self.cause = cause
        self.type_name = type_name(type(value))
        self.reason = reason
        self.remedy = remedy
        self.path: list[str] = []

    def at(self, part: str) -> Refusal:
        """The same refusal, seen from the container that holds the value as `part`."""
        self.path.append(part)
        return self

    def again(self) -> Refusal:
        """The same refusal, for another place that holds the value."""
        made = Refusal(None, self.reason, self.remedy, cause=self.cause)
        made.type_name = self.type_name
        made.path = self.path.copy()
        return made

    def error(self, what: str, *, filename: str | None = None, line: int | None = None) -> CheckpointError:
        """The error for people. `what` is the variable's name, or says which value it is."""
        path = self.path[::-1]
        if len(path) > 2 * PARTS_SHOWN:
            path[PARTS_SHOWN:-PARTS_SHOWN] = [f"…({len(path) - 2 * PARTS_SHOWN} more)…"]
        variable = what + "".join(path)
        where = f" ({filename}:{line})" if filename is not None else ""
        error = CheckpointError(
            f"{variable} cannot be stored{where}: {self.reason}. Remedy: {self.remedy}",
            variable=variable,
            type_name=self.type_name,
            filename=filename,
            line=line,
        )
        error.__cause__ = self.cause
        return error


def type_name(cls: type) -> str:
    """A class as people name it: `dict`, `shop.Order`."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def key_part(key: object) -> str:
    """A dict key as a part of a path, bounded."""
    try:
        text = repr(key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return f"[{text[:77] + '…' if len(text) > 78 else text}]"
