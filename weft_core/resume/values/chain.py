"""The text of a suspended chain of calls whose locals are simple, in one walk: the path of nearly every step.

`capture` and `FiberEncoder.encode` give the same text for it, and take over for everything else (closures, shared
containers, values of classes, large values, calls in the middle of an expression).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from sys import intern
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any

from weft_core.resume.compiled import POINT, UNITS
from weft_core.resume.operation import LEAF
from weft_core.resume.values.encode import write
from weft_core.resume.values.limits import LARGE_VALUE_BYTES
from weft_core.resume.values.plain import ATOM_TEXTS, NotPlain, Part, check, container_text, unchanged

if TYPE_CHECKING:
    from weft_core.resume.unit import Unit
    from weft_core.resume.values.registry import Externals, Registry

_POINT = intern(POINT)

KEPT_MAX = 8
"""Containers of a run whose text is kept, to be used again while they do not change."""
_RANGES = frozenset({type(iter(range(0))), type(iter(range(2**70)))})


class ChainWriter:
    """Writes chains of calls of one run. What a container holds is looked through again only where it has changed."""

    __slots__ = ("_kept", "_known", "_live", "_registry", "_seen")

    def __init__(self, registry: Registry, externals: Externals) -> None:
        self._registry = registry
        self._live = {key: _live_text(found["$live"]) for key, found in externals.by_id.items()}
        self._kept: dict[int, tuple[list[Part], frozenset[int], str]] = {}
        self._known: Mapping[int, object] = {}
        self._seen: set[int] | None = None

    def text(self, coroutine: Any) -> str | None:
        """The text, or None when it takes the general way to find it (or what is wrong)."""
        text = ""
        atom, other = ATOM_TEXTS.get, self._other
        current: Any = coroutine
        self._seen = None
        try:
            while type(current) is CoroutineType:
                unit = UNITS[id(current.cr_code)]
                variables = current.cr_frame.f_locals  # type: ignore[union-attr]  # None: caught below
                point = variables[_POINT]
                form = unit.forms.get(point) or _form(unit, point)
                values = unit.locals_at[point][1](variables)
                frame = form % tuple([repr(x) if type(x) is int else atom(type(x), other)(x) for x in values])
                text = f"{text},{frame}" if text else frame
                current = current.cr_await
        except (KeyError, NotPlain, AttributeError, ValueError):
            # Another kind of value, an unbound name, a call not begun or over, something foreign, a huge int.
            return None
        if type(current) is not GeneratorType or current.gi_code is not LEAF:
            return None
        return f"[{text}]" if len(text) < LARGE_VALUE_BYTES - 2 else None

    def _other(self, x: Any) -> str:
        """The text of what is no atom: a live object of the run, or data whose parts are met nowhere else."""
        key = id(x)
        live = self._live.get(key)
        if live is not None:
            return live
        seen = self._seen
        if seen is None:
            seen = self._seen = set(self._live)
            self._known = self._registry.globals()
        kind = type(x)
        if kind is dict or kind is list:
            return self._container(x, key, seen)
        if kind not in _RANGES or key in seen or key in self._known:
            raise NotPlain
        seen.add(key)
        reduced = x.__reduce__()
        left = reduced[1][0]
        if len(reduced) > 2 and reduced[2]:
            left = left[reduced[2] :]
        return f'{{"$iter":["range",{left.start},{left.stop},{left.step}]}}'

    def _container(self, x: Any, key: int, seen: set[int]) -> str:
        known = self._known
        kept = self._kept.get(key)
        if kept is not None:
            parts, ids, text = kept
            if parts[0][0] is x and unchanged(parts):
                if not seen.isdisjoint(ids) or not known.keys().isdisjoint(ids):
                    raise NotPlain
                seen |= ids
                return text
        parts = []
        check(x, seen, known, 0, parts)
        text = container_text(x)
        if len(text) < LARGE_VALUE_BYTES:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[key] = parts, frozenset(id(part) for part, _ in parts), text
        return text


@lru_cache(maxsize=256)
def _live_text(token: str) -> str:
    return write({"$live": token})


def _form(unit: Unit, point: int) -> str:
    """The text of a frame at a point with a `%s` for each local; kept with the unit. `NotPlain` where it takes more."""
    if unit.recipes_at[point] or unit.cells_at[point]:
        raise NotPlain
    head = frame_head(unit, point).replace("%", "%%")
    names = ",".join(f"{write(name).replace('%', '%%')}:%s" for name in unit.locals_at[point][0])
    form = unit.forms[point] = f'{head}{{{names}}},"cells":{{}}}}'
    return form


def frame_head(unit: Unit, point: int) -> str:
    """The text of a frame up to its locals; kept with the unit."""
    head = unit.heads.get(point)
    if head is None:
        at = unit.points[point - 1] if point else None
        body = {
            "unit": unit.name,
            "digest": unit.digest,
            "point": point,
            "name": at.name if at else "",
            "line": at.line if at else unit.first_line,
        }
        head = unit.heads[point] = write(body)[:-1] + ',"locals":'
    return head
