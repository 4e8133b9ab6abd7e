"""The auditor: what must be true of a store at any moment between commits."""

from __future__ import annotations

from weft_core.kernel.fibers import Fiber
from weft_core.kernel.history import History
from weft_core.kernel.records import InboxRow, RunRecord, parse
from weft_core.kernel.waits import ActivityWait, SignalWait
from weft_core.store import keys
from weft_core.store.port import Store

OWNED = ("fiber", "state", "value", "seq", "inbox", "seen", "ready", "history")
GONE_WHEN_CLOSED = ("fiber", "value", "seq", "inbox", "seen", "ready", "timer")


async def audit(store: Store) -> None:
    """Assert the invariants that a store can show: no orphan rows, no missing ones, no run that nothing can move."""
    rows = {row.key: row.value for row in await store.scan("!", "~", limit=1_000_000)}
    runs = {r.id: r for k, v in rows.items() if k.startswith("run/") for r in [RunRecord.from_json(v)]}
    by_run: dict[str, dict[str, list[str]]] = {run_id: {} for run_id in runs}
    for key in rows:
        kind, *rest = key.split("/")
        if kind == "timer":
            run_id = keys.unquote(rest[1])
        elif kind in OWNED:
            run_id = keys.unquote(rest[0])
        else:
            continue
        assert run_id in runs, f"{key} has no run"
        by_run[run_id].setdefault(kind, []).append(key)
    for run_id, record in runs.items():
        _audit_run(record, by_run[run_id], rows)


def _audit_run(record: RunRecord, mine: dict[str, list[str]], rows: dict[str, str]) -> None:
    if record.closed:
        for kind in GONE_WHEN_CLOSED:
            assert kind not in mine, f"run {record.id} has ended and keeps {mine[kind]}"
        assert record.closed_at is not None
        return
    fibers = {}
    for key in mine.get("fiber", ()):
        fiber_id = keys.unquote(key.rsplit("/", 1)[1])
        fibers[fiber_id] = Fiber.from_json(fiber_id, rows[key], History(0))
    for fiber_id, fiber in fibers.items():
        assert fiber.wait is not None or fiber.outcome is not None or fiber.queued, (
            f"run {record.id}: fiber {fiber_id} waits for nothing; what it received is lost"
        )
    timers = {(int(key.split("/")[1]), keys.unquote(key.split("/")[3])) for key in mine.get("timer", ())}
    expected = set()
    if record.status != "suspended":
        expected = {(f.due, i) for i, f in fibers.items() if f.due is not None}
        if record.status == "pending" and record.start_at is not None:
            expected.add((record.start_at, ""))
        elif record.timeout_at is not None:
            expected.add((record.timeout_at, ""))
    if not record.timing_out:
        assert timers == expected, f"run {record.id}: timers {timers}, but due are {expected}"
    used = {digest for fiber in fibers.values() for digest in fiber.values}
    stored = {key.rsplit("/", 1)[1] for key in mine.get("value", ())}
    assert used == stored, f"run {record.id}: values used {used}, stored {stored}"
    numbers = [InboxRow.from_json(int(k.rsplit("/", 1)[1]), rows[k]).n for k in mine.get("inbox", ())]
    if numbers:
        assert parse(rows[keys.seq(record.id)], "seq")["n"] >= max(numbers)
    if "ready" in mine or record.status == "suspended" or timers:
        return
    # Nothing but the outside can move it: then something of it must be waiting for the outside.
    waits = [f.wait for f in fibers.values() if f.outcome is None and not f.queued]
    assert any(isinstance(w, SignalWait) for w in waits), f"run {record.id} is stuck: {waits}"
    assert not any(isinstance(w, ActivityWait) and w.retry_at is None for w in waits), (
        f"run {record.id} has an activity under way and no ready row: a crash would lose it"
    )
