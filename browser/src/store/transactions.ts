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
  readonly durability: Durability;
  /**
   * Where this client believes the store stands, to write before anything was read; null to read first. `known` has
   * versions of rows as of `seen`.
   */
  readonly guess: { readonly seen: Commits; readonly known: ReadonlyMap<string, number> } | null;
  /** The outcome of an earlier attempt is not known: see whether it was applied. Only without a guess. */
  readonly repeated: boolean;
}

/** Somebody else has committed since `Attempt.guess`; nothing was written. */
export class Outdated extends Error {}

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
 * With a guess that holds, and it does while one engine alone is writing, the only answer to wait for is that of the row
 * `COMMITS`: if nobody else has committed, the versions that this client knows are still right. Every further question
 * costs a tenth of the commit or more. A guess that does not hold is undone, and `Outdated`.
 */
export function commitRows(
  database: IDBDatabase,
  operations: Operations,
  attempt: Attempt,
): Promise<{ number: number; latest: Commits }> {
  const { client, sequence, guess, repeated } = attempt;
  return transact(database, [ROWS, META], "readwrite", attempt.durability, "writing", (transaction, refuse) => {
    const rows = transaction.objectStore(ROWS);
    const meta = transaction.objectStore(META);
    let latest: Commits;
    let number: number;
    const write = () => {
      number = latest.number + 1;
      const others = latest.recent.filter(([other]) => other !== client).slice(0, RECENT_MAX - 1);
      latest = { store: latest.store, number, by: client, recent: [[client, sequence, number], ...others] };
      for (const [start, end] of operations.deleteRange) {
        if (start < end) rows.delete(IDBKeyRange.bound(start, end, false, true));
      }
      for (const key of operations.delete) rows.delete(key);
      for (const [key, value] of operations.put) rows.put({ key, value, version: number });
      meta.put(latest, COMMITS);
    };
    const asked: IDBRequest<Commits> = meta.get(COMMITS); // answered before all questions that follow
    if (guess !== null) {
      const { seen, known } = guess;
      const unknown = operations.expect.filter(([key, version]) => known.get(key) !== version);
      asked.onsuccess = () => {
        const { by, number: last } = asked.result;
        if (by !== seen.by || last !== seen.number) refuse(new Outdated());
        else if (unknown.length === 0) transaction.commit();
      };
      check(rows, unknown, refuse, () => transaction.commit());
      latest = seen;
      write();
    } else {
      const { expect } = operations;
      let applied = false;
      const writeLast = () => {
        write();
        transaction.commit();
      };
      asked.onsuccess = () => {
        latest = asked.result;
        const mine = repeated && latest.recent.find(([other, made]) => other === client && made === sequence);
        applied = Boolean(mine);
        if (mine) number = mine[2];
        else if (expect.length === 0) writeLast();
      };
      const unlessApplied =
        <T>(act: (given: T) => void) =>
        (given: T) => {
          if (!applied) act(given);
        };
      check(rows, expect, unlessApplied(refuse), unlessApplied(writeLast));
    }
    return () => ({ number, latest });
  });
}

/** Compare versions, in order: `refuse` with the first conflict, or `hold` once when all hold. Nothing, if all is none. */
function check(
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
