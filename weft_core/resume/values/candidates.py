"""Which values of a fiber's frames deserve texts of their own: found by size, in one walk that visits nothing twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from json.encoder import encode_basestring_ascii
from types import CellType
from typing import Any

from weft_core.resume.values.limits import DEPTH_MAX, LARGE_CHILDREN_MAX, LARGE_VALUE_BYTES
from weft_core.resume.values.types.objects import state_of

_ITEMS = (list, tuple, set, frozenset, deque)
_TEXTS = (str, bytes, bytearray)
_HEAP_TYPE = 1 << 9
_MENTION = 20
_NOWHERE = DEPTH_MAX + 1


def find_candidates(
    values: Iterable[Any], left_alone: Container[int], placed: Container[int]
) -> Iterable[tuple[Any, int]]:
    """The values to take out of the text, with their sizes: as deep inside as they are still large.

    `left_alone` (ids) are not looked into. What leads to one of them that is in `placed` stays in the text.
    """
    walk = _Walk(left_alone, placed)
    for value in values:
        if type(value) is CellType:
            try:
                value = value.cell_contents
            except ValueError:
                continue
        walk.visit(value, 0)
    return walk.found


class _Walk:
    __slots__ = ("_left_alone", "_path", "_placed", "_seen", "found")

    def __init__(self, left_alone: Container[int], placed: Container[int]) -> None:
        self.found: list[tuple[Any, int]] = []
        self._left_alone = left_alone
        self._placed = placed
        self._seen: set[int] = set()
        self._path: dict[int, int] = {}

    def visit(self, x: Any, depth: int) -> tuple[int, int]:
        """About how many characters a value's text has, and the least depth of what holds it that it leads back to.

        A value that leads back would take what holds it into its text: its holder is the candidate.
        """
        key = id(x)
        if key in self._left_alone:
            return _MENTION, -1 if key in self._placed else _NOWHERE
        if key in self._seen or depth > DEPTH_MAX:
            return _MENTION, self._path.get(key, _NOWHERE)
        self._seen.add(key)
        found = self.found
        if issubclass(type(x), _TEXTS):
            size = _atom_size(x)
            if size >= LARGE_VALUE_BYTES:
                found.append((x, size))
            return size, _NOWHERE
        parts, count = _parts(x)
        size, back, mark = 4, _NOWHERE, len(found)
        self._path[key] = depth
        for part in parts:
            inner = len(part) + 3 if type(part) is str and part.isascii() else _atom_size(part)
            if not 0 < inner < LARGE_VALUE_BYTES:
                inner, to = self.visit(part, depth + 1)
                back = min(back, to)
            size += inner
        del self._path[key]
        if size >= LARGE_VALUE_BYTES:
            inside = len(found) - mark
            whole = back >= depth
            if inside and (count if whole else inside) > LARGE_CHILDREN_MAX:
                del found[mark:]
                inside = 0
            if whole and not inside:
                found.append((x, size))
        return size, back


def _atom_size(x: Any) -> int:
    """Characters of the text of something that leads nowhere, with a comma; 0 for anything else."""
    kind = type(x)
    if kind is str:
        return (len(x) if x.isascii() else len(encode_basestring_ascii(x))) + 3
    if kind is int or kind is bool:
        return x.bit_length() // 3 + 2  # type: ignore[no-any-return]
    if kind is float:
        return len(repr(x)) + 1
    if issubclass(kind, _TEXTS):
        return len(x) * 4 // 3 + 14
    return 5 if x is None else 0


def _parts(x: Any) -> tuple[list[Any], int]:
    """What a value holds, and how many places for it."""
    try:
        if isinstance(x, _ITEMS):
            return list(x), len(x)
        if not isinstance(x, dict):
            x = state_of(x) if type(x).__flags__ & _HEAP_TYPE else None
        if isinstance(x, dict):
            return [*x, *x.values()], len(x)
    except Exception:  # whatever a class does when it is looked at
        pass
    return [], 0
