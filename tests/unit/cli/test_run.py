"""`weft run` and `weft resume`: results, input, failures, and being interrupted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shop
from weft_core import Client, WeftError, errors
from weft_core.cli.exits import Exit, explain

ROOT = Path(__file__).resolve().parents[3]
SECONDS_MAX = 30


def test_a_result_goes_to_standard_output_and_all_else_to_standard_error(shop: Shop) -> None:
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 5}', "--id", "o-1")
    assert said.exit == Exit.OK
    assert said.json == {"paid": 5}
    assert "o-1 completed" in said.err
    assert "\x1b" not in said.out + said.err


def test_json_is_one_document(shop: Shop) -> None:
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 5}', "--id", "o-1", "--json")
    assert said.json == {"id": "o-1", "status": "completed", "result": {"paid": 5}}
    assert said.err == ""


def test_quiet_says_the_result_only(shop: Shop) -> None:
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 5}', "--quiet")
    assert (said.json, said.err) == ({"paid": 5}, "")


def test_the_same_id_again_gives_the_same_result(shop: Shop) -> None:
    words = ("run", shop.app, "checkout", "--arg", '{"cents": 5}', "--id", "o-1", "--json")
    assert shop.weft(*words).json == shop.weft(*words).json
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 6}', "--id", "o-1", "--json")
    assert said.exit == Exit.REFUSED
    assert said.json["error"]["code"] == "already_exists"


def test_the_input_is_a_json_document_from_a_file_or_standard_input(shop: Shop) -> None:
    (shop.folder / "order.json").write_text('{"cents": 7}')
    assert shop.weft("run", shop.app, "checkout", "--input", "order.json").json == {"paid": 7}
    done = subprocess.run(
        [sys.executable, "-m", "weft_core.cli", "run", shop.app, "checkout", "--input", "-", "--db", "memory:"],
        input='{"cents": 8}',
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert json.loads(done.stdout) == {"paid": 8}


def test_an_app_is_found_by_file_and_without_its_name(shop: Shop) -> None:
    assert shop.weft("run", str(shop.path), "checkout", "--arg", '{"cents": 1}').json == {"paid": 1}
    assert shop.weft("run", shop.module, "checkout", "--arg", '{"cents": 1}').json == {"paid": 1}


def test_a_run_that_fails_says_its_own_error_on_one_line(shop: Shop) -> None:
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": -1}', "--id", "o-1")
    assert said.exit == Exit.RUN_FAILED
    last = said.err.strip().splitlines()[-1]
    assert last.startswith("weft: run 'o-1' failed: ValueError: a price cannot be negative (")
    assert "weft runs show o-1" in last
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "exit", "says"),
    [
        (["run", "nowhere:app", "checkout"], Exit.APP, "there is no module 'nowhere'"),
        (["run", "nowhere.py:app", "checkout"], Exit.APP, "there is no file nowhere.py"),
        (["run", "a-b:app", "checkout"], Exit.USAGE, "'a-b' is not a module"),
        (["run", "SHOP:other", "checkout"], Exit.APP, "has no app called 'other' (it has app; give one)"),
        (["run", "broken:app", "x"], Exit.APP, "importing broken failed: ZeroDivisionError: division by zero"),
        (["run", "refused:app", "x"], Exit.APP, "refused.py:5: "),
        (["run", "SHOP:app", "chekout"], Exit.NOT_FOUND, "has no workflow 'chekout'; it has approval, checkout"),
        (["run", "SHOP:app", "checkout", "--input", "no.json"], Exit.USAGE, "cannot read no.json: No such file"),
        (["run", "SHOP:app", "checkout", "--input", "bad.json"], Exit.USAGE, "bad.json is not JSON: "),
        (["run", "SHOP:app", "checkout", "--input", "a", "--arg", "1"], Exit.USAGE, "exclude each other"),
        (["run", "SHOP:app", "approval", "--db", "redis:x"], Exit.STORE, "'redis:x' is not the url of a store"),
        (["run", "SHOP:app", "approval", "--db", "sqlite:///bad.json"], Exit.STORE, "bad.json"),
        (["run", "SHOP:app", "checkout"], Exit.USAGE, "missing a required argument: 'order' (it takes order: dict;"),
        (["run", "SHOP:app", "approval", "--arg", "1"], Exit.USAGE, "too many positional arguments (it takes none;"),
        (["run", "SHOP:app", "checkout", "--arg", "{cents: 1}"], Exit.USAGE, "--arg {cents: 1} is not JSON: "),
        (["run", "SHOP:app", "approval", "--id", "x" * 201], Exit.USAGE, "a run id must be a text of 1 to 200"),
        (["run", "SHOP:app", "approval", "--id", "名" * 134], Exit.USAGE, "the run id is too long for a key"),
        (["run", "contextless:app", "x"], Exit.APP, "workflow 'x' takes no Context: write `async def x(ctx: Context,"),
        (["run", "keywords:app", "x", "--arg", "1"], Exit.USAGE, "workflow 'x' takes b by keyword only, and a command"),
        (["run", "keywords:app", "y", "--arg", "1"], Exit.USAGE, "too many positional arguments (it takes none;"),
        (["resume", "SHOP:app"], Exit.NOT_FOUND, "there is no store at weft.db"),
        (["fly"], Exit.USAGE, "invalid choice: 'fly'"),
        (["run", "SHOP:app"], Exit.USAGE, "workflow"),
    ],
)
def test_what_is_wrong_is_said_on_one_line_with_a_hint(shop: Shop, words: list[str], exit: Exit, says: str) -> None:
    (shop.folder / "bad.json").write_text("{,}" * 1_000)
    (shop.folder / "broken.py").write_text("1 / 0\n")
    (shop.folder / "refused.py").write_text(
        "from weft_core import App\napp = App('r')\n@app.workflow\nasync def x(ctx):\n    async def y(): ...\n"
    )
    (shop.folder / "contextless.py").write_text(
        "from weft_core import App\napp = App('c')\n@app.workflow\nasync def x():\n    pass\n"
    )
    (shop.folder / "keywords.py").write_text(
        "from weft_core import App\napp = App('k')\n"
        "@app.workflow\nasync def x(ctx, a, *, b, c=1):\n    pass\n@app.workflow\nasync def y(ctx, *, c=1):\n    pass\n"
    )
    said = shop.weft(*[word.replace("SHOP", shop.module) for word in words])
    assert said.exit == exit
    (line,) = said.err.strip().splitlines()
    assert line.startswith("weft: ")
    assert says in line
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "exit", "code"),
    [
        (["run", "SHOP:app"], Exit.USAGE, "usage"),
        (["run", "SHOP:app", "checkout", "--input", "no.json"], Exit.USAGE, "usage"),
        (["run", "nowhere:app", "x"], Exit.APP, "module_not_found"),
        (["run", "nowhere.py:app", "x"], Exit.APP, "module_not_found"),
        (["run", "SHOP:other", "x"], Exit.APP, "app_not_found"),
        (["run", "json", "x"], Exit.APP, "app_not_found"),
        (["run", "broken:app", "x"], Exit.APP, "import_failed"),
        (["run", "contextless:app", "x"], Exit.APP, "declaration"),
        (["run", "SHOP:app", "chekout"], Exit.NOT_FOUND, "unknown_workflow"),
        (["run", "SHOP:app", "approval", "--db", "redis:x"], Exit.STORE, "store"),
        (["resume", "SHOP:app"], Exit.NOT_FOUND, "store_not_found"),
        (["runs", "show", "x"], Exit.NOT_FOUND, "store_not_found"),
        (["runs", "show", "x", "--db", "memory:"], Exit.NOT_FOUND, "run_not_found"),
    ],
)
def test_errors_are_json_too_with_a_code_of_their_own_and_a_hint(
    shop: Shop, words: list[str], exit: Exit, code: str
) -> None:
    (shop.folder / "broken.py").write_text("1 / 0\n")
    (shop.folder / "contextless.py").write_text(
        "from weft_core import App\napp = App('c')\n@app.workflow\nasync def x():\n    pass\n"
    )
    said = shop.weft(*[word.replace("SHOP", shop.module) for word in words], "--json")
    assert said.json["exit"] == said.exit == exit
    assert said.json["error"]["code"] == code
    assert said.json["error"]["message"] and said.json["error"]["hint"]
    assert said.err == ""
    assert f"| `{code}` | {int(exit)} |" in (ROOT / "docs/reference/cli.md").read_text("utf-8")


def test_every_code_an_error_can_have_is_listed_with_its_exit_code_and_has_a_hint() -> None:
    listed = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    classes = [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, WeftError)]
    for cls in classes:
        error = cls.__new__(cls)
        explained = explain(error)
        assert f"| `{error.code}` | {int(explained.exit)} |" in listed
        assert explained.hint


def test_the_code_of_a_failed_run_is_none_of_its_own_errors_attributes(shop: Shop) -> None:
    shop.path.write_text(
        shop.path.read_text().replace('raise ValueError("', 'raise Coded("')
        + "\n\nclass Coded(Exception):\n    code = 404\n"
    )
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": -1}', "--json")
    assert said.json["error"]["code"] == "run_failed"


def test_where_an_error_came_from_is_shown_on_demand(shop: Shop) -> None:
    said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": -1}', "--traceback")
    assert f'{shop.module}.py", line 10, in charge' in said.err


async def _status(shop: Shop, run_id: str) -> str:
    """The status of a run, `absent` before it is there."""
    if not (shop.folder / "weft.db").exists():
        return "absent"
    async with await Client.open(f"sqlite:///{shop.folder}/weft.db") as client:
        found = await client.list(id_prefix=run_id)
        return found[0].status if found else "absent"


def _until_waiting(shop: Shop, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + SECONDS_MAX
    while asyncio.run(_status(shop, "a-1")) != "waiting":
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until


@pytest.mark.parametrize("asked", [[], ["--json"]])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_run_is_stored_and_goes_on_with_resume(shop: Shop, name: str, asked: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "weft_core.cli", "run", shop.app, "approval", "--id", "a-1", *asked],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts with `&` ignores SIGINT, and so do its children: begin as if started by hand.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _until_waiting(shop, process)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=SECONDS_MAX)
    finally:
        process.kill()
        process.wait()
    if name == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
        assert out == ""
    elif asked:
        assert process.returncode == Exit.INTERRUPTED
        told = json.loads(out)
        assert told["exit"] == Exit.INTERRUPTED
        assert told["error"]["code"] == "interrupted"
        assert told["runs"] == ["a-1"]
        assert err == ""
    else:
        assert process.returncode == Exit.INTERRUPTED
        assert out == ""
        assert f"weft resume {shop.app} a-1 --db sqlite:///weft.db" in err
        assert "Traceback" not in err
    assert shop.weft("runs", "signal", "a-1", "approve", '"yes"').exit == Exit.OK
    said = shop.weft("resume", shop.app, "a-1", "--json")
    assert said.json == {"id": "a-1", "status": "completed", "result": "yes after Monday"}


BLOCKED = """

