"""Checking a store, and whether an app can go on with the runs in it. Reads only; needs no engine.

Used before a deploy: every run that waits in code the app no longer has in that version is named, with what will happen
to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from weft_core.errors import DecodeError, StoreOwned
from weft_core.kernel.fibers import ROOT
from weft_core.kernel.records import RunRecord, parse
from weft_core.model.app import App
from weft_core.reading import scan_all, shown_status
from weft_core.store import keys
from weft_core.store.port import Store

FORMATS_KNOWN = (1,)
"""Layouts of a store that this version reads."""
FINDINGS_OF_A_KIND_MAX = 20
"""Runs named one by one under the same finding; more are counted."""

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked. `hint` says what to do; empty when there is nothing to do."""

    level: Level
    topic: str
    message: str
    hint: str = ""


async def examine(store: Store, app: App | None) -> list[Finding]:
    """Everything that can be said about a store and an app's chances with it. Raises `StoreError` if unreachable."""
    findings = [*await _store(store), await _owner(store)]
    records, damaged = await _records(store)
    findings += damaged
    findings.append(await _counts(store, records))
    findings += _parked(records)
    findings += await _lost(store, records)
    if app is not None:
        findings.append(_declared(app))
        findings += await _code(store, app, [record for record in records if not record.closed])
    return findings


async def _store(store: Store) -> list[Finding]:
    rows = await store.get([keys.FORMAT])
    if keys.FORMAT not in rows:
        told = f"{store.url} is reachable and was never used"
        return [Finding(level="warning", topic="store", message=told, hint="is it the right one?")]
    layout = parse(rows[keys.FORMAT].value, "format row").get("format")
    if layout not in FORMATS_KNOWN:
        return [
            Finding(
                level="error",
                topic="store",
                message=f"{store.url} has layout {layout!r}; this version of Weft reads {FORMATS_KNOWN}",
                hint="use the version that wrote it",
            )
        ]
    return [Finding(level="ok", topic="store", message=f"{store.url} is reachable, layout {layout}")]


async def _owner(store: Store) -> Finding:
    rows = await store.get([keys.OWNER])
    fence = parse(rows[keys.OWNER].value, "owner row").get("fence") if keys.OWNER in rows else 0
    try:
        await store.acquire()
    except StoreOwned:
        return Finding(level="ok", topic="owner", message=f"an engine is running on it (takeover {fence})")
    await store.release()
    return Finding(level="ok", topic="owner", message=f"no engine is running on it ({fence} so far)")


async def _records(store: Store) -> tuple[list[RunRecord], list[Finding]]:
    records, findings = [], []
    for row in await scan_all(store, "run/"):
        try:
            records.append(RunRecord.from_json(row.value))
        except DecodeError as error:
            findings.append(
                Finding(
                    level="error",
                    topic="run",
                    message=f"the record of {keys.unquote(row.key.removeprefix('run/'))!r} is damaged: {error}",
                    hint="restore it from a backup; other runs are not affected",
                )
            )
    return records, findings


