"""Errors keep class, arguments, attributes, cause, context, notes and where they came from."""

from __future__ import annotations

import json
import subprocess
import traceback
from typing import Any

import pytest

from tests.unit.values.support import ALIASED_ERROR, Fiber, Holder, ShopError, StockError, codec
from weft_core.errors import ActivityError, CheckpointError

CODEC = codec()


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
    assert found.__weft_traceback__ in printed.replace(
        "Traceback (most recent call last):\n", found.__weft_traceback__[:35]
    )  # type: ignore[attr-defined]
    # It survives more hops, and grows at the outer end when it is raised again.
    try:
        raise again(found)
    except ShopError as more:
        printed = "".join(traceback.format_exception(more))
        assert printed.rindex("test_the_traceback") < printed.rindex("in raised")


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


def test_groups() -> None:
    inner = [ValueError(1), ShopError(2, hint="h")]
    group = ExceptionGroup("several", inner)
    group.add_note("n")
    inner[0].__context__ = group
    found = again(group)
    assert isinstance(found, ExceptionGroup)
    assert found.message == "several"
    assert [type(e) for e in found.exceptions] == [ValueError, ShopError]
    assert found.exceptions[0].__context__ is found
    nested = BaseExceptionGroup("outer", [group, KeyboardInterrupt()])
    again_nested = Fiber().through(e=nested)["e"]
    assert type(again_nested) is BaseExceptionGroup
    assert again_nested.exceptions[0].exceptions[1].code == 2


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
