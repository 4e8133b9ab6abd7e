"""The frames of one fiber as text: a JSON array, outermost frame first, readable as it stands.

    [{"unit": …, "digest": …, "point": n, "name": …, "line": n, "locals": {name: value}, "cells": {name: cell}}]

Identity is kept across all frames of the fiber: references count through the locals, then the cells, frame by frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CellType
from typing import TYPE_CHECKING, Any

from weft_core.errors import DecodeError
from weft_core.resume.values.codec import ValueCodec
from weft_core.resume.values.decode import Decoder, Node, as_dict, as_int, as_list, as_str, guarded, parse
from weft_core.resume.values.encode import Encoder, encode_tree, write
from weft_core.resume.values.refusal import Refusal
from weft_core.resume.values.registry import Externals

if TYPE_CHECKING:
    from weft_core.resume import FrameImage

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFrames:
    """A fiber's frames as text. `used_values` are the digests of the large values the text refers to.

    `new_values` holds the text of every one of them: the caller writes those that it does not have.
    """

    text: str
    new_values: dict[str, str]
    used_values: frozenset[str]


class FiberEncoder:
    """Turns the frames of one live fiber into text and back; remembers what it wrote of large values.

    `encode` raises `CheckpointError` naming variable, type, file, line and remedy. `decode` raises `DecodeError`.
    """

    __slots__ = ("_codec", "_externals", "_prefixes")

    def __init__(self, codec: ValueCodec, externals: Externals | None = None) -> None:
        self._codec = codec
        self._externals = externals
        self._prefixes: dict[tuple[str, str, int], str] = {}

    def encode(self, frames: Sequence[FrameImage]) -> EncodedFrames:
        """The text of the frames, outermost first."""
        registry = self._codec.registry
        known_globals = registry.globals()

        def make(encoder: Encoder) -> list[Node]:
            encoder.globals = known_globals
            encoder.units = [frame.unit for frame in frames]
            nodes: list[Node] = []
            for frame in frames:
                nodes.append(self._variables(encoder, frame, frame.locals))
                nodes.append(self._variables(encoder, frame, frame.cells))
            encoder.settle(node for variables in nodes for node in variables.values())
            return nodes

        def render(nodes: list[Node]) -> str:
            parts = []
            for index, frame in enumerate(frames):
                prefix = self._prefix(frame.unit, frame.point)
                parts.append(f'{prefix}{write(nodes[2 * index])},"cells":{write(nodes[2 * index + 1])}}}')
            return f"[{','.join(parts)}]"

        try:
            text = encode_tree(make, registry, self._externals, render=render)
        except Refusal as refusal:
            raise refusal.error("the frames of this call") from None
        return EncodedFrames(text=text, new_values={}, used_values=_NONE)

    def _variables(self, encoder: Encoder, frame: FrameImage, variables: dict[str, Any]) -> dict[str, Node]:
        atoms, value = encoder.atoms, encoder.value
        nodes: dict[str, Node] = {}
        name = ""
        try:
            for name, x in variables.items():
                nodes[name] = x if type(x) in atoms else value(x)
        except Refusal as refusal:
            unit = frame.unit
            line = unit.points[frame.point - 1].line if frame.point else unit.first_line
            raise refusal.error(_shown(name), filename=unit.filename, line=line) from None
        return nodes

    def _prefix(self, unit: Any, point: int) -> str:
        key = (unit.name, unit.digest, point)
        prefix = self._prefixes.get(key)
        if prefix is None:
            head = {"unit": unit.name, "digest": unit.digest, "point": point}
            head["name"] = unit.points[point - 1].name if point else ""
            head["line"] = unit.points[point - 1].line if point else unit.first_line
            prefix = self._prefixes[key] = write(head)[:-1] + ',"locals":'
        return prefix

    def decode(self, text: str, load: Callable[[str], str]) -> list[FrameImage]:
        """The frames of a text; `load` gives the text of a large value by its digest."""
        tree = parse(text)
        found = guarded(lambda: self._decode(tree, text, load))
        assert isinstance(found, list)
        return found

    def _decode(self, tree: Node, text: str, load: Callable[[str], str]) -> list[FrameImage]:
        decoder = Decoder(self._codec.registry, self._externals)
        bodies = [as_dict(body) for body in as_list(tree)]
        if '"$ref"' in text:
            decoder.use_references(
                node for body in bodies for part in ("locals", "cells") for node in as_dict(body[part]).values()
            )
        frames = [self._frame(decoder, body) for body in bodies]
        decoder.finish()
        return frames

    def _frame(self, decoder: Decoder, body: dict[str, Any]) -> FrameImage:
        from weft_core.resume import FrameImage

        name, digest, point = as_str(body["unit"]), as_str(body["digest"]), as_int(body["point"])
        unit = self._codec.registry.unit(name, digest)
        if unit is None:
            raise DecodeError(f"a frame waits in {name!r} (version {digest[:12]}), which is not in this app")
        if not 0 <= point <= len(unit.points):
            raise DecodeError(f"a frame waits at point {point} of {name!r}, which has {len(unit.points)}")
        variables = decoder.fields(body["locals"])
        cells = decoder.fields(body["cells"])
        if not all(isinstance(cell, CellType) for cell in cells.values()):
            raise DecodeError("stored data is damaged: a variable of a frame is missing")
        return FrameImage(unit=unit, point=point, locals=variables, cells=cells)


def _shown(name: str) -> str:
    if not name.startswith("@"):
        return name
    return "the iterator of a for loop" if name.startswith("@i") else "a value computed before the await"