import time
from pathlib import Path


@app.activity
def blocks() -> None:
    Path("begun").touch()
    time.sleep(86_400)


@app.workflow
async def blocked(ctx: Context) -> None:
    await ctx.run(blocks)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_waits_for_no_activity_in_a_thread(shop: Shop, name: str) -> None:
    shop.path.write_text(shop.path.read_text() + BLOCKED)
    process = subprocess.Popen(
        [sys.executable, "-m", "weft_core.cli", "run", shop.app, "blocked", "--id", "b-1"],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until = time.monotonic() + SECONDS_MAX
        while not (shop.folder / "begun").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=SECONDS_MAX)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == Exit.INTERRUPTED
    assert "interrupted" in err and "Traceback" not in err


def test_resume_takes_every_open_run(shop: Shop) -> None:
    async def start() -> None:
        async with await Client.open("sqlite:///weft.db") as client:
            for n in range(3):
                await client.start("approval", id=f"a-{n}")
                await client.handle(f"a-{n}").signal("approve", n)

    asyncio.run(start())
    said = shop.weft("resume", shop.app, "--json")
    assert {doc["id"]: doc["result"] for doc in said.json} == {f"a-{n}": f"{n} after Monday" for n in range(3)}
    assert shop.weft("resume", shop.app).exit == Exit.OK


