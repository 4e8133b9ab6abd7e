/** The page's side of the engine worker: starting it, hearing how it stands, carrying out the page's activities. */

import { WeftError } from "../errors.js";
import {
  type Announcement,
  type AppFile,
  type Durability,
  type EnginePhase,
  type EngineState,
  engineChannel,
  engineLock,
  PROTOCOL_VERSION,
  type ToPage,
  type ToWorker,
} from "../protocol.js";
import { decode, encode, parseJson } from "../values.js";

/** What an activity in JavaScript can know of its attempt. */
export interface ActivityInfo {
  readonly runId: string;
  /** The same on every attempt of this operation, also after a crash: give it to the outside system. */
  readonly key: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Aborts when nobody wants the result any more. */
  readonly signal: AbortSignal;
}

/** The workflow's positional arguments, then what there is to know of the attempt. Plain data in, plain data out. */
// biome-ignore lint/suspicious/noExplicitAny: activities declare their own arguments
export type Activity = (...args: any[]) => unknown;

export interface EngineOptions {
  readonly database: string;
  readonly durability: Durability;
  readonly app: string;
  readonly files: readonly AppFile[];
  readonly packages: readonly string[];
  readonly activities: Readonly<Record<string, Activity>>;
  readonly assets: string;
}

/** Which context advances runs: this tab's worker, another's, or none that is known. */
export type Leader = "this" | "other" | "none";

/** How engines stand, as this page knows it. */
export interface EngineView extends EngineState {
  readonly leader: Leader;
}

/** Times a worker whose Python died is replaced in a row before it stays `failed`. */
const REPLACEMENTS_MAX = 3;
/** An engine that served this long was healthy: replacements are counted anew. */
const HEALTHY_AFTER_MS = 30_000;

