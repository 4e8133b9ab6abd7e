"""What cannot be made resumable is refused when the decorator runs: file, line, construct, remedy."""

from __future__ import annotations

import asyncio
import linecache
import textwrap
from typing import Any

import pytest

from tests.unit.resume.corpus import Op
from tests.unit.resume.driving import until
from weft_core.errors import NotDurable, UnsupportedConstruct
from weft_core.resume import capture, compile_unit

REFUSED = {
    "yield": ("async def f():\n    await Op()\n    yield 1", 3, "async generator"),
    "async generator expression": ("async def f(xs):\n    return (await Op(x) for x in xs)", 2, "generator expression"),
    "async for in a generator expression": ("async def f(xs):\n    return (x async for x in xs)", 2, "generator expr"),
    "nested async def": ("async def f():\n    async def g(): pass\n    await g()", 2, "async def g"),
    "async def in a class": ("async def f():\n    class C:\n        async def m(self): pass", 3, "async def m"),
    "exec": ("async def f():\n    exec('x = 1')", 2, "exec"),
    "eval": ("async def f(x):\n    return eval('x')", 2, "eval"),
    "locals": ("async def f(x):\n    return locals()", 2, "locals"),
    "vars": ("async def f(x):\n    return vars()", 2, "vars"),
    "dir": ("async def f(x):\n    return dir()", 2, "dir"),
    "closure over a renamed target": ("async def f(xs):\n    return [lambda: x for x in xs if await Op(x)]", 2, "'x'"),
}


def loaded(text: str, name: str = "f") -> Any:
    filename = f"<refused {hash(text)}>"
    text = textwrap.dedent(text)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    names: dict[str, Any] = {"Op": Op, "asyncio": asyncio}
    exec(compile(text, filename, "exec"), names)
    return names[name]


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_file_line_construct_and_remedy(what: str) -> None:
    text, line, construct = REFUSED[what]
    function = loaded(text)
    with pytest.raises(UnsupportedConstruct) as caught:
        compile_unit(function)
    error = caught.value
    assert (error.line, error.filename) == (line, function.__code__.co_filename)
    assert construct in error.construct
    assert error.remedy and error.remedy in str(error) and f":{line}:" in str(error)


def test_names_that_merely_look_refused_are_fine() -> None:
    compile_unit(loaded("async def f(locals, obj):\n    locals()\n    return vars(obj), dir(obj), await Op()"))


def test_a_plain_function_is_refused() -> None:
    with pytest.raises(UnsupportedConstruct, match="async def"):
        compile_unit(loaded("def f():\n    return 1"))


def test_something_that_is_not_a_function_is_refused() -> None:
    with pytest.raises(UnsupportedConstruct, match="not a function"):
        compile_unit(print)


def test_a_function_without_source_is_refused_with_what_to_do() -> None:
    names: dict[str, Any] = {}
    exec("async def f(): pass", names)
    with pytest.raises(UnsupportedConstruct, match="source cannot be found.*write the function in a file"):
        compile_unit(names["f"])


def test_a_file_that_changed_since_its_import_is_refused() -> None:
    function = loaded("async def f(a):\n    return a  # one")
    filename = function.__code__.co_filename
    changed = "async def f(b, a):\n    return a  # one"
    linecache.cache[filename] = (len(changed), None, changed.splitlines(True), filename)
    with pytest.raises(UnsupportedConstruct, match="changed since"):
        compile_unit(function)


def test_blocks_nested_too_deep_are_refused() -> None:
    lines = ["async def f():"]
    for depth in range(1, 12):
        lines += ["    " * depth + "try:"]
    lines += ["    " * 12 + "await Op()"]
    for depth in range(11, 0, -1):
        lines += ["    " * depth + "finally:", "    " * depth + "    await Op()"]
    with pytest.raises(UnsupportedConstruct, match="nested this deep"):
        compile_unit(loaded("\n".join(lines)))


def test_more_parts_than_the_compiler_can_walk_are_refused() -> None:
    lines = ["async def f(x):", "    await Op()", "    if x == 0:", "        return 0"]
    for n in range(1, 2_000):
        lines += [f"    elif x == {n}:", f"        return {n}"]
    with pytest.raises(UnsupportedConstruct, match="nested so deep.*function of its own"):
        compile_unit(loaded("\n".join(lines)))


# --- what can only be seen at the await ---


def refused(text: str) -> NotDurable:
    coroutine = until(compile_unit(loaded(text))(), 1)
    with pytest.raises(NotDurable) as caught:
        capture(coroutine)
    return caught.value


def test_asyncio_sleep_is_refused_with_its_remedy() -> None:
    error = refused("async def f():\n    pass\n    await asyncio.sleep(0)")
    assert error.line == 3 and "asyncio.sleep" in str(error) and "ctx.sleep" in str(error)


def test_a_plain_coroutine_is_refused_by_name() -> None:
    error = refused("async def g():\n    await Op()\nasync def f():\n    await g()")
    assert error.line == 4 and "'g'" in str(error) and "@app.resumable" in str(error)


def test_an_object_with_its_own_generator_is_refused() -> None:
    text = """\
        class Own:
            def __await__(self):
                yield from Op().__await__()
        async def f():
            await Own()
        """
    error = refused(text)
    assert error.line == 5 and "Own.__await__" in str(error)


def test_a_call_that_is_not_a_unit_cannot_be_captured() -> None:
    coroutine = loaded("async def f(): pass")()
    with pytest.raises(NotDurable, match="not the call of a compiled function"):
        capture(coroutine)
    coroutine.close()
