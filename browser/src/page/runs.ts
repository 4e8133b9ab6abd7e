/** Reading runs: what pages see of them, as `weft_core/client.py` and `inspection.py` tell it. */

import { RunFailed, WeftError } from "../errors.js";
import * as keys from "../keys.js";
import {
  type FiberRow,
  type FrameRow,
  HISTORY_MAX,
  type HistoryEntry,
  type HistoryRow,
  isClosed,
  parseRow,
  parseRun,
  type RunRecord,
  type Status,
} from "../records.js";
import type { Row, Store } from "../store/index.js";
import { decode } from "../values.js";
import { checkList, type ListOptions } from "./listing.js";
import { refuse } from "./options.js";
import { pythonError } from "./python_error.js";

const SCAN_LIMIT = 1_000;
const ROOT_FIBER = "0";

/** One frame of a waiting stack. `locals` are the live variables as stored: plain JSON for plain data. */
export interface Frame {
  readonly function: string;
  readonly line: number;
  readonly locals: Readonly<Record<string, unknown>>;
}

/** One strand of a run: its stack, outermost frame first, and what it waits for. */
export interface Fiber {
  readonly id: string;
  readonly frames: readonly Frame[];
  readonly waitingFor: Readonly<Record<string, unknown>> | null;
  readonly ended: boolean;
}

