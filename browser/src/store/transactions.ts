/**
 * One transaction per call, driven by request callbacks alone: a transaction ends when a task passes without a request,
 * so nothing is awaited inside. Each settles on `complete` or `abort`; single requests may never settle.
 */

import { type Logged, META, RECENT, type Recent, ROWS, STORE } from "./database.js";
import { Conflict, ConnectionLost, translate } from "./errors.js";
import type { Durability, Operations, Row } from "./port.js";
import type { Standing } from "./standing.js";

/** How many clients' latest commits are remembered; whoever repeats a commit was among the last. */
const RECENT_MAX = 32;
/** Keys in `[start, end)`, which is not empty. */
export const keysFrom = (start: string, end: string): IDBKeyRange => IDBKeyRange.bound(start, end, false, true);
const NUMBERS = IDBKeyRange.bound(0, Number.POSITIVE_INFINITY);

/** The number that one commit of a group got, or why nothing of it was written. */
export type Outcome = number | Conflict;

/** Which group of commits of which client this is: most groups are one commit. */
export interface Attempt {
  readonly client: string;
  /** Grows with each group of the client; the same again when a group is repeated. */
  readonly sequence: number;
  readonly durability: Durability;
  /** As the owner; undefined for everybody else. */
  readonly standing: Standing | undefined;
  /** Gets the outcomes before anything is written. */
  readonly judged: (outcomes: readonly Outcome[]) => void;
}

/** What became of each commit of a group, and whether it is an owner's first write. */
export interface Group {
  readonly outcomes: readonly Outcome[];
  readonly first: boolean;
}

/** Somebody else has committed when an owner guessed that nobody had; nothing was written. */
export class Outdated extends Error {}

/** Start a transaction and run `body` in it; `ended` says what the whole came to. */
export function transact<T>(
  database: IDBDatabase,
  stores: string[],
  mode: IDBTransactionMode,
  durability: Durability,
  doing: string,
  body: (transaction: IDBTransaction, refuse: (error: Error, aborting?: boolean) => void) => () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let transaction: IDBTransaction;
    try {
      transaction = database.transaction(stores, mode, { durability });
    } catch (error) {
      return reject(translate(error, doing) ?? new ConnectionLost(error, false));
    }
    let refusal: Error | undefined;
    const refuse = (error: Error, aborting = false) => {
      refusal ??= error;
      if (!aborting) transaction.abort();
    };
    let result: (() => T) | undefined;
    transaction.oncomplete = () => resolve((result as () => T)());
    transaction.onerror = (event) => event.preventDefault(); // `abort` follows and tells
    transaction.onabort = () => {
      const error = refusal ?? transaction.error;
      reject(refusal ?? translate(error, doing) ?? new ConnectionLost(error, mode === "readwrite"));
    };
    try {
      result = body(transaction, refuse);
    } catch (error) {
      refusal = translate(error, doing) ?? new ConnectionLost(error, false);
      reject(refusal);
      try {
        transaction.abort();
      } catch {
        // it was over already, which is what went wrong
      }
    }
  });
}

/** The rows among `keys`, and the first ones of a range. */
export function readRows(
  database: IDBDatabase,
  keys: readonly string[],
  range?: IDBKeyRange,
  limit?: number,
): Promise<{ rows: Row[]; found: Row[] }> {
  return transact(database, [ROWS], "readonly", "relaxed", "reading", (transaction) => {
    const rows = transaction.objectStore(ROWS);
    const single = keys.map((key) => rows.get(key) as IDBRequest<Row | undefined>);
    const found: IDBRequest<Row[]> | undefined = range && rows.getAll(range, limit);
    return () => ({ rows: single.flatMap((request) => request.result ?? []), found: found?.result ?? [] });
  });
}

/** The last rows of a range, backwards. */
export function lastRows(database: IDBDatabase, range: IDBKeyRange, limit: number): Promise<Row[]> {
  return transact(database, [ROWS], "readonly", "relaxed", "reading", (transaction) => {
    const found: Row[] = [];
    const request = transaction.objectStore(ROWS).openCursor(range, "prev");
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null) return;
      found.push(cursor.value);
      if (found.length < limit) cursor.continue();
    };
    return () => found;
  });
}

/** The store's name, undefined when this is no store. */
export function readName(database: IDBDatabase): Promise<string | undefined> {
  return transact(database, [META], "readonly", "relaxed", "reading", (transaction) => {
    const request: IDBRequest<string | undefined> = transaction.objectStore(META).get(STORE);
    return () => request.result;
  });
}

/** Check preconditions and nothing else. */
export function checkRows(database: IDBDatabase, expect: Operations["expect"]): Promise<void> {
  return transact(database, [ROWS], "readonly", "relaxed", "checking", (transaction, refuse) => {
    check(transaction.objectStore(ROWS), expect, refuse, () => {});
    return () => undefined;
  });
}

