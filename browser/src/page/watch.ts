/** Telling a page that a run changed: the store's hints, and a slow look of our own, since a hint may be lost. */

import type { Store } from "../store/index.js";

/** How long a hint may be missing before we look anyway. */
const LOOK_EVERY_MS = 1_000;
/** Hints that come closer together than this are answered by one look. */
const LOOK_SPACING_MS = 40;

/** Calls `look` after the store may have changed, never twice at once; returns its undo. Errors go to `failed`. */
export function watch(store: Store, look: () => Promise<void>, failed: (error: unknown) => void): () => void {
  let stopped = false;
  let looking = false;
  let again = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const plan = (delay: number) => {
    if (timer !== undefined) clearTimeout(timer);
    timer = setTimeout(turn, delay);
  };
  const turn = async () => {
    looking = true;
    again = false;
    try {
      await look();
    } catch (error) {
      failed(error);
    }
    looking = false;
    if (!stopped) plan(again ? LOOK_SPACING_MS : LOOK_EVERY_MS);
  };
  const hint = () => {
    if (!looking && !again) plan(LOOK_SPACING_MS);
    again = true;
  };
  const unwatch = store.watch(hint);
  plan(0);
  return () => {
    stopped = true;
    if (timer !== undefined) clearTimeout(timer);
    unwatch();
  };
}
