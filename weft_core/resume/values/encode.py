"""From live values to a tree that `json` can write. One `Encoder` per text; it numbers nothing and knows no frames.

Plain data is passed through untouched (the tree *is* the value); everything else becomes an object with one key that
starts with `$`. A container met again becomes `{"$ref": n}`: n counts the arrays and objects of the text in the order
they are written, from 0, and is filled in at the end, when there is something to count for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from json import JSONEncoder
from json.encoder import encode_basestring_ascii
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import Circle
from weft_core.resume.values.limits import DEPTH_MAX, VALUE_BYTES_MAX
from weft_core.resume.values.refusal import Refusal, key_part
from weft_core.resume.values.registry import Registry

Node = Any
Handler = Callable[["Encoder", Any], Node]

ATOMS: frozenset[type] = frozenset({str, int, float, bool, type(None)})
"""Exact types of values that never change, have no identity worth keeping and no values inside.

JSON writes them exactly, but for what the `CAREFUL` handlers look at.
"""

LEAVES: dict[type, Handler] = {}
"""Handlers of exact types without identity worth keeping: immutable, and no values inside."""

NODES: dict[type, Handler] = {}
"""Handlers of exact types whose identity is kept: met twice, the second is a reference."""

CAREFUL_ATOMS: frozenset[type] = frozenset({bool, type(None)})
_PAIR = "[\ud800-\udbff][\udc00-\udfff]"
_INT_BITS_MAX = 8_192  # well under the 4,300 digits that Python converts


class Encoder:
    """Encodes one text's values. `careful` looks at every number and string; without it `dump` may ask for a rerun."""

    __slots__ = (
        "atoms",
        "circular",
        "depth",
        "find",
        "handlers",
        "keep",
        "known",
        "memo",
        "refs",
        "registry",
        "told",
        "units",
        "wholes",
    )

    def __init__(self, registry: Registry, known: dict[int, Any], *, careful: bool = False) -> None:
        self.registry = registry
        self.handlers = registry.handlers
        self.atoms = CAREFUL_ATOMS if careful else ATOMS
        self.memo: dict[int, Node] = {}
        self.refs: list[tuple[dict[str, Any], int, list[int]]] = []
        self.told: dict[int, Refusal] = {}  # errors in the memo that are told for people only, and why
        self.known = known
        self.find: Callable[[Any], Node] | None = None
        self.units: Iterable[Any] = ()
        self.keep: list[object] = []
        self.depth = 0
        self.wholes: list[int] = []  # depths of what is open and is made of contents that are there already
        self.circular = False  # whether such a thing contains itself

    def value(self, x: Any) -> Node:
        """The node of a value. Raises `Refusal`."""
        kind = type(x)
        if kind in self.atoms:
            return x
        leaf = LEAVES.get(kind)
        if leaf is not None:
            return leaf(self, x)
        key = id(x)
        if key in self.memo:
            if key in self.told:
                raise self.told[key].again()
            if self.wholes:
                depth = self.memo[key]
                if type(depth) is int and self.wholes[-1] >= depth:
                    self.circular = True
            return self.reference(key, [])
        if key in self.known:
            node = self.known_node(x, self.known[key])
            if node is not None:
                return node
        if self.find is not None:
            node = self.find(x)
            if node is not None:
                return node
        handler = NODES.get(kind) or self.handlers.get(kind) or self._find(kind, x)
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Refusal(x, f"it is nested more than {DEPTH_MAX} deep (DEPTH_MAX)", "flatten it")
        self.memo[key] = self.depth  # as long as it is open
        node = handler(self, x)
        self.memo[key] = node
        self.depth -= 1
        return node

    def attempt(self, x: Any) -> Node:
        """The node of a value. An exception, as a `Refusal`, leaves no trace of the attempt."""
        mark = self.mark()
        try:
            return self.value(x)
        except Exception:
            self.undo(mark)
            raise

    def mark(self) -> tuple[int, int, int, int]:
        """How far this has come, for `undo`."""
        return len(self.memo), len(self.told), len(self.refs), self.depth

    def undo(self, mark: tuple[int, int, int, int]) -> None:
        """Forget what was met since."""
        memo, told, refs, self.depth = mark
        self.wholes = [depth for depth in self.wholes if depth <= self.depth]
        for table, length in ((self.memo, memo), (self.told, told)):
            while len(table) > length:
                table.popitem()
        del self.refs[refs:]

    def reference(self, key: int, path: list[int]) -> Node:
        """A reference to what the memo holds under `key`, or, with a path, to something inside that large value."""
        # An array counts as one from the start, or the numbers behind it would be wrong.
        ref: dict[str, Any] = {"$ref": [0, *path] if path else None}
        self.refs.append((ref, key, path))
        return ref

    def itself(self, x: Any, node: Node) -> Node:
        """The node of a leaf that equals nothing but by being the same object: met again, a reference."""
        key = id(x)
        if type(self.memo.get(key, 0)) is not int:  # the first of a type that is met late is open when it comes here
            return self.reference(key, [])
        self.keep.append(x)
        self.memo[key] = node
        return node

    def known_node(self, x: Any, found: Any) -> Node:
        """The node of an object known before the encoding began; None when it is not what it was."""
        if type(found) is dict:
            return found
        _, name, names = found
        return {"$global": name} if names.get(name.partition(":")[2]) is x else None

    def temporary(self, x: Any) -> Node:
        """The node of a value made only for encoding; kept alive so that no later object takes its identity."""
        self.keep.append(x)
        return self.value(x)

    def values(self, items: Iterable[Any]) -> list[Node]:
        """The nodes of several values; a refusal names the index."""
        atoms, value, out = self.atoms, self.value, []
        try:
            for item in items:
                out.append(item if type(item) in atoms else value(item))
        except Refusal as refusal:
            raise refusal.at(f"[{len(out)}]")
        return out

    def pairs(self, items: Iterable[tuple[Any, Any]]) -> list[Node]:
        """`[[key, value], …]` of a mapping's items; a refusal names the key."""
        out = []
        for key, item in items:
            try:
                out.append([self.value(key), self.value(item)])
            except Refusal as refusal:
                raise refusal.at(key_part(key))
        return out

    def fields(self, items: Iterable[tuple[str, Any]]) -> dict[str, Node]:
        """`{name: value}` of an object's attributes; a refusal names the attribute."""
        out: dict[str, Node] = {}
        for name, item in items:
            if not isinstance(name, str):
                raise Refusal(item, f"it is the attribute {name!r}, whose name is no text", "keep it in a dict")
            try:
                out[name] = self.value(item)
            except Refusal as refusal:
                raise refusal.at(f".{name}")
        return out

    def _find(self, kind: type, x: Any) -> Handler:
        from weft_core.resume.values.find import find_handler

        return find_handler(self.registry, kind, x)

    def settle(self, roots: Iterable[Node]) -> None:
        """Fill in the references, now that the whole tree is known. `roots` are the text's values in order."""
        if self.refs:
            numbers = number(roots)
            for ref, key, path in self.refs:
                at = numbers[id(self.memo[key])]
                ref["$ref"] = [at, *path] if path else at


