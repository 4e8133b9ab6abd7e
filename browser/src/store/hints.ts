/** "Something was committed": told to watchers here at once, and to other contexts of the origin over a channel. */

/** Announcements to other contexts come no closer together than this; the first one goes out at once. */
const ANNOUNCE_MS_MIN = 8;

export class Hints {
  readonly #channel: BroadcastChannel | null;
  readonly #watchers = new Set<{ callback: () => void; onlyOthers: boolean }>();
  #quiet: ReturnType<typeof setTimeout> | null = null;
  #pending = false;

  constructor(name: string) {
    this.#channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(`weft:store:${name}`);
    if (this.#channel !== null) this.#channel.onmessage = () => this.#ring(true);
  }

  /** `onlyOthers`: not for commits made through this very store. */
  watch(callback: () => void, onlyOthers: boolean): () => void {
    const watcher = { callback, onlyOthers };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** A commit of this context is durable. */
  committed(): void {
    this.#ring(false);
    if (this.#quiet === null) this.#announce();
    else this.#pending = true;
  }

  close(): void {
    this.#watchers.clear();
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    if (this.#pending) this.#channel?.postMessage(0);
    this.#pending = false;
    this.#channel?.close();
  }

  #announce(): void {
    this.#pending = false;
    this.#channel?.postMessage(0);
    this.#quiet = setTimeout(() => {
      this.#quiet = null;
      if (this.#pending) this.#announce();
    }, ANNOUNCE_MS_MIN);
  }

  #ring(byOthers: boolean): void {
    for (const { callback, onlyOthers } of [...this.#watchers]) {
      if (!byOthers && onlyOthers) continue;
      try {
        callback();
      } catch (error) {
        reportError(error); // the commit is durable, whatever becomes of those who hear of it
      }
    }
  }
}
