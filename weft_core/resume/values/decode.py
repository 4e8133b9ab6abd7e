"""From a parsed tree back to live values. Nothing here imports by a stored name or calls what is not registered.

Two ways through the same tags. A text without references is built straight through. In a text with references every
array and object has a number (the order they are written in, from 0); mutable things are made empty, known by their
node, and then filled, so that cycles close; an immutable thing that is needed while it is being made lets the
container that needs it wait until the end. So does a set or dict of objects with a hash of their own: by then what their
hash looks at is there. In a circle of such objects the hash has to do with what there is; at the end it is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

from weft_core.errors import DecodeError, LimitExceeded
from weft_core.resume.values.limits import COUNT_MAX, DEPTH_MAX, VALUE_BYTES_MAX
from weft_core.resume.values.registry import NO_EXTERNALS, Externals, Registry

if TYPE_CHECKING:
    from weft_core.resume.values.large_reader import LargeReader

Node = Any

MAKERS: dict[str, Callable[[Decoder, Any], Any]] = {}
"""By tag: makes the value of a payload. For tags in `FILLERS` it makes the empty thing."""

FILLERS: dict[str, Callable[[Decoder, Any, Any], None]] = {}
"""By tag: fills the thing (second) from the payload (third). Called once, or again from the start after `_Later`."""

RESOLVERS: dict[str, Callable[[Decoder, Any], Any]] = {}
"""By tag: a reference to something that is not made here."""


class Circle(DecodeError):
    """Something contains itself, and has to be whole before it is made."""


class _Later(Exception):
    """Internal: an immutable value is needed that is still being made. Whoever can wait, waits."""


class Decoder:
    """Builds the values of one text."""

    def __init__(self, registry: Registry, externals: Externals | None = None) -> None:
        self.registry = registry
        self.externals = externals or NO_EXTERNALS
        self.numbered: list[Node] | None = None
        self.large: LargeReader | None = None
        self._built: dict[int, Any] = {}
        self._nodes: dict[int, Node] = {}
        self._making: set[int] = set()
        self._unfilled: dict[int, tuple[Any, Callable[[Decoder, Any, Any], None], Any]] = {}
        self._last = False
        self._early: list[tuple[Any, int]] | None = None
        self._trouble: Exception | None = None
        self._depth = 0
        self.inside: object = None
        self.units: list[Any] = []

    def use_references(self, roots: Iterable[Node]) -> None:
        """Number the text's nodes, before anything is built. `roots` are the text's values in order."""
        self.numbered = numbered(roots)

    def build(self, node: Node) -> Any:
        """The value of a node."""
        kind = type(node)
        if kind is not dict and kind is not list:
            return node
        self._depth += 1
        if self._depth > 2 * DEPTH_MAX:
            raise LimitExceeded(
                f"stored data is nested more than {DEPTH_MAX} deep (DEPTH_MAX)", limit="DEPTH_MAX", maximum=DEPTH_MAX
            )
        try:
            if self.numbered is None:
                return self._straight(node, kind)
            try:
                return self._numbered(node, kind)
            except _Later:
                if self._depth > 1:
                    raise
            # Nothing is being made now, so what it waits for can be had.
            self.finish()
            self._last = True
            try:
                return self._numbered(node, kind)
            except _Later:
                raise Circle("stored data contains a value that is made of itself")
        finally:
            self._depth -= 1
            if not self._depth:
                self._last = False

    def finish(self) -> None:
        """Fill what had to wait. To be called once everything was asked for."""
        self._depth += 1  # what is built here is not asked for from outside
        while self._unfilled:
            before = set(self._unfilled)
            for key in self._inside_out():
                if self._fill(*self._unfilled[key], last=True):
                    del self._unfilled[key]
            if self._unfilled.keys() == before:
                if self._early is not None:
                    why = "" if self._trouble is None else f" ({type(self._trouble).__name__}: {self._trouble})"
                    raise Circle(f"stored data contains a value that is made of itself{why}") from self._trouble
                self._early = []
        for thing, value in self._early or ():
            if hash(thing) != value:
                raise Circle(f"stored data contains a {type(thing).__name__} whose hash depends on itself")
        self._early = None
        self._depth -= 1

    def _inside_out(self) -> list[int]:
        """The keys of what is unfilled, the innermost first: that is what the hash of something around it looks at."""
        order: list[int] = []
        keys = {id(payload): key for key, (_, _, payload) in self._unfilled.items()}
        seen: set[int] = set()
        stack: list[tuple[Node, bool]] = [(payload, False) for _, _, payload in self._unfilled.values()]
        while stack:
            node, left = stack.pop()
            if left:
                if id(node) in keys:
                    order.append(keys[id(node)])
                continue
            if type(node) is dict and type(node.get("$ref")) is int:
                node = self.target(node["$ref"])
            if type(node) in _CONTAINERS and id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack.extend((inside, False) for inside in (node.values() if type(node) is dict else node))
        return order

    def filled(self, node: Node) -> Any:
        """The value of a node, of which whoever asks needs the contents now (to hash it, to iterate it)."""
        thing = self.build(node)
        if self._unfilled and id(thing) in self._unfilled:
            raise _Later
        return thing

    def key(self, node: Node) -> Any:
        """The value of a node that goes where it is hashed."""
        before = len(self._unfilled)
        thing = self.build(node)
        after = len(self._unfilled)
        if after and _has_own_hash(thing):
            if self._early is not None:
                self._early.append((thing, hash(thing)))
            elif after > before or not self._last or id(thing) in self._unfilled:
                raise _Later  # it, or something in it, may be what has to wait
        return thing

    def values(self, payload: Any) -> list[Any]:
        """The values of an array."""
        build = self.build
        return [build(node) for node in as_list(payload)]

    def pairs(self, payload: Any) -> list[tuple[Any, Any]]:
        """The items of `[[key, value], …]`."""
        return [(self.key(key), self.build(item)) for key, item in as_list(payload)]

    def fields(self, payload: Any) -> dict[str, Any]:
        """The values of `{name: value}`."""
        build = self.build
        return {name: build(node) for name, node in as_dict(payload).items()}

    def each(self, payload: Any) -> Iterator[tuple[str, Any]]:
        """The values of `{name: value}` one by one. What has to wait is left out; then the end is a `_Later`."""
        late: _Later | None = None
        for name, node in as_dict(payload).items():
            try:
                value = self.build(node)
            except _Later as later:
                late = later
            else:
                yield name, value
        if late is not None:
            raise late

    def _straight(self, node: Node, kind: type) -> Any:
        build = self.build
        if kind is list:
            return [item if type(item) not in _CONTAINERS else build(item) for item in node]
        tag = _tag(node)
        if tag is None:
            return {key: item if type(item) not in _CONTAINERS else build(item) for key, item in node.items()}
        payload = node[tag]
        resolver = RESOLVERS.get(tag)
        if resolver is not None:
            return resolver(self, payload)
        thing = _maker(tag)(self, payload)
        fill = FILLERS.get(tag)
        if fill is not None:
            fill(self, thing, payload)
        return thing

    def _numbered(self, node: Node, kind: type) -> Any:
        key = id(node)
        if key in self._built:
            return self._built[key]
        tag = None if kind is list else _tag(node)
        if tag == "$ref":
            return self._referenced(node[tag])
        payload = node if tag is None else node[tag]
        if tag is not None:
            resolver = RESOLVERS.get(tag)
            if resolver is not None:
                return resolver(self, payload)
            if tag == "$large" and self.large is not None:
                thing = self._built[key] = self.large.instance(self, node).value()
                return thing
        fill = (_fill_list if kind is list else _fill_dict) if tag is None else FILLERS.get(tag)
        if fill is None:
            if key in self._making:
                raise _Later
            self._making.add(key)
            try:
                assert tag is not None
                thing = _maker(tag)(self, payload)
            finally:
                self._making.discard(key)
            self._remember(key, node, thing)
            return thing
        if tag is None:
            thing = [] if kind is list else {}
        else:
            if key in self._making:
                raise _Later
            self._making.add(key)
            try:
                thing = _maker(tag)(self, payload)
            finally:
                self._making.discard(key)
        self._remember(key, node, thing)
        self._unfilled[id(thing)] = (thing, fill, payload)
        if self._fill(thing, fill, payload):
            del self._unfilled[id(thing)]
        return thing

    def _remember(self, key: int, node: Node, thing: Any) -> None:
        self._built[key] = thing
        self._nodes[key] = node

    def _fill(self, thing: Any, fill: Callable[[Decoder, Any, Any], None], payload: Any, *, last: bool = False) -> bool:
        before, self._last = self._last, last
        try:
            fill(self, thing, payload)
        except _Later:
            return False
        except (AttributeError, TypeError) as error:
            if not last:
                raise
            self._trouble = error  # a hash that looks at what is filled next, or one that never works
            return False
        finally:
            self._last = before
        return True

    def _referenced(self, target: Any) -> Any:
        if type(target) is list and len(target) > 1 and self.large is not None:
            return self.large.instance(self, self.target(target[0])).at(target[1:])
        return self.build(self.target(target))

    def target(self, target: Any) -> Node:
        """The node of a number."""
        if type(target) is int and self.numbered is not None and 0 <= target < len(self.numbered):
            return self.numbered[target]
        raise DecodeError(f"stored data refers to {target!r}, which is not there")


_CONTAINERS = frozenset({list, dict})


_HEAP_TYPE = 1 << 9
_KNOWN_HASHES: tuple[Any, ...] = (object.__hash__, tuple.__hash__)  # of identity, of the items


def _has_own_hash(x: Any) -> bool:
    """Whether hashing it may look at attributes."""
    if isinstance(x, tuple) and any(map(_has_own_hash, x)):
        return True
    kind = type(x)
    return bool(kind.__flags__ & _HEAP_TYPE) and kind.__hash__ not in _KNOWN_HASHES


def _tag(node: dict[str, Any]) -> str | None:
    if len(node) == 1:
        for key in node:
            return key if key[:1] == "$" else None
    for key in node:
        if key[:1] == "$":
            raise DecodeError(f"stored data has a reserved key {key[:40]!r} among others")
    return None


def _maker(tag: str) -> Callable[[Decoder, Any], Any]:
    maker = MAKERS.get(tag)
    if maker is None:
        from weft_core.resume.values import types

        types.load()
        maker = MAKERS.get(tag)
        if maker is None:
            raise DecodeError(f"stored data has an unknown tag {tag[:40]!r}; was it written by a later version?")
    return maker


def _fill_list(decoder: Decoder, thing: list[Any], payload: list[Any]) -> None:
    thing[:] = decoder.values(payload)


def _fill_dict(decoder: Decoder, thing: dict[str, Any], payload: dict[str, Any]) -> None:
    items = decoder.fields(payload)
    thing.clear()
    thing.update(items)


def as_list(payload: Any, length: int | None = None) -> list[Any]:
    """The payload, which must be an array (of this length)."""
    if type(payload) is not list or (length is not None and len(payload) != length):
        raise DecodeError("stored data is damaged: an array is missing or has another length")
    return payload


def as_dict(payload: Any) -> dict[str, Any]:
    """The payload, which must be an object."""
    if type(payload) is not dict:
        raise DecodeError("stored data is damaged: an object is missing")
    return payload


def as_str(payload: Any) -> str:
    """The payload, which must be text."""
    if type(payload) is not str:
        raise DecodeError("stored data is damaged: text is missing")
    return payload


def as_int(payload: Any) -> int:
    """The payload, which must be an integer."""
    if type(payload) is not int:
        raise DecodeError("stored data is damaged: an integer is missing")
    return payload


def numbered(roots: Iterable[Node]) -> list[Node]:
    """Every array and object in the order they are written."""
    found: list[Node] = []
    stack = list(roots)
    stack.reverse()
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is dict:
            found.append(node)
            stack.extend(reversed(node.values()))
        elif kind is list:
            found.append(node)
            stack.extend(reversed(node))
        if len(found) > COUNT_MAX:
            raise LimitExceeded(
                f"stored data has more than {COUNT_MAX:,} containers (COUNT_MAX)", limit="COUNT_MAX", maximum=COUNT_MAX
            )
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_scan = JSONDecoder(parse_constant=_no_constant).scan_once  # type: ignore[attr-defined]
_decode = JSONDecoder(parse_constant=_no_constant).decode


def parse(text: str) -> Node:
    """The tree of a text. Raises `DecodeError`."""
    try:
        tree, end = _scan(text, 0)
        if end == len(text) <= VALUE_BYTES_MAX:
            return tree
    except (StopIteration, ValueError):
        pass
    except RecursionError:
        raise LimitExceeded(
            f"stored data is nested more than {DEPTH_MAX} deep (DEPTH_MAX)", limit="DEPTH_MAX", maximum=DEPTH_MAX
        )
    if len(text) > VALUE_BYTES_MAX:
        raise LimitExceeded(
            f"stored data has {len(text):,} characters, more than {VALUE_BYTES_MAX:,} (VALUE_BYTES_MAX)",
            limit="VALUE_BYTES_MAX",
            maximum=VALUE_BYTES_MAX,
            actual=len(text),
        )
    try:
        return _decode(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"stored data is not JSON: {error}")


def guarded(make: Callable[[], Any]) -> Any:
    """What `make` returns; whatever else it raises becomes a `DecodeError`: corrupt text has no other way out."""
    try:
        return make()
    except DecodeError:
        raise
    except RecursionError:
        raise LimitExceeded(
            f"stored data is nested more than {DEPTH_MAX} deep (DEPTH_MAX)", limit="DEPTH_MAX", maximum=DEPTH_MAX
        )
    except Exception as error:
        raise DecodeError(f"stored data is damaged: {type(error).__name__}: {error}") from error
