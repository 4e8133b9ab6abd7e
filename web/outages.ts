/**
 * When no engine was advancing a run, remembered over reloads and crashes. Kept in a database of the page's own: what a
 * page writes to `localStorage` may be seconds old after a crash.
 */

/** A span without an engine; `to` is missing while it lasts. Instants are milliseconds since 1970. */
export interface Outage {
  readonly from: number;
  readonly to?: number;
}

interface Stored {
  readonly list: readonly Outage[];
  /** When an engine was last seen advancing the run; 0 when none was yet, or the run has ended. */
  readonly alive: number;
}

const HEARTBEAT_MS = 250;
/** Silence longer than this, when an engine comes up, means that there was none: a crash has no time to say so. */
const SILENCE_MS = 800;
const ROWS = "outages";

export class Outages {
  readonly #database: Promise<IDBDatabase> = openDatabase();
  readonly #key: string;
  #stored: Stored = { list: [], alive: 0 };
  #loaded: Promise<void>;
  #beat: ReturnType<typeof setInterval> | undefined;
  #up = false;

  constructor(runId: string) {
    this.#key = runId;
    this.#loaded = this.#load();
  }

  /** The outages so far; the last lasts on when no engine is there. */
  get list(): readonly Outage[] {
    const { list, alive } = this.#stored;
    const open = !this.#up && alive > 0 && Date.now() - alive > SILENCE_MS;
    return open ? [...list, { from: alive }] : list;
  }

  /** Engines that were lost and replaced. */
  get survived(): number {
    return this.#stored.list.length;
  }

  /** An engine is advancing runs. */
  up(): void {
    if (this.#up) return;
    this.#up = true;
    // Another tab may have seen it alive while this one did not.
    this.#loaded = this.#loaded.then(() => this.#load());
    void this.#loaded.then(() => {
      if (!this.#up) return;
      this.#beat = setInterval(() => this.#save({ ...this.#stored, alive: Date.now() }), HEARTBEAT_MS);
      const { list, alive } = this.#stored;
      const now = Date.now();
      const lost = alive > 0 && now - alive > SILENCE_MS;
      this.#save({ list: lost ? [...list, { from: alive, to: now }] : list, alive: now });
    });
  }

  /** No engine is. */
  down(): void {
    if (!this.#up) return;
    this.stop();
    void this.#loaded.then(() => this.#save({ ...this.#stored, alive: Date.now() }));
  }

  /** The run is not on show any more. */
  stop(): void {
    this.#up = false;
    clearInterval(this.#beat);
    this.#beat = undefined;
  }

  /** The run has ended: what comes now is no outage. */
  end(): void {
    this.stop();
    void this.#loaded.then(() => this.#save({ ...this.#stored, alive: 0 }));
  }

  async #load(): Promise<void> {
    const request = (await this.#database).transaction(ROWS).objectStore(ROWS).get(this.#key);
    await settled(request);
    if (request.result) this.#stored = request.result as Stored;
  }

  #save(stored: Stored): void {
    this.#stored = stored;
    void this.#database.then((database) => {
      database.transaction(ROWS, "readwrite", { durability: "relaxed" }).objectStore(ROWS).put(stored, this.#key);
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
