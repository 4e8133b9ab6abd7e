/**
 * When no engine was advancing a run, remembered over reloads and crashes. Kept in a database of the page's own: what a
 * page writes to `localStorage` may be seconds old after a crash.
 */

import { ended, fell, NOTHING, type Outage, type OutageLog, rose, seen, survived } from "./outage_log.js";

export type { Outage };

const HEARTBEAT_MS = 250;
const ROWS = "outages";

export class Outages {
  readonly #database: Promise<IDBDatabase> = openDatabase();
  readonly #key: string;
  #log: OutageLog = NOTHING;
  #loaded: Promise<void>;
  #beat: ReturnType<typeof setInterval> | undefined;
  #up = false;
  #ended = false;

  constructor(runId: string) {
    this.#key = runId;
    this.#loaded = this.#load();
  }

  /** The outages so far; the last lasts on when no engine is there. */
  get list(): readonly Outage[] {
    return this.#up ? this.#log.list : seen(this.#log, Date.now());
  }

  /** Resolves when what was remembered is there. */
  get loaded(): Promise<void> {
    return this.#loaded;
  }

  /** Engines that were lost and replaced. */
  get survived(): number {
    return survived(this.#log);
  }

  /** An engine is advancing runs. */
  up(): void {
    if (this.#up) return;
    this.#up = true;
    // Another tab may have seen it alive while this one did not.
    this.#loaded = this.#loaded.then(() => this.#load());
    void this.#loaded.then(() => {
      if (!this.#up) return;
      this.#beat = setInterval(() => this.#save({ ...this.#log, alive: Date.now() }), HEARTBEAT_MS);
      this.#save(rose(this.#log, Date.now()));
    });
  }

  /** There was one, and it is gone: that is an outage from this moment on, however short. */
  down(): void {
    if (!this.#up) return;
    const now = Date.now();
    const fall = () => this.#save(fell(this.#log, now));
    if (this.#beat === undefined) void this.#loaded.then(fall);
    else fall(); // at once, so that the picture says so in the same moment
    this.stop();
  }

  /** The run is not on show any more. */
  stop(): void {
    this.#up = false;
    clearInterval(this.#beat);
    this.#beat = undefined;
  }

  /** The run has ended, at `at`: what comes now is no outage. */
  end(at: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.stop();
    void this.#loaded.then(() => this.#save(ended(this.#log, at)));
  }

  async #load(): Promise<void> {
    const request = (await this.#database).transaction(ROWS).objectStore(ROWS).get(this.#key);
    await settled(request);
    if (request.result) this.#log = request.result as OutageLog;
  }

  #save(log: OutageLog): void {
    this.#log = log;
    void this.#database.then((database) => {
      database.transaction(ROWS, "readwrite", { durability: "relaxed" }).objectStore(ROWS).put(log, this.#key);
    });
  }
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open("weft-demo", 1);
  request.onupgradeneeded = () => request.result.createObjectStore(ROWS);
  return settled(request).then(() => request.result);
}

function settled(request: IDBRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}
