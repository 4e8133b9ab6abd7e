/** Opening the IndexedDB database: its schema, and the cases in which an open must not be taken for an empty store. */

import { randomName } from "../random.js";
import { type StoreError, StoreUnavailable, translate } from "./errors.js";

const SCHEMA = 1;
/** The rows: `{key, value, version}` under `key`, so that one `getAll` brings everything (measured: best for scans). */
export const ROWS = "kv";
/** What is known of the commits: `STORE`, `RECENT`, and a row `Logged` for each of the latest under its number. */
export const META = "meta";
/** The store's name, drawn when the database was made: one that was deleted and made anew is another one. */
export const STORE = "store";
/** `Recent`: what clients that are not the only ones to write have committed last. */
export const RECENT = "recent";
/** How long opening may take: other tabs may have to let go of an older schema first, or of a database to be deleted. */
const OPEN_MS_MAX = 10_000;

/** Which commit of which client got a number. A client's sequence number makes the repetition of a commit safe. */
export interface Logged {
  readonly number: number;
  readonly client: string;
  readonly sequence: number;
  readonly owner: boolean;
  /** The first after an earlier owner's latest commit: it stays, so that this owner can never take its number. */
  readonly keep?: boolean;
}

export type Recent = readonly Logged[];

/**
 * Open the database, making it when it does not exist - unless `known` says that it did exist, as the store with that
 * name: then its absence is an error and nothing is made.
 */
export function openDatabase(name: string, known: string | null): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let vanished = false;
    let upgrade: IDBTransaction | null = null;
    let blocked = false;
    const fail = (error: unknown) => {
      clearTimeout(timer);
      const message = `the database ${name} could not be opened (${error}); this does not mean it is empty`;
      reject(translate(error, `opening ${name}`) ?? new StoreUnavailable(message, false, { cause: error }));
    };
    let request: IDBOpenDBRequest;
    try {
      request = indexedDB.open(name, SCHEMA);
    } catch (error) {
      return fail(error);
    }
    request.onupgradeneeded = () => {
      upgrade = request.transaction;
      if (known !== null) {
        vanished = true;
        upgrade?.abort();
        return;
      }
      const made = request.result;
      made.createObjectStore(ROWS, { keyPath: "key" });
      const meta = made.createObjectStore(META);
      meta.put(randomName(), STORE);
      meta.put([], RECENT);
    };
    timer = setTimeout(() => {
      request.onsuccess = () => request.result.close();
      const other = blocked ? "uses an older version of this site" : "holds on to a database that is being deleted";
      fail(new Error(`it takes longer than ${OPEN_MS_MAX / 1000} s: another tab still ${other}; close or reload it`));
    }, OPEN_MS_MAX);
    request.onblocked = () => {
      blocked = true;
    };
    request.onerror = (event) => {
      event.preventDefault(); // Firefox reports it to the page otherwise
      fail(vanished ? gone(name) : (upgrade?.error ?? request.error)); // only the transaction tells of a full quota
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      resolve(request.result);
    };
  });
}

export function gone(name: string): StoreError {
  const message = `the database ${name} was deleted while it was in use; reload to begin a new one`;
  return new StoreUnavailable(message, false, { gone: true });
}
