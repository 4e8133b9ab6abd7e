"""Activities that are called in ways that cannot work: by a workflow itself, with arguments they do not take; logs too."""

from __future__ import annotations

from typing import Any

import pytest

from weft_core import App, Context, NotDurable, Retry, UnknownActivity
from weft_core.testing import TestEngine

app = App("calling")
made: list[Any] = []
PATIENT = Retry(max_attempts=50, initial="1h")


@app.activity(retry=PATIENT)
async def charge(cents: int) -> str:
    made.append(cents)
    return "paid"


@app.activity(retry=PATIENT)
def charge_in_thread(cents: int, *, note: str = "") -> str:
    made.append(cents)
    return "paid"


@app.activity(retry=PATIENT)
async def errs_inside(cents: int) -> str:
    made.append(cents)
    if len(made) < 3:
        len(cents)  # type: ignore[arg-type]
    return await charge(cents)  # an activity may use another one's function


@app.workflow
async def awaits_it(ctx: Context, cents: int) -> str:
    return await charge(cents)


@app.workflow
async def calls_it(ctx: Context, cents: int) -> str:
    return charge_in_thread(cents)


@app.workflow
async def runs_it(ctx: Context, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return await ctx.run(name, *args, **kwargs)


@app.resumable
async def helper(ctx: Context) -> None: ...


@app.workflow
async def runs_a_helper(ctx: Context) -> Any:
    return await ctx.run(helper)  # type: ignore[arg-type]


@app.workflow
async def logs(ctx: Context) -> str:
    ctx.log("%d of %s", "x", 1)
    ctx.log.warning("100%", 1)
    ctx.log.info("%s", "fine")
    return await ctx.run(charge, 1)


@pytest.mark.parametrize("workflow", [awaits_it, calls_it])
async def test_an_activity_that_a_workflow_calls_by_itself_is_refused_before_it_does_anything(workflow: Any) -> None:
    made.clear()
    async with TestEngine(app) as engine:
        run = await engine.start(workflow, 5)
        with pytest.raises(NotDurable, match=r"calls the activity 'charge\w*' by itself: write `await ctx.run\(charge"):
            await run.result()
    assert made == []


async def test_tests_and_other_activities_call_the_plain_function() -> None:
    made.clear()
    assert await charge(1) == "paid"
    assert charge_in_thread(2) == "paid"
    assert made == [1, 2]


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("charge", [], {}),
        ("charge", [1, 2], {}),
        ("charge", [1], {"cents": 1}),
        ("charge_in_thread", [], {}),
        ("charge_in_thread", [1], {"remark": "no"}),
    ],
)
async def test_arguments_that_an_activity_does_not_take_are_an_error_at_once(
    name: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    made.clear()
    async with TestEngine(app) as engine:
        run = await engine.start(runs_it, name, args, kwargs)
        await engine.advance("1m")
        assert await run.status() == "failed", "it is not tried again"
        with pytest.raises(TypeError, match=rf"{name}\(\) (missing|takes|got)"):
            await run.result()
        assert [entry["kind"] for entry in await run.history()] == ["started", "activity_failed", "failed"]
    assert made == []


async def test_a_type_error_of_the_activity_itself_is_tried_again() -> None:
    made.clear()
    async with TestEngine(app) as engine:
        run = await engine.start(runs_it, "errs_inside", [7], {})
        await engine.advance("3d")
        assert await run.result() == "paid"
    assert made == [7, 7, 7, 7]


async def test_a_log_line_that_does_not_fit_its_arguments_ends_no_run() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(logs)
        assert await run.result() == "paid"
        said = [entry["message"] for entry in await run.history() if entry["kind"] == "log"]
    assert said == ["%d of %s ('x', 1)", "100% (1,)", "fine"]


async def test_a_helper_that_is_run_like_an_activity_is_to_be_awaited() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start(runs_a_helper)
        with pytest.raises(UnknownActivity, match=r"await it by itself, `await helper\(ctx, …\)`"):
            await run.result()
