/**
 * The documents that stand in the store, as a page reads and writes them: `weft_core/kernel/records.py` in TypeScript.
 * Instants are milliseconds since 1970.
 */

import { WeftError } from "./errors.js";
import { parseJson } from "./json.js";

export type Status =
  | "pending"
  | "running"
  | "waiting"
  | "suspended"
  | "completed"
  | "failed"
  | "cancelled"
  | "terminated"
  | "timed_out"
  | "moved";

const CLOSED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "terminated", "timed_out", "moved"]);
const OPEN = ["pending", "running", "waiting", "suspended"];

/** Whether a run of this status has ended. */
export const isClosed = (status: Status): boolean => CLOSED.has(status);

export const STATUSES: readonly string[] = [...OPEN, ...CLOSED];
/** Whether a run can stand so. */
export const isStatus = (given: unknown): given is Status => STATUSES.includes(given as string);

/** A run record. `input`, `result`, `error` are values as the codec writes them. */
export interface RunRecord {
  readonly id: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: Status;
  readonly input: unknown;
  readonly created_at: number;
  readonly start_at?: number;
  readonly started_at?: number;
  readonly closed_at?: number;
  readonly timeout_at?: number;
  readonly cancel_reason?: string;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly problem?: { readonly code: string; readonly message: string };
  readonly history_count?: number;
  /** Which run of this id it is, when it is not the first. */
  readonly execution?: number;
}

/** One frame of a waiting stack: function, line, and the live variables as stored. */
export interface FrameRow {
  readonly unit: string;
  readonly digest: string;
  readonly line: number;
  readonly locals?: Readonly<Record<string, unknown>>;
}

/** One fiber of a run: its frames (outermost first) and what it waits for, or that it is done. */
export interface FiberRow {
  readonly frames?: readonly FrameRow[];
  readonly wait?: Readonly<Record<string, unknown>>;
  readonly done?: unknown;
  /** Entries of the run's history that have no row of their own yet. */
  readonly e?: readonly HistoryEntry[];
}

/** History entries kept for a run. */
export const HISTORY_MAX = 100;

/** Something the run did. `n` counts from the run's start; `kind` says what; the rest depends on the kind. */
export interface HistoryRow {
  readonly n: number;
  readonly at: number;
  readonly kind: string;
  readonly [fact: string]: unknown;
}

/** A history entry as it is stored: the one of every step, a completed activity, is a list. */
export type HistoryEntry = HistoryRow | readonly [n: number, at: number, name: string, fiber: string, attempt?: number];

export type InboxKind = "signal" | "cancel" | "terminate" | "suspend" | "resume";

/** The text of a row for something that arrived. `payload` is codec text; key order is Python's. */
export function inboxRow(kind: InboxKind, name: string, payload: string, id: string | undefined, at: number): string {
  const ident = id === undefined ? "" : `,"id":${text(id)}`;
  return `{"kind":"${kind}","name":${text(name)},"payload":${payload}${ident},"at":${at}}`;
}

/** The text of the record of a run that has just been asked for. `input` is codec text of `[args, kwargs]`. */
export function newRunRecord(facts: {
  id: string;
  workflow: string;
  version: string;
  input: string;
  created_at: number;
  start_at: number | undefined;
  execution?: number;
}): string {
  const start = facts.start_at === undefined ? "" : `,"start_at":${facts.start_at}`;
  const execution = facts.execution === undefined ? "" : `,"execution":${facts.execution}`;
  return (
    `{"id":${text(facts.id)},"workflow":${text(facts.workflow)},"version":${text(facts.version)},` +
    `"status":"pending","input":${facts.input},"created_at":${facts.created_at}${start}${execution}}`
  );
}

/** JSON of a value, in ASCII: every store and the bridge to Python are fastest with it. */
export function text(value: unknown): string {
  return ascii(JSON.stringify(value));
}

/** Escape everything outside ASCII in a JSON text. */
export function ascii(json: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
  return json.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A stored JSON object, or a `decode` error that names what it was meant to be. */
export function parseRow<T extends object>(json: string, what: string): T {
  let value: unknown;
  let cause: unknown;
  try {
    value = parseJson(json);
  } catch (error) {
    cause = error;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WeftError("decode", `the ${what} is not a JSON object; it was damaged outside of Weft`, { cause });
  }
  return value as T;
}

export function parseRun(json: string): RunRecord {
  const record = parseRow<RunRecord>(json, "run record");
  if (typeof record.id !== "string" || typeof record.workflow !== "string") {
    throw new WeftError("decode", "a run record lacks its id or workflow; it was damaged outside of Weft");
  }
  if (!isStatus(record.status)) {
    throw new WeftError("decode", `a run record has the unknown status ${JSON.stringify(record.status)}`);
  }
  return record;
}
