/**
 * Which store was in a database when this origin opened it last, remembered outside of IndexedDB: a browser may evict or
 * empty that without a word, and then an empty database looks like one that was never used.
 */

/**
 * Whether the store that was there is gone, with all its runs. What is there now is remembered, but may be forgotten again by a
 * kill within the next minute: so late does Chromium write.
 */
export function replaced(database: string, store: string): boolean {
  try {
    const key = `weft:store:${database}`;
    const before = localStorage.getItem(key);
    localStorage.setItem(key, store);
    return before !== null && before !== store;
  } catch {
    return false; // a sandboxed page, or one whose visitor allows no storage: nothing is known
  }
}
