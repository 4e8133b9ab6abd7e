"""Has a value changed? At C speed: the C pickler dumps it and the bytes are compared. Nothing is ever loaded.

Only exact built-in types, trusted types of the standard library, and attributes of the app's instances go in. No
`__reduce__`, `__getstate__` or other code of the app runs. What else is met makes the value count as changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from weft_core.resume.values.registry import Registry

_PROTOCOL = 5
_GET, _LONG_GET, _STOP, _FRAME = b"h", b"j", b".", b"\x95"
_HEAD = b"\x80\x05"

_TRUSTED = frozenset(
    [
        "complex",
        "range",
        "slice",
        "bytearray",
        "datetime",
        "date",
        "time",
        "timedelta",
        "timezone",
        "Decimal",
        "Fraction",
        "UUID",
        "deque",
        "Counter",
        "OrderedDict",
        "defaultdict",
        "PurePosixPath",
        "PureWindowsPath",
        "PosixPath",
        "WindowsPath",
        "ZoneInfo",
        "ellipsis",
    ]
)
_TRUSTED_MODULES = frozenset(
    ["builtins", "datetime", "decimal", "fractions", "uuid", "collections", "pathlib", "pathlib._local", "zoneinfo"]
)


class _Unknown(Exception):
    """Internal: something a fingerprint cannot tell."""


def shell(*_parts: Any) -> None:
    """What a dumped instance names as its maker. Never called."""


class _NotInside(Exception):
    """Internal: an object that was asked for is not in the memo."""


_classes: tuple[type[Any], type[Any]] | None = None


def _pickler_classes() -> tuple[type[Any], type[Any]]:
    # Made when the first large value is met: most programs never have one.
    global _classes
    if _classes is None:
        from pickle import Pickler

        from weft_core.resume.values.types.objects import state_of

        class Dumper(Pickler):
            """Dumps to compare. `registry` and `live` are set by whoever uses one."""

            registry: Registry
            live: dict[int, Any]

            def reducer_override(self, x: Any) -> Any:
                kind = type(x)
                if kind.__name__ in _TRUSTED and kind.__module__ in _TRUSTED_MODULES:
                    return NotImplemented
                known = self.live.get(id(x))
                if type(known) is dict:
                    return shell, ("live", known["$live"])
                registered = self.registry.registered.get(kind)
                if registered is not None and registered.encode is not None:
                    raise _Unknown
                name = None if isinstance(x, type) else self.registry.class_name(kind)
                if name is None:
                    name = self.registry.reference(x)
                    if name is None:
                        raise _Unknown
                    return shell, ("global", name)
                state = state_of(x)
                if state is None:
                    raise _Unknown
                return shell, ("object", name), state

        class Prober(Pickler):
            """Looks one object up in a memo and gives up before it would go into the object."""

            asked: bool

            def persistent_id(self, _x: Any) -> None:
                if self.asked:
                    raise _NotInside
                self.asked = True

        _classes = Dumper, Prober
    return _classes


class Fingerprint:
    """The last dump of one value, and the memo that goes with it."""

    __slots__ = ("_dump", "_pickler", "_prober", "_sink")

    def __init__(self, registry: Registry) -> None:
        self._sink: list[bytes] = []
        self._pickler: Any = _pickler_classes()[0](_File(self._sink), _PROTOCOL)
        self._pickler.registry = registry
        self._dump: list[bytes] | None = None
        self._prober: Any = None

    def changed(self, value: Any, live: dict[int, Any]) -> bool:
        """Whether it is not, byte for byte, what it was at the last call. True the first time.

        `live` (by id) are the objects that are stored by name, as they are now.
        """
        self._pickler.live = live
        self._pickler.clear_memo()
        self._prober = None
        self._sink.clear()
        try:
            self._pickler.dump(value)
        except Exception:  # whatever cannot be told counts as changed
            self._dump = None
            return True
        if self._sink == self._dump:
            return False
        self._dump = self._sink.copy()
        return True

    def where(self, x: Any) -> int | None:
        """The place in the memo of an object that was dumped, None for any other."""
        if self._dump is None:
            return None
        if self._prober is None:
            self._prober = _pickler_classes()[1](_File(self._sink), _PROTOCOL)
            self._prober.memo = self._pickler.memo
        self._prober.asked = False
        self._sink.clear()
        try:
            self._prober.dump(x)
        except Exception:
            return None
        text = b"".join(self._sink)
        if not text.startswith(_HEAD) or not text.endswith(_STOP) or len(text) > 20:
            return None
        text = text[2:-1]
        if text.startswith(_FRAME):
            text = text[9:]
        if text.startswith(_GET) and len(text) == 2:
            return text[1]
        if text.startswith(_LONG_GET) and len(text) == 5:
            return int.from_bytes(text[1:], "little")
        return None

    def ids(self) -> Iterable[int] | None:
        """The ids of everything in the memo; None when the value could not be told."""
        return None if self._dump is None else self._pickler.memo.copy()

    def places(self) -> Iterator[tuple[int, int]]:
        """`(id, place)` of everything in the memo."""
        for key, (place, _value) in self._pickler.memo.copy().items():
            yield key, place


class _File:
    # The pickler wants something to write to; a list's append is the cheapest there is.
    __slots__ = ("write",)

    def __init__(self, sink: list[bytes]) -> None:
        self.write = sink.append
