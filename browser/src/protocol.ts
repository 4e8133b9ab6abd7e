/**
 * Everything that is said between a page, its engine worker and other tabs: two closed unions and one announcement.
 * Imports nothing. Every `call` ends in exactly one `returned` or `threw`, or in the end of the worker that made it.
 */

export const PROTOCOL_VERSION = 1;

/** A file of the app: where it is served (absolute URL) and where Python finds it, relative to the app's folder. */
export interface AppFile {
  readonly path: string;
  readonly url: string;
}

export type Durability = "strict" | "relaxed";

/** What a page asks its worker to do. */
export type ToWorker =
  | {
      readonly type: "open";
      readonly protocol: typeof PROTOCOL_VERSION;
      /** The worker's name in announcements: its own page hears it directly and need not listen to them. */
      readonly id: string;
      readonly database: string;
      readonly durability: Durability;
      /** `module:app`, as on the command line. */
      readonly app: string;
      readonly files: readonly AppFile[];
      /** URLs of pure wheels on the site's own origin. */
      readonly packages: readonly string[];
      /** Names of the activities that the page carries out. */
      readonly activities: readonly string[];
      /** Runs that moved when the Python before this one died, each perhaps the reason. */
      readonly suspects: readonly string[];
      /** Runs that Python died with although they moved alone, and how it died. */
      readonly guilty: readonly (readonly [runId: string, lastWords: string])[];
      /** The folder with Pyodide and the standard library zip, ending in `/`. */
      readonly assets: string;
    }
  /** Something may have changed (the page became visible, the network is back): look at the store and the clock. */
  | { readonly type: "wake" }
  /** An activity called by `call` ended; `value` is JSON text. */
  | { readonly type: "returned"; readonly call: number; readonly value: string }
  /** `final`: another attempt would fail the same way. */
  | {
      readonly type: "threw";
      readonly call: number;
      readonly name: string;
      readonly message: string;
      readonly final: boolean;
    }
  /** Stop at the last commit and give the lock to the next in line. */
  | { readonly type: "close" };

/** What a worker tells its page. */
export type ToPage =
  /**
   * `moving`: Python died, and these runs were about to move or moved. `passing`: it failed because the site did not
   * answer; another worker may fare better.
   */
  | ({ readonly type: "engine"; readonly moving?: readonly string[]; readonly passing?: boolean } & EngineState)
  /** Carry out an activity. `args` is JSON text of the positional arguments. */
  | {
      readonly type: "call";
      readonly call: number;
      readonly activity: string;
      readonly args: string;
      readonly runId: string;
      readonly key: string;
      readonly attempt: number;
    }
  /** Nobody wants the result of `call` any more; it need not be answered. */
  | { readonly type: "abort"; readonly call: number };

/**
 * Where an engine stands. `waiting`: its worker is being loaded; or another tab advances the runs, this one takes over when
 * that ends; or the site did not answer, as `message` says, and this one tries again by itself. `booting`: this one has the lock and starts Python.
 * `serving`: runs advance. `closed`: ended on request. `failed`: `message` says why; it stays so until somebody calls `start`.
 */
export type EnginePhase = "waiting" | "booting" | "serving" | "closed" | "failed";

export interface EngineState {
  readonly phase: EnginePhase;
  /** What it is doing, or why it failed; for people. */
  readonly message: string;
}

/** What is said to all tabs of the origin, on the channel `engineChannel(database)`. */
export type Announcement =
  | ({ readonly type: "leader"; readonly id: string } & EngineState)
  /** Asked by a page that has just come: the leader announces itself again. */
  | { readonly type: "who" };

/** The Web Lock that the one context holds that runs the engine on a database. */
export const engineLock = (database: string): string => `weft:engine:${database}`;
/** The Web Lock that a leader holds for those who want to hear of its end. Nobody waits for it to lead. */
export const leaderLock = (database: string, id: string): string => `weft:leader:${database}:${id}`;
export const engineChannel = (database: string): string => `weft:engine:${database}`;
