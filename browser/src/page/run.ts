/** One run, by id, as a page sees it. Reads and writes the store only: works with no engine loaded. */

import { WeftError } from "../errors.js";
import type { HistoryRow, Status } from "../records.js";
import { shownShort } from "../shown.js";
import type { Store } from "../store/index.js";
import { encode } from "../values.js";
import { checkListener, checkOptions, isAbortSignal, type Known, refuse } from "./options.js";
import * as runs from "./runs.js";
import type { Watch } from "./watch.js";
import { checkName, send } from "./writes.js";

export interface SignalOptions {
  /** The same id again is accepted and does nothing more. */
  readonly id?: string | undefined;
}

export interface ResultOptions {
  /** Aborts when nobody waits any more. */
  readonly signal?: AbortSignal | undefined;
}

const SIGNAL_OPTIONS: Known<SignalOptions> = { id: true };
const RESULT_OPTIONS: Known<ResultOptions> = { signal: true };

/** A handle. Making one reads nothing; calls on it reject with `run_not_found` when there is no such run. */
export class Run {
  readonly id: string;
  readonly #store: Store;
  readonly #watch: Watch;

  constructor(store: Store, watch: Watch, id: string) {
    this.#store = store;
    this.#watch = watch;
    this.id = id;
  }

  /** Send a signal; durable when this resolves. Rejects with `run_closed` when the run has ended. */
  async signal(name: string, payload: unknown = null, options: SignalOptions = {}): Promise<void> {
    checkOptions("signal", options, SIGNAL_OPTIONS);
    checkName("signal", name);
    await send(this.#store, this.id, "signal", { name, payload: encode(payload, `signal ${name}`), id: options.id });
  }

  /** Ask the run to stop: `Cancelled` is raised in it and its `finally` blocks run. */
  async cancel(reason = "cancelled by a page"): Promise<void> {
    await send(this.#store, this.id, "cancel", { name: reason });
  }

  /** End the run at once, running none of its code. */
  async terminate(reason = "terminated by a page"): Promise<void> {
    await send(this.#store, this.id, "terminate", { name: reason });
  }

  /** Stop advancing the run until `resume`. */
  async suspend(reason = "suspended by a page"): Promise<void> {
    await send(this.#store, this.id, "suspend", { name: reason });
  }

  async resume(): Promise<void> {
    await send(this.#store, this.id, "resume");
  }

  async status(): Promise<Status> {
    return (await this.inspect()).status;
  }

  /** The run's public state, `ctx.state`. */
  async state(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.inspect()).state;
  }

  /** Where the run stands: status, lines, variables, what it waits for. */
  async inspect(): Promise<runs.RunView> {
    return runs.view(this.#store, this.id);
  }

  /** What the run did, oldest first: the latest entries that are kept. */
  async history(): Promise<HistoryRow[]> {
    return runs.history(this.#store, this.id);
  }

  /**
   * Wait for the run's end, also while no engine advances it: one that failed is told of in the console and by `engine.on`, and
   * another may come. Rejects with `RunFailed` when the run ended without a result or is parked with a problem, and with
   * the signal's reason when that aborts; the run goes on regardless. Rejects with `store_unavailable` when this client is
   * closed first.
   */
  async result(options: ResultOptions = {}): Promise<unknown> {
    checkOptions("result", options, RESULT_OPTIONS);
    const { signal } = options;
    if (signal !== undefined && !isAbortSignal(signal)) refuse("signal is an AbortSignal", signal);
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        stop();
        signal?.removeEventListener("abort", aborted);
        settle();
      };
      const aborted = () => finish(() => reject(signal?.reason));
      const look = async () => {
        const outcome = await runs.readOutcome(this.#watch, this.id);
        if (outcome !== undefined) finish(() => resolve(outcome.result));
      };
      const failed = (error: unknown) => finish(() => reject(error));
      const stop = this.#watch.add(look, failed, () => failed(closed(this.id)));
      signal?.addEventListener("abort", aborted);
      if (signal?.aborted) aborted();
    });
  }

  /**
   * Hear of every change, beginning with how the run stands now. Changes that follow each other closely are told as one.
   * Returns the undo; throws `declaration` without a listener. `failed` hears of reads that failed, once until
   * they succeed again or fail in another way; looking goes on.
   */
  on(
    event: "change",
    listener: (view: runs.RunView) => void,
    failed: (error: unknown) => void = console.error,
  ): () => void {
    checkListener("a run", event, listener);
    if (typeof failed !== "function") refuse("whoever hears of failed reads is a function", failed);
    let last = "";
    let stopped = false;
    let trouble = "";
    const look = async () => {
      const { view, rows } = await runs.look(this.#store, this.id);
      trouble = "";
      if (stopped || rows === last) return;
      last = rows;
      listener(view);
    };
    const undo = this.#watch.add(look, (error) => {
      const before = trouble;
      trouble = shownShort(error);
      if (!stopped && trouble !== before) failed(error);
    });
    return () => {
      stopped = true; // also for a look that is under way
      undo();
    };
  }
}

function closed(runId: string): WeftError {
  return new WeftError(
    "store_unavailable",
    `the client was closed; run ${runId} goes on, open another one to hear of it`,
  );
}
