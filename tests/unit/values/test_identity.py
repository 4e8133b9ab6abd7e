"""Shared references and cycles are kept: the restored object graph has the shape of the stored one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.values import support
from tests.unit.values.support import TABLE, Attrs, Colour, Fiber, Order, Peer, Point, Slotted, codec, helper
from weft_core.errors import CheckpointError

CODEC = codec()


@dataclass(unsafe_hash=True)
class Parent:
    """The class has a name too, so that hashing too early goes unnoticed."""

    kids: Any = field(default=None, hash=False, compare=False, repr=False)
    name: str = "none yet"
    tags: Any = field(default=None, hash=False, compare=False)


@dataclass(unsafe_hash=True)
class Nameless:
    kids: Any = field(hash=False, compare=False, repr=False)
    name: str


@dataclass(frozen=True)
class Child:
    parent: Any
    name: str


class Tagged:
    """Hashed by what is in a set of objects."""

    def __init__(self, tags: set[Any], home: Any) -> None:
        self.home = home
        self.tags = tags

    def __hash__(self) -> int:
        return hash(frozenset(self.tags))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and self.tags == other.tags


def again(value: Any) -> Any:
    return CODEC.decode(CODEC.encode(value))


def test_one_list_twice_is_one_list() -> None:
    inner = [1]
    text = CODEC.encode({"a": inner, "b": [inner]})
    assert text == '{"a":[1],"b":[{"$ref":1}]}'
    found = CODEC.decode(text)
    assert found["a"] is found["b"][0]


def test_equal_but_distinct_stay_distinct() -> None:
    found = again([[], [], {}, {}])
    assert found[0] is not found[1]
    assert found[2] is not found[3]


def test_cycles_through_every_kind_of_container() -> None:
    items: list[Any] = []
    items.append(items)
    assert (found := again(items))[0] is found
    mapping: dict[Any, Any] = {}
    mapping["me"] = mapping
    assert (found := again(mapping))["me"] is found
    queue: deque[Any] = deque()
    queue.append(queue)
    assert (found := again(queue))[0] is found
    order = Order(1)
    order.client = order
    assert (found := again(order)).client is found
    slotted = Slotted(1, [])
    slotted.b.append(slotted)
    assert (found := again(slotted)).b[0] is found
    attrs = Attrs(1)
    attrs.b = attrs
    assert (found := again(attrs)).b is found


def test_a_tuple_in_its_own_list() -> None:
    inner: list[Any] = []
    outer = (inner, (inner,))
    inner.append((outer,))
    found = again(outer)
    assert found[0][0][0] is found
    assert found[1][0] is found[0]


def test_a_key_that_holds_the_dict_it_is_a_key_of() -> None:
    key = Order(1)
    Order.__hash__ = lambda self: hash(self.number)  # type: ignore[method-assign, assignment]
    try:
        table = {key: 1}
        key.client = table
        found = again(table)
        (found_key,) = found
        assert found_key.client is found
        assert found[found_key] == 1
        point, found = again([Point(1, table), table])
        assert point.y is found
        assert next(iter(found)).client is found
    finally:
        Order.__hash__ = None  # type: ignore[method-assign, assignment]


def test_a_hash_that_needs_what_holds_the_key() -> None:
    for kind in (Parent, Nameless):
        for make in (
            set,
            frozenset,
            lambda kids: {kid: kid.name for kid in kids},
            lambda kids: [set(kids), deque(kids)],
        ):
            parent = kind(kids=None, name="p")
            parent.kids = make([Child(parent, "a"), Child(parent, "b")])
            for value in (parent, [parent.kids], {"x": [parent]}, (parent.kids, parent)):
                held = Fiber().through(x=value, kids=parent.kids, parent=parent)
                found = held["parent"]
                assert found.kids is held["kids"]
                kids = found.kids[0] if type(found.kids) is list else found.kids
                assert {Child(found, "a"), Child(found, "b")} == set(kids)
                assert Child(found, "b") in kids
                assert all(kid.parent is found for kid in kids)
                assert [*vars(found)] == [*vars(parent)]


def test_a_hash_that_needs_another_set_being_made() -> None:
    home: list[Any] = []
    tags = {Point(1, 2), Point(3, 4)}
    home += [{Tagged(tags, home): 1}, frozenset([Tagged(tags, home)]), {(1, Tagged({Point(1)}, home))}]
    for found in (again(home), Fiber().through(home=home)["home"]):
        assert found[0] == {Tagged(tags, None): 1}
        assert found[1] == {Tagged(tags, None)}
        assert found[2] == {(1, Tagged({Point(1)}, None))}
        assert next(iter(found[0])).home is found


def test_what_comes_up_only_when_what_waited_is_made() -> None:
    colours = [Colour.RED]
    value = {Fraction(1, 2): colours, Point(1, frozenset([Fraction(1, 3)])): colours, (Point(1), Point(2)): {Point(3)}}
    assert again(value) == value
    assert again([colours, value]) == [colours, value]


def test_an_iterator_over_a_dict_that_has_to_wait() -> None:
    parent = Parent(name="p")
    parent.kids = {Child(parent, "a"): 1, Child(parent, "b"): 2}
    iterator = iter(parent.kids.items())
    next(iterator)
    found = Fiber().through(iterator=iterator, parent=parent)
    assert [(key.name, value) for key, value in found["iterator"]] == [("b", 2)]
    assert len(found["parent"].kids) == 2


class Named:
    """Hashed by its name, and knows others through an immutable set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.peers: Any = None

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self.name == other.name


