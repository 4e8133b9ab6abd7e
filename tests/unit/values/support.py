"""An app's module as the codec sees one: classes of every kind, module-level objects, and frames to put values into."""

from __future__ import annotations

import enum
from collections import namedtuple
from dataclasses import dataclass, field
from json import JSONDecodeError
from types import CellType, SimpleNamespace
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import msgspec
import pydantic

from weft_core.resume import FrameImage
from weft_core.resume.values import EncodedFrames, Externals, FiberEncoder, Registry, ValueCodec

T = TypeVar("T")

MISSING = object()
TABLE: dict[str, int] = {"one": 1}
LATER: Any = None
ALIASED_ERROR = JSONDecodeError


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Order:
    number: int
    lines: list[Any] = field(default_factory=list)
    client: Any = None

    def total(self) -> int:
        return sum(self.lines)

    @classmethod
    def empty(cls) -> Order:
        return cls(0)

    @staticmethod
    def tax(x: int) -> int:
        return x * 2


@dataclass(frozen=True)
class Point:
    x: int
    y: Any = None


@dataclass(frozen=True, slots=True)
class Slotted:
    a: Any
    b: Any = 2


class Plain:
    """No `__init__` runs when it is read; it would fail."""

    def __init__(self, must: int) -> None:
        self.must = must
        self.other: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class Box(Generic[T]):
    def __init__(self, inside: T) -> None:
        self.inside = inside


class Private:
    __slots__ = ("__hidden", "shown")

    def __init__(self) -> None:
        self.__hidden = 1
        self.shown = 2

    def both(self) -> tuple[int, int]:
        return self.__hidden, self.shown


class Outer:
    class Inner:
        def __init__(self) -> None:
            self.x = 1


Pair = namedtuple("Pair", "left right")


class Typed(NamedTuple):
    name: str
    tags: list[str]


@attrs.define
class Attrs:
    a: int
    b: Any = None


@attrs.frozen(cache_hash=True)
class FrozenAttrs:
    a: int


class Model(pydantic.BaseModel):
    name: str
    sizes: list[int] = []
    _secret: int = pydantic.PrivateAttr(default=3)


class Struct(msgspec.Struct):
    a: int
    b: Any = None


class FrozenStruct(msgspec.Struct, frozen=True):
    a: int


class ShopError(Exception):
    """Takes other arguments than it passes on, as many do."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"shop error {code}")
        self.code = code
        self.hint = hint


class StockError(OSError):
    pass


class ListLike(list[Any]):
    pass


class Peer:
    """Hashed by identity."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.peers: Any = None


class Holder:
    """Cannot be stored: it holds a lock."""

    def __init__(self) -> None:
        import threading

        self.lock = threading.Lock()


def helper(x: int) -> int:
    return x + 1


double = lambda x: x * 2  # noqa: E731


def registry() -> Registry:
    made = Registry()
    made.add_module(__name__)
    return made


def codec() -> ValueCodec:
    return ValueCodec(registry())


def a_unit(name: str = "checkout", **more: Any) -> Any:
    """What the codec needs of a compiled unit."""
    facts: dict[str, Any] = {
        "name": name,
        "digest": "0123456789abcdef",
        "filename": "shop.py",
        "first_line": 10,
        "points": (SimpleNamespace(name="charge", line=12), SimpleNamespace(name="sleep", line=14)),
        "local_codes": {},
        "function": helper,
        "source": "async def checkout():\n  import colorsys, xml.dom, xml.sax as sax\n  from json import dumps, decoder\n",
    }
    return SimpleNamespace(**{**facts, **more, "heads": {}, "forms": {}})


class Fiber:
    """A fiber of a run that has one frame after the other restored from what it stored."""

    def __init__(self, live: dict[str, object] | None = None) -> None:
        self.codec = codec()
        self.unit = a_unit()
        self.codec.registry.add_unit(self.unit)
        self.externals = Externals(live or {})
        self.encoder = FiberEncoder(self.codec, self.externals)
        self.stored: dict[str, str] = {}

    def frame(self, variables: dict[str, Any], cells: dict[str, CellType] | None = None, point: int = 1) -> FrameImage:
        return FrameImage(unit=self.unit, point=point, locals=variables, cells=cells or {})

    def keep(self, *frames: FrameImage) -> EncodedFrames:
        """Encode, and store what has to be stored, as the kernel does."""
        encoded = self.encoder.encode(frames)
        for digest in set(self.stored) - encoded.used_values:
            del self.stored[digest]
        for digest in encoded.used_values - set(self.stored):
            self.stored[digest] = encoded.new_values[digest]
        return encoded

    def restart(self, encoded: EncodedFrames) -> list[FrameImage]:
        """The frames as another process finds them; this fiber goes on as that process."""
        self.encoder = FiberEncoder(self.codec, self.externals)
        return self.encoder.decode(encoded.text, self.stored.__getitem__)

    def through(self, **variables: Any) -> dict[str, Any]:
        """The variables after a restart."""
        return self.restart(self.keep(self.frame(variables)))[0].locals
