"""`weft runs …`: looking at runs and sending them things. A client only: works with or without an engine running."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args, get_type_hints

from weft_core.cli.exits import Exit, UsageProblem
from weft_core.cli.loading import check_store_exists, load_app
from weft_core.cli.output import STATUS_COLOURS, Output
from weft_core.cli.progress import awaited
from weft_core.client import Client, RunHandle
from weft_core.errors import DeclarationError, DecodeError
from weft_core.inspection import FiberView, Inspection, RunInfo

VALUE_SHOWN_MAX = 100
"""Characters of a variable's value, or a result, in `weft runs show`; `--json` has all of it."""


def _with_client(options: argparse.Namespace, do: Callable[[Client], Awaitable[int]]) -> int:
    check_store_exists(options.db)
    app = load_app(options.app) if getattr(options, "app", None) else None

    async def work() -> int:
        client = await Client.open(options.db, app)
        async with client:
            return await do(client)

    return asyncio.run(work())


def list_command(options: argparse.Namespace, output: Output) -> int:
    """`weft runs list`."""
    known = get_args(get_type_hints(RunInfo)["status"])
    for status in options.status or ():
        if status not in known:
            raise UsageProblem(f"there is no status {status!r}", hint=f"there are {', '.join(known)}")
    if options.limit < 1:
        raise UsageProblem("--limit must be at least 1", hint="leave it out for 100")

    async def do(client: Client) -> int:
        runs = await client.list(status=options.status, workflow=options.workflow, limit=options.limit)
        if output.json:
            output.document([_document(run) for run in runs])
        elif not runs:
            output.say("no runs")
        else:
            rows = [(r.id, r.workflow, r.status, _time(r.created_at), _problem(r)) for r in runs]
            output.table(("RUN", "WORKFLOW", "STATUS", "CREATED", ""), rows, colours={2: "status", 3: "dim", 4: "red"})
        return Exit.OK

    return _with_client(options, do)


def show_command(options: argparse.Namespace, output: Output) -> int:
    """`weft runs show RUN`."""

    async def do(client: Client) -> int:
        run = client.handle(options.run)
        info = await run.info()
        history = await run.history()
        damage: list[str] = []  # what else there is to know of it is shown all the same
        state: dict[str, Any] = {}
        inspection: Inspection | None = None
        try:
            state = json.loads(client.app.codec.encode(await run.state(), what="state"))
        except DecodeError as error:
            damage.append(str(error))
        try:
            inspection = await run.inspect()
        except DecodeError as error:
            damage.append(str(error))
        fibers: Sequence[FiberView] = () if inspection is None else inspection.fibers
        if output.json:
            document = {**_document(info), "state": state, "fibers": _fibers(fibers)}
            document |= {} if inspection is None else _ending(inspection)
            document |= {"damaged": "; ".join(damage)} if damage else {}
            output.document({**document, "history": history})
            return Exit.OK
        colour = STATUS_COLOURS.get(info.status, "")
        output.text(f"{output.paint(info.id, 'bold')}  {info.workflow}  {output.paint(info.status, colour)}")
        output.text(
            f"  created {_time(info.created_at)}" + (f", closed {_time(info.closed_at)}" if info.closed_at else "")
        )
        if info.problem is not None:
            output.text(f"  {output.paint(_problem(info), 'red')}")
        if inspection is not None:
            _show_ending(inspection, output)
        for name, value in state.items():
            output.text(f"  {name} = {_short(value)}")
        for what in damage:
            output.text(f"  {output.paint(f'not all of it can be shown: {what}', 'red')}")
        for fiber in fibers:
            if fiber.ended:
                continue
            output.text(f"fiber {fiber.id}: waiting{awaited(fiber)}")
            for frame in fiber.frames:
                output.text(f"  {frame.function} at {frame.filename or '?'}:{frame.line}")
                if frame.source:
                    output.text(f"    {output.paint(frame.source, 'cyan')}")
                for name, value in frame.locals.items():
                    output.text(f"    {name} = {_short(value)}")
        if history:
            output.text("history")
        for entry in history:
            facts = {k: v for k, v in entry.items() if k not in ("n", "at", "kind")}
            told = " ".join(str(v) if isinstance(v, str) else f"{k}={v}" for k, v in facts.items() if v != "0")
            at = datetime.fromtimestamp(entry["at"] / 1000).strftime("%H:%M:%S.%f")[:-3]
            output.text(f"  {output.paint(at, 'dim')}  {entry['kind'].replace('_', ' ')} {told}".rstrip())
        return Exit.OK

    return _with_client(options, do)


