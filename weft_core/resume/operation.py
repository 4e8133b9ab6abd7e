"""What a workflow can await. The end of every legal `await` chain is the generator made here."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Operation(Generic[R]):
    """A value that says what is wanted. Nothing happens until it reaches whoever drives the coroutine.

    `await operation` yields the operation itself; what the driver sends back is the result, what it throws is raised.
    """

    __slots__ = ("__weakref__",)

    def __await__(self) -> Generator[Any, Any, R]:
        answer: R = yield self
        return answer


LEAF = Operation.__await__.__code__
"""The code of the generator at the end of a chain that can be captured."""
