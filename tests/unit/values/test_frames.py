"""Frames as text: the shape others read, live objects, globals, refusals that say what to do."""

from __future__ import annotations

import functools
import itertools
import json
import re
import threading
from contextlib import suppress
from typing import Any

import hypothesis.errors
import pydantic
import pytest

from tests.unit.values import support
from tests.unit.values.support import (
    MISSING,
    TABLE,
    Fiber,
    Holder,
    ListLike,
    Model,
    Order,
    Peer,
    Plain,
    a_unit,
    codec,
    helper,
)
from weft_core.errors import CheckpointError, DecodeError
from weft_core.resume.values import DEPTH_MAX, FiberEncoder


class Context:
    def run(self) -> str:
        return "ran"


def test_the_text_is_a_readable_document() -> None:
    context = Context()
    fiber = Fiber({"ctx": context})
    encoded = fiber.keep(fiber.frame({"ctx": context, "order": {"id": 7}, "@i1": iter([1, 2])}))
    assert json.loads(encoded.text) == [
        {
            "unit": "checkout",
            "digest": "0123456789abcdef",
            "point": 1,
            "name": "charge",
            "line": 12,
            "locals": {"ctx": {"$live": "ctx"}, "order": {"id": 7}, "@i1": {"$iter": ["list", [1, 2], 0]}},
            "cells": {},
        }
    ]
    assert encoded.used_values == frozenset()


def test_live_objects_come_back_as_themselves() -> None:
    context = Context()
    state: dict[str, Any] = {"a": 1}
    found = Fiber({"ctx": context, "state": state}).through(ctx=context, s=[state], run=context.run)
    assert found["ctx"] is context
    assert found["s"][0] is state
    assert found["run"]() == "ran"
    assert found["run"].__self__ is context


def test_live_objects_are_for_frames_only() -> None:
    with pytest.raises(DecodeError, match="only a workflow's frames"):
        codec().decode('{"$live":"ctx"}')


def test_what_a_module_names_is_stored_by_that_name() -> None:
    found = Fiber().through(m=MISSING, t=TABLE, e=support.ALIASED_ERROR, r=[MISSING])
    assert found["m"] is MISSING
    assert found["r"][0] is MISSING
    assert found["t"] is TABLE
    assert found["e"] is support.ALIASED_ERROR


def test_a_global_that_was_bound_anew_is_not_taken_for_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fiber, old = Fiber(), {"one": 1}
    monkeypatch.setattr(support, "LATER", old)
    assert fiber.through(t=old)["t"] is old
    monkeypatch.setattr(support, "LATER", {"two": 2})
    found = fiber.through(t=old)["t"]
    assert found == old
    assert found is not old


def test_on_its_own_a_value_is_copied_even_when_a_module_names_it() -> None:
    made = codec()
    found = made.decode(made.encode([TABLE, MISSING]))
    assert found[0] == TABLE
    assert found[0] is not TABLE
    assert found[1] is MISSING


class Temperature:
    """Of the app, and registered with hooks."""


