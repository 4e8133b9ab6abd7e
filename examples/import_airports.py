"""Import a CSV file in batches, surviving anything: the demo's workflow.

The same file runs under CPython, where the database is a SQLite file, and inside a browser page, where the activities
post to the page's own server, which owns that database. Kill either at any moment: the import goes on at the line.

    weft run import_airports:app import_airports --input airports.json
    weft runs signal RUN publish '"me"'
"""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

from weft_core import App, Context, DeclarationError, Retry, activity_info

app = App("import_airports")

COLUMNS_MAX = 1_000
REJECTED_SHOWN_MAX = 20
LIMITS = {"latitude": 90.0, "lat": 90.0, "longitude": 180.0, "lng": 180.0, "lon": 180.0}
"""Columns that are checked when a file has them, and how far from zero they may be."""


class BadFile(ValueError):
    """The file is not a CSV table that can be imported; the message says where and why."""


# --- the workflow ---


@app.workflow
async def import_airports(ctx: Context, source: dict[str, Any]) -> dict[str, Any]:
    """Import `source["text"]`, the content of a CSV file called `source["name"]`; its first column is the key.

    `batch_size` (rows, 100) and `pause` (between batches, "150ms") may be given too. Ends when the signal `publish`
    has come, with a summary.
    """
    name, text, size, pause = check(ctx, source)
    ctx.state["file"] = name  # before anything can be wrong with the file
    heading, rows = parse(name, text)
    rejected: list[str] = []
    written = duplicates = 0
    ctx.state.update(phase="importing", rows=len(rows), done=0, written=0, duplicates=0, rejected=0)
    ctx.state["batches"] = -(-len(rows) // size)

    for number, start in enumerate(range(0, len(rows), size), 1):
        batch = rows[start : start + size]
        valid = [row for row in batch if accept(heading, row, rejected)]
        known = await ctx.run(look_up, [row[0] for row in valid])
        fresh = new_rows(valid, known)
        duplicates += len(valid) - len(fresh)
        receipt = await ctx.run(write_batch, number, heading, fresh)
        written += receipt["rows"]
        done = min(start + size, len(rows))
        ctx.state.update(done=done, batch=number, written=written, duplicates=duplicates, rejected=len(rejected))
        await ctx.sleep(pause)

    ctx.state["phase"] = "ready to publish"
    published_by = await ctx.wait_for_signal("publish")
    ctx.state["phase"] = "publishing"
    summary = await ctx.run(
        write_summary,
        {
            "file": name,
            "rows": len(rows),
            "written": written,
            "duplicates": duplicates,
            "rejected": len(rejected),
            "rejected_rows": rejected[:REJECTED_SHOWN_MAX],
            "published_by": published_by,
        },
    )
    ctx.state["phase"] = "published"
    return summary


# --- what it decides: plain functions ---


def check(ctx: Context, source: Any) -> tuple[str, str, int, Any]:
    """Name, text, batch size and pause. Raises `ValueError` for what cannot be meant, before anything is written."""
    if not isinstance(source, dict):
        raise ValueError(f"an import is an object with a name and a text, not {source!r:.60}")
    for key in ("name", "text"):
        if not isinstance(source.get(key), str):
            raise ValueError(f"{key} must be a text, not {source.get(key)!r:.60}")
    size = source.get("batch_size", 100)
    if type(size) is not int or size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, not {size!r:.60}")
    pause = source.get("pause", "150ms")
    try:
        ctx.sleep(pause)  # not awaited: only made, which reads the duration
    except DeclarationError as error:
        raise ValueError(f"pause: {error}") from error
    return source["name"], source["text"], size, pause


def parse(name: str, text: str) -> tuple[list[str], list[list[str]]]:
    """The heading and the rows of a CSV text. Raises `BadFile` with the line for anything that is not a table."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        heading = [column.strip() for column in next(reader, [])]
        if len(heading) < 2 or len(heading) > COLUMNS_MAX or not all(heading):
            first = text[:60].splitlines()[:1]
            raise BadFile(
                f"{name}: the first line must be a heading of at least two column names, separated by commas; "
                + (f"it is {first[0]!r}" if first else "the file is empty")
            )
        twice = {column for column in heading if heading.count(column) > 1}
        if twice:
            raise BadFile(f"{name}: the heading names {', '.join(sorted(twice))} twice; rename one of the columns")
        for row in reader:
            if not row:
                continue
            if len(row) != len(heading):
                found = f"{len(row)} {'column' if len(row) == 1 else 'columns'}"
                raise BadFile(
                    f"{name}, line {reader.line_num}: {found} where the heading has {len(heading)}; "
                    "look for a missing or an unquoted comma there, and import the corrected file"
                )
            rows.append(row)
    except csv.Error as error:
        raise BadFile(f"{name}, line {reader.line_num}: {error}; is this a CSV file?") from error
    if not rows:
        raise BadFile(f"{name}: a heading and no rows; there is nothing to import")
    return heading, rows


def accept(heading: list[str], row: list[str], rejected: list[str]) -> bool:
    """Whether a row is good; the reason goes to `rejected` when it is not."""
    problem = "" if row[0].strip() else f"no {heading[0]}"
    for column, value in zip(heading, row, strict=True):
        limit = LIMITS.get(column.lower())
        if limit is not None and not problem:
            try:
                problem = "" if abs(float(value)) <= limit else f"{column} {value} is out of range"
            except ValueError:
                problem = f"{column} {value!r} is not a number"
    if problem:
        rejected.append(f"{row[0] or row}: {problem}")
    return not problem


def new_rows(rows: list[list[str]], known: list[str]) -> list[list[str]]:
    """The rows whose key is not in `known` and did not come earlier in `rows`."""
    seen = set(known)
    fresh = []
    for row in rows:
        if row[0] not in seen:
            seen.add(row[0])
            fresh.append(row)
    return fresh


# --- what it does: activities ---

PATIENT = Retry(max_attempts=1_000, initial="200ms", backoff=1.5, max="5s")


@app.activity(retry=PATIENT, timeout="30s")
async def look_up(keys: list[str]) -> list[str]:
    """Which of these keys other imports, or earlier batches, have written already."""
    found: list[str] = await database("look_up", keys=keys)
    return found


@app.activity(retry=PATIENT, timeout="30s")
async def write_batch(number: int, heading: list[str], rows: list[list[str]]) -> dict[str, Any]:
    """Write one batch. The idempotency key makes a second delivery of the same batch a no-op."""
    info = activity_info()
    receipt: dict[str, Any] = await database(
        "write_batch", batch_key=info.key, run_id=info.run_id, number=number, heading=heading, rows=rows
    )
    return receipt


@app.activity(retry=PATIENT, timeout="30s")
async def write_summary(summary: dict[str, Any]) -> dict[str, Any]:
    """Write the summary, and give it back with what the database adds to it."""
    stored: dict[str, Any] = await database("write_summary", run_id=activity_info().run_id, summary=summary)
    return stored


async def database(method: str, **arguments: Any) -> Any:
    """Call the demo's database: through the page's server in a browser, else directly."""
    if sys.platform == "emscripten":
        from pyodide.http import pyfetch

        try:
            response = await pyfetch(
                f"/api/database/{method}",
                method="POST",
                headers={"content-type": "application/json"},
                body=json.dumps(arguments),
            )
        except OSError:  # its context is an object of the browser's, which cannot be stored
            response = None
        if response is None:
            raise OSError(f"the server cannot be reached for {method}")
        if not response.ok:
            raise OSError(f"the server answered {response.status} to {method}")
        return await response.json()
    import airport_database

    return airport_database.call(method, **arguments)
