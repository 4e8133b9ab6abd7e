/**
 * Weft for pages: start, signal and read durable Python workflows. Everything here works on IndexedDB directly; Python is
 * loaded by a worker, in the background, and only to advance runs.
 *
 * ```js
 * const weft = await Weft.open({ app: "shop:app", files: { "shop.py": "/shop.py" }, activities: { uploadPhoto } });
 * const run = await weft.start("checkout", { id: "A-7" }, { id: "order-42" });   // durable now
 * const receipt = await run.result();
 * ```
 */

import type { RunRecord } from "../records.js";
import { openStore } from "../store/index.js";
import type { Store } from "../store/port.js";
import { replaced } from "./canary.js";
import { Engine } from "./engine.js";
import type { ListOptions } from "./listing.js";
import { judged, type OpenOptions } from "./opening.js";
import { checkOptions, type Known } from "./options.js";
import { Run } from "./run.js";
import { list } from "./runs.js";
import { Watch } from "./watch.js";
import { type StartOptions, start } from "./writes.js";

export { type ErrorCode, RunFailed, WeftError } from "../errors.js";
export type { Durability, EnginePhase, EngineState } from "../protocol.js";
export type { HistoryRow, RunRecord, Status } from "../records.js";
export type { Activity, ActivityInfo } from "./calls.js";
export type { Engine, EngineView, Leader } from "./engine.js";
export type { ListOptions } from "./listing.js";
export type { OpenOptions } from "./opening.js";
export type { ResultOptions, Run, SignalOptions } from "./run.js";
export type { Fiber, Frame, RunView } from "./runs.js";
export type { StartOptions } from "./writes.js";

const COUNT_OPTIONS: Known<Omit<ListOptions, "limit">> = { status: true, workflow: true, idPrefix: true };

/** One app on one database of this origin. */
export class Weft {
  /** This tab's engine: how it stands, and `kill` and `start`. */
  readonly engine: Engine;
  /**
   * Resolves when an engine, in this tab or another, is advancing runs for the first time, however late: not while the
   * site does not answer, nor when the engine failed. `engine.on` hears of that.
   */
  readonly ready: Promise<void>;
  /**
   * Whether the database that was here before is gone, with all its runs: deleted, or evicted by the browser. A page that
   * opens while there is no new run is told, and the console. What the page knows is in `localStorage`: where that went too,
   * or was not written yet, it is false.
   */
  readonly storeLost: boolean;
  readonly #store: Store;
  readonly #watch: Watch;

  private constructor(store: Store, engine: Engine, storeLost: boolean) {
    this.storeLost = storeLost;
    this.#store = store;
    this.#watch = new Watch(store);
    this.engine = engine;
    this.ready = new Promise((resolve) => {
      engine.on("change", () => {
        if (engine.advancing) resolve();
      });
    });
  }

  /**
   * Open the database and set an engine worker waiting for its turn. Does not wait for Python. Rejects with `declaration`
   * for options that cannot be, before anything is opened.
   */
  static async open(options: OpenOptions): Promise<Weft> {
    const { engine: wanted, ...told } = judged(options);
    const store = await openStore(told.database, { durability: told.durability });
    const engine = new Engine(told);
    const lost = replaced(told.database, store.drawn) && (await list(store, { limit: 1 })).length === 0;
    if (lost) console.warn(`Weft: the database ${told.database} that was here is gone`);
    if (wanted) engine.start();
    return new Weft(store, engine, lost);
  }

  /**
   * Start a run; it is durable when this resolves. `input` is the workflow's argument after `ctx` (none: `undefined`;
   * more: `options.args`).
   */
  async start(workflow: string, input?: unknown, options: StartOptions = {}): Promise<Run> {
    return new Run(this.#store, this.#watch, await start(this.#store, workflow, input, options));
  }

  /** The handle of a run by id; reads nothing. */
  run(id: string): Run {
    return new Run(this.#store, this.#watch, id);
  }

  /** Runs in the order of their ids, filtered; at most `limit`. */
  async list(options: ListOptions = {}): Promise<RunRecord[]> {
    return list(this.#store, options);
  }

  /** How many runs the same filters of `list` match. */
  async count(options: Omit<ListOptions, "limit"> = {}): Promise<number> {
    checkOptions("count", options, COUNT_OPTIONS);
    return (await list(this.#store, { ...options, limit: Number.POSITIVE_INFINITY })).length;
  }

  /** Stop this tab's engine at its last commit and close the database. Runs go on with the next engine. */
  async close(): Promise<void> {
    await this.engine.close(); // it may be called twice
    this.#watch.close();
    this.#store.close();
  }
}