def test_how_a_run_ended_is_said_once(shop: Shop) -> None:
    shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 5}', "--id", "o-1")
    said = shop.weft("resume", shop.app, "o-1")
    assert said.err == "o-1 completed\n"


def test_resume_of_a_run_that_is_not_there(shop: Shop) -> None:
    shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 5}')
    said = shop.weft("resume", shop.app, "nobody")
    assert said.exit == Exit.NOT_FOUND
    assert "no run 'nobody'" in said.err


def test_a_suspended_run_is_taken_up_when_it_is_named(shop: Shop) -> None:
    async def start() -> None:
        async with await Client.open("sqlite:///weft.db") as client:
            run = await client.start("approval", id="a-1")
            await run.suspend()
            await run.signal("approve", "late")

    asyncio.run(start())
    said = shop.weft("resume", shop.app, "a-1", "--json")
    assert said.json["result"] == "late after Monday"


def test_a_second_engine_on_the_store_is_refused(shop: Shop) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "weft_core.cli", "run", shop.app, "approval", "--id", "a-1", "--quiet"],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _until_waiting(shop, process)
        said = shop.weft("run", shop.app, "checkout", "--arg", '{"cents": 5}')
        assert said.exit == Exit.STORE
        assert len(said.err.strip().splitlines()) == 1
        assert shop.weft("runs", "list", "--json").json[0]["id"] == "a-1"
        doctor = shop.weft("doctor", shop.app)
        assert doctor.exit == Exit.OK
        assert "an engine is running on it" in doctor.out
    finally:
        process.kill()
        process.wait()
