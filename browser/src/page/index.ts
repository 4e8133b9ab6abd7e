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

import { WeftError } from "../errors.js";
import type { AppFile, Durability } from "../protocol.js";
import type { RunRecord } from "../records.js";
import { openStore, type Store } from "../store/index.js";
import type { Activity } from "./calls.js";
import { Engine } from "./engine.js";
import { Run } from "./run.js";
import { type ListOptions, list } from "./runs.js";
import { Watch } from "./watch.js";
import { type StartOptions, start } from "./writes.js";

export { type ErrorCode, RunFailed, WeftError } from "../errors.js";
export type { Durability, EnginePhase, EngineState } from "../protocol.js";
export type { HistoryRow, RunRecord, Status } from "../records.js";
export type { Activity, ActivityInfo } from "./calls.js";
export type { Engine, EngineView, Leader } from "./engine.js";
export type { Run, SignalOptions } from "./run.js";
export type { Fiber, Frame, ListOptions, RunView } from "./runs.js";
export type { StartOptions } from "./writes.js";

export interface OpenOptions {
  /** `module:app`: which app the engine runs. */
  readonly app: string;
  /** The app's sources: module path in Python -> URL on this site, e.g. `{"shop.py": "/shop.py"}`. */
  readonly files?: Readonly<Record<string, string>>;
  /** URLs of pure wheels on this site that the app imports. */
  readonly packages?: readonly string[];
  /** Activities in JavaScript, by the name the workflow calls. They run in this page. */
  readonly activities?: Readonly<Record<string, Activity>>;
  /** The IndexedDB database; the part of `app` before the colon when not given. */
  readonly database?: string;
  /** `strict` (default) waits for the disk at each commit; `relaxed` survives a crash of the browser, not a power cut. */
  readonly durability?: Durability;
  /** The folder with the worker and Pyodide; beside this module when not given. */
  readonly assets?: string;
  /** `false`: start no engine in this tab; runs advance when another tab has one. */
  readonly engine?: boolean;
}

/** One app on one database of this origin. */
export class Weft {
  /** This tab's engine: how it stands, and `kill` and `start`. */
  readonly engine: Engine;
  /** Resolves when an engine, in this tab or another, is advancing runs. */
  readonly ready: Promise<void>;
  readonly #store: Store;
  readonly #watch: Watch;

  private constructor(store: Store, engine: Engine) {
    this.#store = store;
    this.#watch = new Watch(store);
    this.engine = engine;
    this.ready = new Promise((resolve) => {
      engine.on("change", () => {
        if (engine.advancing) resolve();
      });
    });
  }

  /** Open the database and set an engine worker waiting for its turn. Does not wait for Python. */
  static async open(options: OpenOptions): Promise<Weft> {
    const assets = options.assets
      ? absolute(`${options.assets.replace(/\/+$/, "")}/`)
      : new URL(".", import.meta.url).href;
    const database = options.database ?? options.app.split(":")[0] ?? "";
    if (!/^[^?\s]+$/.test(database) || /^\/|\/$/.test(database)) {
      const message = `${JSON.stringify(database)} is no name for a database: no blank, no "?", no "/" at its ends`;
      throw new WeftError("declaration", message);
    }
    const durability = options.durability ?? "strict";
    const store = await openStore(database, { durability });
    const files = Object.entries(options.files ?? {});
    const engine = new Engine({
      database,
      durability,
      assets,
      app: options.app,
      files: files.map(([path, url]): AppFile => ({ path, url: absolute(url) })),
      packages: (options.packages ?? []).map(absolute),
      activities: options.activities ?? {},
    });
    if (options.engine !== false) engine.start();
    return new Weft(store, engine);
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
  list(options: ListOptions = {}): Promise<RunRecord[]> {
    return list(this.#store, options);
  }

  /** How many runs the same filters of `list` match. */
  async count(options: Omit<ListOptions, "limit"> = {}): Promise<number> {
    return (await list(this.#store, { ...options, limit: Number.POSITIVE_INFINITY })).length;
  }

  /** Stop this tab's engine at its last commit and close the database. Runs go on with the next engine. */
  async close(): Promise<void> {
    await this.engine.close(); // it may be called twice
    this.#watch.close();
    this.#store.close();
  }
}

function absolute(url: string): string {
  return new URL(url, document.baseURI).href;
}