def invalid() -> pydantic.ValidationError:
    """An exception that only the extension it comes from can make."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Model(name=[])  # type: ignore[arg-type]
    return caught.value


def refusal(**variables: Any) -> CheckpointError:
    fiber = Fiber()
    with pytest.raises(CheckpointError) as caught:
        fiber.keep(fiber.frame(variables))
    return caught.value


@pytest.mark.parametrize(
    ("variables", "variable", "type_name", "remedy"),
    [
        ({"order": {"client": object()}}, "order['client']", "object", "bind it to a name"),
        ({"rows": [1, (2, threading.Lock())]}, "rows[1][1]", "_thread.lock", "at the top of a module"),
        ({"h": [Holder()]}, "h[0].lock", "_thread.lock", "at the top of a module"),
        ({"g": (x for x in [1])}, "g", "generator", "list("),
        ({"f": open(__file__)}, "f", "_io.TextIOWrapper", "open it again"),  # noqa: SIM115
        ({"m": json}, "m", "module", "import it"),
        ({"k": {1: 2}.keys()}, "k", "dict_keys", "list("),
        ({"s": ListLike([1])}, "s", "tests.unit.values.support.ListLike", "keep a plain list"),
        ({"x": {(1, 2): {3j: object()}}}, "x[(1, 2)][3j]", "object", "bind it"),
        ({"o": Order(1, [object()])}, "o.lines[0]", "object", "bind it"),
        ({"fn": lambda: 1}, "fn", "function", "bind it to one"),
        ({"e": eval}, "e", "builtin_function_or_method", "bind it"),
        ({"v": memoryview(b"x")}, "v", "memoryview", "bytes("),
        ({"@i3": (x for x in "a")}, "the iterator of a for loop", "generator", "list("),
        (
            {"@m1": suppress(KeyError)},
            "the context manager of a `with`",
            "contextlib.suppress",
            "leave the `with` before",
        ),
        ({"@m1": Holder()}, "a value computed before the await.lock", "_thread.lock", "at the top of a module"),
        (
            {"@x2": hypothesis.errors.Frozen()},
            "the exception being handled (hypothesis.errors.Frozen)",
            "hypothesis.errors.Frozen",
            "r(Frozen)",
        ),
        ({"@e1": ValueError(object())}, "the exception being handled (ValueError)[0]", "object", "bind it"),
        ({"@t1": {1: object()}}, "a value computed before the await[1]", "object", "bind it"),
        (
            {"@e1": ValueError(Holder())},
            "the exception being handled (ValueError)[0].lock",
            "_thread.lock",
            "leave the `except`",
        ),
        ({"e": hypothesis.errors.Frozen()}, "e", "hypothesis.errors.Frozen", "app.register(Frozen)"),
        ({"v": invalid()}, "v", "pydantic_core._pydantic_core.ValidationError", "str(error)"),
        ({"m": re.finditer("a", "aa")}, "m", "callable_iterator", "into a list"),
        ({"c": itertools.cycle([1])}, "c", "itertools.cycle", "items[number % len(items)]"),
    ],
    ids=lambda p: str(p)[:20] if isinstance(p, str) else None,
)
def test_a_refusal_names_variable_type_line_and_remedy(
    variables: dict[str, Any], variable: str, type_name: str, remedy: str
) -> None:
    error = refusal(**variables)
    assert error.variable == variable
    assert error.type_name == type_name
    assert (error.filename, error.line) == ("shop.py", 12)
    assert str(error).startswith(f"{variable} cannot be stored (shop.py:12): ")
    assert remedy in str(error)


def test_a_message_names_the_type_of_what_cannot_survive() -> None:
    assert "its type is _thread.lock, and a lock does not survive" in str(refusal(x=threading.Lock()))


def test_a_circle_that_reading_could_not_close_is_refused() -> None:
    around: list[Any] = []
    around.append(enumerate(around))
    plain: list[Any] = [iter([1])]
    plain.append(plain)
    given: Any = functools.partial(helper)
    given.me = given
    for circle in (around, given):
        error = refusal(plain=plain, circle=circle)
        assert (error.variable, error.line) == ("circle", 12)
        assert "part of a circle" in str(error)
        with pytest.raises(CheckpointError, match="part of a circle"):
            codec().encode(circle)


def test_an_error_that_holds_such_a_circle_is_told_without_it() -> None:
    around: list[Any] = []
    around.append(enumerate(around))
    assert str(codec().decode_error(codec().encode_error(ValueError("no", around)))).startswith("('no', ")


def test_only_circles_through_something_whole_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step with a circle in its frames costs no reading: an iterator beside it, or inside, is not part of it."""
    read: list[str] = []
    monkeypatch.setattr(FiberEncoder, "_read", lambda *_: read.append("read"))
    tree: dict[str, Any] = {"kids": [], "walk": iter([[1], [2]])}
    tree["kids"].append({"parent": tree})
    fiber = Fiber()
    fiber.keep(fiber.frame({"tree": tree, "beside": iter([tree, frozenset([(1,)])])}))
    assert read == []
    tree["kids"].append(enumerate([tree]))
    fiber.keep(fiber.frame({"tree": tree}))
    assert read == ["read"]


