"""Large values: written once, watched by a fingerprint, shared and aliased as they were."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.values.support import Colour, Fiber, Order, Point
from tests.unit.values.test_identity import assert_same_shape
from weft_core.errors import DecodeError
from weft_core.resume.values import LARGE_VALUE_BYTES, FiberEncoder
from weft_core.resume.values.limits import PART_BYTES


def rows(count: int = 4_000) -> list[dict[str, Any]]:
    return [{"id": i, "name": f"row {i}", "tags": ["a", "b"], "price": i * 1.5} for i in range(count)]


def test_a_large_list_is_written_once() -> None:
    fiber = Fiber()
    items = rows()
    first = fiber.keep(fiber.frame({"rows": items, "i": 0}))
    assert len(first.text) < 300
    assert len(first.used_values) > 3
    for i in range(1, 5):
        later = fiber.keep(fiber.frame({"rows": items, "i": i}))
        assert later.used_values == first.used_values
    found = fiber.restart(later)[0].locals
    assert found == {"rows": items, "i": 4}
    resumed = fiber.keep(fiber.frame(found))
    assert resumed.used_values == first.used_values
    assert resumed.text == later.text


def written(fiber: Fiber, before: frozenset[str], **variables: Any) -> tuple[int, frozenset[str]]:
    encoded = fiber.keep(fiber.frame(variables))
    fresh = encoded.used_values - before
    return sum(len(fiber.stored[d]) for d in fresh) + len(encoded.text), encoded.used_values


def test_a_change_writes_what_changed() -> None:
    fiber = Fiber()
    items = rows(20_000)
    size, used = written(fiber, frozenset(), rows=items)
    assert size > 1_000_000
    items[7_000]["price"] = -1
    changed, used = written(fiber, used, rows=items)
    assert changed < 4 * PART_BYTES
    grown = 0
    for i in range(200):
        items.append({"id": i, "note": "appended"})
        step, used = written(fiber, used, rows=items)
        assert step < 4 * PART_BYTES
        grown += step
    del items[15_000:]
    shrunk, used = written(fiber, used, rows=items)
    assert shrunk < 4 * PART_BYTES
    items.clear()
    written(fiber, used, rows=items)
    items.extend(rows(100))
    assert fiber.through(rows=items)["rows"] == items


def test_a_row_of_it_and_an_iterator_over_it_stay_part_of_it() -> None:
    fiber = Fiber()
    items = rows()
    it = iter(items)
    for _ in range(1_500):
        row = next(it)
    variables: dict[str, Any] = {"row": row, "rows": items, "it": it, "tags": row["tags"]}
    for _ in range(3):
        encoded = fiber.keep(fiber.frame(variables))
        assert len(encoded.text) < 600
        variables = fiber.restart(encoded)[0].locals
        assert variables["row"] is variables["rows"][1_499]
        assert variables["tags"] is variables["row"]["tags"]
        fiber.keep(fiber.frame(variables))
    assert next(variables["it"]) is variables["rows"][1_500]


def test_a_row_that_was_replaced_by_an_equal_one() -> None:
    fiber = Fiber()
    items = rows()
    fiber.keep(fiber.frame({"rows": items}))
    items[3] = dict(items[3], tags=list(items[3]["tags"]))
    found = fiber.through(rows=items, row=items[3])
    assert found["row"] is found["rows"][3]


def test_only_a_row_is_still_alive() -> None:
    fiber = Fiber()
    items = rows()
    row = items[3]
    fiber.keep(fiber.frame({"rows": items, "row": row}))
    encoded = fiber.keep(fiber.frame({"row": row}))
    assert encoded.used_values == frozenset()
    assert fiber.restart(encoded)[0].locals == {"row": row}


def test_large_inside_a_small_dict() -> None:
    fiber = Fiber()
    state: dict[str, Any] = {"rows": rows(), "i": 0}
    used = fiber.keep(fiber.frame({"state": state, "alias": state["rows"]})).used_values
    state["i"] = 1
    encoded = fiber.keep(fiber.frame({"state": state, "alias": state["rows"]}))
    assert encoded.used_values == used
    assert len(encoded.text) < 600
    found = fiber.restart(encoded)[0].locals
    assert found["alias"] is found["state"]["rows"]
    assert found["state"] == state


def test_text_and_bytes() -> None:
    fiber = Fiber()
    text, raw = "ä" * 50_000, bytes(range(256)) * 200
    encoded = fiber.keep(fiber.frame({"text": text, "again": [text], "raw": raw}))
    assert len(encoded.text) < 600
    assert len(encoded.used_values) == 2
    assert fiber.keep(fiber.frame({"text": text, "again": [text], "raw": raw})).used_values == encoded.used_values
    assert fiber.restart(encoded)[0].locals == {"text": text, "again": [text], "raw": raw}


def test_equal_but_distinct_large_values_stay_distinct() -> None:
    found = Fiber().through(a=rows(), b=rows())
    assert found["a"] == found["b"]
    assert found["a"] is not found["b"]
    assert found["a"][0] is not found["b"][0]


def test_two_large_values_that_share_a_row() -> None:
    fiber = Fiber()
    one, two = rows(), rows()
    assert len(fiber.keep(fiber.frame({"one": one, "two": two})).text) < 600
    two[5] = one[9]
    found = fiber.through(one=one, two=two)
    assert found["two"][5] is found["one"][9]
    assert found["one"] == one
    moved = rows()
    todo, done = moved, rows()
    fiber = Fiber()
    fiber.keep(fiber.frame({"todo": todo, "done": done}))
    for _ in range(30):
        done.append(todo.pop())
        encoded = fiber.keep(fiber.frame({"todo": todo, "done": done}))
        assert len(encoded.text) < 600
    assert fiber.restart(encoded)[0].locals == {"todo": todo, "done": done}


def test_rows_of_one_list_that_share() -> None:
    shared = ["shared"]
    items = [{"id": i, "pad": "x" * 20, "shared": shared} for i in range(3_000)]
    fiber = Fiber()
    found = fiber.through(items=items, shared=shared)
    assert all(row["shared"] is found["shared"] for row in found["items"])
    found = fiber.through(items=found["items"])
    assert all(row["shared"] is found["items"][0]["shared"] for row in found["items"])


def test_children_that_know_their_parent() -> None:
    parent: dict[str, Any] = {"name": "p", "children": []}
    parent["children"] += [{"i": i, "parent": parent, "pad": "x" * 30} for i in range(1_000)]
    fiber = Fiber()
    found = fiber.through(parent=parent, first=parent["children"][0])
    assert found["first"] is found["parent"]["children"][0]
    assert all(child["parent"] is found["parent"] for child in found["parent"]["children"])
    fiber.through(**found)


def test_a_large_part_of_a_large_value_stays_part_of_it_when_others_come() -> None:
    fiber = Fiber()
    items = [*("x" * 50 for _ in range(600)), ["y" * 50] * 600]
    fiber.keep(fiber.frame({"items": items}))
    for _ in range(2):
        found = fiber.through(items=items, part=items[-1], other=rows())
        assert found["part"] is found["items"][-1]
        items = found["items"]


def test_what_refers_to_its_holder_is_written_once_with_it() -> None:
    parent: dict[str, Any] = {"name": "p", "children": []}
    parent["children"] += [{"i": i, "parent": parent, "pad": "x" * 30} for i in range(1_000)]
    fiber = Fiber()
    first = fiber.keep(fiber.frame({"parent": parent, "i": 0}))
    assert len(first.text) < 600
    assert fiber.keep(fiber.frame({"parent": parent, "i": 1})).used_values == first.used_values


def test_parts_of_the_state_are_named_in_the_frames_alone() -> None:
    state: dict[str, Any] = {"part": [1], "mode": Colour.RED}
    fiber = Fiber({"state": state})
    items = [{"i": i, "mode": Colour.RED, "pad": "x" * 30} for i in range(2_000)]
    variables: dict[str, Any] = {"items": items}
    for held in (False, True, False):
        fiber.externals.place("state", state)
        if held:
            state["held"] = variables["items"][5]
            fiber.externals.place("state", state)
        encoded = fiber.keep(fiber.frame(variables))
        assert bool(encoded.used_values) is not held
        assert not any('"$live"' in text for text in fiber.stored.values())
        variables = fiber.restart(encoded)[0].locals
        assert variables["items"][5] == items[5]
        if held:
            assert variables["items"][5] is state.pop("held")


@pytest.mark.parametrize(
    "make",
    [
        lambda: {f"key {i}": [i] for i in range(3_000)},
        lambda: {i: [i] for i in range(3_000)},
        lambda: tuple([i] for i in range(6_000)),
        lambda: {f"item {i}" for i in range(3_000)},
        lambda: deque([i] for i in range(6_000)),
        lambda: bytearray(30_000),
        lambda: Order(1, [[i] for i in range(6_000)]),
        lambda: [Point(i, [i]) for i in range(2_000)],
        lambda: [float("nan") if i % 2 else -0.0 for i in range(6_000)],
        lambda: [["\ud83d\ude00", "😀", i] for i in range(2_000)],
    ],
    ids=["dict", "dict of ints", "tuple", "set", "deque", "bytearray", "instance", "instances", "floats", "surrogates"],
)
def test_every_kind_of_large_value(make: Any) -> None:
    fiber = Fiber()
    value = make()
    encoded = fiber.keep(fiber.frame({"value": value}))
    assert encoded.used_values
    assert len(encoded.text) < LARGE_VALUE_BYTES
    assert fiber.keep(fiber.frame({"value": value})).used_values == encoded.used_values
    found = fiber.restart(encoded)[0].locals["value"]
    assert type(found) is type(value)
    assert repr(found) == repr(value) or found == value


def test_an_attribute_that_changes_is_noticed() -> None:
    items = [Order(i, [i]) for i in range(2_000)]
    fiber = Fiber()
    fiber.keep(fiber.frame({"items": items}))
    items[1_000].client = {"name": "new"}
    assert fiber.through(items=items)["items"] == items


def test_what_a_fingerprint_cannot_tell_is_written_anew_when_it_changed() -> None:
    errors = [ValueError([i], "x" * 20) for i in range(1_000)]
    fiber = Fiber()
    one = fiber.keep(fiber.frame({"errors": errors})).used_values
    assert fiber.keep(fiber.frame({"errors": errors})).used_values == one
    errors[5].args = ("changed",)
    found = fiber.through(errors=errors, e=errors[5])
    assert found["errors"][5].args == ("changed",)
    assert found["e"] is found["errors"][5]


def test_a_list_that_shrinks_to_the_end_of_a_part() -> None:
    fiber = Fiber()
    items = rows(1_500)
    fiber.keep(fiber.frame({"rows": items}))
    while len(items) > 100:
        items.pop()
        if len(items) % 60 == 0:
            assert fiber.restart(fiber.keep(fiber.frame({"rows": items})))[0].locals["rows"] == items


def test_a_failed_commit_does_not_lose_texts() -> None:
    fiber = Fiber()
    items = rows()
    fiber.keep(fiber.frame({"rows": items}))
    items.append({"new": 1})
    fiber.encoder.encode([fiber.frame({"rows": items})])  # this one never reached the store
    encoded = fiber.keep(fiber.frame({"rows": items}))
    assert fiber.restart(encoded)[0].locals["rows"] == items


def test_damaged_or_missing_large_values_are_decode_errors() -> None:
    fiber = Fiber()
    encoded = fiber.keep(fiber.frame({"rows": rows(), "text": "y" * 20_000}))
    for digest, text in fiber.stored.items():
        broken = {**fiber.stored, digest: text[:-9] + text[-1:]}
        with pytest.raises(DecodeError):
            FiberEncoder(fiber.codec).decode(encoded.text, broken.__getitem__)
        missing = {k: v for k, v in fiber.stored.items() if k != digest}
        with pytest.raises(DecodeError):
            FiberEncoder(fiber.codec).decode(encoded.text, missing.__getitem__)


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_any_history_of_changes(seed: int) -> None:
    """A random program over large lists and what lies inside them, restarted now and then, against a twin that is not."""
    chance = random.Random(seed)

    def twin_step(variables: dict[str, Any], n: int, pick: int, at: int) -> None:
        a, b = variables["a"], variables["b"]
        here = a if pick % 2 else b
        match n:
            case 0:
                here.append({"n": at, "l": [at]})
            case 1 if here:
                here.pop(at % len(here))
            case 2 if here:
                here[at % len(here)]["x"] = {"v": at}
            case 3 if a:
                variables["row"] = a[at % len(a)]
            case 4 if a:
                b.append(a[at % len(a)])
            case 5 if here:
                here.insert(at % len(here), {"i": at})
            case 6 if here:
                variables["it"] = iter(here)
                next(variables["it"])
            case 7:
                here.extend({"bulk": i, "pad": "x" * 60} for i in range(150))
            case 8 if len(here) > 10:
                del here[at % 5 : at % 5 + 300]
            case 9 if here:
                here[at % len(here)] = dict(here[at % len(here)])
            case 10:
                variables["row"] = None
            case 11:
                variables["holder"] = [a, variables["row"]]
            case _:
                pass

    fiber = Fiber()
    live: dict[str, Any] = {"a": rows(250), "b": rows(30), "row": None, "it": None, "holder": None}
    for _ in range(20):
        choice = chance.randrange(12), chance.randrange(4), chance.randrange(10_000)
        twin_step(live, *choice)
        encoded = fiber.keep(fiber.frame(live))
        found = FiberEncoder(fiber.codec, fiber.externals).decode(encoded.text, fiber.stored.__getitem__)[0].locals
        assert found["a"] == live["a"]
        assert_same_shape(
            [live[k] for k in ("a", "b", "row", "holder")], [found[k] for k in ("a", "b", "row", "holder")]
        )
        if chance.random() < 0.3:
            live = fiber.restart(encoded)[0].locals
