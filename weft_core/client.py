"""Clients: start, signal and read runs on any store, with or without an engine running.

Starting a run or sending a signal is one committed batch in the store plus a hint; an engine picks it up when there is
one. `Engine` offers the same calls and joins its own commits to them.
"""

from __future__ import annotations

import asyncio
import builtins
import os
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import weft_core  # for annotations: a name of it is imported when somebody asks for it
from weft_core.errors import (
    AlreadyExists,
    Conflict,
    DeclarationError,
    DecodeError,
    RunClosed,
    UnknownWorkflow,
)
from weft_core.kernel.history import read_history
from weft_core.kernel.records import InboxKind, InboxRow, RunRecord, Status, dump, parse
from weft_core.kernel.registered import install
from weft_core.model.app import App, Workflow
from weft_core.model.durations import Duration, instant_ms, milliseconds
from weft_core.reading import key_of, not_found, read_record, scan_all, shown_status
from weft_core.store import keys, open_store
from weft_core.store.port import Batch, Row, Store

CONFLICT_RETRIES_MAX = 1_000
"""How often one client call is tried again when others write to the same run at the same moment."""
POLL_INTERVAL_S = 0.5
"""How long a client that waits for a run trusts the store's hints before it looks again."""

IfExists = Literal["use", "fail", "restart_if_closed"]


def start_rows(record: RunRecord) -> dict[str, str]:
    """What is put to start a run."""
    put = {keys.run(record.id): record.to_json(), keys.ready(record.id): f'{{"at":{record.created_at}}}'}
    if record.start_at is not None:
        put[keys.timer(record.start_at, record.id, "")] = "{}"
    return put


class RunHandle:
    """One run, by id. Making a handle reads nothing."""

    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self.id = run_id

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    async def result(self, *, timeout: Duration | None = None) -> Any:
        """Wait for the run's end and give its result.

        A failed run raises its own exception (class, arguments, cause, notes), or `RunFailed` when the class is
        unknown here; a cancelled, terminated or timed-out one raises `RunCancelled`, `RunTerminated`, `RunTimedOut`.
        `timeout` raises `TimeoutError` and leaves the run alone. A run parked with a problem raises `RunFailed`.
        """
        if timeout is None:
            return self._client._outcome(await self._client._wait_closed(self.id))
        seconds = milliseconds(timeout) / 1000
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                record = await self._client._wait_closed(self.id)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"run {self.id!r} has not ended within {seconds:g} s; it was left alone, and goes on unless it is "
                "suspended: ask again, cancel it, or resume() it"
            ) from None
        return self._client._outcome(record)

    async def signal(self, name: str, payload: Any = None, *, id: str | None = None) -> None:
        """Send a signal; it is durable when this returns. The same `id` again is accepted and does nothing more.

        Raises `RunNotFound`, `RunClosed`, `CheckpointError` for a payload that cannot be stored.
        """
        if not isinstance(name, str):
            raise DeclarationError(f"a signal's name is a text, not {name!r}")
        text = self._client.app.codec.encode(payload, what=f"signal {name}")
        await self._client._send(self.id, "signal", name=name, payload=text, id=id)

    async def cancel(self, reason: str = "cancelled by a client") -> None:
        """Ask the run to stop: `Cancelled` is raised in it, its `finally` blocks run. `RunClosed` when it has ended."""
        await self._client._send(self.id, "cancel", name=reason)

    async def terminate(self, reason: str = "terminated by a client") -> None:
        """End the run at once, running none of its code."""
        await self._client._send(self.id, "terminate", name=reason)

    async def suspend(self, reason: str = "suspended by a client") -> None:
        """Stop advancing the run until `resume`. Activities under way finish; their results are kept for later."""
        await self._client._send(self.id, "suspend", name=reason)

    async def resume(self) -> None:
        """Let a suspended run go on."""
        await self._client._send(self.id, "resume")

    async def status(self) -> Status:
        """The run's status now. `waiting`: nothing but time or the outside can move it."""
        record = await self._client._record(self.id)
        return await shown_status(self._client.store, record)

    async def info(self) -> weft_core.RunInfo:
        """What `list` shows of the run."""
        from weft_core.inspection import RunInfo

        record = await self._client._record(self.id)
        return RunInfo.of(record, await shown_status(self._client.store, record))

    async def state(self) -> dict[str, Any]:
        """The run's public state (`ctx.state`) as of its last commit.

        `DecodeError` when it is damaged, or holds a class that the client's app does not know.
        """
        rows = await self._client.store.get([key_of(self.id), keys.state(self.id)])
        if keys.run(self.id) not in rows:
            raise not_found(self.id)
        row = rows.get(keys.state(self.id))
        if row is None:
            return {}
        from weft_core.inspection import read_state

        return read_state(self.id, row.value, self._client.app.codec)

    async def history(self) -> list[dict[str, Any]]:
        """What the run did, oldest first: the latest HISTORY_MAX entries."""
        await self._client._record(self.id)
        fibers = await self._client._scan_all(keys.fibers(self.id))  # these first: see `kernel.history`
        rows = await self._client._scan_all(keys.histories(self.id))
        return read_history([row.value for row in fibers], [row.value for row in rows])

    async def inspect(self) -> weft_core.Inspection:
        """The run's stacks and variables as stored, with the source lines, without running anything."""
        from weft_core.inspection import StoredSource, digests, inspect_fibers

        record = await self._client._record(self.id)
        rows = await self._client._scan_all(keys.fibers(self.id))
        prefix = len(keys.fibers(self.id))
        fibers = {keys.unquote(row.key[prefix:]): row.value for row in rows}
        units = await self._client.store.get([keys.unit(digest) for digest in digests(fibers.values())])
        sources = {key.removeprefix("unit/"): StoredSource.of(row.value) for key, row in units.items()}
        return inspect_fibers(record, fibers, sources)