export function write(rows: IDBObjectStore, operations: Operations, version: number): void {
  for (const [start, end] of operations.deleteRange) {
    if (start < end) rows.delete(keysFrom(start, end));
  }
  for (const key of operations.delete) rows.delete(key);
  for (const [key, value] of operations.put) rows.put({ key, value, version });
}

/**
 * Commit a group: each as if by itself, one after the other, all durable together. Reads where the commits stand and what they
 * expect, judges them, and writes. Every commit leaves a row under its number. `repeated`: the end of an earlier attempt is not
 * known, but how it judged; see whether that was applied.
 */
export function commitRows(
  database: IDBDatabase,
  group: readonly Operations[],
  attempt: Attempt,
  repeated: readonly Outcome[] | null,
): Promise<Group> {
  return transact(database, [ROWS, META], "readwrite", attempt.durability, "writing", (transaction) =>
    commitReading(transaction, group, attempt, repeated),
  );
}

function commitReading(
  transaction: IDBTransaction,
  group: readonly Operations[],
  { client, sequence, standing, judged }: Attempt,
  repeated: readonly Outcome[] | null,
): () => Group {
  const rows = transaction.objectStore(ROWS);
  const meta = transaction.objectStore(META);
  const owner = standing !== undefined;
  const since = standing?.since ?? null;
  let outcomes: readonly Outcome[] = [];
  let first = false;
  const latest = meta.openCursor(NUMBERS, "prev");
  // An owner asks for what came after its first commit; before that one, and to find a lost commit, for everything.
  const asked = repeated || since === null ? NUMBERS : IDBKeyRange.bound(since, Number.POSITIVE_INFINITY, true);
  const all: IDBRequest<Logged[]> | null = owner || repeated ? meta.getAll(asked) : null;
  const expected = new Set(group.flatMap(({ expect }) => expect.map(([key]) => key)));
  const versions = new Map<string, number>();
  for (const key of expected) {
    const request: IDBRequest<Row | undefined> = rows.get(key);
    request.onsuccess = () => versions.set(key, request.result?.version ?? 0);
  }
  const recent: IDBRequest<Recent> = meta.get(RECENT); // answered when all before it are
  recent.onsuccess = () => {
    const log = all?.result ?? [];
    const mine = (commit: Logged) => commit.client === client && commit.sequence === sequence;
    if (repeated && [...log, ...recent.result].some(mine)) {
      outcomes = repeated;
      return;
    }
    outcomes = judge(group, versions, (latest.result?.key as number | undefined) ?? 0);
    judged(outcomes);
    const numbers = outcomes.filter((outcome) => typeof outcome === "number");
    if (numbers.length > 0) {
      const logged = [...new Set([numbers[0] as number, numbers[numbers.length - 1] as number])].map(
        (number): Logged => ({ number, client, sequence, owner }),
      );
      const others = recent.result.filter((commit) => commit.client !== client).slice(0, RECENT_MAX - 1);
      meta.put([logged[0], ...others], RECENT);
      for (const commit of logged) meta.put(commit, commit.number);
      const ownedByOthers = log.some((c) => c.owner && c.client !== client && c.number > (since ?? 0));
      first = owner && (since === null || ownedByOthers);
      if (first) standing?.forgetEarlier(meta, [...log, ...logged]);
      for (const [place, outcome] of outcomes.entries()) {
        if (typeof outcome === "number") write(rows, group[place] as Operations, outcome);
      }
    }
    transaction.commit();
  };
  return () => ({ outcomes, first });
}

/** What becomes of each commit, one after the other, given the `versions` of the rows that they expect something of. */
function judge(group: readonly Operations[], versions: Map<string, number>, latest: number): Outcome[] {
  let number = latest;
  return group.map((operations) => {
    for (const [key, version] of operations.expect) {
      const actual = versions.get(key) as number;
      if (actual !== version) return new Conflict(key, version, actual);
    }
    number += 1;
    written(versions, operations, number);
    return number;
  });
}

/** What a commit with these operations and this number does to the versions of rows. */
export function written(versions: Map<string, number>, operations: Operations, number: number): void {
  for (const [start, end] of operations.deleteRange) {
    for (const key of versions.keys()) if (start <= key && key < end) versions.set(key, 0);
  }
  for (const key of operations.delete) versions.set(key, 0);
  for (const [key] of operations.put) versions.set(key, number);
}

/** Compare versions, in order: `refuse` with the first conflict, or `hold` once when all hold. Nothing, if all is none. */
export function check(
  rows: IDBObjectStore,
  expect: Operations["expect"],
  refuse: (error: Error) => void,
  hold: (nothing?: undefined) => void,
): void {
  let unanswered = expect.length;
  let refused = false;
  for (const [key, expected] of expect) {
    const request: IDBRequest<Row | undefined> = rows.get(key);
    request.onsuccess = () => {
      const actual = request.result?.version ?? 0;
      unanswered -= 1;
      if (refused) return;
      if (actual !== expected) {
        refused = true;
        refuse(new Conflict(key, expected, actual));
      } else if (unanswered === 0) hold();
    };
  }
}
