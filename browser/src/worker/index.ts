/**
 * The engine worker. It waits for the Web Lock of its database; holding it, it boots Python and advances runs until it is
 * closed, fails or is terminated. Then the lock is free and the next worker in line takes over.
 */

import type { PyodideAPI } from "pyodide";
import {
  type Announcement,
  type EngineState,
  engineChannel,
  engineLock,
  leaderLock,
  PROTOCOL_VERSION,
  type ToPage,
  type ToWorker,
} from "../protocol.js";
import { Unreachable } from "../reach.js";
import { installBridge } from "../store/bridge.js";
import { APP_FOLDER, boot } from "./python.js";

declare const self: DedicatedWorkerGlobalScope;

/** `Door` of `weft_core/engine/host_browser_serve.py`. */
interface Door {
  wake(): void;
  close(): void;
  returned(call: number, value: string): void;
  threw(call: number, name: string, message: string, final: boolean): void;
}

type Open = Extract<ToWorker, { type: "open" }>;

const post = (message: ToPage): void => self.postMessage(message);

let door: Door | undefined;
const giveUp = new AbortController();

/** What only this worker's page is to know of a state. */
type Details = Pick<Extract<ToPage, { type: "engine" }>, "moving" | "passing">;
type SetState = (state: EngineState, details?: Details) => void;

self.addEventListener("message", (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.type) {
    case "open":
      void open(message);
      return;
    case "wake":
      door?.wake();
      return;
    case "returned":
      door?.returned(message.call, message.value);
      return;
    case "threw":
      door?.threw(message.call, message.name, message.message, message.final);
      return;
    case "close":
      if (door) door.close();
      else giveUp.abort();
      return;
    default:
      message satisfies never;
  }
});

async function open(options: Open): Promise<void> {
  if (options.protocol !== PROTOCOL_VERSION) {
    return tell({ phase: "failed", message: "page and worker are of different versions; reload the page" });
  }
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) {
    const message = "this page has no Web Locks, which keep two tabs apart: serve it over https, or from localhost";
    return tell({ phase: "failed", message });
  }
  tell({ phase: "waiting", message: "another tab may be advancing the runs" });
  try {
    await locks.request(engineLock(options.database), { signal: giveUp.signal }, () =>
      locks.request(leaderLock(options.database, options.id), () => lead(options)),
    );
  } catch (error) {
    if (giveUp.signal.aborted) tell({ phase: "closed", message: "closed before its turn came" });
    else tell({ phase: "failed", message: describe(error) });
  }
}

function tell(state: EngineState, details: Details = {}): void {
  post({ type: "engine", ...state, ...details });
}

/** Hold the lock for as long as the engine runs. */
async function lead(options: Open): Promise<void> {
  const channel = new BroadcastChannel(engineChannel(options.database));
  let current: EngineState = { phase: "booting", message: "starting Python" };
  const announce = () => channel.postMessage({ type: "leader", id: options.id, ...current } satisfies Announcement);
  const set: SetState = (state, details) => {
    current = state;
    tell(state, details);
    announce();
  };
  channel.onmessage = (event: MessageEvent<Announcement>) => {
    if (event.data.type === "who") announce();
  };
  set(current);
  try {
    const python = await boot(options);
    if (giveUp.signal.aborted) set({ phase: "closed", message: "closed while starting" });
    else await serve(python, options, set);
  } catch (error) {
    set({ phase: "failed", message: describe(error) }, { passing: error instanceof Unreachable });
  } finally {
    channel.close();
  }
}

/** Resolves when the engine has ended, in whatever way. */
function serve(python: PyodideAPI, options: Open, set: SetState): Promise<void> {
  return new Promise((resolve) => {
    let entered = "[]";
    const page = {
      state(phase: EngineState["phase"], message: string, moving: readonly string[] = []) {
        set({ phase, message }, { moving });
        if (phase !== "closed" && phase !== "failed") return;
        door = undefined;
        resolve();
      },
      entering(runIds: string) {
        entered = runIds;
      },
      call(call: number, activity: string, args: string, runId: string, key: string, attempt: number) {
        post({ type: "call", call, activity, args, runId, key, attempt });
      },
      abort(call: number) {
        post({ type: "abort", call });
      },
    };
    installBridge();
    onFatal(python, (message) => page.state("failed", `Python died: ${message}`, JSON.parse(entered)));
    const start = python.runPython("from weft_core.engine.host_browser_serve import serve\nserve");
    door = start(
      page,
      JSON.stringify({
        url: `indexeddb:${options.database}?durability=${options.durability}`,
        app: options.app,
        folder: APP_FOLDER,
        activities: options.activities,
        suspects: options.suspects,
        guilty: options.guilty,
      }),
    );
  });
}

/** Hear of an error after which the interpreter must not be entered again. */
function onFatal(python: PyodideAPI, heard: (message: string) => void): void {
  const internals = (python as unknown as { _api: { on_fatal?: (error: unknown) => void } })._api;
  internals.on_fatal = (error) => heard(describe(error));
}

function describe(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" && message !== "" ? message : String(error);
}
