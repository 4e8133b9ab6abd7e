/** The store as engines open it. */

import { type IndexedDBStore, openStore } from "./index.js";
import { Ownership } from "./ownership.js";
import type { Durability } from "./port.js";

/** Open the database, making it when it does not exist, so that it can be acquired. */
export function openOwnable(name: string, durability?: Durability): Promise<IndexedDBStore> {
  return openStore(name, { ...(durability && { durability }), ownership: new Ownership(name) });
}