class Client:
    """Starts, signals and reads runs on a store, without executing anything."""

    def __init__(self, store: Store, app: App | None = None) -> None:
        self.store = store
        self._appless = app is None
        self.app = app or App("client")
        install(self.app)

    @classmethod
    async def open(cls, url: str | Store, app: App | None = None) -> Client:
        """A client on a store. `app` lets it check workflow names and read the app's own classes in results."""
        return cls(await open_store(url) if isinstance(url, str) else url, app)

    async def close(self) -> None:
        """Close the store."""
        await self.store.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def handle(self, run_id: str) -> RunHandle:
        """The handle of a run by id. Reads nothing; calls on it raise `RunNotFound` when there is none."""
        return RunHandle(self, run_id)

    async def start(
        self,
        workflow: Workflow[..., Any] | str,
        /,
        *args: Any,
        id: str | None = None,
        if_exists: IfExists = "use",
        start_at: datetime | None = None,
        start_after: Duration | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> RunHandle:
        """Start a run; it is durable when this returns. Positional arguments go to the workflow after `ctx`.

        Starting an id that exists gives that run when workflow and input agree (`1` and `1.0` do not; the order of
        a dict's keys does not matter), else raises `AlreadyExists`;
        `if_exists="fail"` always raises, `"restart_if_closed"` replaces a run that has ended. `start_at` or
        `start_after` delay the beginning. Raises `UnknownWorkflow`, `CheckpointError` for an input that cannot be stored,
        `DeclarationError` for an id of more than 200 characters or more than 1,200 in a key.
        """
        name, version = self._workflow(workflow)
        run_id = os.urandom(10).hex() if id is None else keys.check_run_id(id)
        if if_exists not in ("use", "fail", "restart_if_closed"):
            raise DeclarationError(f"if_exists is 'use', 'fail' or 'restart_if_closed', not {if_exists!r}")
        if start_at is not None and start_after is not None:
            raise DeclarationError("give start_at or start_after, not both")
        now = self._now_ms()
        given = None if kwargs else self.app.codec.encode_atoms(args)
        if given is None:
            given = self.app.codec.encode_call(args, kwargs or {}, what=name)
        record = RunRecord(id=run_id, workflow=name, version=version, status="pending", input=given, created_at=now)
        if start_at is not None:
            record.start_at = instant_ms(start_at)
        elif start_after is not None:
            record.start_at = now + milliseconds(start_after)
        run_key = keys.run(run_id)
        batch = Batch(expect={run_key: 0})
        for _ in range(CONFLICT_RETRIES_MAX):
            try:
                await self._commit(batch, run_id, record if not batch.expect[run_key] else None)
                return RunHandle(self, run_id)
            except Conflict:
                rows = await self.store.get([run_key])
                row = rows.get(run_key)
                if row is None:
                    batch.expect = {run_key: 0}
                    continue
                found = read_record(row, run_id)
                if not self._existing(found, record, if_exists):
                    return RunHandle(self, run_id)
                record.execution = found.execution + 1
                batch.put = start_rows(record)
                batch.expect = {run_key: row.version}
                batch.delete_range = [(p, keys.prefix_end(p)) for p in (keys.histories(run_id), keys.seens(run_id))]
                batch.delete = {keys.state(run_id)}
        raise AlreadyExists(f"run {run_id!r} is being replaced by others over and over; give it another id")

    def _existing(self, found: RunRecord, wanted: RunRecord, if_exists: IfExists) -> bool:
        """Whether to replace the run found; False to use it. Raises `AlreadyExists`."""
        if if_exists == "fail":
            raise AlreadyExists(f"run {found.id!r} exists ({found.status}); if_exists='fail' was asked for")
        if if_exists == "restart_if_closed" and found.closed:
            return True
        if found.workflow != wanted.workflow:
            raise AlreadyExists(
                f"run {found.id!r} exists and is a run of {found.workflow!r}, not {wanted.workflow!r}; give another id"
            )
        if found.input != wanted.input and _canonical(found.input) != _canonical(wanted.input):
            raise AlreadyExists(f"run {found.id!r} of {found.workflow!r} exists with another input; give another id")
        return False

    async def list(
        self,
        *,
        status: Status | Sequence[Status] | None = None,
        workflow: Workflow[..., Any] | str | None = None,
        id_prefix: str = "",
        limit: int = 100,
    ) -> Sequence[weft_core.RunInfo]:
        """Runs in the order of their ids, filtered; at most `limit`. Raises `DeclarationError` for an unknown status.

        A run whose record is damaged is listed as suspended, with the problem `decode`.
        """
        from weft_core.inspection import RunInfo, check_list

        name, wanted = check_list(workflow, status, id_prefix, limit)
        found: builtins.list[RunInfo] = []
        async for record in self._records():
            if name is not None and record.workflow != name:
                continue
            if not record.id.startswith(id_prefix):
                continue
            shown = await shown_status(self.store, record)
            if wanted is not None and shown not in wanted:
                continue
            found.append(RunInfo.of(record, shown))
            if len(found) >= limit:
                break
        return found

    async def count(
        self,
        *,
        status: Status | Sequence[Status] | None = None,
        workflow: Workflow[..., Any] | str | None = None,
    ) -> int:
        """How many runs the same filters of `list` match."""
        return len(await self.list(status=status, workflow=workflow, limit=1 << 62))

    # --- inside --------------------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def _workflow(self, workflow: Workflow[..., Any] | str) -> tuple[str, str]:
        if isinstance(workflow, str) and not self.app.workflows:
            return workflow, "1"  # a client without an app cannot know the names; an engine will
        if self._appless and isinstance(workflow, Workflow):
            raise UnknownWorkflow(
                f"this client has no app that would know {workflow!r}: open it with one, `Client.open(url, app)`, or "
                f"give its name, {workflow.name!r}"
            )
        found = self.app.find_workflow(workflow)
        return found.name, found.version

    async def _commit(self, batch: Batch, run_id: str, new: RunRecord | None = None) -> None:
        """Commit a batch that touches one run; with the rows of its start when it is `new`."""
        if new is not None:
            batch.put = start_rows(new)
        await self.store.commit(batch)

    async def _record(self, run_id: str) -> RunRecord:
        run_key = key_of(run_id)
        row = (await self.store.get([run_key])).get(run_key)
        if row is None:
            raise not_found(run_id)
        return read_record(row, run_id)

    async def _records(self) -> Any:
        start, end = "run/", keys.prefix_end("run/")
        while True:
            rows = await self.store.scan(start, end)
            for row in rows:
                try:
                    yield RunRecord.from_json(row.value)
                except DecodeError as error:
                    from weft_core.inspection import stand_in

                    yield stand_in(keys.unquote(row.key.removeprefix("run/")), error)
            if not rows:
                return
            start = rows[-1].key + "\x00"

    async def _scan_all(self, prefix: str) -> Sequence[Row]:
        return await scan_all(self.store, prefix)

    async def _send(
        self, run_id: str, kind: InboxKind, *, name: str = "", payload: str = "null", id: str | None = None
    ) -> None:
        run_key, seq_key, ready_key = key_of(run_id), keys.seq(run_id), keys.ready(run_id)
        wanted = [run_key, seq_key] if id is None else [run_key, seq_key, keys.seen(run_id, keys.check_signal_id(id))]
        for _ in range(CONFLICT_RETRIES_MAX):
            rows = await self.store.get(wanted)
            run = rows.get(run_key)
            if run is None:
                raise not_found(run_id)
            record = read_record(run, run_id)
            if record.closed:
                raise RunClosed(f"run {run_id!r} has ended ({record.status}); the {kind} was not delivered")
            if id is not None and keys.seen(run_id, id) in rows:
                return
            seq = rows.get(seq_key)
            n = 1 if seq is None else int(parse(seq.value, "inbox counter")["n"]) + 1
            now = self._now_ms()
            row = InboxRow(n=n, kind=kind, name=name, payload=payload, id=id, at=now)
            batch = Batch(
                expect={run_key: run.version, seq_key: 0 if seq is None else seq.version},
                put={seq_key: dump({"n": n}), keys.inbox(run_id, n): row.to_json(), ready_key: dump({"at": now})},
            )
            if record.problem is not None and kind in ("cancel", "resume", "terminate"):
                # Whoever asks for its result from now on waits for what an engine makes of this.
                record.unpark()
                batch.put[run_key] = record.to_json()
            if id is not None:
                batch.expect[keys.seen(run_id, id)] = 0
                batch.put[keys.seen(run_id, id)] = dump({"at": now})
            try:
                await self._commit(batch, run_id)
                return
            except Conflict:
                continue
        raise Conflict(seq_key, expected=0, actual=0)

    async def _wait_closed(self, run_id: str) -> RunRecord:
        changed = asyncio.Event()
        unwatch = self.store.watch(changed.set)
        try:
            while True:
                record = await self._record(run_id)
                if record.closed or record.problem is not None:
                    return record
                changed.clear()
                try:
                    await asyncio.wait_for(changed.wait(), POLL_INTERVAL_S)
                except TimeoutError:
                    pass
        finally:
            unwatch()

    def _outcome(self, record: RunRecord) -> Any:
        if record.status == "completed":
            return self.app.codec.decode(record.result or "null")
        from weft_core.inspection import failure

        raise failure(record, self.app.codec)


def _canonical(text: str) -> str:
    """JSON with sorted keys, to compare values: 1, 1.0 and True differ, as they do for a workflow."""
    import json

    return json.dumps(json.loads(text), sort_keys=True)
