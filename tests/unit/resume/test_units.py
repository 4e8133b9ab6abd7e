"""Units: calling, capturing, restoring, dropping, and what the compiled function keeps of the user's."""

from __future__ import annotations

import ast
import copy
import gc
import inspect
import sys
import traceback
import warnings
from types import CellType, FunctionType, MethodType
from typing import Any

import pytest

from tests.unit.resume.corpus import CORPUS, Op, closures, handlers, loops
from tests.unit.resume.driving import drive, until
from weft_core.errors import DecodeError
from weft_core.resume import FrameImage, Operation, capture, compile_source, compile_unit, drop, restore, unit_of


class Bound:
    """A unit as a method."""

    def __init__(self, function: Any) -> None:
        self.unit = compile_unit(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.unit(*args, **kwargs)

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else MethodType(self, instance)


async def signature(a, /, b, *rest, c=3, d, **more):  # type: ignore[no-untyped-def]
    return a, b, rest, c, d, more, await Op(0)


def test_arguments_are_bound_as_python_binds_them() -> None:
    unit = compile_unit(signature)
    assert drive(unit(1, 2, 3, d=4, e=5)) == (1, 2, (3,), 3, 4, {"e": 5}, 0)
    for args, kwargs in [((), {}), ((1,), {"d": 1}), ((1, 2), {}), ((1, 2), {"d": 1, "b": 3})]:
        with pytest.raises(TypeError) as ours:
            unit(*args, **kwargs)
        with pytest.raises(TypeError) as pythons:
            signature(*args, **kwargs)
        assert str(ours.value) == str(pythons.value)


def test_a_call_is_a_real_coroutine_with_the_users_names() -> None:
    coroutine = compile_unit(closures)(1)
    assert inspect.iscoroutine(coroutine) and coroutine.__qualname__ == "closures" == coroutine.cr_code.co_name
    assert unit_of(coroutine) is unit_of(coroutine.cr_code)
    drop(coroutine)


DEFAULT = object()


async def with_default(x: Any = DEFAULT, *, y: Any = DEFAULT) -> Any:
    return x is DEFAULT and y is DEFAULT and await Op(True)


def test_defaults_are_the_very_objects_of_the_function() -> None:
    assert drive(compile_unit(with_default)())


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_suspended_frame_is_its_live_locals_and_its_point(number: int) -> None:
    coroutine = until(compile_unit(loops)([1, 1, 1]), number)
    (frame,) = capture(coroutine)
    assert set(frame.locals) <= set(frame.unit.points[frame.point - 1].live)
    drop(coroutine)


def test_capturing_changes_nothing() -> None:
    coroutine = until(compile_unit(loops)([2, 1]), 2)
    first, second = capture(coroutine), capture(coroutine)
    assert first[0].locals.keys() == second[0].locals.keys() and first[0].point == second[0].point
    drop(coroutine)


@pytest.mark.parametrize("function", [closures, signature], ids=["with cells", "without"])
def test_an_unstarted_call_is_its_arguments(function: Any) -> None:
    unit = compile_unit(function)
    args = (1, 2, 3)
    kwargs = {} if function is closures else {"d": 4}
    for _ in range(2):
        coroutine = unit(*args, **kwargs)
        for _ in range(3):
            frames = capture(coroutine)
            assert [frame.point for frame in frames] == [0]
            drop(coroutine)
            coroutine = restore(frames)
        expected = drive(unit(*args, **kwargs), lambda value: 1)
        found = drive(coroutine, lambda value: 1)
        assert repr(found)[:30] == repr(expected)[:30]


def test_dropping_an_unstarted_call_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drop(compile_unit(loops)([1]))


async def keeps_calls(first: Any) -> None:
    second, many = child(2), {"calls": [child(3), child(4)]}
    reader = lambda: third  # noqa: E731
    third = child(5)
    await Op(reader)
    for call in (first, second, *many["calls"], third):
        await call


child = compile_unit(loops)


@pytest.mark.parametrize("wait", [0, 1, 2])
@pytest.mark.parametrize("again", [False, True])
def test_dropping_says_nothing_of_calls_that_never_began(wait: int, again: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said = []
        sys.unraisablehook, kept = said.append, sys.unraisablehook
        try:
            coroutine = compile_unit(keeps_calls)(child([1, 2]))
            if wait:
                until(coroutine, wait)
            if again:
                copies = copy.copy(capture(coroutine))
                coroutine, gone = restore(copies), coroutine
                drop(gone)
                del copies, gone
            drop(coroutine)
            del coroutine
            gc.collect()
        finally:
            sys.unraisablehook = kept
        assert said == []


RAN: list[str] = []


async def noisy() -> None:
    try:
        try:
            await Op(1)
        except BaseException:
            RAN.append("except")
            raise
        finally:
            RAN.append("finally")
    finally:
        RAN.append("outer")
        await Op(2)
        RAN.append("after")


@pytest.mark.parametrize("wait", [1, 2])
def test_dropping_runs_nothing_of_the_users(wait: int) -> None:
    RAN.clear()
    coroutine = until(compile_unit(noisy)(), wait)
    ran = list(RAN)
    drop(coroutine)
    assert ran == RAN
    coroutine = until(compile_unit(noisy)(), wait)
    ran = list(RAN)
    del coroutine  # collected instead of dropped: the same
    assert ran == RAN


def test_nested_functions_keep_nonlocal_over_restored_cells() -> None:
    coroutine = until(compile_unit(closures)(3), 2)
    (frame,) = capture(coroutine)
    add = frame.locals["add"]
    code = frame.unit.local_codes["add"]
    assert add.__code__ is code
    cells = {name: CellType(cell.cell_contents) for name, cell in frame.cells.items()}
    remade = FunctionType(
        code, add.__globals__, "add", add.__defaults__, tuple(cells[name] for name in code.co_freevars)
    )
    made = restore([FrameImage(frame.unit, frame.point, {**frame.locals, "add": remade}, cells)])
    drop(coroutine)
    made.send(None)
    with pytest.raises(StopIteration) as done:
        made.send("")
    assert done.value.value[0] == 6 + 4
    assert done.value.value[2] == "10"


class Base:
    def __init__(self) -> None:
        self.__private = 5

    @Bound
    async def total(self, x: int) -> int:
        return self.__private + await Op(x)


class Derived(Base):
    @Bound
    async def total(self, x: int) -> int:
        __mine = await Op(1)
        return await super().total(x) + __mine + (lambda: __mine)()


@pytest.mark.parametrize("restart", [False, True])
def test_methods_know_super_and_private_names(restart: bool) -> None:
    assert drive(Derived().total(7), restart=restart) == 5 + 7 + 1 + 1


@pytest.mark.parametrize("restart", [False, True])
def test_an_exception_being_handled_is_the_same_after_a_restart(restart: bool) -> None:
    def answer(value: Any) -> Any:
        return ValueError("no") if value == 9 else value

    with pytest.raises(ValueError, match="no") as caught:
        drive(compile_unit(handlers)(9), lambda v: answer(v) if v == 9 else 0, restart=restart)
    lines = [entry.line for entry in traceback.extract_tb(caught.value.__traceback__) if entry.name == "handlers"]
    assert lines == ["total += await Op(n)"]


async def raising() -> None:
    await Op(1)
    try:
        raise KeyError("first")
    except KeyError:
        await Op(2)
        raise ValueError("second")


@pytest.mark.parametrize("restart", [False, True])
def test_the_context_of_an_error_survives_a_restart_in_its_handler(restart: bool) -> None:
    with pytest.raises(ValueError, match="second") as caught:
        drive(compile_unit(raising)(), restart=restart)
    assert repr(caught.value.__context__) == "KeyError('first')"


async def library() -> Any:
    return copy.copy(await Op([1])), ast.dump(await Op(ast.Constant(1)))


def test_a_librarys_function_called_around_an_await_is_not_stored() -> None:
    unit = compile_unit(library)
    (frame,) = capture(until(unit(), 1))
    assert frame.locals == {}
    assert drive(unit(), restart=True) == ([1], "Constant(value=1)")


async def caught_and_shared() -> Any:
    try:
        raise KeyError(1)
    except KeyError as error:
        show = lambda: repr(error)  # noqa: E731, F821
        await Op(1)
        return show(), repr(error)


def test_dropping_leaves_shared_variables_alone() -> None:
    assert drive(compile_unit(caught_and_shared)(), restart=True) == ("KeyError(1)", "KeyError(1)")


def test_frames_that_do_not_fit_are_damaged_data() -> None:
    with pytest.raises(DecodeError, match="do not fit"):
        restore([FrameImage(compile_unit(handlers), 2, {"total": 1}, {})])
    with pytest.raises(DecodeError, match="do not fit"):
        restore([FrameImage(compile_unit(loops), 1, {"@i1": 5}, {})])


def test_point_names_survive_edits_elsewhere() -> None:
    before = compile_unit(loops)
    text = before.source.replace("    out = []\n", "    out = []\n    extra = await Op('new')\n")
    after = compile_source(text, name="loops", filename=before.filename, first_line=before.first_line, like=before)
    names = [point.name for point in after.points]
    assert [point.name for point in before.points] == names[1:]
    assert len(set(names)) == len(names)
    assert before.digest != after.digest


def test_pinned_source_compiles_to_the_same_unit() -> None:
    for function in CORPUS:
        unit = compile_unit(function)
        again = compile_source(
            unit.source, name=unit.name, filename=unit.filename, first_line=unit.first_line, like=unit
        )
        assert (again.digest, again.points) == (unit.digest, unit.points)
        coroutine = again(*[1] * unit.function.__code__.co_argcount)
        assert capture(coroutine)[0].unit is again
        drop(coroutine)
        assert unit.compiled_source().startswith(f"async def {unit.name}(") or unit.local_codes


def test_text_inside_a_method_keeps_its_indentation() -> None:
    class Writer:
        @Bound
        async def text(self) -> str:
            await Op(1)
            return """one
            two"""

    assert drive(Writer().text()) == "one\n            two"


def test_an_operation_yields_itself_and_gives_what_is_sent() -> None:
    operation: Operation[int] = Op(1)
    waiting = operation.__await__()
    assert waiting.send(None) is operation
    with pytest.raises(StopIteration) as done:
        waiting.send(3)
    assert done.value.value == 3
