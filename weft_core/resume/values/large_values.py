"""The large values of a fiber together: what changed, what is new, what is shared with what.

A large value refers to nothing outside itself. Where two of them come to share an object, the one that would have to
refer to the other is written in line from then on, which is always right and only longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft_core.resume.values.candidates import find_candidates
from weft_core.resume.values.encode import CAREFUL_ATOMS, Encoder, Node
from weft_core.resume.values.large import Large, Part
from weft_core.resume.values.registry import Registry

_BARRED_MAX = 100
_OWNERS_SLACK = 10_000


class Shared(Exception):
    """Internal: a large value would have to refer to something outside itself."""

    def __init__(self, large: Large) -> None:
        super().__init__()
        self.large = large


class LargeValues:
    """Which values of one fiber have texts of their own. `known` (by id) are the objects stored by name.

    Those that are `placed` among them are parts of the run's state, and may stand elsewhere in it after any step. So
    their names are in the frames alone: no large value has one of them inside.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.known: dict[int, Any] = {}
        self.placed: dict[int, Any] = {}
        self.by_id: dict[int, Large] = {}
        self._owners: dict[int, Part] = {}
        self._owners_max = _OWNERS_SLACK
        self._barred: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return bool(self.by_id)

    def know(self, known: dict[int, Any], placed: dict[int, Any]) -> None:
        """Take over what is stored by name from now on."""
        if placed.keys() != self.placed.keys():
            self._barred.clear()  # what held a part of the state may hold none now
        self.known, self.placed = known, placed

    def refresh(self) -> None:
        """Write anew what changed since the last time."""
        while True:
            try:
                self._refresh()
            except Shared as shared:
                self._separate(shared.large)
            else:
                return

    def _refresh(self) -> None:
        changed: list[Part] = []
        for large in self.by_id.values():
            large.fit()
            for part in large.parts:
                if part.look(self.registry, self.known):
                    changed.append(part)
                    self._own(part)
        self._keep_out_placed()
        for part in changed:
            part.write(self.part_encoder)
            if part.fingerprint is None or part.fingerprint.ids() is None:
                self._own(part)
            large = part.owner
            for piece in large.divide(part):
                piece.look(self.registry, self.known)
                self._own(piece)
                changed.append(piece)
        for large in self.by_id.values():
            if large.dirty:
                large.seal()

    def _keep_out_placed(self) -> None:
        for key in self.placed.keys() & self.by_id.keys():
            raise Shared(self.by_id[key])
        for key in self.placed.keys() & self._owners.keys():
            part = self._owners[key]
            if self._holds(part) and key in part.ids():
                raise Shared(part.owner)
            del self._owners[key]  # it was inside

    def prime(self, larges: Iterable[Large]) -> None:
        """Take over values whose texts were just read."""
        for large in larges:
            self.by_id[id(large.value)] = large
            for part in large.parts:
                part.look(self.registry, self.known)
                part.changed = False
                self._own(part)

    def settle(self) -> None:
        """Forget what only one encoding needed."""
        for large in self.by_id.values():
            for part in large.parts:
                part.settle()

    def forget(self, large: Large) -> None:
        """It is not alive any more, or not worth a text of its own."""
        del self.by_id[id(large.value)]
        self._own_all()

    def bar_all(self) -> None:
        """Write everything in line."""
        for large in list(self.by_id.values()):
            self.bar(large)

    def find_more(self, values: Iterable[Any]) -> bool:
        """Look for more large values in the variables. Whether there are any."""
        added = False
        for value, size in find_candidates(values, {**self.known, **self.by_id, **self._barred}, self.placed):
            large = Large(value, in_parts=type(value) is list, size=size)
            if id(value) not in self.by_id and (large.fixed or self.where(value) is None):
                self.by_id[id(value)] = large
                added = True
        return added

    def part_encoder(self, part: Part, careful: bool) -> Encoder:
        return _PartEncoder(self, part, careful=careful)

    def shared_with(self, part: Part, x: Any) -> bool:
        """Whether an object of a part also lies in another part."""
        key = id(x)
        return any(
            other is not part and self._holds(other) and other.where(x, self._blind_encoder) is not None
            for other in (self._owners.get(key), part.rivals.get(key))
            if other is not None
        )

    def _holds(self, part: Part) -> bool:
        return part in part.owner.parts and self.by_id.get(id(part.owner.value)) is part.owner

    def where(self, x: Any) -> tuple[Large, list[int]] | None:
        """The large value an object lies in, and the path to it there."""
        likely = self._owners.get(id(x))
        if likely is not None and self._holds(likely):
            inside = likely.where(x, self._blind_encoder)
            if inside is not None:
                return likely.owner, likely.owner.path(likely, inside)
        for large in self.by_id.values():
            if not large.fixed:
                for part in large.parts:
                    inside = part.where(x, self._blind_encoder)
                    if inside is not None:
                        return large, large.path(part, inside)
        return None

    def _blind_encoder(self, _part: Part, careful: bool) -> Encoder:
        return Encoder(self.registry, self.known, careful=careful)

    def _own(self, part: Part) -> None:
        ids = dict.fromkeys(part.ids(), part)
        owners = self._owners
        part.rivals = {key: owners[key] for key in ids.keys() & owners.keys() if owners[key] is not part}
        owners.update(ids)
        if len(owners) > self._owners_max:
            self._own_all()

    def _own_all(self) -> None:
        self._owners = {}
        for large in self.by_id.values():
            for part in large.parts:
                self._owners.update(dict.fromkeys(part.ids(), part))
        self._owners_max = 2 * len(self._owners) + _OWNERS_SLACK

    def _separate(self, large: Large) -> None:
        if self.by_id.get(id(large.value)) is not large:
            return
        if large.in_parts:
            self.forget(large)
            self.by_id[id(large.value)] = Large(large.value)
        else:
            self.bar(large)

    def bar(self, large: Large) -> None:
        """Write it in line from now on."""
        if id(large.value) in self.by_id:
            self.forget(large)
        if len(self._barred) >= _BARRED_MAX:
            self._barred.clear()
        self._barred[id(large.value)] = large.value


