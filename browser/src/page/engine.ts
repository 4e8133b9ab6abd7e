/** The page's side of the engine worker: starting it, hearing how it stands, carrying out the page's activities. */

import {
  type Announcement,
  type AppFile,
  type Durability,
  type EnginePhase,
  type EngineState,
  engineChannel,
  leaderLock,
  PROTOCOL_VERSION,
  type ToPage,
  type ToWorker,
} from "../protocol.js";
import { randomName } from "../random.js";
import { present, Unreachable } from "../reach.js";
import { StoreUnavailable } from "../store/errors.js";
import { type Activities, Calls } from "./calls.js";
import { checkListener } from "./options.js";
import { Retries } from "./retries.js";

export interface EngineOptions {
  readonly database: string;
  readonly durability: Durability;
  readonly app: string;
  readonly files: readonly AppFile[];
  readonly packages: readonly string[];
  readonly activities: Activities;
  readonly assets: string;
}

/** Which context advances runs: this tab's worker, another's, or none that is known. */
export type Leader = "this" | "other" | "none";

/** How engines stand, as this page knows it. */
export interface EngineView extends EngineState {
  readonly leader: Leader;
  /** When this tab's engine is started again by itself, because the site did not answer; null when that is not so. */
  readonly retryAt: Date | null;
}

/** Times a worker whose Python died is replaced in a row before it stays `failed`. */
const REPLACEMENTS_MAX = 3;
/** Times in a row that a worker's script which is served and yet did not load is tried again: it may have been a blip. */
const BLIPS_MAX = 3;
/** An engine that served this long was healthy: replacements are counted anew. */
const HEALTHY_AFTER_MS = 30_000;
/** How long a worker may take to stop at its last commit before it is stopped in the middle. */
const CLOSE_MS_MAX = 5_000;