def number(roots: Iterable[Node]) -> dict[int, int]:
    """By `id`: the number of every array and object, counted in the order they are written."""
    numbers: dict[int, int] = {}
    count = 0
    stack = list(roots)
    stack.reverse()
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is dict:
            numbers[id(node)] = count
            count += 1
            if len(node) == 1:
                stack.extend(node.values())
            else:
                stack.extend(reversed(node.values()))
        elif kind is list:
            numbers[id(node)] = count
            count += 1
            stack.extend(reversed(node))
    return numbers


def _list(encoder: Encoder, x: list[Any]) -> Node:
    atoms = encoder.atoms
    for item in x:
        if type(item) not in atoms:
            return encoder.values(x)
    return x


def _dict(encoder: Encoder, x: dict[Any, Any]) -> Node:
    atoms = encoder.atoms
    plain = True
    for key, item in x.items():
        if type(key) is not str or key[:1] == "$":
            return {"$dict": encoder.pairs(x.items())}
        if plain and type(item) not in atoms:
            plain = False
    if plain:
        return x
    if str not in atoms and any(not key.isascii() and re.search(_PAIR, key) for key in x):
        return {"$dict": encoder.pairs(x.items())}
    value = encoder.value
    out: dict[str, Node] = {}
    key = None
    try:
        for key, item in x.items():
            out[key] = item if type(item) in atoms else value(item)
    except Refusal as refusal:
        raise refusal.at(key_part(key))
    return out


