"""`Operation`: the base of everything a workflow can await."""

from __future__ import annotations

from collections.abc import Generator
from types import CodeType
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R", covariant=True)


class Operation(Generic[R]):
    """A wish of a workflow, as a value: awaiting it yields it to whoever drives the coroutine, who sends the answer."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, R]:
        return cast(R, (yield self))


LEAF_CODE: CodeType = Operation.__await__.__code__
"""The code of the generator that stands at the end of every legal chain of awaits."""