/** This tab's engine. `kill` and `start` are for people who want to see a run survive. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #channel: BroadcastChannel;
  readonly #listeners = new Set<(view: EngineView) => void>();
  readonly #calls = new Map<number, AbortController>();
  #worker: Worker | undefined;
  #id = "";
  #own: EngineState = { phase: "closed", message: "not started" };
  #other: EngineState | undefined;
  #replacements = 0;
  #servingSince = 0;
  #closed: (() => void) | undefined;
  #queued = false;
  readonly #givingUp = new AbortController();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#channel = new BroadcastChannel(engineChannel(options.database));
    this.#channel.onmessage = (event: MessageEvent<Announcement>) => this.#announced(event.data);
    this.#channel.postMessage({ type: "who" } satisfies Announcement);
    document.addEventListener("visibilitychange", this.#wake);
    addEventListener("online", this.#wake);
    addEventListener("pageshow", this.#wake);
  }

  /** How this tab's engine stands and who leads. */
  get view(): EngineView {
    const leads: readonly EnginePhase[] = ["booting", "serving"];
    if (leads.includes(this.#own.phase)) return { ...this.#own, leader: "this" };
    if (this.#other && leads.includes(this.#other.phase)) return { ...this.#own, leader: "other" };
    return { ...this.#own, leader: "none" };
  }

  /** Whether runs advance, here or in another tab. */
  get advancing(): boolean {
    return this.#own.phase === "serving" || this.#other?.phase === "serving";
  }

  /** Hear of changes, beginning with how it stands now. Returns the undo. */
  on(event: "change", listener: (view: EngineView) => void): () => void {
    if (event !== "change") throw new TypeError(`an engine has no event ${JSON.stringify(event)}`);
    this.#listeners.add(listener);
    listener(this.view);
    return () => this.#listeners.delete(listener);
  }

  /** Start this tab's worker: it boots Python when its turn comes. Does nothing when it is there already. */
  start(): void {
    if (this.#worker) return;
    const url = `${this.#options.assets}weft-worker.js`;
    const worker = new Worker(url, { type: "module", name: "weft" });
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<ToPage>) => {
      if (worker === this.#worker) this.#heard(event.data);
    };
    worker.onerror = (event) => {
      const message = event.message
        ? `the engine worker broke: ${event.message} (${event.filename}:${event.lineno})`
        : `the engine worker could not be loaded from ${url}`;
      this.#ended({ phase: "failed", message });
    };
    const { activities, ...rest } = this.#options;
    this.#id = crypto.getRandomValues(new Uint32Array(4)).join("-");
    this.#say({ type: "open", protocol: PROTOCOL_VERSION, id: this.#id, ...rest, activities: Object.keys(activities) });
  }

  /** End this tab's worker at once, in the middle of whatever it does: what is committed is all that is left. */
  kill(): void {
    this.#ended({ phase: "closed", message: "killed" });
  }

  /** Let this tab's worker stop at its last commit. */
  async close(): Promise<void> {
    if (this.#worker) {
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
        this.#say({ type: "close" });
      });
    }
    this.#givingUp.abort();
    this.#channel.onmessage = null;
    this.#channel.close();
    document.removeEventListener("visibilitychange", this.#wake);
    removeEventListener("online", this.#wake);
    removeEventListener("pageshow", this.#wake);
  }

  readonly #wake = (): void => {
    if (document.visibilityState === "visible") this.#say({ type: "wake" });
  };

  #say(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #announced(message: Announcement): void {
    if (message.type !== "leader" || message.id === this.#id) return;
    this.#other = { phase: message.phase, message: message.message };
    this.#tell();
    if (message.phase === "booting" || message.phase === "serving") void this.#outlive();
  }

  /** A leader that dies says nothing, but its lock is free then: wait in line for that, and let the next one pass. */
  async #outlive(): Promise<void> {
    if (this.#queued) return;
    this.#queued = true;
    const options = { mode: "shared", signal: this.#givingUp.signal } as const;
    try {
      await navigator.locks.request(engineLock(this.#options.database), options, () => {
        this.#queued = false;
        this.#other = undefined;
        this.#tell();
      });
    } catch {
      // Closed, or a page without locks: it knows what leaders say and no more.
    }
  }

  #heard(message: ToPage): void {
    switch (message.type) {
      case "engine":
        this.#own = { phase: message.phase, message: message.message };
        if (message.phase === "serving") this.#servingSince = Date.now();
        if (message.phase === "booting") this.#other = undefined;
        if (message.phase === "closed" || message.phase === "failed") this.#ended(this.#own, true);
        else this.#tell();
        return;
      case "call":
        void this.#carryOut(message);
        return;
      case "abort":
        this.#calls.get(message.call)?.abort();
        this.#calls.delete(message.call);
        return;
      default:
        message satisfies never;
    }
  }

  #ended(state: EngineState, replace = false): void {
    if (this.view.leader === "this") {
      // A worker that is terminated cannot say so itself.
      this.#channel.postMessage({ type: "leader", id: this.#id, ...state } satisfies Announcement);
    }
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#own = state;
    for (const call of this.#calls.values()) call.abort();
    this.#calls.clear();
    this.#closed?.();
    this.#tell();
    if (!replace || state.phase !== "failed" || this.#servingSince === 0) return;
    // It has served before, so it is Python that died and not the app that is wrong: a new one goes on from the store.
    if (Date.now() - this.#servingSince > HEALTHY_AFTER_MS) this.#replacements = 0;
    if (this.#replacements++ < REPLACEMENTS_MAX) this.start();
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener(this.view);
      } catch (error) {
        reportError(error); // a listener that fails is heard of, and stops neither the others nor the engine
      }
    }
  }

  async #carryOut(call: Extract<ToPage, { type: "call" }>): Promise<void> {
    const abort = new AbortController();
    this.#calls.set(call.call, abort);
    const info: ActivityInfo = { runId: call.runId, key: call.key, attempt: call.attempt, signal: abort.signal };
    try {
      const activity = this.#options.activities[call.activity];
      if (!activity) throw new WeftError("not_found", `this page has no activity ${call.activity}`);
      const result = await activity(...(decode(parseJson(call.args)) as unknown[]), info);
      const value = encode(result, `result of ${call.activity}`);
      if (this.#calls.delete(call.call)) this.#say({ type: "returned", call: call.call, value });
    } catch (error) {
      if (!this.#calls.delete(call.call)) return;
      const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
      this.#say({ type: "threw", call: call.call, name, message });
    }
  }
}
