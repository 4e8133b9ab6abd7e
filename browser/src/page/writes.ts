/** Starting runs and sending to them: conditional batches on the store, as `weft_core/client.py` makes them. */

import { WeftError } from "../errors.js";
import * as keys from "../keys.js";
import { randomName } from "../random.js";
import {
  type InboxKind,
  inboxRow,
  isClosed,
  newRunRecord,
  parseRow,
  parseRun,
  type RunRecord,
  text,
} from "../records.js";
import type { Store } from "../store/index.js";
import { encode, lowerInteger, parseJson } from "../values.js";
import { checkOptions, isPlain, type Known, refuse } from "./options.js";
import { existing, existingKey } from "./runs.js";

/** How often a call is made again when others write to the same run at the same moment. */
const CONFLICT_RETRIES_MAX = 1_000;
const IF_EXISTS: ReadonlySet<unknown> = new Set(["use", "fail", "restart_if_closed"]);

export interface StartOptions {
  /** The run's id; made up when not given. Starting an existing id gives that run when workflow and input agree. */
  readonly id?: string | undefined;
  /** Further positional arguments of the workflow, after the input. */
  readonly args?: readonly unknown[] | undefined;
  /** Keyword arguments of the workflow. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined;
  readonly ifExists?: "use" | "fail" | "restart_if_closed" | undefined;
  /** When to begin; at once when not given. */
  readonly startAt?: Date | undefined;
  /** The workflow's version, when it is not "1". */
  readonly version?: string | undefined;
}

const START_OPTIONS: Known<StartOptions> = {
  id: true,
  args: true,
  kwargs: true,
  ifExists: true,
  startAt: true,
  version: true,
};

/** Make a run durable; resolves to its id when it is. `first` is the workflow's first argument. Needs no engine. */
export async function start(store: Store, workflow: string, first: unknown, options: StartOptions): Promise<string> {
  checkStart(workflow, options);
  const args = [...(first === undefined ? [] : [first]), ...(options.args ?? [])];
  const id = options.id === undefined ? randomName() : keys.checkRunId(options.id);
  const now = Date.now();
  const startAt = options.startAt?.getTime();
  const input = encode([args, options.kwargs ?? {}], `input of ${workflow}`);
  const facts = {
    id,
    workflow,
    version: options.version ?? "1",
    input,
    created_at: now,
    start_at: startAt,
  };
  const runKey = keys.run(id);
  const put = { [runKey]: newRunRecord(facts), [keys.ready(id)]: text({ at: now }) };
  if (startAt !== undefined) put[keys.timer(startAt, id, "")] = "{}";
  let expected = 0;
  for (let i = 0; i < CONFLICT_RETRIES_MAX; i++) {
    const replace = expected
      ? {
          deleteRange: [keys.histories(id), keys.seens(id)].map((p): [string, string] => [p, keys.prefixEnd(p)]),
          delete: [keys.state(id)],
        }
      : {};
    if (await committed(store, { expect: { [runKey]: expected }, put, ...replace })) return id;
    const row = (await store.get([runKey])).get(runKey);
    if (row) {
      const found = parseRun(row.value);
      if (!replaces(found, workflow, input, options.ifExists ?? "use")) return id;
      put[runKey] = newRunRecord({ ...facts, execution: (found.execution ?? 1) + 1 });
    }
    expected = row?.version ?? 0;
  }
  throw new WeftError("already_exists", `run ${id} is being replaced by others over and over; give it another id`);
}

/** TypeScript says the same; pages written in JavaScript hear of it here, before anything is stored. */
function checkStart(workflow: string, options: StartOptions): void {
  checkOptions("start", options, START_OPTIONS);
  const { args, kwargs, ifExists, startAt, version } = options;
  if (typeof workflow !== "string" || workflow === "") refuse("a workflow is given by its name", workflow);
  if (args !== undefined && !Array.isArray(args)) refuse("args is an array of further arguments", args);
  if (kwargs !== undefined && !isPlain(kwargs)) refuse("kwargs is an object of arguments by name", kwargs);
  if (ifExists !== undefined && !IF_EXISTS.has(ifExists))
    refuse('ifExists is "use", "fail" or "restart_if_closed"', ifExists);
  if (startAt !== undefined && !(startAt instanceof Date && !Number.isNaN(startAt.getTime())))
    refuse("startAt is a valid Date", startAt);
  if (version !== undefined && typeof version !== "string") refuse("a version is a text", version);
}

