/** Versions of rows that this client knows for sure as of its own latest commit, as long as nobody else commits. */

import type { Operations } from "./port.js";

/** Rows remembered. Past this, all are forgotten: they only save questions. */
const KNOWN_MAX = 4_000;

export class Known {
  readonly versions = new Map<string, number>();

  /** A commit with these operations got `number`. `alone`: nobody else has committed since the one before. */
  committed(operations: Operations, number: number, alone: boolean): void {
    const { versions } = this;
    if (!alone || versions.size > KNOWN_MAX) versions.clear();
    for (const [key, version] of operations.expect) versions.set(key, version);
    written(versions, operations, number);
  }

  forget(): void {
    this.versions.clear();
  }
}

/** What a commit with these operations and this number does to the versions of rows. */
export function written(versions: Map<string, number>, operations: Operations, number: number): void {
  for (const [start, end] of operations.deleteRange) {
    for (const key of versions.keys()) if (start <= key && key < end) versions.set(key, 0);
  }
  for (const key of operations.delete) versions.set(key, 0);
  for (const [key] of operations.put) versions.set(key, number);
}