def _ending(inspection: Inspection) -> dict[str, Any]:
    return {
        "result": inspection.result,
        "error": None if inspection.error is None else asdict(inspection.error),
        "reason": inspection.reason,
    }


def _show_ending(inspection: Inspection, output: Output) -> None:
    """What a run gave, or why it gave nothing."""
    if inspection.status == "completed":
        output.text(f"  result: {_short(inspection.result)}")
    if inspection.reason is not None:
        output.text(f"  reason: {inspection.reason}")
    error, leads = inspection.error, "error"
    while error is not None:
        name = error.type.rpartition(":")[2].removeprefix("weft.")
        output.text(f"  {leads}: {output.paint(f'{name}: {error.message}' if error.message else name, 'red')}")
        for line in error.traceback.splitlines():
            output.text(f"    {output.paint(line, 'dim')}")
        error, leads = error.cause, "caused by"


def signal_command(options: argparse.Namespace, output: Output) -> int:
    """`weft runs signal RUN NAME [PAYLOAD]`."""
    try:
        payload = json.loads(options.payload)
    except ValueError as error:
        raise UsageProblem(f"the payload is not JSON: {error}", hint="""quote text twice: '"text"'""") from error

    async def send(run: RunHandle) -> None:
        try:
            await run.signal(options.name, payload, id=options.dedupe)
        except DeclarationError as error:
            raise UsageProblem(str(error), hint="give another --dedupe, or leave it out") from error

    return _tell(options, output, send, f"signal {options.name!r} is stored for {options.run}")


def order_command(options: argparse.Namespace, output: Output) -> int:
    """`weft runs cancel | terminate | suspend | unsuspend RUN`."""

    async def send(run: RunHandle) -> None:
        match options.order:
            case "cancel":
                await run.cancel(options.reason)
            case "terminate":
                await run.terminate(options.reason)
            case "suspend":
                await run.suspend(options.reason)
            case _:
                await run.resume()

    return _tell(options, output, send, f"{options.order} is stored for {options.run}")


def _tell(options: argparse.Namespace, output: Output, send: Callable[[RunHandle], Awaitable[None]], said: str) -> int:
    async def do(client: Client) -> int:
        run = client.handle(options.run)
        await send(run)
        if output.json:
            output.document({"id": options.run, "stored": True})
        else:
            output.say(f"{said}; an engine on this store takes it up")
        return Exit.OK

    return _with_client(options, do)


def _document(info: RunInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "workflow": info.workflow,
        "version": info.version,
        "status": info.status,
        "created_at": info.created_at.isoformat(),
        "started_at": None if info.started_at is None else info.started_at.isoformat(),
        "closed_at": None if info.closed_at is None else info.closed_at.isoformat(),
        "problem": info.problem,
    }


def _fibers(fibers: Sequence[FiberView]) -> list[dict[str, Any]]:
    return [
        {
            "id": fiber.id,
            "ended": fiber.ended,
            "waiting_for": fiber.waiting_for,
            "frames": [
                {
                    "function": frame.function,
                    "filename": frame.filename,
                    "line": frame.line,
                    "source": frame.source,
                    "locals": frame.locals,
                }
                for frame in fiber.frames
            ],
        }
        for fiber in fibers
    ]


def _problem(info: RunInfo) -> str:
    return "" if info.problem is None else f"{info.problem.get('code', '')}: {info.problem.get('message', '')}"


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_SHOWN_MAX else f"{text[: VALUE_SHOWN_MAX - 1]}…"
