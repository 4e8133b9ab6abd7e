/**
 * One transaction per call, driven by request callbacks alone: a transaction ends when a task passes without a request,
 * so nothing is awaited inside. Each settles on `complete` or `abort`; single requests may never settle.
 */

import { COMMITS, type Commits, META, ROWS } from "./database.js";
import { Conflict, ConnectionLost, translate } from "./errors.js";
import type { Durability, Operations, Row } from "./port.js";

/** How many clients' latest commits are remembered; whoever repeats a commit was among the last. */
const RECENT_MAX = 32;

/** Which commit of which client this is. */
export interface Attempt {
  readonly client: string;
  /** Grows with each commit of the client; the same again when a commit is repeated. */
  readonly sequence: number;
  /** The row `COMMITS` as this client last saw it: the writes go out on the guess that it is still the latest. */
  readonly seen: Commits;
  /** The outcome of an earlier attempt is not known: look first whether it was applied. */
  readonly repeated: boolean;
  readonly durability: Durability;
}

/** Start a transaction and run `body` in it; `ended` says what the whole came to. */
function transact<T>(
  database: IDBDatabase,
  stores: string[],
  mode: IDBTransactionMode,
  durability: Durability,
  doing: string,
  body: (transaction: IDBTransaction, refuse: (error: Error) => void) => () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let transaction: IDBTransaction;
    try {
      transaction = database.transaction(stores, mode, { durability });
    } catch (error) {
      return reject(translate(error, doing) ?? new ConnectionLost(error, false));
    }
    let refusal: Error | undefined;
    const refuse = (error: Error) => {
      refusal ??= error;
      transaction.abort();
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

/** The rows among `keys`. */
export function getRows(database: IDBDatabase, keys: readonly string[]): Promise<Row[]> {
  return transact(database, [ROWS], "readonly", "relaxed", "reading", (transaction) => {
    const rows = transaction.objectStore(ROWS);
    const requests = keys.map((key) => rows.get(key) as IDBRequest<Row | undefined>);
    return () => requests.flatMap((request) => request.result ?? []);
  });
}

/** Rows in `[start, end)`, which is not empty, in key order or reversed. */
export function scanRows(
  database: IDBDatabase,
  start: string,
  end: string,
  limit: number,
  reverse: boolean,
): Promise<Row[]> {
  return transact(database, [ROWS], "readonly", "relaxed", "reading", (transaction) => {
    const rows = transaction.objectStore(ROWS);
    const range = IDBKeyRange.bound(start, end, false, true);
    if (!reverse) {
      const request: IDBRequest<Row[]> = rows.getAll(range, limit);
      return () => request.result;
    }
    const found: Row[] = [];
    const request = rows.openCursor(range, "prev");
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null) return;
      found.push(cursor.value);
      if (found.length < limit) cursor.continue();
    };
    return () => found;
  });
}

export function readCommits(database: IDBDatabase): Promise<Commits | undefined> {
  return transact(database, [META], "readonly", "relaxed", "reading", (transaction) => {
    const request: IDBRequest<Commits | undefined> = transaction.objectStore(META).get(COMMITS);
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

/**
 * Apply `operations` atomically; resolves to the commit's number and the row `COMMITS` as it is now.
 *
 * The writes are sent before the answers to the checks are in, on the guess that nobody committed in between: that saves
 * a round trip to the browser's process. A wrong guess costs writing once more in the same transaction; a precondition
 * that does not hold undoes everything.
 */
export function commitRows(
  database: IDBDatabase,
  operations: Operations,
  attempt: Attempt,
): Promise<{ number: number; latest: Commits }> {
  const { client, sequence, seen, repeated } = attempt;
  return transact(database, [ROWS, META], "readwrite", attempt.durability, "writing", (transaction, refuse) => {
    const rows = transaction.objectStore(ROWS);
    const meta = transaction.objectStore(META);
    let latest: Commits;
    let number: number;
    let unanswered = 2;
    const answered = () => {
      unanswered -= 1;
      if (unanswered === 0) transaction.commit();
    };
    const write = (before: Commits) => {
      number = before.number + 1;
      const others = before.recent.filter(([other]) => other !== client).slice(0, RECENT_MAX - 1);
      latest = { store: before.store, number, by: client, recent: [[client, sequence, number], ...others] };
      for (const [start, end] of operations.deleteRange) {
        if (start < end) rows.delete(IDBKeyRange.bound(start, end, false, true));
      }
      for (const key of operations.delete) rows.delete(key);
      for (const [key, value] of operations.put) rows.put({ key, value, version: number });
      meta.put(latest, COMMITS);
    };
    const asked: IDBRequest<Commits> = meta.get(COMMITS);
    asked.onsuccess = () => {
      const now = asked.result;
      const mine = repeated ? now.recent.find(([other, made]) => other === client && made === sequence) : undefined;
      if (mine !== undefined) {
        latest = now;
        number = mine[2];
        return;
      }
      if (repeated) check(rows, operations.expect, refuse, answered);
      if (repeated || now.by !== seen.by || now.number !== seen.number) write(now);
      answered();
    };
    if (!repeated) {
      check(rows, operations.expect, refuse, answered);
      write(seen);
    }
    return () => ({ number, latest });
  });
}

/** Compare versions, in order; `refuse` with the first conflict, or call `hold` once when all hold. */
function check(
  rows: IDBObjectStore,
  expect: Operations["expect"],
  refuse: (error: Error) => void,
  hold: () => void,
): void {
  let unanswered = expect.length;
  if (unanswered === 0) hold();
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
