"""Reading large values: each mention of a digest is one instance, whose inside others may refer to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft_core.errors import DecodeError
from weft_core.resume.values.decode import FILLERS, MAKERS, Decoder, Node, as_int, as_list, as_str, parse
from weft_core.resume.values.large import Large, Part, digest_of


class LargeReader:
    """The large values of one text. `load` gives a text by digest; `read` are the instances the text itself mentions."""

    def __init__(self, load: Callable[[str], str]) -> None:
        self._load = load
        self._instances: dict[int, Instance] = {}

    def instance(self, decoder: Decoder, node: Node) -> Instance:
        """What the node `{"$large": …}` mentions. The same node is the same instance."""
        found = self._instances.get(id(node))
        if found is None:
            if type(node) is not dict or "$large" not in node:
                raise DecodeError("stored data refers into something that is not a large value")
            digest, *path = as_list(node["$large"]) if type(node["$large"]) is list else [node["$large"]]
            text = self._load(as_str(digest))
            if digest_of(text) != digest:
                raise DecodeError(f"the large value {digest} is damaged: its text is not the one that was stored")
            found = self._instances[id(node)] = Instance(decoder, node, text, path)
        return found

    @property
    def read(self) -> list[Large]:
        """The instances as the encoder keeps them."""
        return [instance.as_large() for instance in self._instances.values() if instance.outermost]


class Instance:
    """One large value as it is read. Its numbers are its own."""

    def __init__(self, decoder: Decoder, node: Node, text: str, path: list[Any]) -> None:
        self.node = node  # kept alive: it is known by its id
        self.outermost = decoder.inside is None
        self._text = text
        self._path = path
        self._tree = parse(text)
        self._decoder = Decoder(decoder.registry, decoder.externals)
        self._decoder.inside = self
        if decoder.inside is None:
            # An index may mention its parts; a part mentions nothing.
            self._decoder.large = decoder.large
        # Plain data is its own value, and its nodes are numbered only when somebody refers into it.
        self._plain = '"$' not in text
        if not self._plain:
            self._decoder.use_references((self._tree,))

    def value(self) -> Any:
        """What the mention itself stands for."""
        return self.at(self._path or [0])

    def at(self, path: list[Any]) -> Any:
        """What a path from this value's text leads to."""
        if self._plain:
            if path == [0]:
                return self._tree
            if self._decoder.numbered is None:
                self._decoder.use_references((self._tree,))
            if len(path) == 1:
                return self._decoder.target(as_int(path[0]))
        whole = self._decoder.build(self._tree)
        self._decoder.finish()
        if path == [0]:
            return whole
        node = self._decoder.target(as_int(path[0]))
        if len(path) == 1:
            return self._decoder.build(node)
        if self._decoder.large is None or len(path) != 2:
            raise DecodeError("stored data refers to a place that a large value does not have")
        return self._decoder.large.instance(self._decoder, node).at(path[1:])

    def as_large(self) -> Large:
        """The same for the encoder: value, texts, parts."""
        value = self.at([0])
        in_parts = type(self._tree) is dict and "$chunks" in self._tree
        large = Large(value, in_parts=in_parts)
        parts = large.parts
        if in_parts:
            assert self._decoder.large is not None
            start, parts = 0, []
            for node in self._tree["$chunks"]:
                instance = self._decoder.large.instance(self._decoder, node)
                stop = start + len(instance.at([0]))
                parts.append(Part(large, start, stop))
                parts[-1].text = instance._text
                start = stop
            large.parts = parts
        else:
            parts[0].text = self._text
        for part in parts:
            part.digest = digest_of(part.text)
        large.seal()
        return large


def _fill_chunks(decoder: Decoder, thing: list[Any], payload: Any) -> None:
    items = [item for chunk in decoder.values(payload) for item in as_list(chunk)]
    thing[:] = items


MAKERS["$chunks"] = lambda _decoder, _payload: []
FILLERS["$chunks"] = _fill_chunks
