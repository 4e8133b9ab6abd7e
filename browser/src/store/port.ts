/**
 * The store port as TypeScript sees it: `weft_core/store/port.py` is the contract, in prose. Keys are printable ASCII
 * without blanks, values JSON text, a row's version the number of the commit that last wrote it.
 */

export type Durability = "strict" | "relaxed";

export interface Row {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

/**
 * What one commit checks and writes: `expect` (key -> version, 0: absent), then `deleteRange` (start inclusive, end
 * exclusive), `delete` and `put`, in this order.
 */
export interface Batch {
  readonly expect?: Readonly<Record<string, number>>;
  readonly deleteRange?: ReadonlyArray<readonly [start: string, end: string]>;
  readonly delete?: readonly string[];
  readonly put?: Readonly<Record<string, string>>;
}

/** A batch as lists, in the order its maker gave. */
export interface Operations {
  readonly expect: ReadonlyArray<readonly [key: string, version: number]>;
  readonly deleteRange: ReadonlyArray<readonly [start: string, end: string]>;
  readonly delete: readonly string[];
  readonly put: ReadonlyArray<readonly [key: string, value: string]>;
}

export interface ScanOptions {
  /** At most so many rows; `SCAN_LIMIT_DEFAULT` when not given. */
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Looked {
  readonly rows: Map<string, Row>;
  readonly found: Row[];
}

export const SCAN_LIMIT_DEFAULT = 1_000;

/** An ordered key-value store with atomic conditional batches. Rejects with `StoreError`s only. */
export interface Store {
  readonly name: string;
  /** The rows that exist among `keys`, all seen at one moment. */
  get(keys: readonly string[]): Promise<Map<string, Row>>;
  /** Rows with `start <= key < end` in key order, or reversed, all seen at one moment. */
  scan(start: string, end: string, options?: ScanOptions): Promise<Row[]>;
  /** Both at once: the rows that exist among `keys`, and at most `limit` of `start <= key < end`, seen at one moment. */
  look(keys: readonly string[], start: string, end: string, limit: number): Promise<Looked>;
  /** Apply a batch whole or not at all; resolves, when it is durable, to the commit's number (0: nothing to write). */
  commit(batch: Batch): Promise<number>;
  /** `callback` after commits, here or in another context, may have happened. A hint only. Returns its undo. */
  watch(callback: () => void): () => void;
  /** Let go of everything; later calls reject with `store_unavailable`. Closing twice is fine. */
  close(): void;
}

/** What an engine opens. */
export interface OwnableStore extends Store {
  /** Become the one engine on this database. Rejects with `store_owned` when another is, unless `wait` is true. */
  acquire(options?: { wait?: boolean }): Promise<void>;
  /** Resolves when another may own it. */
  release(): Promise<void>;
}
