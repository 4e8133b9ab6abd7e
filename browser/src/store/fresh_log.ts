/**
 * Chromium keeps IndexedDB in LevelDB, whose log may end in a record that a kill has cut off. The next process appends behind
 * it, the one after that takes the log for damaged, and Chromium deletes all databases of the origin without a word
 * (google/leveldb issue 1287). Deleting a database, even an empty one, makes Chromium flush what the log holds and begin
 * another file. So that comes first: what is committed after it is never behind a cut record.
 */

/** An empty database that is there to be deleted. */
const SCRATCH = "weft:log";
/** Commits wait no longer than this for the fresh log; usually it takes some 20 ms. */
const FRESH_LOG_MS_MAX = 2_000;
const CHROMIUM = /Chrom(?:e|ium)\//;

let begun: Promise<void> | undefined;

/** Have the browser begin another log, once in each context. Resolves when commits may go on; never rejects. */
export function freshLog(): Promise<void> {
  begun ??= CHROMIUM.test(globalThis.navigator?.userAgent) ? Promise.race([begin(), late()]) : Promise.resolve();
  return begun;
}

async function begin(): Promise<void> {
  try {
    await done(indexedDB.deleteDatabase(SCRATCH)); // first: it is the deletion of one that exists which does it
    (await done(indexedDB.open(SCRATCH))).close(); // for the next time
  } catch {
    // Whoever opens the real database hears what is wrong.
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const late = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, FRESH_LOG_MS_MAX));
