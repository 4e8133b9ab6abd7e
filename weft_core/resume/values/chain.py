"""The text of a suspended chain of calls whose locals are simple, in one walk: the path of nearly every step.

`capture` and `FiberEncoder.encode` give the same text for it, and take over for everything else (closures, shared
containers, values of classes, large values, calls in the middle of an expression).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from operator import is_
from sys import intern
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any

from weft_core.resume.compiled import POINT, UNITS
from weft_core.resume.operation import LEAF
from weft_core.resume.values.encode import write
from weft_core.resume.values.limits import LARGE_VALUE_BYTES
from weft_core.resume.values.plain import ATOM_TEXTS, NotPlain, check, container_text, contents

if TYPE_CHECKING:
    from weft_core.resume.unit import Form, Unit
    from weft_core.resume.values.registry import Externals, Registry

_POINT = intern(POINT)

KEPT_MAX = 8
"""Containers of a run whose text is kept, to be used again while they do not change."""
_NOTHING: frozenset[int] = frozenset()
_RANGE = type(iter(range(0)))
_RANGES = frozenset({_RANGE, type(iter(range(2**70)))})
_OTHER = "writer.other(variables['its name'])"
_NUMBER = "x if type(x := variables['its name']) is int else writer.other(x)"
_LIVE = "writer.live.get(id(x := variables['its name'])) or writer.other(x)"
_ITERATOR = "writer.range(x) if type(x := variables['its name']) is _RANGE else writer.other(x)"
_CONTAINER = "writer.container(x) if type(x := variables['its name']) is dict or type(x) is list else writer.other(x)"
"""The text of one local, or the whole number itself: the same for every value, quickest for one kind."""


class Kept:
    """The text of a container that was looked through, with all that it depends on. It keeps the container alive."""

    __slots__ = ("apart_from", "contents", "held", "ids", "text")

    def __init__(self, parts: list[Any], text: str, known: Mapping[int, object]) -> None:
        self.ids = frozenset(map(id, parts))
        self.contents = contents(parts)
        self.held = [*chain.from_iterable(self.contents)]
        self.text = text
        self.apart_from = known  # the globals that it was seen to be none of


class ChainWriter:
    """Writes chains of calls of one run. What a container holds is looked through again only where it has changed.

    `live` has the texts of the run's live objects, by id; it and the methods without an underscore are for forms.
    """

    __slots__ = ("_kept", "_known", "_met", "_ranges", "_registry", "_seen", "live")

    def __init__(self, registry: Registry, externals: Externals) -> None:
        self._registry = registry
        self.live = {key: _live_text(found["$live"]) for key, found in externals.by_id.items()}
        self._kept: dict[int, Kept] = {}
        self._ranges: dict[int, tuple[Any, int, int, str]] = {}
        # Of the text that is being written: the app's globals, and by id which containers and iterators it holds.
        self._known: Mapping[int, object] | None = None
        self._seen = _NOTHING
        self._met = _NOTHING

    def text(self, coroutine: Any) -> str | None:
        """The text, or None when it takes the general way to find it (or what is wrong)."""
        self._known = None
        self._seen = self._met = _NOTHING
        text = ""
        try:
            while True:
                unit = UNITS[id(coroutine.cr_code)]
                variables = coroutine.cr_frame.f_locals
                point = variables[_POINT]
                form = unit.forms.get(point) or self._form(unit, point, variables)
                text += form(variables, self)
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

    def other(self, x: Any) -> str:
        """The text of any value; most are data whose parts are met nowhere else, or an iterator of a `range`."""
        live = self.live.get(id(x))
        if live is not None:
            return live
        kind = type(x)
        if kind in ATOM_TEXTS:
            return ATOM_TEXTS[kind](x)
        if kind in _RANGES:
            return self.range(x)
        if kind is not dict and kind is not list:
            raise NotPlain
        return self.container(x)

    def range(self, x: Any) -> str:
        """The text of the iterator of a `range`."""
        key = id(x)
        known = self._known
        if known is None:
            known = self._known = self._registry.globals()
        met = self._met
        if key in known or key in met:
            raise NotPlain
        self._met = met | {key}
        _, stop, step, rest = self._ranges.get(key) or self._range(x, key)
        return f'{{"$iter":["range",{stop - x.__length_hint__() * step}{rest}'

    def container(self, x: Any) -> str:
        """The text of a list or dict."""
        key = id(x)
        known = self._known
        if known is None:
            known = self._known = self._registry.globals()
        kept = self._kept.get(key)
        if (
            kept is None
            or kept.apart_from is not known
            or not all(map(is_, chain.from_iterable(kept.contents), kept.held))
        ):
            return self.live.get(key) or self._container(x, key, known)
        seen = self._seen
        if seen:
            if not seen.isdisjoint(kept.ids):
                raise NotPlain
            self._seen = seen | kept.ids
        else:
            self._seen = kept.ids
        return kept.text

    def _range(self, x: Any, key: int) -> tuple[Any, int, int, str]:
        """The iterator, where it will end, by which steps it goes, and the end of its text: as long as it lives."""
        if len(self._ranges) >= KEPT_MAX:
            self._ranges.clear()
        whole = x.__reduce__()[1][0]
        found = self._ranges[key] = x, whole.stop, whole.step, f",{whole.stop},{whole.step}]}}"
        return found

    def _container(self, x: Any, key: int, known: Mapping[int, object]) -> str:
        """The text of a list or dict that is looked through, and kept unless it is large."""
        seen = {*self.live, *self._seen}
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
            kind = type(x)
            writes = (
                _LIVE
                if id(x) in self.live
                else _NUMBER
                if kind is int
                else _ITERATOR
                if kind is _RANGE
                else _CONTAINER
                if kind is dict or kind is list
                else _OTHER
            )
            value = ast.parse(writes, mode="eval")
            next(node for node in ast.walk(value) if isinstance(node, ast.Constant)).value = name
            parts.append(ast.FormattedValue(value.body, -1))
        parts.append(ast.Constant('},"cells":{}}'))
        made = ast.parse("lambda variables, writer: 0", mode="eval")
        assert isinstance(made.body, ast.Lambda)
        made.body.body = ast.JoinedStr(parts)
        code = compile(ast.fix_missing_locations(made), "<weft: the text of a frame>", "eval")
        names = {"id": id, "int": int, "type": type, "dict": dict, "list": list, "_RANGE": _RANGE}
        form: Form = eval(code, names)
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
