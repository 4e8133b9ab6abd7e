"""One large value of a fiber: its content-addressed texts, and what tells whether they still hold.

A long list is kept in parts, each a text of its own, so that appending rewrites only the last.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any

from weft_core.resume.values.encode import Encoder, Node, encode_tree, number, write
from weft_core.resume.values.fingerprint import Fingerprint
from weft_core.resume.values.limits import PART_BYTES
from weft_core.resume.values.registry import Registry

DIGEST_LENGTH = 40
"""Hex digits of the SHA-256 that names a large value: 160 bits."""

New = Callable[["Part", bool], Encoder]
"""Makes the encoder for a part, careful or not."""


def digest_of(text: str) -> str:
    """The name of a large value's text (ASCII)."""
    return sha256(text.encode("ascii")).hexdigest()[:DIGEST_LENGTH]


class Part:
    """One text of a large value: all of it, or the items `start` to `stop` of a list."""

    __slots__ = (
        "changed",
        "digest",
        "encoder",
        "fingerprint",
        "node",
        "numbers",
        "owner",
        "rivals",
        "start",
        "stop",
        "text",
    )

    def __init__(self, owner: Large, start: int = 0, stop: int = -1) -> None:
        self.owner = owner
        self.start = start
        self.stop = stop
        self.text = ""
        self.digest = ""
        self.changed = True
        self.fingerprint: Fingerprint | None = None
        self.encoder: Encoder | None = None
        self.node: Node = None
        self.numbers: dict[int, int] | None = None
        self.rivals: dict[int, Part] = {}

    def value(self) -> Any:
        """What is written into this part's text."""
        return self.owner.value[self.start : self.stop] if self.owner.in_parts else self.owner.value

    def look(self, registry: Registry, live: dict[int, Any]) -> bool:
        """Whether it has to be written anew."""
        if not self.owner.fixed:
            if self.fingerprint is None:
                self.fingerprint = Fingerprint(registry)
            if self.fingerprint.changed(self.value(), live):
                self.changed = True
        return self.changed

    def write(self, new: New) -> None:
        """Encode it. Until `settle`, objects inside are found by identity."""

        def build(encoder: Encoder) -> Node:
            self.encoder = encoder
            self.node = encoder.temporary(self.value())
            encoder.settle((self.node,))
            return self.node

        self.numbers = None
        self.text = encode_tree(lambda careful: new(self, careful), build, write)
        self.digest = digest_of(self.text)
        self.changed = False
        self.owner.dirty = True

    def settle(self) -> None:
        """Forget what only this call needed."""
        self.encoder = None
        self.node = None
        self.rivals = {}

    def ids(self) -> Iterable[int]:
        """The ids of everything inside; of some texts and numbers too."""
        if self.fingerprint is not None:
            found = self.fingerprint.ids()
            if found is not None:
                return found
        return () if self.encoder is None else self.encoder.memo

    def where(self, x: Any, new: New) -> int | None:
        """The number of the node that stands for `x` in this part's text, None when it is not inside."""
        place = None if self.fingerprint is None else self.fingerprint.where(x)
        if place is None:
            if self.encoder is None or id(x) not in self.encoder.memo:
                return None
            return number((self.node,)).get(id(self.encoder.memo[id(x)]))
        if self.numbers is None:
            # Once for as long as the part stays as it is: which place in the memo is which node of the text.
            assert self.fingerprint is not None
            encoder = new(self, True)
            node = encoder.temporary(self.value())
            numbers = number((node,))
            by_id = {key: numbers.get(id(made)) for key, made in encoder.memo.items()}
            self.numbers = {at: by_id[key] for key, at in self.fingerprint.places() if by_id.get(key) is not None}  # type: ignore[misc]
        return self.numbers.get(place)


class Large:
    """One large value. `parts` has one entry, or several when it is a list in parts."""

    __slots__ = ("digest", "dirty", "in_parts", "index", "parts", "value")

    def __init__(self, value: Any, *, in_parts: bool = False, size: int = 0) -> None:
        self.value = value
        self.in_parts = in_parts
        self.parts = [Part(self)]
        if in_parts:
            whole = Part(self, 0, len(value))
            self.parts = _split(whole, size) if size else [whole]
        self.index = ""
        self.digest = ""
        self.dirty = True

    @property
    def fixed(self) -> bool:
        """Whether identity is enough: text and bytes never change."""
        return type(self.value) in (str, bytes)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Digest and text of everything that has to be in the store for this value."""
        for part in self.parts:
            yield part.digest, part.text
        if self.in_parts:
            yield self.digest, self.index

    def fit(self) -> None:
        """Let the parts of a list cover its present length."""
        if self.in_parts:
            length = len(self.value)
            while len(self.parts) > 1 and self.parts[-1].start >= length:
                self.parts.pop()
                self.dirty = True
            last = self.parts[-1]
            last.changed = last.changed or last.stop > length
            last.stop = length

    def divide(self, part: Part) -> list[Part]:
        """Put several parts in the place of one that grew too long; none when it did not."""
        if not self.in_parts or len(part.text) <= 2 * PART_BYTES or part.stop - part.start < 2:
            return []
        parts = _split(part, len(part.text))
        at = self.parts.index(part)
        self.parts[at : at + 1] = parts
        return parts

    def seal(self) -> None:
        """Make the digest, and the index of the parts, after something was written or dropped."""
        self.dirty = False
        if not self.in_parts:
            self.digest = self.parts[0].digest
            return
        index = write({"$chunks": [{"$large": part.digest} for part in self.parts]})
        if index != self.index:
            self.index = index
            self.digest = digest_of(index)

    def path(self, part: Part, inside: int) -> list[int]:
        """The path from this value's own text to a node of a part."""
        # In an index: 0 is the object, 1 the array, then one node a part.
        return [2 + self.parts.index(part), inside] if self.in_parts else [inside]


def _split(part: Part, size: int) -> list[Part]:
    items = part.stop - part.start
    count = max(1, min(items, -(-size // PART_BYTES)))
    edges = [part.start + items * i // count for i in range(count + 1)]
    return [Part(part.owner, start, stop) for start, stop in itertools.pairwise(edges)]
