"""What random programs are made of. Loaded twice: as plain Python, and with its `async def`s compiled (see `run.py`).

Every value here says in the trace when Python touches it, so that the order of evaluation can be compared. They are
dataclasses: all of them can be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.laws.state import STATE, Raised, kind_of, said, text
from weft_core.resume import Operation

if "unit" not in globals():

    def unit(function: Any) -> Any:
        return function


class Op(Operation[Any]):
    """An operation: `kind` says what answer it wants."""

    __slots__ = ("arguments", "kind", "site")

    def __init__(self, kind: str, site: int, arguments: tuple[Any, ...]) -> None:
        self.kind, self.site, self.arguments = kind, site, arguments

    def __await__(self) -> Any:
        return self._raising() if STATE.raising else super().__await__()

    def _raising(self) -> Any:
        given = yield self
        if isinstance(given, Raised):
            raise given.error
        return given


class Problem(Exception):
    """What programs raise and catch."""


class Worse(Problem):
    """A problem of a special kind."""


class Cancelled(BaseException):
    """What `except Exception` does not catch."""


def op(site: int, *arguments: Any) -> Op:
    STATE.effect(("op", site))
    return Op("int", site, arguments)


def ops(site: int) -> Op:
    STATE.effect(("op", site))
    return Op("str", site, ())


def opl(site: int) -> Op:
    STATE.effect(("op", site))
    return Op("list", site, ())


def t(site: int, value: Any = None) -> Any:
    STATE.effect(site)
    return site % 7 if value is None else value


def boom(site: int) -> int:
    STATE.effect(site)
    if STATE.chance(site, 3) == 0:
        raise (Problem, Worse, ValueError, Cancelled)[STATE.chance(("which", site), 4)](site)
    return site % 5


def boxed(site: int) -> Any:
    STATE.effect(site)
    return Box(site, [1, 2, 3])


def more(site: int) -> bool:
    STATE.effect(("more", site))
    return STATE.burn() and STATE.chance(("more", site), 3) > 0


def span(count: int) -> range:
    return range(count) if STATE.burn() else range(0)


def few(values: Any) -> list[Any]:
    """A short list: loops over what operations gave end."""
    return list(values)[:3] if STATE.burn() else []


def first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def show(site: int, *args: Any, **kwargs: Any) -> int:
    """A call with every kind of argument."""
    # With a starred argument in front, `site` may be a value of this world, which is equal to none of another world.
    STATE.effect((site if type(site) is int else text((site,)), text(args), text(kwargs)))
    return len(args) + len(kwargs)


def note(site: int, error: BaseException | None) -> None:
    STATE.effect((site, kind_of(error), said(error)))


@dataclass(unsafe_hash=True)
class V:
    """A value that notes what is done with it."""

    site: int
    v: int = 1

    def _n(self, what: str) -> None:
        STATE.effect((self.site, what))

    def __bool__(self) -> bool:
        self._n("bool")
        return self.v % 2 == 0

    def __add__(self, other: Any) -> Any:
        self._n("add")
        return self.v + (other.v if isinstance(other, V) else other)

    def __radd__(self, other: Any) -> Any:
        self._n("radd")
        return other + self.v

    def __iadd__(self, other: Any) -> Any:
        self._n("iadd")
        self.v += other
        return self

    def __lt__(self, other: Any) -> bool:
        self._n("lt")
        return self.v < (other.v if isinstance(other, V) else other)

    def __gt__(self, other: Any) -> bool:
        self._n("gt")
        return self.v > (other.v if isinstance(other, V) else other)

    def __format__(self, spec: str) -> str:
        self._n(f"format {spec}")
        return format(self.v, spec)

    def __iter__(self) -> Any:
        self._n("iter")
        return iter([self.v, self.v + 1])

    def __contains__(self, item: Any) -> Any:
        self._n("contains")
        return item == self.v

    def __getitem__(self, key: Any) -> Any:
        self._n(f"get {key}")
        return self.v

    def __setitem__(self, key: Any, value: Any) -> None:
        self._n(f"set {key} {value!r}")

    def __delitem__(self, key: Any) -> None:
        self._n(f"del {key}")

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        self._n(f"call {args} {kwargs}")
        return self.v + len(args)

    def keys(self) -> Any:
        self._n("keys")
        return [f"k{self.v}"]


@dataclass
class Box:
    """Attributes and items to assign to."""

    v: Any = 0
    items: list[Any] = field(default_factory=list)

    def __getitem__(self, key: Any) -> Any:
        STATE.effect(("box get", text(key)))
        return self.v

    def __setitem__(self, key: Any, value: Any) -> None:
        STATE.effect(("box set", text(key), text(value)))
        self.v = value

    def __delitem__(self, key: Any) -> None:
        STATE.effect(("box del", text(key)))


@dataclass
class Room:
    """A context manager."""

    site: int
    swallow: bool = False

    def __enter__(self) -> int:
        STATE.effect((self.site, "enter"))
        return self.site

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        STATE.effect((self.site, "exit", kind and kind_of(error), said(error), trace is None))
        return self.swallow


@dataclass
class UnitRoom:
    """An asynchronous context manager whose methods are units."""

    site: int
    swallow: bool = False

    @unit
    async def __aenter__(self) -> int:
        STATE.effect((self.site, "aenter"))
        return await op(self.site)

    @unit
    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> bool:
        STATE.effect((self.site, "aexit", kind and kind_of(error), said(error)))
        await op(self.site)
        return self.swallow


@dataclass
class OpRoom:
    """An asynchronous context manager whose methods return operations."""

    site: int
    swallow: bool = False

    def __aenter__(self) -> Any:
        STATE.effect((self.site, "aenter"))
        return op(self.site)

    def __aexit__(self, kind: Any, error: Any, trace: Any) -> Any:
        STATE.effect((self.site, "aexit", kind and kind_of(error), said(error)))
        return Op("yes" if self.swallow else "no", self.site, ())


@dataclass
class UnitTurns:
    """An asynchronous iterator whose `__anext__` is a unit."""

    site: int
    count: int

    def __aiter__(self) -> UnitTurns:
        STATE.effect((self.site, "aiter"))
        if not STATE.burn():
            self.count = 0
        return self

    @unit
    async def __anext__(self) -> int:
        if self.count <= 0:
            raise StopAsyncIteration
        self.count -= 1
        return (await op(self.site)) + self.count


@dataclass
class OpTurns:
    """An asynchronous iterator whose `__anext__` returns an operation."""

    site: int
    count: int

    def __aiter__(self) -> OpTurns:
        STATE.effect((self.site, "aiter"))
        if not STATE.burn():
            self.count = 0
        return self

    def __anext__(self) -> Any:
        self.count -= 1
        return op(self.site) if self.count >= 0 else Op("stop", self.site, ())


@dataclass
class Parent:
    """A class to inherit from."""

    v: int = 3

    @unit
    async def m(self, a: Any, *rest: Any, b: Any = 2, **kw: Any) -> Any:
        STATE.effect(("parent", text(a), text(rest), text(b), text(kw)))
        self.v += await op(90001)
        return self.v

    def plain(self, a: Any) -> Any:
        STATE.effect(("plain", text(a)))
        return a
