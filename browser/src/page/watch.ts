/** Telling a page that runs changed: the store's hints, and a slow look of our own, since a hint may be lost. */

import type { Row, Store } from "../store/index.js";

/** How long a hint may be missing before we look anyway. */
const LOOK_EVERY_MS = 1_000;
/** Hints that come closer together than this are answered by one look. */
const LOOK_SPACING_MS = 40;

interface Watcher {
  readonly look: () => Promise<void>;
  readonly failed: (error: unknown) => void;
  readonly closed: (() => void) | undefined;
}

/**
 * One watch for all runs that a page follows. They look at the same moment and what they read of single rows is read
 * together: a page that waits for a hundred runs costs one transaction a look, not a hundred.
 */
export class Watch {
  readonly #store: Store;
  readonly #watchers = new Set<Watcher>();
  #reading: { readonly keys: Set<string>; readonly rows: Promise<Map<string, Row>> } | undefined;
  #unwatch: (() => void) | undefined;
  #looking = false;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Call `look` soon and whenever the store may have changed, never twice at once; returns its undo. `closed` is called
   * when nobody looks any more.
   */
  add(look: () => Promise<void>, failed: (error: unknown) => void, closed?: () => void): () => void {
    const watcher: Watcher = { look, failed, closed };
    this.#watchers.add(watcher);
    this.#unwatch ??= this.#store.watch(() => this.#hint(LOOK_SPACING_MS));
    this.#hint(0);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#stop();
    };
  }

  /** One row, read together with those that are asked for at the same moment. */
  async row(key: string): Promise<Row | undefined> {
    if (this.#reading === undefined) {
      const keys = new Set<string>();
      const rows = Promise.resolve().then(() => {
        this.#reading = undefined;
        return this.#store.get([...keys]);
      });
      this.#reading = { keys, rows };
    }
    this.#reading.keys.add(key);
    return (await this.#reading.rows).get(key);
  }

  close(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    this.#stop();
    for (const { closed } of watchers) closed?.();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #hint(delay: number): void {
    if (!this.#looking && (!this.#again || delay === 0)) this.#plan(delay);
    this.#again = true;
  }

  #plan(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#turn(), delay);
  }

  async #turn(): Promise<void> {
    this.#looking = true;
    this.#again = false;
    // Whoever is told of a failure may fail, too: that stops nobody else.
    await Promise.all(Array.from(this.#watchers, ({ look, failed }) => look().catch(failed).catch(reportError)));
    this.#looking = false;
    if (this.#unwatch !== undefined) this.#plan(this.#again ? LOOK_SPACING_MS : LOOK_EVERY_MS);
  }
}
