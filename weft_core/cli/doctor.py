"""`weft doctor`: shows what `weft_core.doctor` finds, and says by its exit code whether a person is needed."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sqlite3

from weft_core.cli.exits import Exit, UsageProblem, explain
from weft_core.cli.loading import check_store_exists, load_app
from weft_core.cli.output import Output
from weft_core.client import Client
from weft_core.doctor import Finding, examine
from weft_core.errors import WeftError
from weft_core.model.app import App

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


def doctor_command(options: argparse.Namespace, output: Output) -> int:
    """`weft doctor [APP]`."""
    about = f"python {platform.python_version()} on {platform.system()}, sqlite {sqlite3.sqlite_version}"
    findings = [Finding(level="ok", topic="python", message=about)]
    app = None
    if options.app is not None:
        try:
            app = load_app(options.app)  # before there is a loop: a module may run one of its own
        except (WeftError, UsageProblem) as error:
            findings.append(_failed("app", error))
    check_store_exists(options.db)
    findings += asyncio.run(_examine(options.db, app))
    worst = any(finding.level == "error" for finding in findings)
    if output.json:
        output.document(
            {
                "healthy": not worst,
                "findings": [
                    {"level": f.level, "topic": f.topic, "message": f.message, "hint": f.hint} for f in findings
                ],
            }
        )
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.level]
            hint = f" ({finding.hint})" if finding.hint else ""
            output.text(f"{output.paint(mark, colour)} {finding.topic}: {finding.message}{hint}")
    return Exit.UNHEALTHY if worst else Exit.OK


async def _examine(url: str, app: App | None) -> list[Finding]:
    try:
        client = await Client.open(url, app)
        async with client:
            return await examine(client.store, app)
    except WeftError as error:
        return [_failed("store", error)]


def _failed(topic: str, error: Exception) -> Finding:
    explained = explain(error)
    return Finding(level="error", topic=topic, message=explained.message, hint=explained.hint)
