/**
 * The store as Python sees it: numbered requests and one lasting callback, texts only. No promise and no object crosses,
 * so nothing has to be freed; requests and answers are ASCII or whatever the rows hold.
 *
 * `weft_core/store/indexeddb.py` is the other side.
 */

import { StoreError } from "./errors.js";
import type { Durability, IndexedDBStore, Operations, Row } from "./index.js";
import { openOwnable } from "./ownable.js";

/** How a commit begins, the one request that is not JSON: it is made at every step, and writing JSON takes its time. */
const COMMIT = "commit\0";

/**
 * `commit`, how many preconditions, deletes and ranges there are, then those and the puts, each two texts but for the
 * deletes; NUL, which no key and no value holds, between all of them.
 */
function operationsOf(request: string): Operations {
  const texts = request.split("\0");
  let at = 4;
  const next = () => texts[at++] as string;
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  const pair = (): [string, string] => [next(), next()];
  const [expects, deletes, ranges] = texts.slice(1, 4).map(Number) as [number, number, number];
  return {
    expect: times(expects, () => [next(), Number(next())]),
    delete: times(deletes, next),
    deleteRange: times(ranges, pair),
    put: times((texts.length - at) / 2, pair),
  };
}

/** What else Python asks; the answer to each is one call of `settle`. */
type Request =
  | { readonly op: "get"; readonly keys: readonly string[] }
  | {
      readonly op: "scan";
      readonly start: string;
      readonly end: string;
      readonly limit: number;
      readonly reverse: boolean;
    }
  | { readonly op: "acquire"; readonly wait: boolean }
  | { readonly op: "release" };

/** `settle(id, ok, payload)`: JSON of the result, or of `{code, message, …}` when not ok. Id 0: others committed something. */
export type Settle = (id: number, ok: boolean, payload: string) => void;

const rowsText = (rows: Iterable<Row>): string =>
  JSON.stringify(Array.from(rows, ({ key, value, version }) => [key, value, version]));

export class Port {
  readonly #opening: Promise<IndexedDBStore>;
  #settle: Settle | null;

  constructor(name: string, durability: Durability, settle: Settle) {
    this.#settle = settle;
    this.#opening = openOwnable(name, durability);
    this.#opening.then(
      (store) => {
        if (this.#settle === null) return store.close();
        store.watch(() => this.#settle?.(0, true, ""), true); // of its own commits Python knows
        settle(1, true, "null");
      },
      (error) => this.#failed(1, error),
    );
  }

  /** Answered by `settle` with the same `id`, which is at least 2 (1 is the opening). Returns at once. */
  post(id: number, request: string): void {
    void this.#opening
      .then((store) =>
        request.startsWith(COMMIT) ? this.#commit(store, request) : this.#carryOut(store, JSON.parse(request)),
      )
      .then((payload) => this.#settle?.(id, true, payload))
      .catch((error) => this.#failed(id, error));
  }

  /** `settle` is not called any more. */
  close(): void {
    this.#settle = null;
    void this.#opening.then(
      (store) => store.close(),
      () => {},
    );
  }

  async #commit(store: IndexedDBStore, request: string): Promise<string> {
    return String(await store.apply(operationsOf(request)));
  }

  async #carryOut(store: IndexedDBStore, request: Request): Promise<string> {
    switch (request.op) {
      case "get":
        return rowsText((await store.get(request.keys)).values());
      case "scan":
        return rowsText(await store.scan(request.start, request.end, request));
      case "acquire":
        await store.acquire(request);
        return "null";
      case "release":
        await store.release();
        return "null";
      default:
        return request satisfies never;
    }
  }

  #failed(id: number, error: unknown): void {
    const { code, message } =
      error instanceof StoreError ? error : { code: "store_unavailable", message: String(error) };
    const { key, expected, actual, applied = null, gone } = error as Record<string, unknown>;
    this.#settle?.(id, false, JSON.stringify({ code, message, key, expected, actual, applied, gone }));
  }
}

export const bridge = {
  open: (name: string, durability: Durability, settle: Settle): Port => new Port(name, durability, settle),
};

/** Make the bridge known to Python in this context, as `globalThis.weftBridge`. Call it before an engine starts. */
export function installBridge(): void {
  (globalThis as { weftBridge?: typeof bridge }).weftBridge = bridge;
}