@pytest.mark.parametrize("make", [Peer, Named], ids=["by identity", "by name"])
def test_peers_in_frozensets(make: Callable[[str], Any]) -> None:
    one, two = make("one"), make("two")
    one.peers, two.peers = frozenset([two]), frozenset([one, two])
    for start in (one, one.peers, [two, one]):
        found = again({"start": start, "one": one, "two": two})
        assert found["one"].peers == {found["two"]}
        assert found["two"].peers == {found["one"], found["two"]}
        assert {id(peer) for peer in found["two"].peers} == {id(found["one"]), id(found["two"])}


class Counted:
    """Hashed by what is not there yet when a circle through it has to be closed."""

    peers: Any = ()

    def __hash__(self) -> int:
        return len(self.peers)


def test_a_hash_that_depends_on_the_circle_it_is_in_is_refused() -> None:
    one = Counted()
    two = Counted()
    one.peers, two.peers = frozenset([two]), frozenset([one])
    with pytest.raises(CheckpointError, match="part of a circle"):
        CODEC.encode(one)


def test_shared_between_frames_and_cells() -> None:
    fiber = Fiber()
    from types import CellType

    shared = [1]
    outer = fiber.frame({"a": shared}, {"c": CellType(shared)}, point=1)
    inner = fiber.frame({"b": [shared], "t": TABLE, "f": helper}, point=2)
    one, two = fiber.restart(fiber.keep(outer, inner))
    assert one.locals["a"] is two.locals["b"][0]
    assert one.cells["c"].cell_contents is one.locals["a"]
    assert two.locals["t"] is TABLE
    assert two.locals["f"] is helper
    assert two.point == 2


# Graphs: numbered nodes of several kinds, with edges to any node. A description is drawn, built, sent through text, and
# compared by walking both side by side.

KINDS = ("list", "dict", "deque", "order", "tuple", "cell-like dict")


def build(description: list[tuple[str, list[int]]]) -> list[Any]:
    nodes: list[Any] = []
    for kind, _ in description:
        nodes.append(
            {"list": list, "dict": dict, "deque": deque, "order": lambda: Order(0), "cell-like dict": dict}.get(
                kind, list
            )()
        )
    # Tuples are made last, of what there is: they may hold anything but a later tuple.
    for at, (kind, edges) in enumerate(description):
        if kind == "tuple":
            nodes[at] = tuple(nodes[e % len(nodes)] for e in edges if not (description[e % len(nodes)][0] == "tuple"))
    for at, (kind, edges) in enumerate(description):
        targets = [nodes[e % len(nodes)] for e in edges]
        if kind in ("list", "deque"):
            nodes[at].extend(targets)
        elif kind == "order":
            nodes[at].lines = targets
        elif kind == "dict":
            nodes[at].update({str(i): t for i, t in enumerate(targets)})
        elif kind == "cell-like dict":
            nodes[at].update(dict(enumerate(targets)))
    return nodes


def parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, Order):
        return [value.lines, value.client]
    return list(value) if isinstance(value, (list, tuple, deque)) else []


def assert_same_shape(one: Any, two: Any) -> None:
    seen: dict[int, Any] = {}
    back: dict[int, Any] = {}
    stack = [(one, two)]
    while stack:
        a, b = stack.pop()
        assert type(a) is type(b)
        if not isinstance(a, (list, tuple, dict, deque, Order)):
            assert a == b
            continue
        if a == () and isinstance(a, tuple):
            continue  # the interpreter has one empty tuple
        assert (id(a) in seen) == (id(b) in back)
        if id(a) in seen:
            assert seen[id(a)] is b
            continue
        seen[id(a)], back[id(b)] = b, a
        assert len(parts(a)) == len(parts(b))
        stack.extend(zip(parts(a), parts(b), strict=True))


graphs = st.lists(st.tuples(st.sampled_from(KINDS), st.lists(st.integers(0, 30), max_size=4)), min_size=1, max_size=14)


@given(graphs, st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_graph(description: list[tuple[str, list[int]]], in_frames: bool) -> None:
    nodes = build(description)
    found = Fiber().through(nodes=nodes, first=nodes[0])["nodes"] if in_frames else again(nodes)
    assert_same_shape(nodes, found)


def test_a_global_that_is_bound_to_something_else_is_stored_by_its_name_from_then_on(monkeypatch: Any) -> None:
    fiber, first, second = Fiber(), [1], [2]
    assert fiber.through(x=first)["x"] is not first
    monkeypatch.setattr(support, "LATER", first)
    assert fiber.through(x=first)["x"] is first
    monkeypatch.setattr(support, "LATER", second)
    found = fiber.through(x=second, old=first)
    assert found["x"] is second
    assert found["old"] == [1]
    assert found["old"] is not first
    monkeypatch.setattr(support, "LATER", None)
    assert fiber.through(x=second)["x"] is not second
