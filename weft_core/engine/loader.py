"""Bringing a stored run into memory: reading its rows, pinning its code, and naming what is wrong when that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft_core.engine.rows import RunKeys
from weft_core.engine.submissions import Submission
from weft_core.errors import CodeChanged, DecodeError
from weft_core.kernel.changes import Changes
from weft_core.kernel.fibers import Fiber
from weft_core.kernel.machine import Machine
from weft_core.kernel.records import InboxRow, RunRecord, dump, parse
from weft_core.model.app import Activity, App
from weft_core.reading import scan_all
from weft_core.store import keys
from weft_core.store.port import Batch, Row, Store


class Loaded:
    """A run in memory, with the versions of the rows that clients write too.

    `turn` is what it wants written in this round: all its changes, or the one fiber that made a plain step.
    `start` is the client's batch that starts it, while that is to be committed with the first turn.
    """

    __slots__ = ("keys", "machine", "ready_version", "seq_version", "start", "turn")

    def __init__(self, *, machine: Machine, keys: RunKeys, ready_version: int = 0) -> None:
        self.machine = machine
        self.keys = keys
        self.ready_version = ready_version
        self.seq_version = 0
        self.turn: Changes | Fiber | None = None
        self.start: Submission | None = None


def new_run(
    record: RunRecord,
    ready_version: int,
    app: App,
    run: RunKeys,
    *,
    find_activity: Callable[[str], Activity[..., Any]],
    patient: bool,
) -> Loaded:
    """The machine of a run that is new: there is nothing of it to read. Raises `UnknownWorkflow`.

    `ready_version` is of the commit of its start, or 0 while that is still to come. Whoever has sent it something since
    has rewritten its ready row, and is noticed as if the run had been read.
    """
    app.find_workflow(record.workflow)
    machine = Machine.new(record, app, find_activity=find_activity, patient=patient)
    return Loaded(machine=machine, keys=run, ready_version=ready_version)


async def load_run(
    store: Store,
    app: App,
    run: RunKeys,
    *,
    find_activity: Callable[[str], Activity[..., Any]],
    patient: bool,
    rows: Mapping[str, Row] | None = None,
) -> Loaded | None:
    """The machine of a run that is still open, with its inbox delivered; None when there is none or it has ended.

    `rows` holds those of `run.first` when they were just read. Raises `DecodeError`, `CodeChanged` or `UnknownWorkflow`
    with nothing changed in the store.
    """
    if rows is None:
        rows = await store.get(run.first)
    row = rows.get(run.run)
    if row is None:
        return None
    record = RunRecord.from_json(row.value)
    if record.closed:
        return None
    app.find_workflow(record.workflow)
    # Its first turn writes that it has started, and its first fiber.
    fibers = () if record.started_at is None else await scan_all(store, run.fiber)
    # Whatever a fiber refers to is named in its row.
    values = await scan_all(store, run.values) if any('"values":[' in r.value for r in fibers) else ()
    skip = len(run.fiber)
    texts = {keys.unquote(r.key[skip:]): r.value for r in fibers}
    await pin_code(store, app, texts)
    if record.problem is not None:
        record.unpark()
    state = rows.get(run.state)
    machine = Machine.load(
        record,
        app,
        find_activity=find_activity,
        fibers=texts,
        state=None if state is None else state.value,
        values={r.key[len(run.values) :]: r.value for r in values},
        patient=patient,
    )
    loaded = Loaded(machine=machine, keys=run)
    await refresh_inbox(store, loaded, rows)
    return loaded


async def refresh_inbox(store: Store, loaded: Loaded, rows: Mapping[str, Row] | None = None) -> None:
    """Deliver what arrived since. The versions are read first: whatever comes later makes them stale, and is seen.

    `rows` has the ready and seq rows when they were just read.
    """
    run, machine = loaded.keys, loaded.machine
    if rows is None:
        rows = await store.get([run.ready, run.seq])
    loaded.ready_version = rows[run.ready].version if run.ready in rows else 0
    seq_version = rows[run.seq].version if run.seq in rows else 0
    if seq_version == loaded.seq_version:
        return
    loaded.seq_version = seq_version
    start = f"{run.inbox}{machine.inbox_next:0{keys.INBOX_DIGITS}d}"
    end = keys.prefix_end(run.inbox)
    while True:
        found = await store.scan(start, end)
        machine.receive([InboxRow.from_json(int(r.key[len(run.inbox) :]), r.value) for r in found])
        if not found:
            return
        start = found[-1].key + "\x00"


async def store_units(store: Store, app: App) -> None:
    """Keep the source of every unit of the app, so that runs can finish on the code they started with."""
    units = {keys.unit(unit.digest): unit for unit in _units(app)}
    present = await store.get(list(units))
    batch = Batch()
    for key, unit in units.items():
        if key not in present:
            batch.put[key] = dump(
                {
                    "name": unit.name,
                    "source": unit.source,
                    "filename": unit.filename,
                    "first_line": unit.first_line,
                }
            )
    if batch:
        await store.commit(batch)


def _units(app: App) -> list[Any]:
    found = [workflow.unit for workflow in app.workflows.values()]
    return found + [resumable.unit for resumable in app.resumables.values()]


async def pin_code(store: Store, app: App, fibers: dict[str, str]) -> None:
    """Compile the old source of every unit the frames name and the app no longer has in that version.

    Raises `CodeChanged` when the source is not in the store or the function is gone from the app.
    """
    for fiber_id, text in fibers.items():
        if '"frames"' not in text:
            continue
        for frame in parse(text, f"row of fiber {fiber_id}").get("frames", ()):
            try:
                name, digest = frame["unit"], frame["digest"]
            except (KeyError, TypeError) as error:
                raise DecodeError(f"a frame of fiber {fiber_id} is damaged: {error!r}") from error
            if app.registry.unit(name, digest) is not None:
                continue
            current = next((unit for unit in _units(app) if unit.name == name), None)
            if current is None:
                raise CodeChanged(
                    f"the run waits in {name!r}, which app {app.name!r} no longer declares; bring it back, or "
                    "terminate the run"
                )
            rows = await store.get([keys.unit(digest)])
            if keys.unit(digest) not in rows:
                raise CodeChanged(
                    f"the run waits in an earlier version of {name!r} whose source is not in this store; deploy that "
                    "version again, or terminate the run"
                )
            from weft_core.resume import compile_source

            old = parse(rows[keys.unit(digest)].value, "unit row")
            try:
                text, filename, line = str(old["source"]), str(old["filename"]), int(old["first_line"])
            except (KeyError, TypeError, ValueError) as error:
                raise DecodeError(f"the kept source of {name!r} is damaged: {error!r}") from error
            try:
                unit = compile_source(text, name=name, filename=filename, first_line=line, like=current)
            except Exception as error:
                raise CodeChanged(
                    f"the run waits in an earlier version of {name!r} that this Python cannot compile "
                    f"({type(error).__name__}: {error}); resume it with the Python it was started on, or terminate it"
                ) from error
            app.registry.add_unit(unit)
