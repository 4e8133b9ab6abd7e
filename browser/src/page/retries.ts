/** Trying again what failed because the site did not answer: after pauses that grow, and at once when it may be back. */

/** The first pause; each one is twice as long as the one before. */
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 60_000;

export class Retries {
  readonly #again: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at: Date | null = null;
  #count = 0;

  constructor(again: () => void) {
    this.#again = again;
  }

  /** When it is tried again; null when that is not planned. */
  get at(): Date | null {
    return this.#at;
  }

  /** Tries in a row that were planned. */
  get count(): number {
    return this.#count;
  }

  /** Try again after the next pause. Gives its length in seconds. */
  plan(): number {
    this.cancel();
    const pause = Math.min(PAUSE_FIRST_MS * 2 ** this.#count, PAUSE_MAX_MS);
    this.#count += 1;
    this.#at = new Date(Date.now() + pause);
    this.#timer = setTimeout(() => this.hurry(), pause);
    return pause / 1_000;
  }

  /** Something says that the site may be back: try now, if that was planned. */
  hurry(): void {
    if (this.#at === null) return;
    this.cancel();
    this.#again();
  }

  /** Plan nothing. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#at = null;
  }

  /** It worked: the next pause is a short one. */
  succeeded(): void {
    this.#count = 0;
  }
}
