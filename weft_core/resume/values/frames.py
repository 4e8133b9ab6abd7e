"""The frames of one fiber as text: a JSON array, outermost frame first, readable as it stands.

    [{"unit": …, "digest": …, "point": n, "name": …, "line": n, "locals": {name: value}, "cells": {name: cell}}]

Identity is kept across all frames of the fiber: references count through the locals, then the cells, frame by frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import CellType
from typing import TYPE_CHECKING, Any

from weft_core.errors import CheckpointError, DecodeError
from weft_core.resume.habits import instead_of
from weft_core.resume.values.chain import ChainWriter, frame_head
from weft_core.resume.values.codec import ValueCodec
from weft_core.resume.values.decode import Circle, Decoder, Node, as_dict, as_int, as_list, as_str, guarded, parse
from weft_core.resume.values.encode import Encoder, checked, circle, encode_tree, write
from weft_core.resume.values.limits import LARGE_VALUE_BYTES
from weft_core.resume.values.refusal import Refusal, type_name
from weft_core.resume.values.registry import NO_EXTERNALS, Externals

if TYPE_CHECKING:
    from weft_core.resume import FrameImage, Unit
    from weft_core.resume.values.large_reader import LargeReader
    from weft_core.resume.values.large_values import LargeValues

_NONE: frozenset[str] = frozenset()
_NOTHING_KNOWN: dict[int, Any] = {}
_ROUNDS_MAX = 50


class EncodedFrames:
    """A fiber's frames as text. `used_values` are the digests of the large values the text refers to.

    `new_values` holds the text of every one of them: the caller writes those that it does not have.
    """

    __slots__ = ("new_values", "text", "used_values")

    def __init__(self, text: str, new_values: dict[str, str], used_values: frozenset[str]) -> None:
        self.text = text
        self.new_values = new_values
        self.used_values = used_values


class FiberEncoder:
    """Turns the frames of one live fiber into text and back; remembers what it wrote of large values.

    `encode` raises `CheckpointError` naming variable, type, file, line and remedy. `decode` raises `DecodeError`.
    """

    __slots__ = ("_chains", "_externals", "_known", "_known_for", "_large", "_live_for", "_registry")

    def __init__(self, codec: ValueCodec, externals: Externals | None = None) -> None:
        self._registry = codec.registry
        self._externals = externals or NO_EXTERNALS
        chains = externals.chains if externals is not None else None
        if chains is None:
            chains = ChainWriter(codec.registry, self._externals)
            if externals is not None:
                externals.chains = chains
        self._chains = chains
        self._known = _NOTHING_KNOWN
        self._known_for: object = None
        self._live_for: object = None
        self._large: LargeValues | None = None

    # --- encoding --------------------------------------------------------------------------------------------------

    def quick(self, coroutine: Any) -> str | None:
        """The text that `encode(capture(coroutine))` would give, without large values; None: take the longer way."""
        return self._chains.text(coroutine) if self._large is None and not self._externals.placed else None

    def encode(self, frames: Sequence[FrameImage]) -> EncodedFrames:
        """The text of the frames, outermost first."""
        known_globals = self._registry.globals()
        live = self._externals.by_id
        if known_globals is not self._known_for or live is not self._live_for:
            self._known = {**known_globals, **live}
            self._known_for, self._live_for = known_globals, live
        try:
            if self._large is None:
                text = self._small(frames)
                if len(text) < LARGE_VALUE_BYTES:
                    return EncodedFrames(text, {}, _NONE)
            return self._encode_large(frames)
        except Refusal as refusal:
            raise refusal.error("the frames of this call") from refusal.cause

    def _small(self, frames: Sequence[FrameImage]) -> str:
        """The text with everything in line; the path of nearly every step, so written out."""
        try:
            encoder = Encoder(self._registry, self._known)
            text = self._render(frames, self._nodes(encoder, frames))
            if "\\ud" not in text and not encoder.circular:
                return text if len(text) < LARGE_VALUE_BYTES else checked(text)
        except (ValueError, RecursionError):
            pass
        return self._text(frames, self._new)

    def _new(self, careful: bool) -> Encoder:
        return Encoder(self._registry, self._known, careful=careful)

    def _text(self, frames: Sequence[FrameImage], new: Callable[[bool], Encoder]) -> str:
        def read(text: str) -> None:
            try:
                guarded(lambda: self._read(parse(text), text, dict[str, str]().__getitem__))
            except Circle:
                raise self._circle(frames) from None

        return encode_tree(
            new, lambda encoder: self._nodes(encoder, frames), lambda nodes: self._render(frames, nodes), read
        )

    def _circle(self, frames: Sequence[FrameImage]) -> Exception:
        """The refusal of a circle, with the variable that leads to it."""
        for frame in frames:
            for name, x in (*frame.locals.items(), *frame.cells.items()):
                encoder = self._new(True)
                encoder.units = [frame.unit for frame in frames]
                encoder.value(x)
                if encoder.circular:
                    return self._refused(circle(), frame, name, x)
        return circle()

    def _render(self, frames: Sequence[FrameImage], nodes: list[dict[str, Node]]) -> str:
        parts = []
        for index, frame in enumerate(frames):
            prefix = frame_head(frame.unit, frame.point)
            cells = nodes[2 * index + 1]
            parts.append(f'{prefix}{write(nodes[2 * index])},"cells":{write(cells) if cells else "{}"}}}')
        return f"[{','.join(parts)}]"

    def _nodes(self, encoder: Encoder, frames: Sequence[FrameImage]) -> list[Node]:
        encoder.units = [frame.unit for frame in frames]
        nodes: list[Node] = []
        for frame in frames:
            nodes.append(self._variables(encoder, frame, frame.locals))
            nodes.append(self._variables(encoder, frame, frame.cells) if frame.cells else {})
        if encoder.refs:
            encoder.settle(_roots(nodes))
        return nodes

    def _variables(self, encoder: Encoder, frame: FrameImage, variables: dict[str, Any]) -> dict[str, Node]:
        atoms, value = encoder.atoms, encoder.value
        nodes: dict[str, Node] = {}
        name = ""
        try:
            for name, x in variables.items():
                nodes[name] = x if type(x) in atoms else value(x)
        except Refusal as refusal:
            raise self._refused(refusal, frame, name, variables[name]) from refusal.cause
        return nodes

    @staticmethod
    def _refused(refusal: Refusal, frame: FrameImage, name: str, x: object) -> CheckpointError:
        unit = frame.unit
        line = unit.points[frame.point - 1].line if frame.point else unit.first_line
        return _told(refusal, name, x).error(_shown(name, x), filename=unit.filename, line=line)

    # --- large values ----------------------------------------------------------------------------------------------

    def _encode_large(self, frames: Sequence[FrameImage]) -> EncodedFrames:
        from weft_core.resume.values.large_values import LargeValues, MentioningEncoder  # most programs never do

        large = self._large
        if large is None:
            large = self._large = LargeValues(self._registry)
        large.know(self._known, self._externals.placed)
        values = [x for frame in frames for part in (frame.locals, frame.cells) for x in part.values()]
        if not large:
            large.find_more(values)
        used: list[MentioningEncoder] = []

        def new(careful: bool) -> Encoder:
            used.append(MentioningEncoder(large, careful=careful))
            return used[-1]

        try:
            for _ in range(_ROUNDS_MAX):
                large.refresh()
                text = self._text(frames, new)
                unused = [value for key, value in large.by_id.items() if key not in used[-1].whole]
                inside = [value for value in unused if id(value.value) in used[-1].touched]
                for value in unused:
                    large.forget(value)
                for value in inside:
                    large.bar(value)
                if inside:
                    continue  # only something inside it is alive: that goes into the frames
                if len(text) >= LARGE_VALUE_BYTES and large.find_more(values):
                    continue
                texts = {digest: text for value in large.by_id.values() for digest, text in value.texts()}
                if not texts:
                    self._large = None
                return EncodedFrames(text, texts, frozenset(texts))
            # Values that cannot be kept apart: everything in line, which is always right.
            large.bar_all()
            return EncodedFrames(self._text(frames, self._new), {}, _NONE)
        finally:
            large.settle()

    # --- decoding --------------------------------------------------------------------------------------------------

    def decode(self, text: str, load: Callable[[str], str]) -> list[FrameImage]:
        """The frames of a text; `load` gives the text of a large value by its digest."""
        tree = parse(text)
        found = guarded(lambda: self._decode(tree, text, load))
        assert isinstance(found, list)
        return found

    def _decode(self, tree: Node, text: str, load: Callable[[str], str]) -> list[FrameImage]:
        frames, reader = self._read(tree, text, load)
        self._large = None
        if reader is not None:
            from weft_core.resume.values.large_values import LargeValues

            self._large = LargeValues(self._registry)
            self._large.known = {**self._registry.globals(), **self._externals.by_id}
            self._large.prime(reader.read)
        return frames

    def _read(self, tree: Node, text: str, load: Callable[[str], str]) -> tuple[list[FrameImage], LargeReader | None]:
        decoder = Decoder(self._registry, self._externals)
        bodies = [as_dict(body) for body in as_list(tree)]
        if '"$large"' in text:
            from weft_core.resume.values.large_reader import LargeReader

            decoder.large = LargeReader(load)
        if '"$ref"' in text or decoder.large is not None:
            decoder.use_references(
                node for body in bodies for part in ("locals", "cells") for node in as_dict(body[part]).values()
            )
        units = [self._unit(body) for body in bodies]
        decoder.units = units
        frames = [self._frame(decoder, body, unit) for body, unit in zip(bodies, units, strict=True)]
        decoder.finish()
        return frames, decoder.large

    def _unit(self, body: dict[str, Any]) -> Unit:
        name, digest = as_str(body["unit"]), as_str(body["digest"])
        unit = self._registry.unit(name, digest)
        if unit is None:
            raise DecodeError(f"a frame waits in {name!r} (version {digest[:12]}), which is not in this app")
        return unit

    def _frame(self, decoder: Decoder, body: dict[str, Any], unit: Unit) -> FrameImage:
        from weft_core.resume import FrameImage

        point = as_int(body["point"])
        if not 0 <= point <= len(unit.points):
            raise DecodeError(f"a frame waits at point {point} of {unit.name!r}, which has {len(unit.points)}")
        variables = decoder.fields(body["locals"])
        cells = decoder.fields(body["cells"])
        if not all(isinstance(cell, CellType) for cell in cells.values()):
            raise DecodeError("stored data is damaged: a variable of a frame is missing")
        return FrameImage(unit=unit, point=point, locals=variables, cells=cells)


def _roots(nodes: list[dict[str, Node]]) -> Iterator[Node]:
    return (node for variables in nodes for node in variables.values())


def _shown(name: str, x: object) -> str:
    """A local as people know it; those of the compiler's own by what they hold."""
    if not name.startswith("@"):
        return name
    if name.startswith("@i"):
        return "the iterator of a for loop"
    if isinstance(x, BaseException):
        return f"the exception being handled ({type_name(type(x))})"
    return "the context manager of a `with`" if _is_manager(name, x) else "a value computed before the await"


def _told(refusal: Refusal, name: str, x: object) -> Refusal:
    if _is_manager(name, x) and not refusal.path and instead_of(type(x).__module__, "") is None:
        refusal.remedy = (
            "leave the `with` before the await, say with `try` what it does, or write a manager of the app's own whose "
            "attributes are plain data"
        )
    elif name.startswith("@") and isinstance(x, BaseException):
        refusal.remedy += "; or leave the `except` block first, with what is needed of it, and await after that"
    return refusal


def _is_manager(name: str, x: object) -> bool:
    return name.startswith("@m") and (hasattr(type(x), "__exit__") or hasattr(type(x), "__aexit__"))