def test_a_hook_that_fails_to_read_is_no_circle() -> None:
    """Reading a circle again to see that it closes runs hooks, too: what they say then is no reason to refuse."""
    fiber = Fiber()
    fiber.codec.registry.register(Temperature, name="temperature", encode=lambda _: 1, decode=lambda _: 1 / 0)
    one, two = Peer("one"), Peer("two")
    one.peers, two.peers = frozenset([two]), frozenset([one])
    fiber.keep(fiber.frame({"one": one, "t": Temperature()}))


def test_an_encoder_of_the_apps_that_fails_is_a_refusal() -> None:
    fiber = Fiber()
    fiber.codec.registry.register(Temperature, name="temperature", encode=lambda _: 1 / 0, decode=Temperature)
    for refused in (
        lambda: fiber.keep(fiber.frame({"x": [Temperature()]})),
        lambda: fiber.codec.encode([Temperature()], what="x"),
    ):
        with pytest.raises(CheckpointError, match="is registered with raised ZeroDivisionError") as caught:
            refused()
        assert caught.value.variable == "x[0]"
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_local_class_is_refused() -> None:
    class Local:
        pass

    class LocalError(Exception):
        pass

    for value in (Local(), Local, LocalError()):
        error = refusal(x=value)
        assert "Local" in str(error)
        assert "move the class to the top of its module" in str(error)
        assert "register" not in str(error)


def test_a_class_from_elsewhere_is_refused_with_the_way_to_register_it() -> None:
    from string import Formatter

    from weft_core.resume import Operation

    assert "app.register" in str(refusal(x=Formatter()))
    said = str(refusal(x=Operation()))  # awaited before or not
    assert "cannot be kept over an await" in said
    assert "write `await` in front of it where it is made, once" in said


def test_after_a_refusal_the_encoder_goes_on() -> None:
    fiber = Fiber()
    shared = [1]
    with pytest.raises(CheckpointError):
        fiber.keep(fiber.frame({"a": shared, "b": [shared, object()]}))
    found = fiber.through(a=shared, b=[shared])
    assert found["a"] is found["b"][0]


def deep(count: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(count - 1):
        value = [value]
    return value


def test_depth_is_limited_by_name() -> None:
    assert Fiber().through(x=deep(DEPTH_MAX))["x"] == deep(DEPTH_MAX)
    error = refusal(x=deep(DEPTH_MAX + 1))
    assert "DEPTH_MAX" in str(error)
    assert error.variable == f"x{'[0]' * 5}…({DEPTH_MAX - 10} more)…{'[0]' * 5}"
    value: Any = Plain(1)
    for _ in range(DEPTH_MAX // 2 - 1):
        value, inner = Plain(1), value
        value.other = [inner, value]
    found = Fiber().through(x=value)["x"]
    assert found.other[1] is found
    endless: list[Any] = []
    for _ in range(100_000):
        endless = [endless]
    assert "DEPTH_MAX" in str(refusal(x=endless)) or "nested too deep" in str(refusal(x=endless))


def test_long_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from weft_core.resume.values import encode

    monkeypatch.setattr(encode, "VALUE_BYTES_MAX", 100)
    assert codec().encode("x" * 98)
    with pytest.raises(CheckpointError, match="VALUE_BYTES_MAX"):
        codec().encode("x" * 99, what="order")


def test_a_frame_of_an_unknown_unit_or_point_is_a_decode_error() -> None:
    fiber = Fiber()
    text = fiber.keep(fiber.frame({"a": 1})).text
    for wrong in (text.replace("checkout", "other"), text.replace('"point":1', '"point":9')):
        with pytest.raises(DecodeError):
            FiberEncoder(fiber.codec, fiber.externals).decode(wrong, fiber.stored.__getitem__)


def test_a_call_that_has_not_begun_is_at_point_0() -> None:
    fiber = Fiber()
    encoded = fiber.keep(fiber.frame({"a": 1}, point=0))
    assert json.loads(encoded.text)[0]["line"] == a_unit().first_line
    assert fiber.restart(encoded)[0].point == 0
