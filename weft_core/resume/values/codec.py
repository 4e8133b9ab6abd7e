"""Values on their own: arguments, results, signals, state, errors. Text in, copy out."""

from __future__ import annotations

from typing import Any

from weft_core.errors import CheckpointError, DecodeError
from weft_core.resume.values.decode import Decoder, Node, guarded, parse
from weft_core.resume.values.encode import Encoder, checked, encode_tree, write
from weft_core.resume.values.limits import VALUE_BYTES_MAX
from weft_core.resume.values.plain import ATOM_TEXTS, NotPlain, plain_text
from weft_core.resume.values.refusal import Refusal
from weft_core.resume.values.registry import Externals, Registry

_NOTHING: dict[int, Any] = {}


class ValueCodec:
    """Turns one value into text and back, by what `registry` knows.

    `encode` raises `CheckpointError`, `decode` raises `DecodeError`, neither raises anything else for any input.
    References to a run's live objects cannot be encoded here, only in frames.
    """

    __slots__ = ("registry",)

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def _new(self, careful: bool) -> Encoder:
        return Encoder(self.registry, _NOTHING, careful=careful)

    def encode(self, value: object, *, what: str = "value") -> str:
        """The text of a value. `what` names it in the error."""

        try:
            return checked(plain_text(value))
        except (NotPlain, Refusal):
            pass
        try:
            return encode_tree(self._new, lambda encoder: self._tree(encoder, value), write, self.decode)
        except Refusal as refusal:
            error = refusal.error(what)
        try:
            raise error
        finally:
            error.__context__ = None  # what the caller handles may hold the very value, as a StopIteration does
            del error  # its traceback holds this frame: a circle, which would keep the value for the collector

    def encode_atoms(self, args: tuple[object, ...]) -> str | None:
        """The text of `[[*args], {}]` when every argument is one of `ATOMS` and all are not too long, else None."""
        try:
            if len(args) == 1 and type(args[0]) is int:
                return f"[[{args[0]}],{{}}]"
            text = f"[[{','.join([ATOM_TEXTS[type(x)](x) for x in args])}],{{}}]"
        except (KeyError, NotPlain, ValueError):
            return None
        return text if len(text) <= VALUE_BYTES_MAX else None

    def encode_call(self, args: tuple[object, ...], kwargs: dict[str, object], *, what: str) -> str:
        """The text of `[[*args], kwargs]`; an error names the argument of `what` that cannot be stored."""
        try:
            return self.encode([list(args), kwargs], what=what)
        except CheckpointError:
            for number, argument in enumerate(args, 1):
                self.encode(argument, what=f"{what}(argument {number})")
            for name, argument in kwargs.items():
                self.encode(argument, what=f"{what}({name})")
            raise  # each of them could be, all together are too much

    def _tree(self, encoder: Encoder, value: object) -> Node:
        node = encoder.value(value)
        if encoder.refs:
            encoder.settle((node,))
        return node

    def decode(self, text: str, externals: Externals | None = None) -> Any:
        """A new value equal to the one the text was made of."""
        tree = parse(text)
        if '"$' not in text:
            return tree
        return guarded(lambda: self._build(tree, text, externals))

    def _build(self, tree: Node, text: str, externals: Externals | None) -> Any:
        decoder = Decoder(self.registry, externals)
        if '"$ref"' in text:
            decoder.use_references((tree,))
        value = decoder.build(tree)
        decoder.finish()
        return value

    def encode_error(self, error: BaseException) -> str:
        """The text of any exception. What of it cannot be stored is there as its repr; the class is told by name."""
        from weft_core.resume.values.types.errors import error_body, error_name, short_body

        def make(encoder: Encoder) -> Node:
            node: dict[str, Node] = {}
            encoder.memo[id(error)] = node
            node["$error"] = error_body(encoder, error, error_name(self.registry, type(error)), strict=False)
            encoder.settle((node,))
            return node["$error"]

        kind = type(error)
        try:
            try:
                return encode_tree(self._new, make, write, self.decode_error)
            except Refusal:  # nothing but its size can be in the way
                return write(short_body(self.registry, error))
        except Exception as broken:  # what belongs to the error raised in turn: a property, a note, a repr
            why = f"(the error could not be stored: looking at it raised {type(broken).__name__})"
        return write({"type": f"{kind.__module__}.{kind.__qualname__}", "message": why, "args": []})

    def decode_error(self, text: str) -> BaseException:
        """The exception of a text made by `encode_error`; an `ActivityError` when its class is not known here."""
        body = parse(text)

        def build() -> BaseException:
            from weft_core.resume.values import types

            types.load()
            tree = {"$error": body}
            decoder = Decoder(self.registry)
            if '"$ref"' in text:
                decoder.use_references((tree,))
            error = decoder.build(tree)
            decoder.finish()
            if not isinstance(error, BaseException):
                raise DecodeError("the stored error is not an error")
            return error

        error = guarded(build)
        assert isinstance(error, BaseException)
        return error