def _careful_str(_encoder: Encoder, x: str) -> Node:
    if x.isascii() or not re.search(_PAIR, x):
        return x
    # Two lone surrogates side by side: JSON would read them as one character.
    return {"$str": [ord(c) for c in x]}


def _careful_float(encoder: Encoder, x: float) -> Node:
    if x - x == 0.0:
        return x
    return encoder.itself(x, {"$float": "nan"}) if x != x else {"$float": "inf" if x > 0 else "-inf"}


def _careful_int(_encoder: Encoder, x: int) -> Node:
    return x if x.bit_length() <= _INT_BITS_MAX else {"$int": hex(x)}


LEAVES[str] = _careful_str
LEAVES[float] = _careful_float
LEAVES[int] = _careful_int
NODES[list] = _list
NODES[dict] = _dict


def _never(x: object) -> Any:
    raise TypeError(f"the codec left a {type(x)!r} in the tree")


def _make_dump() -> Callable[[Node], str]:
    plain = JSONEncoder(
        ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":"), default=_never
    ).encode
    try:
        from json.encoder import c_make_encoder  # type: ignore[attr-defined]

        chunks = c_make_encoder(None, _never, encode_basestring_ascii, None, ":", ",", False, False, False)

        def dump(node: Node) -> str:
            return "".join(chunks(node, 0))

        probe = {"a": [1, 2.5, "x", None, True]}
        if dump(probe) == plain(probe):
            return dump
    except Exception:  # another implementation of json: the documented way works everywhere
        pass
    return plain


write: Callable[[Node], str] = _make_dump()
"""The compact ASCII text of a tree. `ValueError` for a nan, an infinity or a huge int: encode again, carefully."""


def encode_tree(
    new: Callable[[bool], Encoder],
    build: Callable[[Encoder], Node],
    render: Callable[[Node], str],
    read: Callable[[str], object] | None = None,
) -> str:
    """The text of the tree that `build` makes with a new encoder; again with a careful one where that is needed.

    `new(careful)` makes the encoder, `render` the text, `read` the value again, or raises `Circle`: that is asked where
    a circle may be one that cannot be closed again, unless it has large values, which are not read to see that.
    Raises `Refusal`.
    """

    def make(*, careful: bool) -> tuple[Encoder, str]:
        encoder = new(careful)
        try:
            return encoder, render(build(encoder))
        except RecursionError:
            raise Refusal(None, "it is nested too deep for this interpreter", "flatten it")

    try:
        encoder, text = make(careful=False)
    except ValueError:
        encoder, text = make(careful=True)
    else:
        if "\\ud" in text:
            encoder, text = make(careful=True)
    if encoder.circular and read is not None and '"$large"' not in text:
        try:
            read(text)
        except Circle:
            raise circle()
        except DecodeError:
            pass  # something else is the matter, and not with a circle
    return checked(text)


def circle() -> Refusal:
    """Why a circle is refused that reading could not close."""
    return Refusal(
        None,
        "it is part of a circle that cannot be put together again: something in it must be whole before it is made",
        "keep a key or a number in one of the two directions, or leave the iterator out of what it goes over",
    )


def whole(handler: Handler) -> Handler:
    """A handler of things that are made of contents which are there already: a circle through one may not close again."""

    def open_whole(encoder: Encoder, x: Any) -> Node:
        encoder.wholes.append(encoder.depth)
        node = handler(encoder, x)
        encoder.wholes.pop()
        return node

    return open_whole


def checked(text: str) -> str:
    """The text, unless it is too long."""
    if len(text) > VALUE_BYTES_MAX:
        raise Refusal(
            text,
            f"its text has {len(text):,} characters, more than {VALUE_BYTES_MAX:,} (VALUE_BYTES_MAX)",
            "keep it in a file, a table or an object store, and its name in the workflow",
        )
    return text