/** A run as it stands in the store: what `run.inspect()` gives and "change" carries. */
export interface RunView {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: Status;
  readonly createdAt: Date;
  readonly closedAt: Date | null;
  readonly state: Readonly<Record<string, unknown>>;
  readonly fibers: readonly Fiber[];
  /** Where the run's main strand stands: the line and variables of its innermost frame; null when it stands nowhere. */
  readonly line: number | null;
  readonly locals: Readonly<Record<string, unknown>>;
  /** Why the engine parked the run, when it did. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/** Gives single rows, as a `Watch` does. */
interface RowReader {
  row(key: string): Promise<Row | undefined>;
}

/** Everything a page shows of a run. */
export async function view(store: Store, runId: string): Promise<RunView> {
  return (await look(store, runId)).view;
}

/** The same with the text of the rows it was made from: equal texts, equal views. */
export async function look(store: Store, runId: string): Promise<{ readonly view: RunView; readonly rows: string }> {
  const runKey = existingKey(runId);
  const stateKey = keys.state(runId);
  const fiberKeys = keys.fibers(runId);
  // At one moment: a run that ends in between is not one that waits.
  const { rows, found } = await store.look([runKey, stateKey], fiberKeys, keys.prefixEnd(fiberKeys), SCAN_LIMIT);
  const record = parseRun(existing(rows.get(runKey), runId).value);
  const fiberRows = await scanRest(store, found, keys.prefixEnd(fiberKeys));
  const prefix = fiberKeys.length;
  const parsed = fiberRows.map((row): [string, FiberRow] => [
    keys.unquote(row.key.slice(prefix)),
    parseRow<FiberRow>(row.value, `row of fiber ${row.key}`),
  ]);
  const fibers = parsed.map(([id, row]): Fiber => {
    return {
      id,
      frames: (row.frames ?? []).map(frame),
      waitingFor: row.wait ?? null,
      ended: row.done !== undefined,
    };
  });
  const root = fibers.find((fiber) => fiber.id === ROOT_FIBER)?.frames.at(-1);
  const stateRow = rows.get(stateKey);
  const view = {
    id: record.id,
    workflow: record.workflow,
    version: record.version,
    status: shown(
      record,
      parsed.map(([, row]) => row),
    ),
    createdAt: new Date(record.created_at),
    closedAt: record.closed_at === undefined ? null : new Date(record.closed_at),
    state: stateRow ? (decode(parseRow(stateRow.value, "state")) as Record<string, unknown>) : {},
    fibers,
    line: root?.line ?? null,
    locals: root?.locals ?? {},
    problem: record.problem ?? null,
  };
  return { view, rows: [...rows.values(), ...fiberRows].map(({ key, value }) => `${key} ${value}`).join("\n") };
}

/** The stored status, except that an open run which only time or the outside can move is `waiting`. */
function shown(record: RunRecord, fibers: readonly FiberRow[]): Status {
  if (record.status !== "running") return record.status;
  return fibers.some((fiber) => fiber.wait?.["op"] === "run") ? "running" : "waiting";
}

function frame(row: FrameRow): Frame {
  const visible = Object.entries(row.locals ?? {}).filter(([name]) => !name.startsWith("@"));
  return { function: row.unit, line: row.line, locals: Object.fromEntries(visible) };
}

/** What the run did, oldest first: the latest entries that are kept. */
export async function history(store: Store, runId: string): Promise<HistoryRow[]> {
  const runKey = existingKey(runId);
  existing((await store.get([runKey])).get(runKey), runId);
  // Entries ride in the fibers' rows until they fill a row of their own: read in this order, none is missed.
  const fibers = await scanAll(store, keys.fibers(runId));
  const rows = await scanAll(store, keys.histories(runId));
  const texts = [...fibers.map((row) => row.value), ...rows.map((row) => `{"e":${row.value}}`)];
  const byNumber = new Map(texts.flatMap(entries).map((entry) => [entry.n, entry]));
  return [...byNumber.values()].sort((a, b) => a.n - b.n).slice(-HISTORY_MAX);
}

/** The history entries in the text of a row; none if it is damaged: the rest is worth seeing all the more. */
function entries(text: string): readonly HistoryRow[] {
  try {
    return (parseRow<FiberRow>(text, "history").e ?? []).map(inFull);
  } catch {
    return [];
  }
}

function inFull(entry: HistoryEntry): HistoryRow {
  if (!isList(entry)) return entry;
  const [n, at, name, fiber, attempt = 1] = entry;
  return { n, at, kind: "activity_completed", name, fiber, attempt };
}

const isList = (entry: HistoryEntry): entry is Exclude<HistoryEntry, HistoryRow> => Array.isArray(entry);

/**
 * The outcome of a run that has ended or is parked, or undefined while it goes on. Throws `RunFailed`. A parked run that
 * somebody has written to since goes on: an engine looks at it again.
 */
export async function readOutcome(from: RowReader, runId: string): Promise<{ readonly result: unknown } | undefined> {
  const row = existing(await from.row(existingKey(runId)), runId);
  const record = parseRun(row.value);
  if (record.problem !== undefined && !isClosed(record.status)) {
    const ready = await from.row(keys.ready(runId));
    if (ready !== undefined && ready.version > row.version) return undefined;
  }
  return outcome(record);
}

function outcome(record: RunRecord): { readonly result: unknown } | undefined {
  const facts = { runId: record.id, status: record.status };
  const because = record.cancel_reason === undefined ? "" : `: ${record.cancel_reason}`;
  switch (record.status) {
    case "completed":
      return { result: decode(record.result ?? null) };
    case "cancelled":
      throw new RunFailed("run_cancelled", `run ${record.id} was cancelled${because}`, facts);
    case "terminated":
      throw new RunFailed("run_terminated", `run ${record.id} was terminated${because}`, facts);
    case "timed_out":
      throw new RunFailed("run_timed_out", `run ${record.id} passed its workflow's timeout`, facts);
    case "failed": {
      const raised = pythonError({ $error: record.error });
      throw new RunFailed("run_failed", `run ${record.id} failed: ${raised.name}: ${raised.message}`, facts, raised);
    }
    default:
      if (record.problem) {
        const { code, message } = record.problem;
        throw new RunFailed("run_failed", `run ${record.id} is parked (${code}): ${message}`, facts);
      }
      return undefined;
  }
}

/** Whether a fiber's row says that an activity is under way. A damaged row says nothing: it must not hide other runs. */
function runsActivity(value: string): boolean {
  if (!value.includes('"wait":{"op":"run"')) return false;
  try {
    return parseRow<FiberRow>(value, "row of a fiber").wait?.["op"] === "run"; // the text may be a variable's
  } catch {
    return false;
  }
}

/** Records of runs in the order of their ids, each with the status it is shown with. As `Client.list` in Python. */
export async function list(store: Store, options: ListOptions): Promise<RunRecord[]> {
  checkList(options);
  const found: RunRecord[] = [];
  const limit = options.limit ?? 100;
  const statuses = options.status === undefined ? undefined : new Set([options.status].flat());
  const end = keys.prefixEnd("run/");
  for (let from = "run/"; found.length < limit; ) {
    const rows = await store.scan(from, end, { limit: SCAN_LIMIT });
    for (const row of rows) {
      if (found.length >= limit) break;
      const record = readable(row);
      if (options.workflow !== undefined && record.workflow !== options.workflow) continue;
      if (!record.id.startsWith(options.idPrefix ?? "")) continue;
      const fibers = record.status === "running" ? await scanAll(store, keys.fibers(record.id)) : [];
      const waiting = record.status === "running" && !fibers.some(({ value }) => runsActivity(value));
      const status = waiting ? "waiting" : record.status;
      if (statuses === undefined || statuses.has(status)) found.push({ ...record, status });
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < SCAN_LIMIT) break;
    from = keys.after(last.key);
  }
  return found;
}

/** A run's record; one that cannot be read is shown as suspended with that problem, so that it hides no other. */
function readable(row: Row): RunRecord {
  try {
    return parseRun(row.value);
  } catch (error) {
    const { code, message } = error instanceof WeftError ? error : { code: "decode", message: String(error) };
    const id = keys.unquote(row.key.slice("run/".length));
    const problem = { code, message };
    return { id, workflow: "?", version: "?", status: "suspended", input: null, created_at: 0, problem };
  }
}

async function scanAll(store: Store, prefix: string): Promise<Row[]> {
  const end = keys.prefixEnd(prefix);
  return scanRest(store, await store.scan(prefix, end, { limit: SCAN_LIMIT }), end);
}

/** What was found first, at most SCAN_LIMIT rows, and the rest up to `end`. */
async function scanRest(store: Store, first: readonly Row[], end: string): Promise<Row[]> {
  const found = [...first];
  for (let rows = first; rows.length === SCAN_LIMIT; ) {
    rows = await store.scan(keys.after((rows.at(-1) as Row).key), end, { limit: SCAN_LIMIT });
    found.push(...rows);
  }
  return found;
}

/** The key of a run's record. An id that no run can have is not found, like any other that none has. */
export function existingKey(runId: string): string {
  if (typeof runId !== "string") refuse("a run's id is a text", runId);
  if (keys.quotedLength(runId) > keys.COMPONENT_LENGTH_MAX) return existing(undefined, runId).key;
  return keys.run(runId);
}

export function existing(row: Row | undefined, runId: string): Row {
  if (row === undefined) throw new WeftError("run_not_found", `no run ${JSON.stringify(runId)} in this database`);
  return row;
}