function replaces(found: RunRecord, workflow: string, input: string, ifExists: string): boolean {
  if (ifExists === "fail") throw new WeftError("already_exists", `run ${found.id} exists (${found.status})`);
  if (ifExists === "restart_if_closed" && isClosed(found.status)) return true;
  if (found.workflow !== workflow) {
    const message = `run ${found.id} exists and is a run of ${found.workflow}, not ${workflow}; give another id`;
    throw new WeftError("already_exists", message);
  }
  if (canonical(found.input) !== canonical(parseJson(input))) {
    throw new WeftError("already_exists", `run ${found.id} exists with another input; give another id`);
  }
  return false;
}

/** What is said of a message beside its payload is a text: a signal's name, the reason of a command. */
export function checkName(kind: InboxKind, name: unknown): void {
  if (typeof name !== "string") refuse(kind === "signal" ? "a signal's name is a text" : "a reason is a text", name);
}

/** The last message on its way to each run: of those written at the same moment one wins and all others begin again. */
const underWay = new Map<string, Promise<void>>();

/** Put something into a run's inbox, after what was sent to it before; resolves when it is durable. */
export async function send(
  store: Store,
  runId: string,
  kind: InboxKind,
  { name = "", payload = "null", id }: { name?: string; payload?: string; id?: string | undefined } = {},
): Promise<void> {
  checkName(kind, name);
  const runKey = existingKey(runId);
  const place = `${store.name} ${runKey}`;
  const deliver = () => write(store, runId, kind, name, payload, id);
  const sent = underWay.get(place)?.then(deliver, deliver) ?? deliver();
  underWay.set(place, sent);
  try {
    await sent;
  } finally {
    if (underWay.get(place) === sent) underWay.delete(place);
  }
}

async function write(
  store: Store,
  runId: string,
  kind: InboxKind,
  name: string,
  payload: string,
  id: string | undefined,
): Promise<void> {
  const runKey = keys.run(runId);
  const seqKey = keys.seq(runId);
  const seenKey = id === undefined ? undefined : keys.seen(runId, keys.checkSignalId(id));
  for (let i = 0; i < CONFLICT_RETRIES_MAX; i++) {
    const rows = await store.get(seenKey === undefined ? [runKey, seqKey] : [runKey, seqKey, seenKey]);
    const run = existing(rows.get(runKey), runId);
    const record = parseRun(run.value);
    if (isClosed(record.status)) {
      throw new WeftError("run_closed", `run ${runId} has ended (${record.status}); the ${kind} was not delivered`);
    }
    if (seenKey !== undefined && rows.has(seenKey)) return;
    const counter = rows.get(seqKey);
    const n = counter ? Number(parseRow<{ n: number }>(counter.value, "inbox counter").n) + 1 : 1;
    const at = Date.now();
    const expect: Record<string, number> = { [runKey]: run.version, [seqKey]: counter?.version ?? 0 };
    const put: Record<string, string> = {
      [seqKey]: text({ n }),
      [keys.inbox(runId, n)]: inboxRow(kind, name, payload, id, at),
      [keys.ready(runId)]: text({ at }),
    };
    if (seenKey !== undefined) {
      expect[seenKey] = 0;
      put[seenKey] = text({ at });
    }
    if (await committed(store, { expect, put })) return;
  }
  throw new WeftError("conflict", `others wrote to run ${runId} over and over; the ${kind} was not delivered`);
}

/** Whether the batch was applied; false when a precondition did not hold. */
async function committed(store: Store, batch: Parameters<Store["commit"]>[0]): Promise<boolean> {
  try {
    await store.commit(batch);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === "conflict") return false;
    throw error;
  }
}

/** JSON with sorted keys, to compare values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === "bigint") return lowerInteger(item);
    if (Object.is(item, -0)) return { $float: "-0.0" }; // another value than 0, as in Python
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
