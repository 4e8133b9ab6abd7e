/** A store in an IndexedDB database of this origin: what pages, workers and, through `bridge.ts`, Python use. */

import { randomName } from "../random.js";
import { gone, META, openDatabase } from "./database.js";
import { ConnectionLost, StoreError, StoreUnavailable } from "./errors.js";
import { freshLog, SCRATCH } from "./fresh_log.js";
import { Hints } from "./hints.js";
import type { Ownership } from "./ownership.js";
import {
  type Batch,
  type Durability,
  type Looked,
  type Operations,
  type OwnableStore,
  type Row,
  SCAN_LIMIT_DEFAULT,
  type ScanOptions,
} from "./port.js";
import {
  checkRows,
  commitRows,
  keysFrom,
  lastRows,
  type Outcome,
  Outdated,
  readName,
  readRows,
} from "./transactions.js";

export { Conflict, StoreError, StoreUnavailable } from "./errors.js";
export { type Batch, type Durability, type Operations, type Row, SCAN_LIMIT_DEFAULT, type Store } from "./port.js";

/** Commits that share one transaction at most; more wait for the next. */
const GROUP_COMMITS_MAX = 100;

interface Waiting {
  readonly operations: Operations;
  readonly resolve: (number: number) => void;
  readonly reject: (error: unknown) => void;
}

export interface StoreOptions {
  /** `strict` (default): a commit resolves when the disk has it. `relaxed`: when the operating system has it. */
  readonly durability?: Durability;
  /** What makes it an engine's store; a client's cannot be acquired, and pages need not load what it takes. */
  readonly ownership?: Ownership;
}

/** Open the database, making it when it does not exist. Engines: `openOwnable`. */
export async function openStore(name: string, options: StoreOptions = {}): Promise<IndexedDBStore> {
  if (name === SCRATCH) throw new StoreError("store", `${SCRATCH} is no name for a database`);
  const store = new IndexedDBStore(name, options.durability ?? "strict", options.ownership);
  void freshLog(); // so that the first commit need not wait for it
  try {
    await store.probe();
  } catch (error) {
    store.close();
    throw error;
  }
  return store;
}

