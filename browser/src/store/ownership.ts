/** The guard "one engine per database": a Web Lock, which the browser frees when its holder ends, however it ends. */

import { StoreError, StoreUnavailable } from "./errors.js";
import { Standing } from "./standing.js";

/** Where there are no Web Locks (plain http): holders in this context only. The owner row's fence is the real guard. */
const heldHere = new Map<string, Promise<void>>();

export class Ownership {
  readonly #name: string;
  readonly #givingUp = new AbortController();
  #release: (() => void) | null = null;
  #standing = new Standing();
  /** Settles when the lock is free again. */
  #freed: Promise<unknown> = Promise.resolve();

  constructor(name: string) {
    this.#name = `weft:owner:${name}`;
  }

  /** While it is held. */
  get standing(): Standing | undefined {
    return this.#release === null ? undefined : this.#standing;
  }

  async acquire(wait: boolean): Promise<void> {
    if (this.#release !== null) return;
    if (!(await this.#take(wait))) {
      throw new StoreError(
        "store_owned",
        `another tab or worker runs an engine on ${this.#name.slice("weft:owner:".length)}: close it, or only use a client`,
      );
    }
  }

  /** Resolves when another may own it. */
  async release(): Promise<void> {
    this.#release?.();
    this.#release = null;
    this.#standing = new Standing();
    await this.#freed;
  }

  close(): void {
    this.#givingUp.abort();
    void this.release();
  }

  /** Resolves to whether it is ours; holds it until `release`. */
  #take(wait: boolean): Promise<boolean> {
    let settled = () => {};
    const freed = new Promise<void>((resolve) => {
      settled = resolve;
    });
    return new Promise((resolve, reject) => {
      const hold = (lock: unknown): Promise<void> | undefined => {
        if (lock === null || this.#release !== null) {
          resolve(lock !== null);
          return undefined;
        }
        const held = new Promise<void>((release) => {
          this.#release = release;
        });
        this.#freed = freed;
        resolve(true);
        return held;
      };
      const options = wait ? { signal: this.#givingUp.signal } : { ifAvailable: true };
      const locks = globalThis.navigator?.locks as LockManager | undefined;
      const request = locks ? locks.request(this.#name, options, hold) : this.#requestHere(wait, hold);
      const ended = request.catch((error: unknown) => {
        reject(new StoreUnavailable("the store was closed while waiting to own it", false, { cause: error }));
      });
      void ended.then(settled);
    });
  }

  async #requestHere(wait: boolean, hold: (lock: unknown) => Promise<void> | undefined): Promise<void> {
    const { signal } = this.#givingUp;
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => {});
    for (let held = heldHere.get(this.#name); held; held = heldHere.get(this.#name)) {
      if (!wait) return hold(null);
      await Promise.race([held, aborted]);
    }
    const mine = Promise.resolve(hold({})).then(() => {
      heldHere.delete(this.#name);
    });
    heldHere.set(this.#name, mine);
    await mine;
  }
}