/** This tab's engine. `kill` and `start` are for people who want to see a run survive. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #channel: BroadcastChannel;
  readonly #listeners = new Set<(view: EngineView) => void>();
  #worker: Worker | undefined;
  #calls: Calls | undefined;
  #id = "";
  #own: EngineState = { phase: "closed", message: "not started" };
  #other: EngineState | undefined;
  #replacements = 0;
  readonly #retries = new Retries(() => this.start());
  #servingSince = 0;
  /** Runs that moved when Python died last; those it died with alone, and how. */
  #suspects: readonly string[] = [];
  readonly #guilty = new Map<string, string>();
  #closing: Promise<void> | undefined;
  #closed: (() => void) | undefined;
  /** The leader whose end is waited for. */
  #followed = "";
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
    const own = { ...this.#own, retryAt: this.#retries.at };
    if (leads.includes(own.phase)) return { ...own, leader: "this" };
    if (this.#other && leads.includes(this.#other.phase)) return { ...own, leader: "other" };
    return { ...own, leader: "none" };
  }

  /** Whether runs advance, here or in another tab. */
  get advancing(): boolean {
    return this.#own.phase === "serving" || this.#other?.phase === "serving";
  }

  /** Hear of changes, beginning with how it stands now. Returns the undo. */
  on(event: "change", listener: (view: EngineView) => void): () => void {
    checkListener("an engine", event, listener);
    this.#listeners.add(listener);
    listener(this.view);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Start this tab's worker: it boots Python when its turn comes. Does nothing when it is there already; throws
   * `store_unavailable` when the client was closed.
   */
  start(): void {
    if (this.#closing) throw new StoreUnavailable("the client was closed; open another one", false);
    if (this.#worker) return;
    this.#retries.cancel();
    const url = `${this.#options.assets}weft-worker.js`;
    let worker: Worker;
    try {
      worker = new Worker(url, { type: "module", name: "weft" });
    } catch (error) {
      const message = `the engine worker could not be started from ${url}: ${error}; serve it from the page's own origin`;
      this.#ended({ phase: "failed", message });
      return;
    }
    this.#worker = worker;
    this.#own = { phase: "waiting", message: "loading the worker" };
    const calls = new Calls(this.#options.activities, (message) => worker.postMessage(message));
    this.#calls = calls;
    let loaded = false;
    worker.onmessage = (event: MessageEvent<ToPage>) => {
      loaded = true;
      if (worker === this.#worker) this.#heard(event.data, calls);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker !== this.#worker) return;
      const where = event.message ? `${event.message} (${event.filename}:${event.lineno})` : "";
      if (loaded) {
        // A callback of the app that threw. The engine hears of what concerns it, and says so when it ends.
        console.error(`Weft: uncaught in the engine worker: ${where}`);
      } else if (where) this.#ended({ phase: "failed", message: `the engine worker broke: ${where}` });
      else void this.#notLoaded(worker, url);
    };
    const { activities, ...rest } = this.#options;
    this.#id = randomName();
    this.#say({
      type: "open",
      protocol: PROTOCOL_VERSION,
      id: this.#id,
      ...rest,
      activities: Object.keys(activities),
      suspects: this.#suspects,
      guilty: [...this.#guilty],
    });
    this.#tell();
  }

  /** End this tab's worker at once, in the middle of whatever it does: what is committed is all that is left. */
  kill(): void {
    this.#ended({ phase: "closed", message: "killed" });
  }

  /** Let this tab's worker stop at its last commit; one that does not within seconds is killed. For good. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#retries.at) this.#ended({ phase: "closed", message: "closed before its turn came" });
    if (this.#worker) {
      const closed = new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
      const timer = setTimeout(() => this.kill(), CLOSE_MS_MAX);
      this.#say({ type: "close" });
      await closed;
      clearTimeout(timer);
    }
    this.#givingUp.abort();
    this.#channel.onmessage = null;
    this.#channel.close();
    document.removeEventListener("visibilitychange", this.#wake);
    removeEventListener("online", this.#wake);
    removeEventListener("pageshow", this.#wake);
  }

  readonly #wake = ({ type }: Event): void => {
    if (type === "visibilitychange" && document.visibilityState !== "visible") return;
    this.#say({ type: "wake" });
    this.#retries.hurry();
  };

  #say(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #announced(message: Announcement): void {
    if (message.type !== "leader" || message.id === this.#id) return;
    this.#other = { phase: message.phase, message: message.message };
    this.#tell();
    if (message.phase === "serving") this.#retries.hurry(); // the site answers again: stand in line
    if (message.phase === "booting" || message.phase === "serving") void this.#outlive(message.id);
  }

  /**
   * A leader that dies says nothing, but the lock of its name is free then. Nobody waits in that line in order to lead:
   * a page that is busy, or shows a dialog, could not let the next one pass.
   */
  async #outlive(id: string): Promise<void> {
    if (this.#followed === id) return;
    this.#followed = id;
    const options = { mode: "shared", signal: this.#givingUp.signal } as const;
    try {
      await navigator.locks.request(leaderLock(this.#options.database, id), options, () => {
        if (this.#followed !== id) return; // another one has announced itself since
        this.#followed = "";
        this.#other = undefined;
        this.#tell();
      });
    } catch {
      // Closed, or a page without locks: it knows what leaders say and no more.
    }
  }

  #heard(message: ToPage, calls: Calls): void {
    switch (message.type) {
      case "engine":
        this.#own = { phase: message.phase, message: message.message };
        if (message.phase === "serving") this.#serves();
        if (message.phase === "booting") this.#other = undefined;
        if (message.phase === "failed" && !message.passing) this.#accuse(message.moving ?? [], message.message);
        if (message.phase === "closed" || message.phase === "failed")
          this.#ended(this.#own, message.passing ? "retry" : "replace");
        else this.#tell();
        return;
      case "call":
        void calls.carryOut(message);
        return;
      case "abort":
        calls.abort(message.call);
        return;
      default:
        message satisfies never;
    }
  }

  /** A run with which Python dies again, although it moves alone, is the reason; the next worker leaves it alone. */
  #accuse(moving: readonly string[], lastWords: string): void {
    const [only] = moving;
    if (only !== undefined && moving.length === 1 && this.#suspects.includes(only)) this.#guilty.set(only, lastWords);
    this.#suspects = moving.filter((id) => !this.#guilty.has(id));
  }

  #serves(): void {
    this.#servingSince = Date.now();
    this.#retries.succeeded();
  }

  /** The script of a worker did not load. The platform does not say why: ask for it once more. */
  async #notLoaded(worker: Worker, url: string): Promise<void> {
    let message = `the engine worker did not load from ${url}, which is served: a content security policy, or Cross-Origin-Embedder-Policy, may forbid it`;
    let passing = this.#retries.count < BLIPS_MAX;
    try {
      await present(url);
    } catch (error) {
      message = (error as Error).message;
      passing = error instanceof Unreachable;
    }
    if (worker === this.#worker) this.#ended({ phase: "failed", message }, passing ? "retry" : "rest");
  }

  /** The worker is gone. `next`: whether a new one takes its place, at once or when the site may answer again. */
  #ended(state: EngineState, next: "rest" | "replace" | "retry" = "rest"): void {
    const led = this.view.leader === "this";
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#retries.cancel();
    this.#own = state;
    if (next === "retry" && !this.#closing) {
      const message = `${state.message}; trying again in ${this.#retries.plan()} s`;
      this.#own = { phase: "waiting", message };
    }
    if (this.#own.phase === "failed") console.error(`Weft: ${state.message}`); // also where nobody listens
    this.#calls?.end();
    this.#calls = undefined;
    // A worker that is terminated cannot say so itself.
    if (led) this.#channel.postMessage({ type: "leader", id: this.#id, ...state } satisfies Announcement);
    this.#closed?.();
    this.#tell();
    if (next !== "replace" || this.#closing || state.phase !== "failed" || this.#servingSince === 0) return;
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
}
