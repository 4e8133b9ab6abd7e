"""Errors keep class, arguments, attributes, cause, context, notes and where they came from."""

from __future__ import annotations

import json
import subprocess
import traceback
from dataclasses import dataclass
from typing import Any

import attrs
import pydantic
import pytest

from tests.unit.values.support import ALIASED_ERROR, Fiber, Holder, Model, ShopError, StockError, codec
from weft_core.errors import ActivityError, CheckpointError

CODEC = codec()


class SlotError(Exception):
    __slots__ = ("__code", "unset")

    def __init__(self, code: Any) -> None:
        super().__init__("slot")
        self.__code = code

    def __getattr__(self, name: str) -> Any:
        return f"computed {name}"

    @property
    def code(self) -> Any:
        return self.__code


@dataclass(slots=True)
class SlottedError(Exception):
    code: Any


@dataclass(frozen=True)
class FrozenError(Exception):
    code: Any


@attrs.define(auto_exc=True)
class AttrsError(Exception):
    code: Any
    more: list[Any] = attrs.Factory(list)


class KeyOrSystemError(KeyError, OSError):
    pass


class Said(str):
    pass


class SaysItsOwnError(Exception):
    def __str__(self) -> str:
        return Said("said")


def again(error: BaseException) -> BaseException:
    return CODEC.decode_error(CODEC.encode_error(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 1),
        KeyError("k"),
        Exception(),
        OSError(2, "No such file", "a.txt"),
        FileNotFoundError(2, "No such file", "a.txt", None, "b.txt"),
        OSError("only text"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        StopIteration(5),
        SystemExit(3),
        KeyboardInterrupt(),
        SyntaxError("bad", ("f.py", 1, 2, "x =", 1, 3)),
        ImportError("no", name="mod", path="/x"),
        NameError("n", name="thing"),
        ShopError(3, hint="look"),
        StockError(5, "I/O"),
        TimeoutError("late"),
        ALIASED_ERROR("bad", "doc", 1),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_error_comes_back_exactly(error: BaseException) -> None:
    for found in (again(error), Fiber().through(e=error)["e"]):
        assert type(found) is type(error)
        assert found.args == error.args
        assert vars(found) == vars(error)
        assert str(found) == str(error)
        for name in ("errno", "strerror", "filename", "filename2", "name", "path", "value", "code", "object", "lineno"):
            assert getattr(found, name, None) == getattr(error, name, None)


def raised() -> BaseException:
    try:
        try:
            {}["missing"]
        except KeyError as error:
            error.add_note("inner note")
            raise ShopError(4, hint="h") from error
    except ShopError as error:
        error.add_note("noted")
        return error


def test_cause_context_notes_and_suppression() -> None:
    error = raised()
    found = again(error)
    assert isinstance(found, ShopError)
    assert found.__notes__ == ["noted"]
    assert isinstance(found.__cause__, KeyError)
    assert found.__cause__.__notes__ == ["inner note"]
    assert found.__context__ is found.__cause__
    assert found.__suppress_context__ is True
    try:
        try:
            raise KeyError(1)
        except KeyError:
            raise ValueError(2)
    except ValueError as other:
        found = again(other)
    assert found.__cause__ is None
    assert isinstance(found.__context__, KeyError)
    assert found.__suppress_context__ is False


def test_the_traceback_prints_as_where_it_was_raised() -> None:
    error = raised()
    found = again(error)
    line = error.__traceback__.tb_lineno  # type: ignore[union-attr]
    printed = "".join(traceback.format_exception(found))
    assert f'File "{__file__}", line {line}, in raised' in printed
    assert "raise ShopError(4" in printed
    assert "direct cause" in printed
    # It survives more hops, and grows at the outer end when it is raised again.
    try:
        raise again(found)
    except ShopError as more:
        printed = "".join(traceback.format_exception(more))
        assert printed.rindex("test_the_traceback") < printed.rindex("in raised")


def test_where_it_was_raised_is_kept_beside_the_attributes_with_the_source_as_it_was() -> None:
    error = ValueError("x")
    text = CODEC.encode_error(error)[:-1] + ',"traceback":[["gone.py",7,"work","x = 1 / 0"]]}'
    found = CODEC.decode_error(text)
    assert vars(found) == {}
    assert json.loads(CODEC.encode_error(found))["traceback"] == [["gone.py", 7, "work", "x = 1 / 0"]]
    found = CODEC.decode_error(CODEC.encode_error(raised()))
    assert vars(found) == {"code": 4, "hint": "h", "__notes__": ["noted"]}


def test_the_interpreter_itself_prints_it(tmp_path: Any) -> None:
    import sys

    script = tmp_path / "show.py"
    script.write_text(
        "from tests.unit.values.test_errors import raised, again\nraise again(raised())\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env={"PYTHONPATH": "."}, check=False
    )
    assert done.returncode == 1
    assert "in raised" in done.stderr
    assert "noted" in done.stderr


def test_an_unknown_class_arrives_as_activity_error() -> None:
    text = CODEC.encode_error(ValueError("x")).replace('"ValueError"', '"shop.mystery:Oops"')
    found = CODEC.decode_error(text)
    assert isinstance(found, ActivityError)
    assert found.type_name == "shop.mystery:Oops"
    assert "x" in str(found)

    class Local(Exception):
        pass

    try:
        raise Local("here") from ValueError("why")
    except Local as error:
        found = again(error)
    assert isinstance(found, ActivityError)
    assert found.type_name.endswith("Local")
    assert "test_an_unknown_class" in found.traceback_text
    assert isinstance(found.__cause__, ValueError)


def test_an_error_from_javascript() -> None:
    found = CODEC.decode_error('{"type": "TypeError", "message": "x is undefined"}')
    assert type(found) is TypeError
    assert found.args == ("x is undefined",)
    found = CODEC.decode_error('{"type": "DOMException", "message": "quota"}')
    assert isinstance(found, ActivityError)
    assert str(found) == "DOMException: quota"


def test_any_error_can_be_encoded() -> None:
    class Awful(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    holder = Holder()
    error = ValueError(holder, [1, holder], Awful())
    error.lock = holder  # type: ignore[attr-defined]
    found = again(error)
    assert "Holder" in found.args[0]
    assert isinstance(found.args[2], (str, BaseException))
    assert isinstance(again(Awful()), ActivityError)
    loop = ValueError("loop")
    loop.__cause__ = loop
    assert (found := again(loop)).__cause__ is found
    shared = ["s"]
    found = again(ValueError(shared, [holder, shared], shared))
    assert found.args[0] is found.args[2]
    chain: BaseException = ValueError(0)
    for i in range(200):
        chain, inner = ValueError(i), chain
        chain.__context__ = inner
    assert isinstance(again(chain), ValueError)


def test_an_error_in_a_frame_is_exact_or_refused() -> None:
    error = ValueError([1])
    found = Fiber().through(e=error, args=error.args, item=error.args[0])
    assert found["e"].args[0] is found["item"]
    fiber = Fiber()
    with pytest.raises(CheckpointError) as caught:
        fiber.keep(fiber.frame({"e": ValueError(Holder())}))
    assert caught.value.type_name == "_thread.lock"


def test_the_text_is_plain_for_other_readers() -> None:
    told = json.loads(CODEC.encode_error(raised()))
    assert told["message"] == "shop error 4"
    assert told["type"].endswith(":ShopError")
    assert told["notes"] == ["noted"]
    assert told["cause"]["$error"]["type"] == "KeyError"
    assert told["traceback"][0][2] == "raised"


@pytest.mark.parametrize("kind", [SlotError, SlottedError, FrozenError, AttrsError])
def test_attributes_in_slots_and_of_frozen_classes_come_back(kind: Any) -> None:
    shared = [1]
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise kind(shared) from inner
    except kind as caught:
        error = caught
    found = Fiber().through(e=error, shared=shared)
    assert type(found["e"]) is kind
    assert found["e"].code is found["shared"]
    assert found["e"].args == error.args
    assert isinstance(found["e"].__cause__, KeyError)
    assert found["e"].__suppress_context__
    assert "raise kind(shared)" in "".join(traceback.format_exception(found["e"]))
    copy: Any = again(error)
    assert (type(copy), copy.code) == (kind, shared)


def test_an_unset_slot_stays_unset() -> None:
    found = Fiber().through(e=SlotError(1))["e"]
    with pytest.raises(AttributeError):
        SlotError.unset.__get__(found)  # type: ignore[attr-defined]


def test_what_is_changed_on_a_built_in_error_stays_changed() -> None:
    def changed(error: BaseException, **attributes: Any) -> BaseException:
        for name, value in attributes.items():
            setattr(error, name, value)
        return error

    errors = [
        changed(SystemExit(3), code=9),
        changed(StopIteration(1), value=7),
        changed(UnicodeDecodeError("utf8", b"xyz", 0, 1, "r"), start=2),
        changed(UnicodeDecodeError("utf8", b"xyz", 0, 1, "r"), args=("other",)),
        changed(UnicodeDecodeError("utf8", b"xyz", 0, 1, "r"), args=("utf8", b"xyz", 2**70, 1, "r")),
        changed(SyntaxError("m", ("f", 1, 2, "t")), lineno=99),
        changed(BlockingIOError(1, "x"), characters_written=3),
        BlockingIOError(1, "x", 5),
        changed(OSError(2, "x"), errno=5, strerror=None),
        changed(StockError(2, "x"), strerror=None),
        changed(ImportError("m", name="n"), msg="other"),
        changed(ValueError("a"), args=("b", 1)),
        KeyOrSystemError("k"),
    ]
    for error, found in zip(errors, Fiber().through(errors=errors)["errors"], strict=True):
        for copy in (found, again(error)):
            assert (type(copy), copy.args) == (type(error), error.args)
            for name in (
                "code",
                "value",
                "start",
                "object",
                "lineno",
                "characters_written",
                "errno",
                "strerror",
                "msg",
            ):
                assert getattr(copy, name, None) == getattr(error, name, None)


def test_the_object_that_lacks_an_attribute_is_kept_where_it_can_be() -> None:
    order = {"a": 1}
    found = Fiber().through(
        kept=AttributeError("x", name="n", obj=order), lost=AttributeError("x", name="n", obj=Holder()), order=order
    )
    assert found["kept"].obj is found["order"]
    assert (found["lost"].name, found["lost"].obj) == ("n", None)


@pytest.mark.parametrize("notes", [["x", 5, None], ("x",), [], ["x"]])
def test_notes_of_any_kind(notes: Any) -> None:
    error = ValueError("a")
    error.__notes__ = notes
    assert Fiber().through(e=error)["e"].__notes__ == notes
    assert again(error).__notes__ == notes


def test_a_text_of_another_class_is_only_text() -> None:
    found = Fiber().through(e=SaysItsOwnError(1))["e"]
    assert (type(found), found.args) == (SaysItsOwnError, (1,))


def test_a_cause_that_became_text_is_never_taken_for_a_value() -> None:
    cause = ValueError("b")
    cause.lock = Holder()  # type: ignore[attr-defined]
    error = KeyError("a")
    error.__cause__ = error.__context__ = cause
    found = Fiber().through(e=error)["e"]
    assert "Holder" in found.__cause__.lock
    assert found.__context__ is found.__cause__
    for variables in ({"e": error, "cause": cause}, {"e": error, "items": [cause]}, {"cause": cause, "e": error}):
        fiber = Fiber()
        with pytest.raises(CheckpointError) as caught:
            fiber.keep(fiber.frame(variables))
        assert caught.value.type_name == "_thread.lock"
        assert (caught.value.variable or "").endswith(".lock.lock")


def test_a_cause_that_can_be_stored_is_the_same_as_a_variable() -> None:
    cause = ValueError([1])
    error = KeyError("a")
    error.__cause__ = cause
    for names in (("error", "cause"), ("cause", "error")):
        variables = {"error": error, "cause": cause}
        found = Fiber().through(**{name: variables[name] for name in names})
        assert found["error"].__cause__ is found["cause"]


class Guarded(Exception):
    """As proxies of another language's errors: what belongs to every exception raises."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__dict__", "__notes__"):
            raise RuntimeError(f"no {name} here")
        return super().__getattribute__(name)


def test_a_context_that_nobody_can_look_at_costs_the_error_nothing_else() -> None:
    try:
        try:
            raise Guarded("inside")
        except Guarded:
            raise OSError("the server answered 503") from None
    except OSError as raised:
        text = CODEC.encode_error(raised)
    error = CODEC.decode_error(text)
    assert type(error) is OSError and error.args == ("the server answered 503",)
    assert "inside" in str(error.__context__)


def test_a_traceback_is_kept_as_it_prints() -> None:
    """`async def __aexit__(self, *exc)` holds one."""
    try:
        json.loads("{")
    except ValueError as error:
        exc = (type(error), error, error.__traceback__)
    told = [(entry.filename, entry.lineno, entry.name, entry.line) for entry in traceback.extract_tb(exc[2])]
    for kind, _, found in (CODEC.decode(CODEC.encode(list(exc))), Fiber().through(exc=exc)["exc"]):
        assert kind is exc[0]
        assert [(entry.filename, entry.lineno, entry.name, entry.line) for entry in traceback.extract_tb(found)] == told


def test_an_error_that_only_its_extension_can_make_arrives_as_text() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Model(name=[])  # type: ignore[arg-type]
    found = CODEC.decode_error(CODEC.encode_error(caught.value))
    assert type(found) is ActivityError
    assert str(caught.value) in str(found)
    registered = codec()
    registered.registry.register(pydantic.ValidationError)
    with pytest.raises(CheckpointError, match="encode="):
        registered.encode(caught.value)
