"""`weft run` and `weft resume`: an engine in this process, until the runs it was started for have ended."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from weft_core.cli.exits import Exit, RunEnded, UsageProblem, explain
from weft_core.cli.loading import check_fits, check_store_exists, load_app, read_arguments
from weft_core.cli.output import Output
from weft_core.cli.progress import follow
from weft_core.client import RunHandle
from weft_core.engine.engine import Engine
from weft_core.errors import DeclarationError, RunClosed, WeftError


def run_command(options: argparse.Namespace, output: Output) -> int:
    """`weft run APP WORKFLOW`."""
    app = load_app(options.app)
    arguments = read_arguments(options.input, options.arg)
    check_fits(app.find_workflow(options.workflow), arguments)

    async def do() -> int:
        engine = await Engine.open(options.db, app, wait=options.wait)
        async with engine:
            try:
                run = await engine.start(options.workflow, *arguments, id=options.id)
            except DeclarationError as error:
                raise UsageProblem(str(error), hint="give another --id, or leave it out") from error
            return await _see_through(engine, [run], options, output)

    return _until_interrupted(do())


def resume_command(options: argparse.Namespace, output: Output) -> int:
    """`weft resume APP [RUN …]`."""
    app = load_app(options.app)
    check_store_exists(options.db)

    async def do() -> int:
        engine = await Engine.open(options.db, app, wait=options.wait)
        async with engine:
            runs = [engine.handle(run_id) for run_id in options.runs]
            if not runs:
                found = await engine.list(status=("pending", "running", "waiting"), limit=1_000_000)
                runs = [engine.handle(info.id) for info in found]
                output.say(f"{len(runs)} open run{'' if len(runs) == 1 else 's'} in {options.db}")
            for run in runs:
                info = await run.info()
                if info.closed_at is None and (options.runs or info.problem is not None):
                    # Somebody put it aside, or it was parked: being asked for, it is taken up again. An order to
                    # suspend that no engine has read yet does not show in the status, so whoever is named gets this.
                    with suppress(RunClosed):  # the engine is at work already: it may have ended this moment
                        await run.resume()
            return await _see_through(engine, runs, options, output)

    return _until_interrupted(do())


async def _see_through(engine: Engine, runs: Sequence[RunHandle], options: argparse.Namespace, output: Output) -> int:
    """Wait for the runs' ends, show how they go and what they give; the exit code of the worst."""
    output.runs = [run.id for run in runs]
    follower = asyncio.create_task(follow(runs, output))
    results = asyncio.gather(*(run.result() for run in runs), return_exceptions=True)
    ended = asyncio.create_task(engine.serve())  # ends only with an error: then no result would ever come
    try:
        await asyncio.wait([asyncio.ensure_future(results), ended], return_when=asyncio.FIRST_COMPLETED)
        if not results.done():
            ended.result()
        outcomes = await results
    except asyncio.CancelledError:
        output.end_progress()
        for run in runs:
            output.say(f"{run.id} is stored; it goes on with: weft resume {options.app} {run.id} --db {options.db}")
        raise
    finally:
        for task in (follower, results, ended):
            task.cancel()
        await asyncio.gather(follower, results, ended, return_exceptions=True)
        output.end_progress()
    documents, worst = [], Exit.OK
    for run, outcome in zip(runs, outcomes, strict=True):
        status = await run.status()
        document: dict[str, Any] = {"id": run.id, "status": status}
        if isinstance(outcome, BaseException):
            if isinstance(outcome, WeftError) and not _is_end_of_run(outcome) and status not in ("failed",):
                raise outcome
            failure = RunEnded(run.id, status)
            failure.__cause__ = outcome
            explained = explain(failure)
            worst = max(worst, explained.exit)
            document["error"] = {"code": explained.code, "message": explained.message, "hint": explained.hint}
            if not output.json:
                output.error(explained)
                if options.traceback:
                    print(_traceback(outcome), file=sys.stderr)
        else:
            document["result"] = json.loads(engine.app.codec.encode(outcome, what="result"))
            if not output.json:
                output.say(f"{run.id} completed")
                output.value(outcome if isinstance(outcome, str) else document["result"])
        documents.append(document)
    if output.json:
        output.document(documents[0] if len(documents) == 1 else documents)
    return worst


def _is_end_of_run(error: WeftError) -> bool:
    from weft_core.errors import RunFailed

    return isinstance(error, RunFailed)


def _traceback(error: BaseException) -> str:
    import traceback

    shown = error.__traceback__
    while shown is not None and str(shown.tb_frame.f_globals.get("__name__")).startswith("weft_core."):
        shown = shown.tb_next  # from here down to where it was read; what follows is where it was raised
    return "".join(traceback.format_exception(error.with_traceback(shown)))


def _until_interrupted(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end; an interrupt or a polite kill stops the engine at its last commit first."""

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        except (NotImplementedError, RuntimeError):
            pass  # not on this platform, or not in the main thread
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