export class IndexedDBStore implements OwnableStore {
  readonly #client = randomName();
  readonly #hints: Hints;
  readonly #ownership: Ownership | undefined;
  readonly #leaving = (event: Event) => {
    if ((event as Event & { persisted?: boolean }).persisted) this.#drop(); // an open connection keeps a page out of the cache
  };
  /** The connection, or its opening; null when the next call has to open one. */
  #connection: Promise<IDBDatabase> | null = null;
  #database: IDBDatabase | null = null;
  #store = "";
  #sequence = 0;
  /**
   * Commits made while another is under way: they share the next transaction. Those of one client go one after another,
   * so that its latest sequence number tells of all before it.
   */
  readonly #waiting: Waiting[] = [];
  #writing = false;
  #closed = false;

  /** Made by `openStore`. */
  constructor(
    readonly name: string,
    readonly durability: Durability,
    ownership?: Ownership,
  ) {
    this.#hints = new Hints(name);
    this.#ownership = ownership;
    globalThis.addEventListener?.("pagehide", this.#leaving);
  }

  /** The name that the store in the database drew when it was made; empty until it was read. */
  get drawn(): string {
    return this.#store;
  }

  async get(keys: readonly string[]): Promise<Map<string, Row>> {
    return (await this.#read(keys)).rows;
  }

  async look(keys: readonly string[], start: string, end: string, limit: number): Promise<Looked> {
    return this.#read(keys, keysFrom(start, end), limit);
  }

  async scan(start: string, end: string, options: ScanOptions = {}): Promise<Row[]> {
    const { limit = SCAN_LIMIT_DEFAULT, reverse } = options;
    if (!(start < end && limit > 0)) return this.#use(() => []);
    const range = keysFrom(start, end);
    if (reverse) return this.#use((database) => lastRows(database, range, limit));
    return (await this.#read([], range, limit)).found;
  }

  async #read(keys: readonly string[], range?: IDBKeyRange, limit?: number): Promise<Looked> {
    const { rows, found } = await this.#use((database) => readRows(database, [...new Set(keys)], range, limit));
    return { rows: new Map(rows.map((row) => [row.key, row])), found };
  }

  commit(batch: Batch): Promise<number> {
    return this.apply({
      expect: Object.entries(batch.expect ?? {}),
      deleteRange: batch.deleteRange ?? [],
      delete: batch.delete ?? [],
      put: Object.entries(batch.put ?? {}),
    });
  }

  /** `commit` for a batch that is already in lists. */
  async apply(operations: Operations): Promise<number> {
    const { put, deleteRange, expect } = operations;
    if (put.length + operations.delete.length + deleteRange.length === 0) {
      await this.#use((database) => checkRows(database, expect));
      return 0;
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  watch(callback: () => void, onlyOthers = false): () => void {
    this.#checkOpen();
    return this.#hints.watch(callback, onlyOthers);
  }

  async acquire(options: { wait?: boolean } = {}): Promise<void> {
    this.#checkOpen();
    if (!this.#ownership) throw new StoreError("store", `the store ${this.name} is a client's`);
    await this.#ownership.acquire(options.wait ?? false);
  }

  async release(): Promise<void> {
    await this.#ownership?.release();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    globalThis.removeEventListener?.("pagehide", this.#leaving);
    if (!this.#writing) this.#hints.close(); // else others still have to hear of what is on its way
    this.#ownership?.close();
    this.#drop();
  }

  /** Open the connection and see that it answers. */
  async probe(): Promise<void> {
    await this.#use(async () => {});
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    await freshLog(); // those that are made meanwhile, or at this very moment, share the first transaction
    while (this.#waiting.length > 0) await this.#writeTogether(this.#waiting.splice(0, GROUP_COMMITS_MAX));
    this.#writing = false;
    if (this.#closed) this.#hints.close();
  }

  /** Write a group and tell whoever waits. What fails as a whole is tried one by one: it may be for one of them only. */
  async #writeTogether(group: readonly Waiting[]): Promise<void> {
    let outcomes: readonly Outcome[];
    try {
      outcomes = await this.#write(group.map(({ operations }) => operations));
    } catch (error) {
      if (group.length > 1 && !(error instanceof StoreUnavailable)) {
        for (const one of group) await this.#writeTogether([one]);
      } else {
        for (const { reject } of group) reject(error);
      }
      return;
    }
    if (outcomes.some((outcome) => typeof outcome === "number")) this.#hints.committed();
    for (const [place, outcome] of outcomes.entries()) {
      const { resolve, reject } = group[place] as Waiting;
      if (typeof outcome === "number") resolve(outcome);
      else reject(outcome);
    }
  }

  async #write(group: readonly Operations[]): Promise<readonly Outcome[]> {
    this.#sequence += 1;
    const standing = this.#ownership?.standing;
    let judged: readonly Outcome[] | null = null;
    const attempt = {
      client: this.#client,
      sequence: this.#sequence,
      durability: this.durability,
      standing,
      judged: (outcomes: readonly Outcome[]) => {
        judged = outcomes;
      },
    };
    let guess = standing?.canGuess && group.length === 1 ? standing : null;
    let repeated: readonly Outcome[] | null = null;
    const { outcomes, first } = await this.#use(async (database) => {
      for (;;) {
        try {
          return await (guess?.commit(database, group, attempt) ?? commitRows(database, group, attempt, repeated));
        } catch (error) {
          guess = null; // so `Outdated` comes once at most
          if (error instanceof ConnectionLost && error.maybeApplied) repeated ??= judged;
          if (!(error instanceof Outdated)) throw error;
        }
      }
    });
    standing?.committed(group, outcomes, { first, guessed: guess !== null, repeated: repeated !== null });
    return outcomes;
  }

  /** Call with a live connection; on a lost one, once more with a new one. */
  async #use<T>(call: (database: IDBDatabase) => Promise<T> | T): Promise<T> {
    this.#checkOpen();
    let lost: ConnectionLost | undefined;
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const database = await this.#connect();
        this.#checkOpen();
        return await call(database);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) {
          if (lost?.maybeApplied && error instanceof StoreUnavailable) throw this.#unknown(error);
          throw error;
        }
        lost = lost?.maybeApplied ? lost : error;
        this.#drop();
      }
    }
    throw this.#unknown(lost as ConnectionLost);
  }

  #unknown(error: Error): StoreUnavailable {
    const lost = error instanceof ConnectionLost;
    const applied = lost && !error.maybeApplied ? false : null;
    return new StoreUnavailable(`the database ${this.name} does not answer (${lost ? error.reason : error})`, applied, {
      cause: error,
      gone: error instanceof StoreUnavailable && error.gone,
    });
  }

  #connect(): Promise<IDBDatabase> {
    this.#connection ??= this.#open().catch((error) => {
      this.#connection = null;
      throw error;
    });
    return this.#connection;
  }

  async #open(): Promise<IDBDatabase> {
    const database = await openDatabase(this.name, this.#store || null);
    this.#database = database;
    database.onversionchange = () => this.#drop(); // somebody wants to change or delete it: let them
    database.onclose = () => this.#drop();
    if (this.#closed) this.#drop();
    await this.#see(database);
    return database;
  }

  /** See that this is a store, and still the same one. */
  async #see(database: IDBDatabase): Promise<void> {
    const named = database.objectStoreNames.contains(META) ? await readName(database) : undefined;
    if (named === undefined) {
      throw new StoreError(
        "store_corrupt",
        `the database ${this.name} is not a Weft store; give \`database\` another name`,
      );
    }
    if (this.#store !== "" && named !== this.#store) throw gone(this.name);
    this.#store = named;
  }

  /** Let the connection go; transactions in flight still finish. */
  #drop(): void {
    this.#database?.close();
    this.#database = null;
    this.#connection = null;
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable(`the store ${this.name} was closed; open it again`, false);
  }
}