async def _counts(store: Store, records: list[RunRecord]) -> Finding:
    counts: dict[str, int] = {}
    for record in records:
        status = await shown_status(store, record)
        counts[status] = counts.get(status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
    return Finding(level="ok", topic="runs", message=f"{_count(len(records), 'run')}: {told}" if records else "no runs")


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _parked(records: list[RunRecord]) -> list[Finding]:
    return _bounded(
        [
            Finding(
                level="error",
                topic="parked",
                message=f"{record.id!r} cannot go on ({record.problem.get('code')}): {record.problem.get('message')}",
                hint=f"correct the cause, then `weft resume APP {record.id}`, or terminate it"
                if record.problem.get("code") != DecodeError.code
                else "restore the store from a backup; other runs are not affected",
            )
            for record in records
            if record.problem is not None and not record.closed
        ]
    )


async def _lost(store: Store, records: list[RunRecord]) -> list[Finding]:
    """Runs that nothing moves any more, because a row of theirs is gone. Those that are parked have been named."""
    findings = []
    for record in records:
        if record.closed or record.started_at is None or record.problem is not None:
            continue
        # Looked at twice: with an engine at work, rows that are read one after the other may be of different moments.
        gone = await _strands_gone(store, record.id)
        if gone and (gone := gone & await _strands_gone(store, record.id)):
            first = keys.fiber(record.id, min(gone))
            findings.append(
                Finding(
                    level="error",
                    topic="checkpoint",
                    message=f"{record.id!r} cannot go on: {_count(len(gone), 'checkpoint')} missing, such as {first}",
                    hint="restore the store from a backup, or terminate the run; other runs are not affected",
                )
            )
    return _bounded(findings)


async def _strands_gone(store: Store, run_id: str) -> set[str]:
    """Some of the fibers that a run waits for and has no rows of, if there are any."""
    prefix = keys.fibers(run_id)
    there = {keys.unquote(row.key[len(prefix) :]): row.value for row in await scan_all(store, prefix)}
    row = (await store.get([keys.run(run_id)])).get(keys.run(run_id))
    try:
        if row is None or RunRecord.from_json(row.value).closed:
            return set()  # it has ended meanwhile, and so have they
    except DecodeError:
        return set()
    wanted = {ROOT}
    for fiber_id, text in there.items():
        try:
            fiber = parse(text, "fiber row")
            wait = fiber.get("wait") or {}
            # The branches of a map are made one by one, and those of a join that is being stopped may be gone.
            if wait.get("op") in ("all", "race", "settled") and not wait.keys() & {"items", "chosen", "interrupt"}:
                wanted |= {f"{fiber_id}.{wait['first'] + n}" for n in range(min(wait["count"], len(there)))}
        except (DecodeError, AttributeError, KeyError, TypeError):
            continue  # damaged, which is another finding
    return wanted - there.keys()


def _declared(app: App) -> Finding:
    workflows = ", ".join(sorted(app.workflows)) or "none"
    return Finding(
        level="ok" if app.workflows else "warning",
        topic="app",
        message=f"{app.name!r} compiles; workflows: {workflows}; {len(app.activities)} activities",
        hint="" if app.workflows else "declare one with @app.workflow",
    )


async def _code(store: Store, app: App, records: list[RunRecord]) -> list[Finding]:
    """How each open run stands to the app's code."""
    findings: list[Finding] = []
    unchanged = 0
    current = {unit.name for unit in (w.unit for w in (*app.workflows.values(), *app.resumables.values()))}
    for record in records:
        if record.workflow not in app.workflows:
            findings.append(
                Finding(
                    level="error",
                    topic="code",
                    message=f"{record.id!r} is a run of {record.workflow!r}, which {app.name!r} does not declare",
                    hint="bring the workflow back, or terminate the run",
                )
            )
            continue
        changed, problem = await _changed_units(store, app, record, current)
        if problem is not None:
            findings.append(problem)
        elif changed:
            findings.append(
                Finding(
                    level="warning",
                    topic="code",
                    message=f"{record.id!r} waits in an earlier version of {', '.join(sorted(changed))}",
                    hint="a function that waits finishes as it was when it began; what it calls is as it is now",
                )
            )
        else:
            unchanged += 1
    if unchanged:
        findings.append(
            Finding(
                level="ok", topic="code", message=f"{_count(unchanged, 'open run')} can go on in the code of this app"
            )
        )
    return _bounded(findings)


async def _changed_units(
    store: Store, app: App, record: RunRecord, current: set[str]
) -> tuple[set[str], Finding | None]:
    """The units of a run's frames that the app has in another version, or why the run cannot go on."""
    changed: set[str] = set()
    for row in await scan_all(store, keys.fibers(record.id)):
        try:
            frames: list[dict[str, Any]] = parse(row.value, "fiber row").get("frames") or []
            units = [(str(frame["unit"]), str(frame["digest"])) for frame in frames]
        except (DecodeError, KeyError, TypeError) as error:
            return changed, Finding(
                level="error",
                topic="checkpoint",
                message=f"a checkpoint of {record.id!r} is damaged ({row.key}): {error}",
                hint="restore the store from a backup; other runs are not affected",
            )
        for name, digest in units:
            if app.registry.unit(name, digest) is not None:
                continue
            pinned = keys.unit(digest) in await store.get([keys.unit(digest)])
            if name not in current or not pinned:
                gone = f"{name!r} is gone from the app" if name not in current else f"the source of {name!r} is lost"
                return changed, Finding(
                    level="error",
                    topic="code",
                    message=f"{record.id!r} waits in code that no longer exists: {gone}",
                    hint="deploy the version that has it, or terminate the run",
                )
            changed.add(name)
    return changed, None


def _bounded(findings: list[Finding]) -> list[Finding]:
    """Not more than so many findings of one kind."""
    shown: list[Finding] = []
    seen: dict[tuple[str, str], int] = {}
    for finding in findings:
        kind = (finding.level, finding.topic)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= FINDINGS_OF_A_KIND_MAX:
            shown.append(finding)
    for (level, topic), count in seen.items():
        if count > FINDINGS_OF_A_KIND_MAX:
            more = count - FINDINGS_OF_A_KIND_MAX
            shown.append(Finding(level="error" if level == "error" else "warning", topic=topic, message=f"{more} more"))
    return shown
