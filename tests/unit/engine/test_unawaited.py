"""An operation that is called and not awaited is refused where it is written, in new code only."""

from __future__ import annotations

import inspect
import linecache
from typing import Any

import pytest

from weft_core import App, Context, UnsupportedConstruct
from weft_core.model.unawaited import OPERATIONS


def define(body: str, parameters: str = "ctx") -> Any:
    source = f"async def f({parameters}):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    filename = f"<test {source!r}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, filename, "exec"), scope)
    return scope["f"]


@pytest.mark.parametrize("method", OPERATIONS)
def test_a_forgotten_await_is_refused(method: str) -> None:
    function = define(f"if ctx.id:\n    ctx.{method}(\n        1)\nawait ctx.sleep(1)")
    with pytest.raises(UnsupportedConstruct, match=rf"`ctx.{method}\(…\)` without `await`.*write `await ") as caught:
        App("a").workflow(function)
    assert caught.value.line == 3
    with pytest.raises(UnsupportedConstruct, match="without `await`"):
        App("a").resumable(function)


def test_the_context_may_have_any_name() -> None:
    with pytest.raises(UnsupportedConstruct, match=r"`c.run\(…\)` without `await`"):
        App("a").workflow(define("c.run('x')", "c, ctx"))
    App("a").workflow(define("ctx.run('x')", "c, ctx"))  # whatever that is


@pytest.mark.parametrize(
    "body",
    [
        "await ctx.run('x')",
        "return await ctx.all(\n    ctx.run('x'),\n    ctx.sleep(1),\n)",
        "later = \\\n  ctx.run('x')\nawait later",
        "(\n  await\n  ctx.run('x'))",
        "ctx.start(ctx.sleep(1))\nctx.log.info('x')\nctx.runner('x')",
        "'''\nctx.run('x')\n'''",
        "[\n  ctx.run('x')\n]",
    ],
)
def test_what_is_used_in_any_way_is_left_alone(body: str) -> None:
    App("a").workflow(define(body))


def test_a_variable_of_that_name_is_something_else() -> None:
    App("a").resumable(define("import contextvars\nctx = contextvars.copy_context()\nctx.run(print)", "c"))


def test_every_operation_of_the_context_is_known() -> None:
    giving = {
        name
        for name, method in inspect.getmembers(Context, inspect.isfunction)
        if str(inspect.signature(method).return_annotation).startswith("Operation")
    }
    assert giving == set(OPERATIONS)
