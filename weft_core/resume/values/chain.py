"""The text of a suspended chain of calls whose locals are simple, in one walk: the path of nearly every step.

`capture` and `FiberEncoder.encode` give the same text for it, and take over for everything else (closures, shared
containers, values of classes, large values, calls in the middle of an expression).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from operator import is_
from sys import intern
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any

from weft_core.resume.compiled import POINT, UNITS
from weft_core.resume.operation import LEAF
from weft_core.resume.values.encode import write
from weft_core.resume.values.limits import LARGE_VALUE_BYTES
from weft_core.resume.values.plain import ATOM_TEXTS, NotPlain, check, container_text, held_by

if TYPE_CHECKING:
    from weft_core.resume.unit import Form, Unit
    from weft_core.resume.values.registry import Externals, Registry

_POINT = intern(POINT)

KEPT_MAX = 8
"""Containers of a run whose text is kept, to be used again while they do not change."""
_NOTHING: frozenset[int] = frozenset()
_OTHER = "other(variables['its name'])"
_NUMBER = "x if type(x := variables['its name']) is int else other(x)"
_LIVE = "live(id(x := variables['its name'])) or other(x)"
"""The text of one local, or the whole number itself: the same for every value, quickest for one kind."""
_RANGES = frozenset({type(iter(range(0))), type(iter(range(2**70)))})


class Kept:
    """The text of a container that was looked through, with all that it depends on. It keeps the container alive."""

    __slots__ = ("apart_from", "held", "ids", "parts", "text")

    def __init__(self, parts: list[Any], text: str, known: Mapping[int, object]) -> None:
        self.parts = parts
        self.ids = frozenset(map(id, parts))
        self.held = held_by(parts)
        self.text = text
        self.apart_from = known  # the globals that it was seen to be none of


class ChainWriter:
    """Writes chains of calls of one run. What a container holds is looked through again only where it has changed."""

    __slots__ = ("_kept", "_known", "_live", "_met", "_ranges", "_registry", "_seen")

    def __init__(self, registry: Registry, externals: Externals) -> None:
        self._registry = registry
        self._live = {key: _live_text(found["$live"]) for key, found in externals.by_id.items()}
        self._kept: dict[int, Kept] = {}
        self._ranges: dict[int, tuple[Any, int, int]] = {}
        # Of the text that is being written: the app's globals, and by id which containers and iterators it holds.
        self._known: Mapping[int, object] | None = None
        self._seen = _NOTHING
        self._met: tuple[int, ...] = ()

    def text(self, coroutine: Any) -> str | None:
        """The text, or None when it takes the general way to find it (or what is wrong)."""
        self._known = None
        self._seen = _NOTHING
        self._met = ()
        text = ""
        try:
            while True:
                unit = UNITS[id(coroutine.cr_code)]
                variables = coroutine.cr_frame.f_locals
                point = variables[_POINT]
                form = unit.forms.get(point) or self._form(unit, point, variables)
                text += form(variables, self._other, self._live.get)
                coroutine = coroutine.cr_await
                if type(coroutine) is not CoroutineType:
                    break
                text += ","
        except (KeyError, NotPlain, AttributeError, ValueError):
            # Another kind of value, an unbound name, a call not begun or over, something foreign, a huge int.
            return None
        if type(coroutine) is not GeneratorType or coroutine.gi_code is not LEAF:
            return None
        return f"[{text}]" if len(text) < LARGE_VALUE_BYTES - 2 else None

    def _other(self, x: Any) -> str:
        """The text of any value; most are data whose parts are met nowhere else, or an iterator of a `range`."""
        key = id(x)
        live = self._live.get(key)
        if live is not None:
            return live
        kind = type(x)
        if kind in ATOM_TEXTS:
            return ATOM_TEXTS[kind](x)
        known = self._known
        if known is None:
            known = self._known = self._registry.globals()
        if kind in _RANGES:
            if key in self._met or key in known:
                raise NotPlain
            self._met = (*self._met, key)
            _, stop, step = self._ranges.get(key) or self._range(x, key)
            return f'{{"$iter":["range",{stop - x.__length_hint__() * step},{stop},{step}]}}'
        if kind is not dict and kind is not list:
            raise NotPlain
        kept = self._kept.get(key)
        if kept is None or kept.apart_from is not known:
            return self._container(x, key, known)
        held, now = kept.held, held_by(kept.parts)
        if len(now) != len(held) or not all(map(is_, now, held)):
            return self._container(x, key, known)
        if self._seen:
            if not self._seen.isdisjoint(kept.ids):
                raise NotPlain
            self._seen |= kept.ids
        else:
            self._seen = kept.ids
        return kept.text

    def _range(self, x: Any, key: int) -> tuple[Any, int, int]:
        """The iterator, where it will end and by which steps it goes: as long as it lives."""
        if len(self._ranges) >= KEPT_MAX:
            self._ranges.clear()
        whole = x.__reduce__()[1][0]
        found = self._ranges[key] = x, whole.stop, whole.step
        return found

    def _container(self, x: Any, key: int, known: Mapping[int, object]) -> str:
        """The text of a list or dict that is looked through, and kept unless it is large."""
        seen = {*self._live, *self._seen}
        parts: list[Any] = []
        check(x, seen, known, 0, parts)
        self._seen = frozenset(seen)
        text = container_text(x)
        if len(text) < LARGE_VALUE_BYTES:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[key] = Kept(parts, text, known)
        return text

    def _form(self, unit: Unit, point: int, variables: Mapping[str, Any]) -> Form:
        """What writes a frame at a point: a function made for it, kept with the unit. `NotPlain` where it takes more.

        What these variables hold tells what to expect there; the function is right for anything.
        """
        if unit.recipes_at[point] or unit.cells_at[point]:
            raise NotPlain
        parts: list[ast.expr] = [ast.Constant(frame_head(unit, point) + "{")]
        for index, name in enumerate(unit.locals_at[point][0]):
            parts.append(ast.Constant(f"{',' if index else ''}{write(name)}:"))
            x = variables[name]
            value = ast.parse(_LIVE if id(x) in self._live else _NUMBER if type(x) is int else _OTHER, mode="eval")
            next(node for node in ast.walk(value) if isinstance(node, ast.Constant)).value = name
            parts.append(ast.FormattedValue(value.body, -1))
        parts.append(ast.Constant('},"cells":{}}'))
        made = ast.parse("lambda variables, other, live: 0", mode="eval")
        assert isinstance(made.body, ast.Lambda)
        made.body.body = ast.JoinedStr(parts)
        code = compile(ast.fix_missing_locations(made), "<weft: the text of a frame>", "eval")
        form: Form = eval(code, {"id": id, "int": int, "type": type})
        unit.forms[point] = form
        return form


@lru_cache(maxsize=256)
def _live_text(token: str) -> str:
    return write({"$live": token})


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
