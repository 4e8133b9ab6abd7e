"""Which values of a fiber's frames deserve texts of their own: found by size, estimated at C speed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from json import JSONEncoder
from types import CellType
from typing import Any

from weft_core.resume.values.limits import DEPTH_MAX, LARGE_CHILDREN_MAX, LARGE_VALUE_BYTES
from weft_core.resume.values.types.objects import state_of

_ITEMS = (list, tuple, set, frozenset, deque)
_TEXTS = (str, bytes, bytearray)


def _inside(x: Any) -> Any:
    # What stands for the size of a value that is not plain.
    if isinstance(x, _ITEMS):
        return list(x)
    if isinstance(x, (bytes, bytearray)):
        return "x" * (len(x) * 4 // 3)
    if isinstance(x, dict):
        return list(x.items())
    return state_of(x) if type(x).__flags__ & _HEAP_TYPE else None


_HEAP_TYPE = 1 << 9
_estimate = JSONEncoder(default=_inside, skipkeys=True, separators=(",", ":")).encode


def size_of(x: Any) -> int:
    """About how many characters a value's text has. 0 when that cannot be said."""
    try:
        return len(_estimate(x))
    except Exception:  # cycles, and whatever a class does when it is looked at
        return 0


def find_candidates(values: Iterable[Any], left_alone: dict[int, Any]) -> Iterator[tuple[Any, int]]:
    """The values to take out of the text, with their sizes: as deep inside as they are still large."""
    for value in values:
        yield from _descend(value, left_alone, 0)


def _descend(x: Any, left_alone: dict[int, Any], depth: int) -> Iterator[tuple[Any, int]]:
    if isinstance(x, CellType):
        try:
            x = x.cell_contents
        except ValueError:
            return
    if id(x) in left_alone or depth > DEPTH_MAX:
        return
    size = size_of(x)
    if 0 < size < LARGE_VALUE_BYTES:
        return
    found = False
    children = _children(x)
    if len(children) <= LARGE_CHILDREN_MAX:
        for child in children:
            for inner in _descend(child, left_alone, depth + 1):
                found = True
                yield inner
    if not found and size and (isinstance(x, (*_ITEMS, *_TEXTS, dict)) or children):
        yield x, size


def _children(x: Any) -> list[Any]:
    if isinstance(x, _TEXTS):
        return []
    if isinstance(x, dict):
        return list(x.values())
    if isinstance(x, _ITEMS):
        return list(x)
    if type(x).__flags__ & _HEAP_TYPE:
        state = state_of(x)
        return list(state.values()) if isinstance(state, dict) else []
    return []
