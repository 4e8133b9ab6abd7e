/**
 * Chromium keeps IndexedDB in LevelDB, whose log may end in a record that a kill has cut off. The next process appends behind
 * it, the one after that takes the log for damaged, and Chromium deletes all databases of the origin without a word
 * (google/leveldb issue 1287). Deleting a database, even an empty one, makes Chromium compact, and before that LevelDB
 * writes out what the log holds and begins another file. So that comes first: what is committed after it is never behind
 * a cut record.
 */

/** An empty database that is there to be deleted. */
export const SCRATCH = "weft:log";
/** A kill between deletion and making it again leaves none to delete; and the first call may meet a damaged store. */
const ATTEMPTS_MAX = 3;
/** LevelDB leaves out the beginning of a new file when it falls together with another write: for so long there is none. */
const QUIET_MS = 50;
/** Commits wait no longer than this for the fresh log. */
const FRESH_LOG_MS_MAX = 2_000;
const CHROMIUM = /Chrom(?:e|ium)\//;

let begun: Promise<void> | undefined;

/** Have the browser begin another log, once in each context. Resolves when commits may go on; never rejects. */
export function freshLog(): Promise<void> {
  begun ??= CHROMIUM.test(globalThis.navigator?.userAgent)
    ? Promise.race([begin(), after(FRESH_LOG_MS_MAX)])
    : Promise.resolve();
  return begun;
}

async function begin(): Promise<void> {
  for (let attempt = 0, deleted = 0; attempt < ATTEMPTS_MAX && deleted === 0; attempt++) {
    try {
      deleted = (await done(indexedDB.deleteDatabase(SCRATCH))).oldVersion; // 0: there was none
      if (deleted > 0) await after(QUIET_MS);
      const open = indexedDB.open(SCRATCH); // for the next time
      await done(open);
      open.result.close();
    } catch {
      // Whoever opens the real database hears what is wrong.
    }
  }
}

function done(request: IDBOpenDBRequest): Promise<IDBVersionChangeEvent> {
  return new Promise((resolve, reject) => {
    request.onsuccess = (event) => resolve(event as IDBVersionChangeEvent);
    request.onerror = reject;
  });
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