class _PartEncoder(Encoder):
    """Encodes one part, which may not lead out of itself."""

    __slots__ = ("_part", "_values")

    def __init__(self, values: LargeValues, part: Part, *, careful: bool) -> None:
        super().__init__(values.registry, {**values.known, **values.by_id}, careful=careful)
        self._values = values
        self._part = part
        self.find = self._find_elsewhere

    def known_node(self, x: Any, found: Any) -> Node:
        if id(x) in self._values.placed:
            raise Shared(self._part.owner)
        if type(found) is not Large:
            return super().known_node(x, found)
        if found is not self._part.owner or found.in_parts:
            raise Shared(self._part.owner)
        return None

    def _find_elsewhere(self, x: Any) -> Node:
        if self._values.shared_with(self._part, x):
            raise Shared(self._part.owner)
        return None


class MentioningEncoder(Encoder):
    """Encodes frames: a large value is mentioned by digest, and what lies inside one by its place there.

    `whole` are the large values (by id) met themselves, `touched` those of which something was met.
    """

    __slots__ = ("_values", "touched", "whole")

    def __init__(self, values: LargeValues, *, careful: bool) -> None:
        super().__init__(values.registry, {**values.known, **values.by_id}, careful=careful)
        if any(type(large.value) is str for large in values.by_id.values()):
            self.atoms = CAREFUL_ATOMS
        self._values = values
        self.touched: set[int] = set()
        self.whole: set[int] = set()
        self.find = self._find_inside

    def value(self, x: Any) -> Node:
        if (type(x) is str or type(x) is bytes) and type(self.known.get(id(x))) is Large:
            return self._mention(self.known[id(x)], [0])
        return super().value(x)

    def known_node(self, x: Any, found: Any) -> Node:
        return self._mention(found, [0]) if type(found) is Large else super().known_node(x, found)

    def _find_inside(self, x: Any) -> Node:
        found = self._values.where(x)
        return None if found is None else self._mention(*found)

    def _mention(self, large: Large, path: list[int]) -> Node:
        key = id(large)
        whole = path == [0]
        self.touched.add(id(large.value))
        if whole:
            self.whole.add(id(large.value))
        if key in self.memo:
            # A mention of the whole is itself; elsewhere the path leads from the value's own text.
            same = whole and type(self.memo[key]["$large"]) is str
            return self.reference(key, [] if same else path)
        self.memo[key] = {"$large": large.digest if whole else [large.digest, *path]}
        return self.memo[key]
